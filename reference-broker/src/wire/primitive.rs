//! The data representations every packet is built of (section 1.5), and the
//! remaining length (sections 2.2.3 of 3.1.1 and 2.1.4 of 5.0).

use std::fmt;
use std::num::NonZeroU16;

use bytes::Bytes;

use super::error::{Rule, Violation};
use super::{Sender, Version};

/// Identifies one exchange that is under way between two peers; never zero
/// `[MQTT311-2.3.1-1]` `[MQTT5-2.2.1-3]`.
pub type PacketId = NonZeroU16;

/// The largest value that a remaining length, or any variable byte integer, can
/// have.
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

/// A UTF-8 encoded string of at most 65,535 bytes without U+0000 (sections
/// 1.5.3 of 3.1.1 and 1.5.4 of 5.0), kept exactly as it was sent: nothing is
/// normalised and a byte order mark stays `[MQTT311-1.5.3-3]` `[MQTT5-1.5.4-3]`.
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text(Bytes);

impl Text {
    /// No character at all.
    pub(crate) const EMPTY: Self = Self(Bytes::new());

    /// Takes bytes that are well-formed text.
    ///
    /// # Errors
    /// The rule that ill-formed UTF-8 (`MQTT311-1.5.3-1`), U+0000
    /// (`MQTT311-1.5.3-2`) or a string of more than 65,535 bytes breaks.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Violation> {
        let bytes = bytes.into();
        check_text(&bytes, Version::V3_1_1)?;
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

fn check_text(bytes: &[u8], version: Version) -> Result<(), Violation> {
    // [MQTT311-4.7.3-3] [MQTT5-4.7.3-3] for topics; this section for all.
    const LONG: Rule = Rule::malformed(
        "MQTT311 section 1.5.3",
        "MQTT5 section 1.5.4",
        "a string exceeds 65,535 bytes",
    );
    // Rust's UTF-8 has no surrogates and no overlong forms.
    const ILL_FORMED: Rule = Rule::malformed(
        "MQTT311-1.5.3-1",
        "MQTT5-1.5.4-1",
        "a string is not well-formed UTF-8",
    );
    // For topics also [MQTT311-4.7.3-2] [MQTT5-4.7.3-2].
    const NUL: Rule = Rule::malformed(
        "MQTT311-1.5.3-2",
        "MQTT5-1.5.4-2",
        "a string contains U+0000",
    );
    let broken = if bytes.len() > usize::from(u16::MAX) {
        LONG
    } else if std::str::from_utf8(bytes).is_err() {
        ILL_FORMED
    } else if bytes.contains(&0) {
        NUL
    } else {
        return Ok(());
    };
    Err(broken.broken(version))
}

/// Reads the parts of one packet's body, which is complete.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    pub(crate) version: Version,
    pub(crate) sender: Sender,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(version: Version, sender: Sender, body: &'a [u8]) -> Self {
        Self {
            rest: body,
            version,
            sender,
        }
    }

    /// The same kind of reader for a part of what this one reads.
    pub(crate) fn of(&self, part: &'a [u8]) -> Self {
        Self::new(self.version, self.sender, part)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// All that is left, which is thereby read.
    pub(crate) fn remainder(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Nothing is left; what is breaks `rule`.
    pub(crate) fn end(&self, rule: Rule) -> Result<(), Violation> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(rule.broken(self.version))
        }
    }

    /// The next bytes; that they are missing breaks `missing`.
    pub(crate) fn take(&mut self, count: usize, missing: Rule) -> Result<&'a [u8], Violation> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| missing.broken(self.version))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self, missing: Rule) -> Result<u8, Violation> {
        Ok(self.take(1, missing)?[0])
    }

    pub(crate) fn short(&mut self, missing: Rule) -> Result<u16, Violation> {
        let bytes = self.take(2, missing)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A four-byte integer.
    pub(crate) fn long(&mut self, missing: Rule) -> Result<u32, Violation> {
        let bytes = self.take(4, missing)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A variable byte integer in its shortest form `[MQTT5-1.5.5-1]`.
    pub(crate) fn variable(&mut self, missing: Rule) -> Result<usize, Violation> {
        match variable(self.rest, self.version)? {
            Variable::Incomplete => Err(missing.broken(self.version)),
            Variable::Known(number) => {
                number.check_shortest()?;
                self.rest = &self.rest[number.bytes..];
                Ok(number.value)
            }
        }
    }

    /// A packet identifier; there, and not zero.
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, Violation> {
        const ZERO: &str = "the packet identifier is zero";
        // Which statement demands it depends on whose identifier it is.
        const FROM_CLIENT: Rule = Rule::protocol("MQTT311-2.3.1-1", "MQTT5-2.2.1-3", ZERO);
        const FROM_SERVER: Rule = Rule::protocol("MQTT311-2.3.1-1", "MQTT5-2.2.1-4", ZERO);
        const MISSING: Rule = Rule::malformed(
            "MQTT311-2.3.1-1",
            "MQTT5 section 2.2.1",
            "the packet identifier is missing",
        );
        let id = self.short(MISSING)?;
        PacketId::new(id).ok_or(match self.sender {
            Sender::Client => FROM_CLIENT.broken(self.version),
            Sender::Server => FROM_SERVER.broken(self.version),
        })
    }

    /// Binary data behind a two-byte length.
    pub(crate) fn data(&mut self, missing: Rule) -> Result<&'a [u8], Violation> {
        let length = self.short(missing)?;
        self.take(usize::from(length), missing)
    }

    /// A string's bytes, checked, so that a caller may keep them as it likes.
    pub(crate) fn text_bytes(&mut self, missing: Rule) -> Result<&'a [u8], Violation> {
        let bytes = self.data(missing)?;
        check_text(bytes, self.version)?;
        Ok(bytes)
    }

    /// A string, copied out.
    pub(crate) fn text(&mut self, missing: Rule) -> Result<Text, Violation> {
        Ok(Text(Bytes::copy_from_slice(self.text_bytes(missing)?)))
    }
}

