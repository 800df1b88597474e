//! Topic names and topic filters (section 4.7), and what 5.0 makes of filters
//! that begin with `$share/` (section 4.8.2).

use std::fmt;

use bytes::Bytes;

use super::Version;
use super::error::{Rule, Violation};
use super::primitive::Text;

/// The topic of one message: at least one character, no wildcards (section 4.7).
///
/// There is one exception: in an MQTT 5.0 PUBLISH that says its topic by an
/// alias alone, as [`TopicName::ALIASED`], it is empty.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicName(Text);

impl TopicName {
    /// Stands where only a topic alias says what the topic is.
    pub const ALIASED: Self = Self(Text::EMPTY);

    /// Takes text that can be the topic of a message.
    ///
    /// # Errors
    /// The rule that is broken: `MQTT311-4.7.3-1` by an empty name,
    /// `MQTT311-3.3.2-2` by a wildcard, and those of [`Text::new`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Violation> {
        Self::from_text(Text::new(bytes)?, Version::V3_1_1)
    }

    pub(crate) fn from_text(text: Text, version: Version) -> Result<Self, Violation> {
        const EMPTY: Rule = Rule::malformed(
            "MQTT311-4.7.3-1",
            "MQTT5-4.7.3-1",
            "the topic name is empty",
        );
        // Also [MQTT311-4.7.1-1] [MQTT5-4.7.0-1].
        const WILD: Rule = Rule::malformed(
            "MQTT311-3.3.2-2",
            "MQTT5-3.3.2-2",
            "the topic name holds a wildcard",
        );
        if text.is_empty() {
            return Err(EMPTY.broken(version));
        }
        if is_wild(text.as_bytes()) {
            return Err(WILD.broken(version));
        }
        Ok(Self(text))
    }

    /// Whether only a topic alias says what the topic is.
    #[must_use]
    pub fn is_aliased(&self) -> bool {
        self.0.is_empty()
    }

    /// The topic as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The topic's bytes, as they travel.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Which topics a subscription wants: levels, `+` for one, `#` for the rest
/// (section 4.7).
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicFilter(Text);

