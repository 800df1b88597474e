//! Subscriptions as a trie over topic levels. Matching a topic follows only
//! the branches that could match it, so its cost does not depend on how many
//! other subscriptions there are.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;
use slab::Slab;

use crate::quirks::{Quirk, Quirks};
use crate::wire::{Qos, SubscriptionId, levels};

/// Which session, by its key in the broker.
pub(crate) type SessionKey = usize;

/// What a subscription was granted, and how it is to be served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Grant {
    pub(crate) qos: Qos,
    /// Whether the client's own messages are kept from it.
    pub(crate) no_local: bool,
    /// Whether messages keep their RETAIN flag.
    pub(crate) retain_as_published: bool,
    /// Whether it is one of a group's.
    pub(crate) shared: bool,
    pub(crate) id: Option<SubscriptionId>,
}

#[cfg(test)]
impl Grant {
    /// What a subscription of 3.1.1 is granted.
    pub(crate) fn new(qos: Qos) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            shared: false,
            id: None,
        }
    }
}

/// One session's match.
pub(crate) type Match = (SessionKey, Grant);

/// Who wants a message.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each session once, in the order of session keys.
    pub(crate) matches: Vec<Match>,
    /// The identifiers of all subscriptions that match, if they have any, in the
    /// same order.
    pub(crate) ids: Vec<(SessionKey, SubscriptionId)>,
}

/// Nodes refer to each other by index, so that neither walking nor dropping a
/// filter of 65,536 levels recurses.
#[derive(Debug)]
pub(crate) struct Topics {
    nodes: Slab<Node>,
    root: usize,
    frontier: Vec<usize>,
    next: Vec<usize>,
}

#[derive(Debug, Default)]
struct Node {
    children: FxHashMap<Box<[u8]>, usize>,
    /// The child for the level `+`.
    plus: Option<usize>,
    /// Who subscribed to the path to here, in the order of session keys.
    exact: Vec<Match>,
    /// Who subscribed to the path to here followed by `#`, in the same order.
    hash: Vec<Match>,
}

impl Node {
    fn is_unused(&self) -> bool {
        self.children.is_empty()
            && self.plus.is_none()
            && self.exact.is_empty()
            && self.hash.is_empty()
    }

    fn child(&self, level: &[u8]) -> Option<usize> {
        if level == b"+" {
            self.plus
        } else {
            self.children.get(level).copied()
        }
    }
}

impl Default for Topics {
    fn default() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::default());
        Self {
            nodes,
            root,
            frontier: Vec::new(),
            next: Vec::new(),
        }
    }
}

impl Topics {
    /// Adds a subscription, or replaces the one with the identical filter
    /// [MQTT311-3.8.4-3].
    pub(crate) fn insert(&mut self, filter: &[u8], session: SessionKey, grant: Grant) {
        let mut node = self.root;
        let mut hash = false;
        for level in levels(filter) {
            if level == b"#" {
                hash = true;
                break;
            }
            node = match self.nodes[node].child(level) {
                Some(child) => child,
                None => self.grow(node, level),
            };
        }
        let node = &mut self.nodes[node];
        let list = if hash {
            &mut node.hash
        } else {
            &mut node.exact
        };
        match list.binary_search_by_key(&session, |(key, _)| *key) {
            Ok(at) => list[at].1 = grant,
            Err(at) => list.insert(at, (session, grant)),
        }
    }

    fn grow(&mut self, parent: usize, level: &[u8]) -> usize {
        let child = self.nodes.insert(Node::default());
        let parent = &mut self.nodes[parent];
        if level == b"+" {
            parent.plus = Some(child);
        } else {
            parent.children.insert(level.into(), child);
        }
        child
    }

    /// Removes the subscription whose filter is identical, character by
    /// character, if there is one [MQTT311-3.10.4-1].
    pub(crate) fn remove(&mut self, filter: &[u8], session: SessionKey) {
        let mut path = vec![(self.root, &b""[..])];
        let mut node = self.root;
        let mut hash = false;
        for level in levels(filter) {
            if level == b"#" {
                hash = true;
                break;
            }
            let Some(child) = self.nodes[node].child(level) else {
                return;
            };
            node = child;
            path.push((node, level));
        }
        let node = &mut self.nodes[node];
        let list = if hash {
            &mut node.hash
        } else {
            &mut node.exact
        };
        if let Ok(at) = list.binary_search_by_key(&session, |(key, _)| *key) {
            list.remove(at);
        }
        self.prune(&path);
    }

    /// Removes the nodes at the end of a path that nothing needs any more.
    fn prune(&mut self, path: &[(usize, &[u8])]) {
        for pair in path.windows(2).rev() {
            let [(parent, _), (node, level)] = *pair else {
                continue;
            };
            if !self.nodes[node].is_unused() {
                return;
            }
            self.nodes.remove(node);
            let parent = &mut self.nodes[parent];
            if level == b"+" {
                parent.plus = None;
            } else {
                parent.children.remove(level);
            }
        }
    }

