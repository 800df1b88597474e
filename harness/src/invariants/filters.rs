//! Which of many topic filters match a topic, found level by level.

use rustc_hash::FxHashMap;

/// Topic filters, each with a number of the caller's.
#[derive(Debug)]
pub(super) struct FilterTree<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    children: FxHashMap<Box<str>, usize>,
    /// The filters that end here: shared ones look alike.
    here: Vec<T>,
    /// The filters that end in `#` below here.
    all_below: Vec<T>,
}

impl<T> Node<T> {
    fn new() -> Node<T> {
        Node {
            children: FxHashMap::default(),
            here: Vec::new(),
            all_below: Vec::new(),
        }
    }
}

impl<T: Copy> FilterTree<T> {
    pub(super) fn new() -> FilterTree<T> {
        FilterTree {
            nodes: vec![Node::new()],
        }
    }

    pub(super) fn insert(&mut self, filter: &str, number: T) {
        let mut node = 0;
        for level in filter.split('/') {
            if level == "#" {
                self.nodes[node].all_below.push(number);
                return;
            }
            node = match self.nodes[node].children.get(level) {
                Some(child) => *child,
                None => {
                    let child = self.nodes.len();
                    self.nodes.push(Node::new());
                    self.nodes[node].children.insert(level.into(), child);
                    child
                }
            };
        }
        self.nodes[node].here.push(number);
    }

    /// The filters that match a topic [MQTT311-4.7.1-2] [MQTT311-4.7.1-3]
    /// [MQTT311-4.7.2-1].
    pub(super) fn matching(&self, topic: &str) -> Vec<T> {
        let mut found = Vec::new();
        let mut nodes = vec![0];
        let mut first = true;
        for level in topic.split('/') {
            // A wildcard at the start sees nothing that begins with `$`.
            let wildcards = !(first && level.starts_with('$'));
            first = false;
            let mut next = Vec::new();
            for node in nodes {
                let node = &self.nodes[node];
                found.extend(node.all_below.iter().filter(|_| wildcards));
                next.extend(node.children.get(level));
                next.extend(node.children.get("+").filter(|_| wildcards));
            }
            nodes = next;
        }
        for node in nodes {
            found.extend(&self.nodes[node].here);
            found.extend(&self.nodes[node].all_below);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const FILTERS: [&str; 9] = ["#", "+", "+/+", "/+", "a/b", "a/+", "a/#", "$SYS/#", "+/x"];

    #[rstest]
    #[case("a", &["#", "+", "a/#"])]
    #[case("a/b", &["#", "+/+", "a/b", "a/+", "a/#"])]
    #[case("a/", &["#", "+/+", "a/+", "a/#"])]
    #[case("a/b/c", &["#", "a/#"])]
    #[case("ab", &["#", "+"])]
    #[case("/x", &["#", "+/+", "/+", "+/x"])]
    #[case("$SYS/x", &["$SYS/#"])]
    #[case("$SYS", &["$SYS/#"])]
    fn a_topic_finds_the_filters_that_match_it(#[case] topic: &str, #[case] expected: &[&str]) {
        let mut tree = FilterTree::new();
        for (number, filter) in FILTERS.iter().enumerate() {
            tree.insert(filter, number);
        }
        let mut found = tree.matching(topic);
        found.sort_unstable();
        let found: Vec<&str> = found.into_iter().map(|number| FILTERS[number]).collect();
        assert_eq!(found, expected);
    }
}
