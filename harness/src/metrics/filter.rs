//! Topic filters, matched the plain way.

/// Whether a topic filter matches a topic [MQTT311-4.7.1-2] [MQTT311-4.7.1-3]
/// [MQTT311-4.7.2-1]. Written apart from the broker's trie, which it judges.
pub(super) fn filter_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let mut filter = filter.split('/');
    let mut topic = topic.split('/');
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(name)) if level == name => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a/b", "a/b", true)]
    #[case("a/b", "a/c", false)]
    #[case("a/b", "a/b/c", false)]
    #[case("a/+", "a/b", true)]
    #[case("a/+", "a", false)]
    #[case("a/+", "a/", true)]
    #[case("+", "a/b", false)]
    #[case("a/#", "a", true)]
    #[case("a/#", "a/b/c", true)]
    #[case("a/#", "ab", false)]
    #[case("#", "a/b", true)]
    #[case("#", "$SYS/x", false)]
    #[case("+/x", "$SYS/x", false)]
    #[case("$SYS/#", "$SYS/x", true)]
    #[case("/+", "/x", true)]
    #[case("+/+", "/x", true)]
    fn filters_match_as_section_4_7_says(
        #[case] filter: &str,
        #[case] topic: &str,
        #[case] matches: bool,
    ) {
        assert_eq!(filter_matches(filter, topic), matches);
    }
}