    /// Finds who wants a topic: each session once, at the highest quality of
    /// service of its matching subscriptions [MQTT311-3.3.5-1]
    /// [MQTT5-3.3.4-2]. A subscription that wants none of its client's own
    /// messages does not see those of `publisher` [MQTT5-3.8.3-3].
    pub(crate) fn matches(
        &mut self,
        topic: &[u8],
        publisher: Option<SessionKey>,
        quirks: Quirks,
        found: &mut Found,
    ) {
        let Found { matches, ids } = found;
        matches.clear();
        ids.clear();
        let mut lists = 0;
        let mut take = |list: &[Match]| {
            lists += usize::from(!list.is_empty());
            for (session, grant) in list {
                if grant.no_local && publisher == Some(*session) {
                    continue;
                }
                matches.push((*session, *grant));
                ids.extend(grant.id.map(|id| (*session, id)));
            }
        };
        self.frontier.clear();
        self.frontier.push(self.root);
        // A filter that begins with a wildcard does not see such topics.
        // [MQTT311-4.7.2-1]
        let mut wildcards = !topic.starts_with(b"$") || quirks.has(Quirk::MatchesDollarTopics);
        for level in levels(topic) {
            self.next.clear();
            for node in &self.frontier {
                let node = &self.nodes[*node];
                if wildcards {
                    take(&node.hash);
                    self.next.extend(node.plus);
                }
                self.next.extend(node.children.get(level));
            }
            wildcards = true;
            std::mem::swap(&mut self.frontier, &mut self.next);
            if self.frontier.is_empty() {
                break;
            }
        }
        for node in &self.frontier {
            let node = &self.nodes[*node];
            take(&node.exact);
            // `#` includes the level above it (section 4.7.1.2).
            take(&node.hash);
        }
        if lists > 1 {
            if quirks.has(Quirk::ServesOverlapsAtLowestQos) {
                matches.sort_unstable_by_key(|(session, grant)| (*session, grant.qos));
            } else {
                matches.sort_unstable_by_key(|(session, grant)| (*session, Reverse(grant.qos)));
            }
            matches.dedup_by(|(session, grant), (before, kept)| {
                let same = session == before;
                kept.retain_as_published |= same && grant.retain_as_published;
                same
            });
            ids.sort_unstable();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERS: [&str; 8] = ["a", "a/b", "a/+", "a/#", "#", "+/+/c", "/", "$x/#"];

    fn found(topics: &mut Topics, topic: &str) -> Vec<(SessionKey, Qos)> {
        let mut found = Found {
            matches: vec![(99, Grant::new(Qos::AtMostOnce))],
            ids: SubscriptionId::new(99)
                .map(|id| (99, id))
                .into_iter()
                .collect(),
        };
        topics.matches(topic.as_bytes(), None, Quirks::default(), &mut found);
        assert_eq!(found.ids, []);
        let matches = found.matches.into_iter();
        matches
            .map(|(session, grant)| (session, grant.qos))
            .collect()
    }

    #[test]
    fn each_session_is_found_once_in_order_at_its_highest_qos() {
        let mut topics = Topics::default();
        topics.insert(b"a/#", 7, Grant::new(Qos::AtMostOnce));
        topics.insert(b"a/+", 7, Grant::new(Qos::ExactlyOnce));
        topics.insert(b"a/b", 3, Grant::new(Qos::AtLeastOnce));
        topics.insert(b"#", 7, Grant::new(Qos::AtLeastOnce));
        topics.insert(b"a/b", 5, Grant::new(Qos::AtMostOnce));
        let expected = [
            (3, Qos::AtLeastOnce),
            (5, Qos::AtMostOnce),
            (7, Qos::ExactlyOnce),
        ];
        assert_eq!(found(&mut topics, "a/b"), expected);
        topics.remove(b"a/+", 7);
        topics.remove(b"a/b", 3);
        let expected = [(5, Qos::AtMostOnce), (7, Qos::AtLeastOnce)];
        assert_eq!(found(&mut topics, "a/b"), expected);
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut topics = Topics::default();
        for session in [2, 1, 3] {
            for filter in FILTERS {
                topics.insert(filter.as_bytes(), session, Grant::new(Qos::AtMostOnce));
            }
        }
        // None of these is a subscription.
        for filter in ["b", "a/b/c", "a/b/#", "+", "+/+", "/#"] {
            topics.remove(filter.as_bytes(), 1);
        }
        for session in [3, 1, 2] {
            assert!(
                found(&mut topics, "a/b")
                    .iter()
                    .any(|(key, _)| *key == session)
            );
            for filter in FILTERS {
                topics.remove(filter.as_bytes(), session);
            }
        }
        assert_eq!(found(&mut topics, "a/b"), []);
        assert_eq!(topics.nodes.len(), 1, "the root");
    }
}