impl TopicFilter {
    /// Takes text that is a topic filter.
    ///
    /// # Errors
    /// The rule that is broken: `MQTT311-4.7.3-1` by an empty filter,
    /// `MQTT311-4.7.1-2` by a misplaced `#`, `MQTT311-4.7.1-3` by a `+` that
    /// does not fill its level, and those of [`Text::new`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Violation> {
        Self::from_text(Text::new(bytes)?, Version::V3_1_1)
    }

    /// Takes what is a topic filter in this version of the protocol.
    pub(crate) fn from_text(text: Text, version: Version) -> Result<Self, Violation> {
        let filter = text.as_bytes();
        match (version, filter.strip_prefix(SHARE)) {
            (Version::V5, Some(share)) => check_share(share)?,
            _ => check_filter(filter, version)?,
        }
        Ok(Self(text))
    }

    /// The filter as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The filter's bytes, as they travel.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The share name and the filter behind it, if MQTT 5.0 sees a shared
    /// subscription here: `$share/{name}/{filter}` (section 4.8.2). To MQTT
    /// 3.1.1 it is a filter like any other.
    #[must_use]
    pub fn shared(&self) -> Option<(&str, &str)> {
        let rest = self.as_str().strip_prefix("$share/")?;
        rest.split_once('/')
    }

    /// Whether a message of this topic is wanted: byte by byte, nothing
    /// normalised `[MQTT311-4.7.3-4]`. This is the plain reading of section 4.7
    /// that the subscription trie is tested against.
    #[must_use]
    pub fn matches(&self, topic: &TopicName) -> bool {
        let (filter, topic) = (self.as_bytes(), topic.as_bytes());
        // [MQTT311-4.7.2-1]
        if topic.starts_with(b"$") && matches!(filter.first(), Some(b'+' | b'#')) {
            return false;
        }
        let mut topic_levels = levels(topic);
        for wanted in levels(filter) {
            if wanted == b"#" {
                return true;
            }
            match topic_levels.next() {
                Some(level) if wanted == b"+" || wanted == level => {}
                _ => return false,
            }
        }
        topic_levels.next().is_none()
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

const SHARE: &[u8] = b"$share/";

/// What follows `$share/`: a name and a filter.
fn check_share(share: &[u8]) -> Result<(), Violation> {
    let mut parts = share.splitn(2, |byte| *byte == b'/');
    let name = parts.next().unwrap_or_default();
    if name.is_empty() {
        return Err(Violation::malformed(
            "MQTT5-4.8.2-1",
            "the share name is empty",
        ));
    }
    match parts.next() {
        Some(filter) if !is_wild(name) && !filter.is_empty() => check_filter(filter, Version::V5),
        _ => Err(Violation::malformed(
            "MQTT5-4.8.2-2",
            "a share name with a wildcard, or without a filter",
        )),
    }
}

fn check_filter(filter: &[u8], version: Version) -> Result<(), Violation> {
    const EMPTY: Rule = Rule::malformed(
        "MQTT311-4.7.3-1",
        "MQTT5-4.7.3-1",
        "the topic filter is empty",
    );
    const HASH: Rule = Rule::malformed(
        "MQTT311-4.7.1-2",
        "MQTT5-4.7.1-1",
        "`#` is not a whole last level",
    );
    const PLUS: Rule = Rule::malformed(
        "MQTT311-4.7.1-3",
        "MQTT5-4.7.1-2",
        "`+` does not fill its level",
    );
    if filter.is_empty() {
        return Err(EMPTY.broken(version));
    }
    let mut after_hash = false;
    for level in levels(filter) {
        let wild = level.contains(&b'#');
        if after_hash || (wild && level != b"#") {
            return Err(HASH.broken(version));
        }
        after_hash = wild;
        if level.contains(&b'+') && level != b"+" {
            return Err(PLUS.broken(version));
        }
    }
    Ok(())
}

/// Whether a wildcard character stands in it.
pub(crate) fn is_wild(topic: &[u8]) -> bool {
    topic.iter().any(|byte| matches!(byte, b'+' | b'#'))
}

/// The levels of a topic name or filter; an empty level is a level.
pub(crate) fn levels(topic: &[u8]) -> impl Iterator<Item = &[u8]> {
    topic.split(|byte| *byte == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Section 4.7, with the specification's own examples.
    #[rstest]
    #[case("sport/tennis/player1/#", "sport/tennis/player1", true)]
    #[case("sport/tennis/player1/#", "sport/tennis/player1/ranking", true)]
    #[case("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true)]
    #[case("sport/#", "sport", true)]
    #[case("#", "a/b", true)]
    #[case("sport/tennis/+", "sport/tennis/player1", true)]
    #[case("sport/tennis/+", "sport/tennis/player1/ranking", false)]
    #[case("sport/+", "sport", false)]
    #[case("sport/+", "sport/", true)]
    #[case("+/+", "/finance", true)]
    #[case("/+", "/finance", true)]
    #[case("+", "/finance", false)]
    #[case("#", "$SYS/x", false)]
    #[case("+/monitor/Clients", "$SYS/monitor/Clients", false)]
    #[case("$SYS/#", "$SYS/x", true)]
    #[case("$SYS/monitor/+", "$SYS/monitor/Clients", true)]
    #[case("accounts", "Accounts", false)]
    #[case("a//b", "a/b", false)]
    #[case("a/", "a", false)]
    #[case("\u{e9}", "e\u{301}", false)]
    #[case("\u{feff}a", "a", false)]
    fn filters(#[case] filter: &'static str, #[case] topic: &'static str, #[case] matches: bool) {
        let topic = TopicName::new(topic).expect("a topic");
        assert_eq!(
            TopicFilter::new(filter).expect("a filter").matches(&topic),
            matches
        );
    }

    #[test]
    fn a_topic_may_have_65535_bytes_and_no_more() {
        // [MQTT311-4.7.3-3]
        assert!(TopicName::new("x".repeat(65_535)).is_ok());
        let rule = TopicName::new("x".repeat(65_536)).map_err(|violation| violation.rule);
        assert_eq!(rule, Err("MQTT311 section 1.5.3"));
    }

    /// Section 4.8.2: `$share/` means nothing to 3.1.1.
    #[rstest]
    #[case("$share/g/a", Ok(Some(("g", "a"))))]
    #[case("$share/g/a/+/#", Ok(Some(("g", "a/+/#"))))]
    #[case("$share/g//", Ok(Some(("g", "/"))))]
    #[case("$shared/g", Ok(None))]
    #[case("$share", Ok(None))]
    #[case("$share/", Err("MQTT5-4.8.2-1"))]
    #[case("$share//a", Err("MQTT5-4.8.2-1"))]
    #[case("$share/g", Err("MQTT5-4.8.2-2"))]
    #[case("$share/g/", Err("MQTT5-4.8.2-2"))]
    #[case("$share/+/a", Err("MQTT5-4.8.2-2"))]
    #[case("$share/g#/a", Err("MQTT5-4.8.2-2"))]
    #[case("$share/g/a#", Err("MQTT5-4.7.1-1"))]
    #[case("$share/g/+a", Err("MQTT5-4.7.1-2"))]
    fn shared_filters(
        #[case] filter: &'static str,
        #[case] expected: Result<Option<(&str, &str)>, &str>,
    ) {
        let text = Text::new(filter).expect("well-formed");
        let parsed = TopicFilter::from_text(text, Version::V5);
        let shared = parsed.as_ref().map(TopicFilter::shared);
        assert_eq!(shared.map_err(|violation| violation.rule), expected);
    }
}
