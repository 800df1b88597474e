//! The data representations every packet is built of (section 1.5), the
//! remaining length (2.2.3), and topic names and filters (4.7).

use std::fmt;
use std::num::NonZeroU16;

use bytes::Bytes;

use super::error::Violation;

/// Identifies one exchange that is under way between two peers; never zero
/// `[MQTT311-2.3.1-1]`.
pub type PacketId = NonZeroU16;

/// The largest value a remaining length can have, in bytes (section 2.2.3).
pub const REMAINING_LENGTH_MAX: usize = 268_435_455;

/// Quality of service: how hard sender and receiver try (section 4.3).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Qos {
    /// QoS 0: sent once, never acknowledged.
    #[default]
    AtMostOnce = 0,
    /// QoS 1: acknowledged, perhaps delivered twice.
    AtLeastOnce = 1,
    /// QoS 2: delivered once.
    ExactlyOnce = 2,
}

impl Qos {
    /// The level with this number, or `None` above 2.
    #[must_use]
    pub fn from_level(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// A UTF-8 encoded string of at most 65,535 bytes without U+0000 (section
/// 1.5.3), kept exactly as it was sent: nothing is normalised and a byte order
/// mark stays `[MQTT311-1.5.3-3]`.
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text(Bytes);

impl Text {
    /// Takes bytes that are well-formed text.
    ///
    /// # Errors
    /// The rule that ill-formed UTF-8 (`MQTT311-1.5.3-1`), U+0000
    /// (`MQTT311-1.5.3-2`) or a string of more than 65,535 bytes breaks.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Violation> {
        let bytes = bytes.into();
        check_text(&bytes)?;
        Ok(Self(bytes))
    }

    /// The text.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "every constructor has checked the bytes, so this cannot panic"
    )]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("checked when it was made")
    }

    /// The text's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no character at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// The topic of one message: at least one character, no wildcards (section 4.7).
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicName(Text);

impl TopicName {
    /// Takes text that can be the topic of a message.
    ///
    /// # Errors
    /// The rule that is broken: `MQTT311-4.7.3-1` by an empty name,
    /// `MQTT311-3.3.2-2` by a wildcard, and those of [`Text::new`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Violation> {
        Self::from_text(Text::new(bytes)?)
    }

    pub(crate) fn from_text(text: Text) -> Result<Self, Violation> {
        // [MQTT311-4.7.3-1]
        if text.is_empty() {
            return Err(Violation::new("MQTT311-4.7.3-1", "the topic name is empty"));
        }
        // [MQTT311-3.3.2-2], [MQTT311-4.7.1-1]
        if text
            .as_bytes()
            .iter()
            .any(|byte| matches!(byte, b'+' | b'#'))
        {
            return Err(Violation::new(
                "MQTT311-3.3.2-2",
                "the topic name holds a wildcard",
            ));
        }
        Ok(Self(text))
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
        Self::from_text(Text::new(bytes)?)
    }

    pub(crate) fn from_text(text: Text) -> Result<Self, Violation> {
        if text.is_empty() {
            return Err(Violation::new(
                "MQTT311-4.7.3-1",
                "the topic filter is empty",
            ));
        }
        let mut after_hash = false;
        for level in levels(text.as_bytes()) {
            let wild = level.contains(&b'#');
            if after_hash || (wild && level != b"#") {
                return Err(Violation::new(
                    "MQTT311-4.7.1-2",
                    "`#` is not a whole last level",
                ));
            }
            after_hash = wild;
            if level.contains(&b'+') && level != b"+" {
                return Err(Violation::new(
                    "MQTT311-4.7.1-3",
                    "`+` does not fill its level",
                ));
            }
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

/// The levels of a topic name or filter; an empty level is a level.
pub(crate) fn levels(topic: &[u8]) -> impl Iterator<Item = &[u8]> {
    topic.split(|byte| *byte == b'/')
}

fn check_text(bytes: &[u8]) -> Result<(), Violation> {
    // [MQTT311-4.7.3-3] for topics; section 1.5.3 for all.
    if bytes.len() > usize::from(u16::MAX) {
        return Err(Violation::new(
            "MQTT311 section 1.5.3",
            "a string exceeds 65,535 bytes",
        ));
    }
    // Rust's UTF-8 has no surrogates and no overlong forms. [MQTT311-1.5.3-1]
    if std::str::from_utf8(bytes).is_err() {
        return Err(Violation::new(
            "MQTT311-1.5.3-1",
            "a string is not well-formed UTF-8",
        ));
    }
    // [MQTT311-1.5.3-2], and for topics [MQTT311-4.7.3-2].
    if bytes.contains(&0) {
        return Err(Violation::new(
            "MQTT311-1.5.3-2",
            "a string contains U+0000",
        ));
    }
    Ok(())
}

/// Reads the parts of one packet's body, which is complete.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left, which is thereby read.
    pub(crate) fn remainder(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The next bytes; what is missing breaks `missing`.
    fn take(&mut self, count: usize, missing: Violation) -> Result<&'a [u8], Violation> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(missing)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self, missing: Violation) -> Result<u8, Violation> {
        Ok(self.take(1, missing)?[0])
    }

    pub(crate) fn short(&mut self, missing: Violation) -> Result<u16, Violation> {
        let bytes = self.take(2, missing)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A packet identifier [MQTT311-2.3.1-1].
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, Violation> {
        const RULE: &str = "MQTT311-2.3.1-1";
        let id = self.short(Violation::new(RULE, "the packet identifier is missing"))?;
        PacketId::new(id).ok_or(Violation::new(RULE, "the packet identifier is zero"))
    }

    /// Binary data behind a two-byte length.
    pub(crate) fn data(&mut self, missing: Violation) -> Result<&'a [u8], Violation> {
        let length = self.short(missing)?;
        self.take(usize::from(length), missing)
    }

    /// A string's bytes, checked, so that a caller may keep them as it likes.
    pub(crate) fn text_bytes(&mut self, missing: Violation) -> Result<&'a [u8], Violation> {
        let bytes = self.data(missing)?;
        check_text(bytes)?;
        Ok(bytes)
    }

    /// A string, copied out.
    pub(crate) fn text(&mut self, missing: Violation) -> Result<Text, Violation> {
        Ok(Text(Bytes::copy_from_slice(self.text_bytes(missing)?)))
    }
}

