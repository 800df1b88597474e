//! Shared subscriptions of 5.0: groups of which one member gets each message
//! (section 4.8.2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::quirks::Quirks;
use crate::topics::{Found, Grant, SessionKey, Topics};
use crate::wire::{Qos, TopicFilter};

/// Which group. No two have the same, ever.
pub(crate) type GroupKey = usize;

/// A group, as the messages have it that are for one of its members.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Share {
    pub(crate) group: GroupKey,
    /// The whole filter, `$share/` and share name included.
    pub(crate) filter: TopicFilter,
}

#[derive(Debug, Default)]
pub(crate) struct Shares {
    /// Which groups a topic concerns.
    topics: Topics,
    groups: BTreeMap<GroupKey, Group>,
    /// By the whole filter.
    by_filter: BTreeMap<TopicFilter, GroupKey>,
    /// The groups that each session is in, if it is in any.
    of_session: BTreeMap<SessionKey, BTreeSet<GroupKey>>,
    last: GroupKey,
    /// Kept between messages for its allocation.
    found: Found,
}

#[derive(Debug)]
struct Group {
    share: Arc<Share>,
    /// Never empty.
    members: Vec<(SessionKey, Grant)>,
    /// Whose turn it is.
    turn: usize,
}

/// How well a member is placed to take a message; the best first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Readiness {
    /// It can be sent at once.
    Ready,
    /// It would wait for a client that is there.
    Busy,
    /// It would wait for a client that is not.
    Away,
    /// It would be lost.
    Full,
}

impl Shares {
    /// Adds a member to the filter's group, or changes what it is granted.
    pub(crate) fn insert(&mut self, filter: &TopicFilter, session: SessionKey, grant: Grant) {
        let Some((_, topics)) = filter.shared() else {
            return;
        };
        let key = match self.by_filter.get(filter) {
            Some(key) => *key,
            None => {
                self.last += 1;
                self.by_filter.insert(filter.clone(), self.last);
                let group = Grant {
                    qos: Qos::ExactlyOnce,
                    no_local: false,
                    retain_as_published: false,
                    shared: true,
                    id: None,
                };
                self.topics.insert(topics.as_bytes(), self.last, group);
                self.last
            }
        };
        self.of_session.entry(session).or_default().insert(key);
        let group = self.groups.entry(key).or_insert_with(|| Group {
            share: Arc::new(Share {
                group: key,
                filter: filter.clone(),
            }),
            members: Vec::new(),
            turn: 0,
        });
        let members = &mut group.members;
        match members.iter_mut().find(|(member, _)| *member == session) {
            Some((_, granted)) => *granted = grant,
            None => members.push((session, grant)),
        }
    }

    /// Takes a member out of the filter's group, if it is one.
    pub(crate) fn remove(&mut self, filter: &TopicFilter, session: SessionKey) {
        let Some((_, topics)) = filter.shared() else {
            return;
        };
        let Some(key) = self.by_filter.get(filter).copied() else {
            return;
        };
        let Some(group) = self.groups.get_mut(&key) else {
            return;
        };
        if let Some(at) = group.members.iter().position(|(one, _)| *one == session) {
            group.members.remove(at);
            group.turn -= usize::from(at < group.turn);
        }
        if let Some(groups) = self.of_session.get_mut(&session) {
            groups.remove(&key);
            if groups.is_empty() {
                self.of_session.remove(&session);
            }
        }
        if group.members.is_empty() {
            self.groups.remove(&key);
            self.by_filter.remove(filter);
            self.topics.remove(topics.as_bytes(), key);
        }
    }

    /// The groups that want a topic, in the order in which they began.
    pub(crate) fn matching(&mut self, topic: &[u8]) -> Vec<GroupKey> {
        if self.groups.is_empty() {
            return Vec::new();
        }
        self.topics
            .matches(topic, None, Quirks::default(), &mut self.found);
        self.found.matches.iter().map(|(group, _)| *group).collect()
    }

    /// The groups that a session is in, in the order in which they began.
    pub(crate) fn of(&self, session: SessionKey) -> impl Iterator<Item = GroupKey> + '_ {
        self.of_session.get(&session).into_iter().flatten().copied()
    }

    /// Who is in a group besides this session, in the order of joining.
    pub(crate) fn others(
        &self,
        group: GroupKey,
        session: SessionKey,
    ) -> impl Iterator<Item = SessionKey> + '_ {
        let members = self.groups.get(&group).map(|group| &group.members);
        let members = members.into_iter().flatten().map(|(member, _)| *member);
        members.filter(move |member| *member != session)
    }

    /// The group of this filter, if there is one.
    pub(crate) fn named(&self, filter: &TopicFilter) -> Option<Arc<Share>> {
        let group = self.groups.get(self.by_filter.get(filter)?)?;
        Some(Arc::clone(&group.share))
    }

    /// The member that gets the next message, and for which group: of those best
    /// placed to take it each in turn.
    pub(crate) fn choose(
        &mut self,
        group: GroupKey,
        readiness: impl Fn(SessionKey) -> Readiness,
    ) -> Option<(SessionKey, Grant, Arc<Share>)> {
        let group = self.groups.get_mut(&group)?;
        let count = group.members.len();
        let mut best: Option<(Readiness, usize)> = None;
        for at in (0..count).map(|step| (group.turn + step) % count) {
            let found = readiness(group.members[at].0);
            if best.is_none_or(|(best, _)| found < best) {
                best = Some((found, at));
            }
            if found == Readiness::Ready {
                break;
            }
        }
        let (_, at) = best?;
        group.turn = (at + 1) % count;
        let (session, grant) = group.members[at];
        Some((session, grant, Arc::clone(&group.share)))
    }
}
