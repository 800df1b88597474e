//! What a device has to do while it is awake: take readings on time, and know
//! when it is done.

use crate::device::Device;
use crate::event::{DropReason, Event};
use crate::fleet::Publish;
use crate::id::MessageId;
use crate::lifecycle::{Visit, awake_for};
use crate::names::Names;
use crate::outbox::Reading;
use crate::payload::Moment;
use crate::protocol::{HttpReader, Protocol};
use crate::random::Purpose;
use crate::run::World;
use crate::timetable::Timetable;
use std::time::Duration;
use tokio::time::Instant;

/// The duty of one time awake.
#[derive(Debug)]
pub(crate) struct Duty {
    /// It goes to sleep now, whatever is still owed.
    until: Option<Instant>,
    /// The next reading is due.
    next_reading: Option<Instant>,
    visit: Option<VisitSoFar>,
    polls: Option<Polls>,
}

/// The polls of a device that subscribes over HTTP.
#[derive(Debug)]
struct Polls {
    /// When the next is due.
    at: Instant,
    /// The filter it is for, by number.
    filter: usize,
    /// Each filter has been polled.
    once: bool,
}

#[derive(Debug)]
struct VisitSoFar {
    readings_left: u32,
    gap: Duration,
    linger: Linger,
}

/// A visit's time of listening.
#[derive(Debug)]
enum Linger {
    /// It starts with the first accepted connection.
    For(Duration),
    Until(Instant),
    Over,
}

impl Duty {
    pub(crate) fn new(world: &World, device: &mut Device, now: Instant) -> Self {
        let visit = world.fleet.lifecycle.visit().map(VisitSoFar::new);
        let mut duty = Self {
            until: awake_for(&world.fleet, device).map(|time| now + time),
            next_reading: None,
            visit,
            polls: polls(world, now),
        };
        duty.next_reading = duty.first_reading(world, device, now);
        duty
    }

    /// When [`Duty::perform`] or [`Duty::is_done`] will have something new to say.
    pub(crate) fn timer(&self) -> Option<Instant> {
        let linger = self.visit.as_ref().and_then(|visit| match visit.linger {
            Linger::Until(until) => Some(until),
            Linger::For(_) | Linger::Over => None,
        });
        [self.until, self.next_reading, linger]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the next poll is due, if there are any.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.polls.as_ref().map(|polls| polls.at)
    }

    /// The number of the filter whose poll is due.
    pub(crate) fn poll_due(&self, now: Instant) -> Option<usize> {
        let due = self.polls.as_ref().filter(|polls| polls.at <= now);
        due.map(|polls| polls.filter)
    }

    /// The poll of a filter, perhaps the last of all, was answered.
    pub(crate) fn polled(&mut self, last: bool, reader: HttpReader, now: Instant) {
        let Some(polls) = &mut self.polls else {
            return;
        };
        if !last {
            polls.filter += 1;
            return;
        }
        (polls.filter, polls.once) = (0, true);
        polls.at = match reader {
            HttpReader::LongPoll(_) => now,
            // What an answer that was late made it miss is skipped.
            HttpReader::Poll(every) => {
                let late = now.saturating_duration_since(polls.at);
                let missed = late.as_nanos() / every.as_nanos().max(1);
                polls.at + every * u32::try_from(missed + 1).unwrap_or(u32::MAX)
            }
        };
    }

    /// Whether there is something to connect for, now.
    pub(crate) fn needs_connection(&self, device: &Device, now: Instant) -> bool {
        !device.outbox.is_empty() || self.poll_due(now).is_some()
    }

    /// Nothing has to be connected for: a visit without anything to say does not
    /// wait for a connection to begin its listening.
    pub(crate) fn unconnected(&mut self, now: Instant) {
        if self.next_reading.is_none() && self.polls.is_none() {
            self.connected(now);
        }
    }

    /// Takes the readings that are due, but none at the very moment of going down.
    pub(crate) fn perform(
        &mut self,
        world: &World,
        device: &mut Device,
        names: &Names,
        now: Instant,
    ) {
        let Some(publish) = &world.fleet.publish else {
            return;
        };
        if self.until.is_some_and(|until| until <= now) {
            return;
        }
        while let Some(due) = self.next_reading.filter(|due| *due <= now) {
            take_reading(world, publish, device, names, now);
            self.next_reading = self.reading_after(due, world, device);
        }
    }

    /// The device's clock has changed, and the next reading's time with it.
    pub(crate) fn clock_changed(&mut self, world: &World, device: &Device) {
        let Some(publish) = &world.fleet.publish else {
            return;
        };
        if self.visit.is_none() && self.next_reading.is_some() {
            let due = world.epoch + timetable(world, publish, device).at(device.slot);
            self.next_reading = allowed(world, publish, device, due);
        }
    }