/// Text whose bytes [`Reader::text_bytes`] has checked.
pub(crate) fn checked_text(bytes: Bytes) -> Text {
    Text(bytes)
}

/// What a fixed header's length field says so far.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Length {
    /// More bytes are needed.
    Incomplete,
    /// The body's length, and how many bytes the field itself took.
    Known { body: usize, field: usize },
}

/// Reads a remaining length (section 2.2.3). 3.1.1 does not demand the
/// shortest form, so a longer one of up to four bytes is taken.
pub(crate) fn remaining_length(field: &[u8]) -> Result<Length, Violation> {
    let mut body = 0;
    for (index, byte) in field.iter().take(4).enumerate() {
        body |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Length::Known {
                body,
                field: index + 1,
            });
        }
    }
    if field.len() >= 4 {
        return Err(Violation::new(
            "MQTT311 section 2.2.3",
            "the remaining length takes more than four bytes",
        ));
    }
    Ok(Length::Incomplete)
}

/// Starts a packet.
///
/// # Panics
/// If the body is longer than a remaining length can say: no packet that came
/// off the wire, nor a part of one, is.
pub(crate) fn write_header(out: &mut Vec<u8>, first: u8, body: usize) {
    assert!(
        body <= REMAINING_LENGTH_MAX,
        "a packet body of {body} bytes cannot be encoded"
    );
    out.push(first);
    let mut rest = body;
    loop {
        let low = (rest % 128) as u8;
        rest /= 128;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(crate) fn write_short(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Writes binary data behind its two-byte length.
///
/// # Panics
/// If the data exceeds 65,535 bytes.
#[expect(
    clippy::expect_used,
    reason = "a caller's bug: text is limited by its type"
)]
pub(crate) fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    write_short(
        out,
        u16::try_from(data.len()).expect("length-prefixed data of at most 65,535 bytes"),
    );
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    // Table 2.4.
    #[rstest]
    #[case(0, &[0x00])]
    #[case(127, &[0x7f])]
    #[case(128, &[0x80, 0x01])]
    #[case(16_383, &[0xff, 0x7f])]
    #[case(16_384, &[0x80, 0x80, 0x01])]
    #[case(2_097_151, &[0xff, 0xff, 0x7f])]
    #[case(2_097_152, &[0x80, 0x80, 0x80, 0x01])]
    #[case(REMAINING_LENGTH_MAX, &[0xff, 0xff, 0xff, 0x7f])]
    fn remaining_lengths(#[case] body: usize, #[case] field: &[u8]) {
        let mut written = Vec::new();
        write_header(&mut written, 0, body);
        assert_eq!(&written[1..], field);
        let known = Length::Known {
            body,
            field: field.len(),
        };
        assert_eq!(remaining_length(field), Ok(known));
        assert_eq!(
            remaining_length(&field[..field.len() - 1]),
            Ok(Length::Incomplete)
        );
    }

    #[rstest]
    #[case::not_the_shortest(&[0x81, 0x80, 0x00], Ok(Length::Known { body: 1, field: 3 }))]
    #[case::too_long(&[0x80, 0x80, 0x80, 0x80], Err("MQTT311 section 2.2.3"))]
    #[case::too_long_and_more(&[0xff, 0xff, 0xff, 0xff, 0x01], Err("MQTT311 section 2.2.3"))]
    fn odd_remaining_lengths(#[case] field: &[u8], #[case] expected: Result<Length, &str>) {
        assert_eq!(
            remaining_length(field).map_err(|violation| violation.rule),
            expected
        );
    }

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
}