/// Text whose bytes [`Reader::text_bytes`] has checked.
pub(crate) fn checked_text(bytes: Bytes) -> Text {
    Text(bytes)
}

/// What the bytes of a variable byte integer say so far.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Variable {
    /// More bytes are needed.
    Incomplete,
    /// It is complete.
    Known(Number),
}

/// A variable byte integer (section 1.5.5 of 5.0), such as a remaining length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Number {
    pub(crate) value: usize,
    /// How many bytes it took.
    pub(crate) bytes: usize,
}

impl Number {
    /// 5.0 demands the shortest form; 3.1.1 does not.
    pub(crate) fn check_shortest(self) -> Result<(), Violation> {
        if self.bytes == variable_bytes(self.value) {
            Ok(())
        } else {
            Err(Violation::malformed(
                "MQTT5-1.5.5-1",
                "a variable byte integer is longer than it has to be",
            ))
        }
    }
}

/// Reads a variable byte integer, in any form of up to four bytes.
pub(crate) fn variable(field: &[u8], version: Version) -> Result<Variable, Violation> {
    const LONG: Rule = Rule::malformed(
        "MQTT311 section 2.2.3",
        "MQTT5 section 1.5.5",
        "a variable byte integer takes more than four bytes",
    );
    let mut value = 0;
    for (index, byte) in field.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let bytes = index + 1;
            return Ok(Variable::Known(Number { value, bytes }));
        }
    }
    if field.len() >= 4 {
        return Err(LONG.broken(version));
    }
    Ok(Variable::Incomplete)
}

/// How many bytes the shortest form of a variable byte integer has.
pub(crate) fn variable_bytes(value: usize) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// Starts a packet.
///
/// # Panics
/// If the body is longer than a remaining length can say: no packet that came
/// off the wire, nor a part of one, is.
pub(crate) fn write_header(out: &mut Vec<u8>, first: u8, body: usize) {
    out.push(first);
    write_variable(out, body);
}

/// Writes a variable byte integer in its shortest form `[MQTT5-1.5.5-1]`.
///
/// # Panics
/// Above [`REMAINING_LENGTH_MAX`].
pub(crate) fn write_variable(out: &mut Vec<u8>, value: usize) {
    assert!(
        value <= REMAINING_LENGTH_MAX,
        "a length of {value} bytes cannot be encoded"
    );
    let mut rest = value;
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

    // Table 2.4 of 3.1.1, table 1-1 of 5.0.
    #[rstest]
    #[case(0, &[0x00])]
    #[case(127, &[0x7f])]
    #[case(128, &[0x80, 0x01])]
    #[case(16_383, &[0xff, 0x7f])]
    #[case(16_384, &[0x80, 0x80, 0x01])]
    #[case(2_097_151, &[0xff, 0xff, 0x7f])]
    #[case(2_097_152, &[0x80, 0x80, 0x80, 0x01])]
    #[case(REMAINING_LENGTH_MAX, &[0xff, 0xff, 0xff, 0x7f])]
    fn remaining_lengths(#[case] value: usize, #[case] field: &[u8]) {
        let mut written = Vec::new();
        write_header(&mut written, 0, value);
        assert_eq!(&written[1..], field);
        let bytes = field.len();
        assert_eq!(variable_bytes(value), bytes);
        let number = Number { value, bytes };
        assert_eq!(number.check_shortest(), Ok(()));
        for version in [Version::V3_1_1, Version::V5] {
            assert_eq!(variable(field, version), Ok(Variable::Known(number)));
            assert_eq!(
                variable(&field[..bytes - 1], version),
                Ok(Variable::Incomplete)
            );
        }
    }

    #[test]
    fn a_longer_form_is_taken_where_the_version_allows_it() {
        let number = Number { value: 1, bytes: 3 };
        let field = [0x81, 0x80, 0x00];
        assert_eq!(
            variable(&field, Version::V3_1_1),
            Ok(Variable::Known(number))
        );
        let rule = number.check_shortest().map_err(|violation| violation.rule);
        assert_eq!(rule, Err("MQTT5-1.5.5-1"));
    }

    #[rstest]
    #[case::too_long(&[0x80, 0x80, 0x80, 0x80])]
    #[case::too_long_and_more(&[0xff, 0xff, 0xff, 0xff, 0x01])]
    fn a_length_of_five_bytes(#[case] field: &[u8]) {
        let rule = |version| variable(field, version).map_err(|violation| violation.rule);
        assert_eq!(rule(Version::V3_1_1), Err("MQTT311 section 2.2.3"));
        assert_eq!(rule(Version::V5), Err("MQTT5 section 1.5.5"));
    }
}
