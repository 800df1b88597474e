//! Shared subscriptions of 5.0: groups of which one member gets each message
//! (section 4.8.2).

use std::collections::BTreeMap;

use crate::quirks::Quirks;
use crate::topics::{Found, Grant, SessionKey, Topics};
use crate::wire::{Qos, TopicFilter};

/// Which group. No two have the same, ever.
pub(crate) type GroupKey = usize;

#[derive(Debug, Default)]
pub(crate) struct Shares {
    /// Which groups a topic concerns.
    topics: Topics,
    groups: BTreeMap<GroupKey, Group>,
    /// By the whole filter, `$share/` and share name included.
    by_filter: BTreeMap<TopicFilter, GroupKey>,
    last: GroupKey,
    /// Kept between messages for its allocation.
    found: Found,
}

#[derive(Debug, Default)]
struct Group {
    /// Never empty.
    members: Vec<(SessionKey, Grant)>,
    /// Whose turn it is.
    turn: usize,
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
        let members = &mut self.groups.entry(key).or_default().members;
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

    /// The member that gets the next message: each in turn, but nobody who is
    /// away while another is there.
    pub(crate) fn choose(
        &mut self,
        group: GroupKey,
        is_there: impl Fn(SessionKey) -> bool,
    ) -> Option<(SessionKey, Grant)> {
        let group = self.groups.get_mut(&group)?;
        let count = group.members.len();
        let in_turn = (0..count).map(|step| (group.turn + step) % count);
        let there = in_turn.clone().find(|at| is_there(group.members[*at].0));
        let at = there.or(in_turn.into_iter().next())?;
        group.turn = (at + 1) % count;
        Some(group.members[at])
    }
}
