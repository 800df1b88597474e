//! Who a device is, and which reading a payload carries.

use std::fmt;
use std::str::FromStr;

/// A device's number, unique over all fleets of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// One reading of one device: unique over a run, and carried in its payload.
///
/// Its text is `<device>.<sequence>`, both in lower-case hexadecimal without
/// leading zeros, such as `3f2a.9`: short enough for a sensor's payload, and a
/// trace can be searched for it. Sequences start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

impl MessageId {
    /// Length in bytes of the longest id's text: `ffffffff.ffffffff`.
    pub const TEXT_LEN_MAX: usize = 17;

    /// The id of a device's `sequence`-th reading.
    #[must_use]
    pub const fn new(device: DeviceId, sequence: u32) -> Self {
        Self(((device.0 as u64) << 32) | sequence as u64)
    }

    /// The device that took the reading.
    #[must_use]
    pub const fn device(self) -> DeviceId {
        DeviceId((self.0 >> 32) as u32)
    }

    /// The reading's number on its device, from 1.
    #[must_use]
    pub const fn sequence(self) -> u32 {
        self.0 as u32
    }

    /// Reads an id's text; `None` unless it is written exactly as `Display` writes it.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let dot = text.iter().position(|&byte| byte == b'.')?;
        let device = hexadecimal(&text[..dot])?;
        let sequence = hexadecimal(&text[dot + 1..])?;
        Some(Self::new(DeviceId(device), sequence))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}", self.device().0, self.sequence())
    }
}

/// A text that is not a [`MessageId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a message id: expected <device>.<sequence> in hexadecimal, such as `3f2a.9`")]
pub struct ParseMessageIdError(String);

impl FromStr for MessageId {
    type Err = ParseMessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes()).ok_or_else(|| ParseMessageIdError(text.to_owned()))
    }
}

/// Lower-case hexadecimal without leading zeros, so that each id has one text only.
fn hexadecimal(text: &[u8]) -> Option<u32> {
    let canonical = match text {
        [] => false,
        [b'0', rest @ ..] => rest.is_empty(),
        _ => text.len() <= 8,
    };
    if !canonical {
        return None;
    }
    text.iter().try_fold(0, |value: u32, &byte| match byte {
        b'0'..=b'9' => Some((value << 4) | u32::from(byte - b'0')),
        b'a'..=b'f' => Some((value << 4) | u32::from(byte - b'a' + 10)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 1, "0.1")]
    #[case(0x3f2a, 9, "3f2a.9")]
    #[case(u32::MAX, u32::MAX, "ffffffff.ffffffff")]
    fn text_and_back(#[case] device: u32, #[case] sequence: u32, #[case] text: &str) {
        let id = MessageId::new(DeviceId(device), sequence);
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(id.device(), DeviceId(device));
        assert_eq!(id.sequence(), sequence);
        assert!(text.len() <= MessageId::TEXT_LEN_MAX);
    }

    #[rstest]
    #[case("")]
    #[case("3f2a")]
    #[case(".9")]
    #[case("3f2a.")]
    #[case("3F2A.9")]
    #[case("03.9")]
    #[case("3.09")]
    #[case("100000000.1")]
    #[case("3.1.1")]
    #[case("3. 1")]
    #[case("g.1")]
    fn refuses_any_other_text(#[case] text: &str) {
        assert_eq!(
            text.parse::<MessageId>(),
            Err(ParseMessageIdError(text.to_owned()))
        );
    }
}
