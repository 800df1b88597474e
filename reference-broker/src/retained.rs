//! Retained messages: the last one of each topic, as a trie over topic levels
//! that a filter is matched against (section 3.3.1.3).

use std::collections::BTreeMap;
use std::sync::Arc;

use slab::Slab;

use crate::limits::Limits;
use crate::message::Message;
use crate::wire::{TopicName, levels};

#[derive(Debug)]
pub(crate) struct Retained {
    nodes: Slab<Node>,
    root: usize,
    messages: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Node {
    /// Ordered, so that what a filter finds comes in one order everywhere.
    children: BTreeMap<Box<[u8]>, usize>,
    message: Option<Arc<Message>>,
}

impl Default for Retained {
    fn default() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::default());
        Self {
            nodes,
            root,
            messages: 0,
            bytes: 0,
        }
    }
}

impl Retained {
    /// Retains a message in place of the topic's last one [MQTT311-3.3.1-5]
    /// [MQTT311-3.3.1-7], or, if its payload is empty, none [MQTT311-3.3.1-10]
    /// [MQTT311-3.3.1-11]. Says whether there was room; if not, the old one is
    /// gone all the same, since a stale value must not pass for the latest.
    pub(crate) fn set(&mut self, message: &Arc<Message>, limits: &Limits) -> bool {
        let topic = message.topic.as_bytes();
        if message.payload.is_empty() {
            self.clear(topic);
            return true;
        }
        self.put(message, limits)
    }

    /// The same, whatever its payload is.
    pub(crate) fn put(&mut self, message: &Arc<Message>, limits: &Limits) -> bool {
        let topic = message.topic.as_bytes();
        let before = self
            .find(topic)
            .and_then(|node| self.nodes[node].message.as_ref());
        let (messages, bytes) = match before {
            Some(before) => (self.messages, self.bytes - before.bytes()),
            None => (self.messages + 1, self.bytes),
        };
        if messages > limits.retained_messages || bytes + message.bytes() > limits.retained_bytes {
            self.clear(topic);
            return false;
        }
        let node = self.reach(topic);
        self.nodes[node].message = Some(Arc::clone(message));
        (self.messages, self.bytes) = (messages, bytes + message.bytes());
        true
    }

    /// Whether something is retained for a topic.
    pub(crate) fn has(&self, topic: &TopicName) -> bool {
        self.find(topic.as_bytes())
            .is_some_and(|node| self.nodes[node].message.is_some())
    }

    fn find(&self, topic: &[u8]) -> Option<usize> {
        levels(topic).try_fold(self.root, |node, level| {
            self.nodes[node].children.get(level).copied()
        })
    }

    fn reach(&mut self, topic: &[u8]) -> usize {
        let mut node = self.root;
        for level in levels(topic) {
            node = match self.nodes[node].children.get(level) {
                Some(child) => *child,
                None => {
                    let child = self.nodes.insert(Node::default());
                    self.nodes[node].children.insert(level.into(), child);
                    child
                }
            };
        }
        node
    }

    fn clear(&mut self, topic: &[u8]) {
        let mut path = vec![(self.root, &b""[..])];
        let mut node = self.root;
        for level in levels(topic) {
            let Some(child) = self.nodes[node].children.get(level) else {
                return;
            };
            node = *child;
            path.push((node, level));
        }
        if let Some(before) = self.nodes[node].message.take() {
            self.messages -= 1;
            self.bytes -= before.bytes();
        }
        for pair in path.windows(2).rev() {
            let [(parent, _), (node, level)] = *pair else {
                continue;
            };
            if self.nodes[node].message.is_some() || !self.nodes[node].children.is_empty() {
                return;
            }
            self.nodes.remove(node);
            self.nodes[parent].children.remove(level);
        }
    }

    /// The last message of every topic that a filter matches [MQTT311-3.3.1-6],
    /// ordered by topic, level by level.
    pub(crate) fn matching(&self, filter: &[u8]) -> Vec<Arc<Message>> {
        let wanted: Vec<&[u8]> = levels(filter).collect();
        let mut found = Vec::new();
        let mut open = vec![(self.root, 0)];
        while let Some((node, depth)) = open.pop() {
            let at_root = node == self.root;
            let node = &self.nodes[node];
            match wanted.get(depth) {
                None => found.extend(node.message.clone()),
                Some(&b"#") => {
                    found.extend(node.message.clone());
                    open.extend(below(node, at_root).map(|child| (child, depth)));
                }
                Some(&b"+") => open.extend(below(node, at_root).map(|child| (child, depth + 1))),
                Some(level) => {
                    open.extend(node.children.get(*level).map(|child| (*child, depth + 1)));
                }
            }
        }
        found
    }
}

/// The children that a wildcard sees, last first, since they go on a stack; at
/// the root it does not see those that begin with `$` [MQTT311-4.7.2-1].
fn below(node: &Node, at_root: bool) -> impl Iterator<Item = usize> {
    node.children
        .iter()
        .rev()
        .filter(move |(level, _)| !(at_root && level.starts_with(b"$")))
        .map(|(_, child)| *child)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Properties, Qos};
    use bytes::Bytes;

    fn message(topic: &str, payload: &'static str) -> Arc<Message> {
        let topic = TopicName::new(topic.to_owned()).expect("a topic");
        let payload = Bytes::from_static(payload.as_bytes());
        Arc::new(Message {
            topic,
            payload,
            qos: Qos::AtMostOnce,
            retain: true,
            properties: Properties::NONE,
            expiry: None,
        })
    }

    #[test]
    fn what_is_cleared_leaves_nothing_behind() {
        const TOPICS: [&str; 5] = ["a", "a/b", "a/b/c", "/", "$x"];
        let limits = Limits::default();
        let mut retained = Retained::default();
        for payload in ["1", "22"] {
            for topic in TOPICS {
                assert!(retained.set(&message(topic, payload), &limits));
            }
        }
        let bytes = TOPICS.iter().map(|topic| topic.len() + 2).sum();
        assert_eq!((retained.messages, retained.bytes), (TOPICS.len(), bytes));
        for topic in ["a/b", "never", "a/b/c/d", "/", "a", "a/b/c", "a", "$x"] {
            assert!(retained.set(&message(topic, ""), &limits));
        }
        assert_eq!((retained.messages, retained.bytes), (0, 0));
        assert_eq!(retained.nodes.len(), 1, "the root");
    }
}