    /// A connection was accepted.
    pub(crate) fn connected(&mut self, now: Instant) {
        if let Some(visit) = &mut self.visit
            && let Linger::For(time) = visit.linger
        {
            visit.linger = Linger::Until(now + time);
        }
    }

    /// It is time to go to sleep.
    pub(crate) fn is_done(&mut self, world: &World, device: &Device, now: Instant) -> bool {
        if self.until.is_some_and(|until| until <= now) {
            return true;
        }
        let Some(visit) = &mut self.visit else {
            return false;
        };
        if let Linger::Until(until) = visit.linger
            && until <= now
        {
            visit.linger = Linger::Over;
        }
        let lingered = matches!(visit.linger, Linger::Over);
        let deaf = !world.fleet.subscribe.is_empty() && !device.subscribed
            || self.polls.as_ref().is_some_and(|polls| !polls.once);
        lingered && self.next_reading.is_none() && device.outbox.is_empty() && !deaf
    }

    fn first_reading(
        &mut self,
        world: &World,
        device: &mut Device,
        now: Instant,
    ) -> Option<Instant> {
        let publish = world.fleet.publish.as_ref()?;
        if let Some(visit) = &mut self.visit {
            visit.readings_left = visit.readings_left.checked_sub(1)?;
            return allowed(world, publish, device, now);
        }
        let timetable = timetable(world, publish, device);
        device.slot = timetable.from(device.slot, world.since_start(now));
        let due = world.epoch + timetable.at(device.slot);
        allowed(world, publish, device, due)
    }

    fn reading_after(
        &mut self,
        due: Instant,
        world: &World,
        device: &mut Device,
    ) -> Option<Instant> {
        let publish = world.fleet.publish.as_ref()?;
        if let Some(visit) = &mut self.visit {
            visit.readings_left = visit.readings_left.checked_sub(1)?;
            return allowed(world, publish, device, due + visit.gap);
        }
        device.slot = device.slot.checked_add(1)?;
        let due = world.epoch + timetable(world, publish, device).at(device.slot);
        allowed(world, publish, device, due)
    }
}

impl VisitSoFar {
    fn new(visit: &Visit) -> Self {
        Self {
            readings_left: visit.readings,
            gap: visit.gap,
            linger: Linger::For(visit.linger),
        }
    }
}

fn polls(world: &World, now: Instant) -> Option<Polls> {
    let polls = matches!(world.fleet.protocol, Protocol::Http(_));
    (polls && !world.fleet.subscribe.is_empty()).then_some(Polls {
        at: now,
        filter: 0,
        once: false,
    })
}

fn timetable(world: &World, publish: &Publish, device: &Device) -> Timetable {
    let id = world.fleet.device(device.index);
    let (every, jitter, skew) = (publish.every, publish.jitter, device.skew());
    Timetable::new(
        &world.fleet,
        id,
        skew,
        every,
        jitter,
        Purpose::ReadingJitter,
    )
}

/// `due`, unless the fleet has gone quiet by then or the device has taken all of its readings.
fn allowed(world: &World, publish: &Publish, device: &Device, due: Instant) -> Option<Instant> {
    let at = world.since_start(due);
    let quiet = world.fleet.quiet_after.is_some_and(|quiet| at >= quiet);
    let all_taken = publish
        .readings_max
        .is_some_and(|max| device.readings >= max);
    (!quiet && !all_taken).then_some(due)
}

fn take_reading(
    world: &World,
    publish: &Publish,
    device: &mut Device,
    names: &Names,
    now: Instant,
) {
    device.readings += 1;
    let id = world.fleet.device(device.index);
    let moment = Moment {
        seed: world.fleet.seed,
        device: id,
        sequence: device.readings,
        elapsed: world.since_start(now),
    };
    let qos = publish.qos_of(device.readings);
    let payload = publish.payload.render(&moment, &mut device.figure);
    world.record(
        device,
        Event::Published {
            id: MessageId::new(id, device.readings),
            topic: &names.topic_of(device.readings),
            qos,
            retain: publish.retain,
            payload: &payload,
        },
    );
    let reading = Reading {
        sequence: device.readings,
        qos,
        payload,
    };
    if let Some(oldest) = device.outbox.push(reading, publish.outbox_max) {
        let id = MessageId::new(id, oldest.sequence);
        world.record(
            device,
            Event::Dropped {
                id,
                reason: DropReason::OutboxFull,
            },
        );
    }
}
