//! A group whose members come and go.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use squall_broker::wire::{Connect, Packet, Qos};
use squall_broker::{Config, ConnId, Quirks};

use crate::v5::kept;
use crate::world::{World, puback, pubcomp, pubrec, subscribe};

struct Member {
    name: &'static str,
    conn: Option<ConnId>,
    has_session: bool,
    /// Identifiers of QoS 2 messages received and not yet released.
    held: BTreeSet<u16>,
    answers: Vec<Packet>,
}

impl Member {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            conn: None,
            has_session: false,
            held: BTreeSet::new(),
            answers: Vec::new(),
        }
    }

    fn forget(&mut self) {
        *self = Self::new(self.name);
    }
}

/// Deliveries of one script in which the members of a group come and go, and at
/// last all are there: each message was taken by one of them, at QoS 2 once.
pub(super) fn groups(seed: u64, quirks: Quirks) -> usize {
    const MEMBERS: [&str; 3] = ["one", "two", "three"];
    let mut dice = Pcg32::seed_from_u64(seed);
    let mut roll = move |sides: usize| dice.next_u32() as usize % sides;
    let mut config = Config::default();
    config.limits.inflight = 1 + roll(4);
    config.quirks = quirks;
    let mut world = World::with(config);
    let publisher = world.clean("p");
    let mut members = MEMBERS.map(Member::new);
    let mut taken = BTreeMap::<String, usize>::new();
    let mut sent = 0;
    let read = |world: &mut World, member: &mut Member, taken: &mut BTreeMap<_, _>| {
        let Some(conn) = member.conn else { return };
        for packet in world.inbox(conn) {
            match packet {
                Packet::Publish(publish) => {
                    let number = publish.packet_id().expect("QoS 1 or 2").get();
                    let once = publish.qos() == Qos::ExactlyOnce;
                    if !once || member.held.insert(number) {
                        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                        *taken.entry(payload).or_default() += 1;
                    }
                    let answer = if once { pubrec(number) } else { puback(number) };
                    member.answers.push(answer);
                }
                Packet::PubRel(ack) => {
                    member.held.remove(&ack.packet_id.get());
                    member.answers.push(pubcomp(ack.packet_id.get()));
                }
                _ => {}
            }
        }
    };
    let come = |world: &mut World, member: &mut Member, afresh: bool| {
        if afresh {
            member.forget();
        }
        member.answers.clear();
        let connect = Connect {
            clean_session: afresh,
            ..kept(member.name, u32::MAX)
        };
        let conn = world.connect(connect, member.has_session);
        if !std::mem::replace(&mut member.has_session, true) {
            world.send(conn, &subscribe(1, &[("$share/g/a/#", 2)]));
        }
        member.conn = Some(conn);
    };
    let answer = |world: &mut World, member: &mut Member| {
        if let Some(conn) = member.conn.filter(|_| !member.answers.is_empty()) {
            let answer = member.answers.remove(0);
            world.send(conn, &answer);
        }
    };
    come(&mut world, &mut members[0], false);
    for _ in 0..300 {
        let who = roll(MEMBERS.len());
        match (members[who].conn, roll(6)) {
            (_, 0..2) => {
                let qos = 1 + roll(2) as u8;
                world.published(publisher, "a/b", &format!("{qos}-{sent}"), qos);
                sent += 1;
            }
            (None, _) => {
                // If it is the only one, what it leaves is nobody's.
                let sessions = members.iter().filter(|member| member.has_session);
                let afresh = sessions.count() > 1 && roll(6) == 0;
                come(&mut world, &mut members[who], afresh);
            }
            (Some(conn), 2) => {
                world.cut(conn);
                members[who].conn = None;
            }
            (Some(_), _) => answer(&mut world, &mut members[who]),
        }
        members
            .iter_mut()
            .for_each(|member| read(&mut world, member, &mut taken));
    }
    for member in members.iter_mut().filter(|member| member.conn.is_none()) {
        come(&mut world, member, false);
    }
    members
        .iter_mut()
        .for_each(|member| read(&mut world, member, &mut taken));
    while members.iter().any(|member| !member.answers.is_empty()) {
        for member in &mut members {
            answer(&mut world, member);
            read(&mut world, member, &mut taken);
        }
    }
    assert_eq!(taken.len(), sent, "each message is taken");
    let unfinished = members.iter().find(|member| !member.held.is_empty());
    assert!(unfinished.is_none(), "each handshake comes to its end");
    let twice = taken
        .iter()
        .find(|(payload, times)| payload.starts_with('2') && **times > 1);
    assert_eq!(twice, None, "none of QoS 2 is taken twice");
    taken.values().sum()
}
