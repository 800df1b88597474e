//! Shared subscriptions: a message is owed to a group once, whichever member
//! gets it.

use super::Wanted;
use super::filter::filter_matches;
use crate::scenario::topic::split_share;
use crate::trace::{TextId, Texts};
use rustc_hash::FxHashMap;

/// Those who share a subscription.
pub(super) struct Group {
    /// What stands for it where a subscriber's device does: counted down from
    /// the highest number, which no device has.
    pub(super) key: u32,
    /// The whole filter, share name included.
    filter: String,
    /// Subscribers, each with the place of the filter among its own.
    pub(super) members: Vec<(usize, usize)>,
}

/// All groups; mostly none.
pub(super) struct Groups {
    groups: Vec<Group>,
    /// By topic: places of those whose filter matches.
    wanting: FxHashMap<TextId, Vec<usize>>,
}

impl Groups {
    /// The groups of subscribers with these filters.
    pub(super) fn new<'a>(subscribers: impl Iterator<Item = &'a [Wanted]>) -> Groups {
        let mut groups: Vec<Group> = Vec::new();
        for (subscriber, filters) in subscribers.enumerate() {
            for (place, Wanted { filter, .. }) in filters.iter().enumerate() {
                if split_share(filter).0.is_none() {
                    continue;
                }
                let member = (subscriber, place);
                match groups.iter_mut().find(|group| group.filter == *filter) {
                    Some(group) => group.members.push(member),
                    None => groups.push(Group {
                        key: u32::MAX - groups.len() as u32,
                        filter: filter.clone(),
                        members: vec![member],
                    }),
                }
            }
        }
        Groups {
            groups,
            wanting: FxHashMap::default(),
        }
    }

    /// The groups that want a topic.
    pub(super) fn wanting(&mut self, topic: TextId, texts: &Texts) -> impl Iterator<Item = &Group> {
        let groups = &self.groups;
        let wanting = self.wanting.entry(topic).or_insert_with(|| {
            let topic = texts.text(topic);
            let wants = |group: &Group| filter_matches(split_share(&group.filter).1, topic);
            (0..groups.len())
                .filter(|place| wants(&groups[*place]))
                .collect()
        });
        wanting.iter().map(|place| &groups[*place])
    }

    /// The keys of the groups that a subscriber is in.
    pub(super) fn of(&self, subscriber: usize) -> impl Iterator<Item = u32> {
        let groups = self.groups.iter();
        groups
            .filter(move |group| {
                group
                    .members
                    .iter()
                    .any(|(member, _)| *member == subscriber)
            })
            .map(|group| group.key)
    }
}
