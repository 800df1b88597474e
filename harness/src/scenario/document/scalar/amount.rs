//! Numbers of things, bytes and bits, and shares of a whole.

use schemars::{Schema, json_schema};

use super::super::super::text::{self, Complaint};
use super::Scalar;

/// A number of things, at least 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count(pub(crate) u32);

impl Scalar for Count {
    const EXPECTED: &'static str = "a whole number from 1";

    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        u32::try_from(integer)
            .ok()
            .filter(|&count| count >= 1)
            .map(Self)
            .ok_or_else(|| {
                Complaint::new(
                    format!("expected a whole number from 1, found {integer}"),
                    "out of range",
                    "write a whole number from 1 to 4,294,967,295",
                )
            })
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
        ("Count", schema)
    }
}

/// Digits after the decimal point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimals(pub(crate) u8);

impl Scalar for Decimals {
    const EXPECTED: &'static str = "a number of digits from 0 to 9";

    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        u8::try_from(integer)
            .ok()
            .filter(|&digits| digits <= 9)
            .map(Self)
            .ok_or_else(|| {
                Complaint::new(
                    format!("expected {}, found {integer}", Self::EXPECTED),
                    "out of range",
                    "sensors rarely have more than 2",
                )
            })
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({ "type": "integer", "minimum": 0, "maximum": 9 });
        ("Decimals", schema)
    }
}

/// A small size in bytes, such as an MTU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes(pub(crate) u16);

impl Scalar for Bytes {
    const EXPECTED: &'static str = "a number of bytes from 1 to 65,535";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        text::size(text)
            .ok()
            .and_then(|bytes| u16::try_from(bytes).ok())
            .filter(|&bytes| bytes >= 1)
            .map(Self)
            .ok_or_else(|| {
                Complaint::new(
                    format!("`{text}` is not a number of bytes from 1 to 65,535"),
                    "out of range",
                    "write a number of bytes, such as 1500",
                )
            })
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": ["string", "integer"],
            "minimum": 1,
            "maximum": u16::MAX,
            "description": "A number of bytes from 1 to 65,535.",
            "examples": [1500],
        });
        ("Bytes", schema)
    }
}

/// How many topic aliases there may be; none is a number of them too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AliasMaximum(pub(crate) u16);

impl Scalar for AliasMaximum {
    const EXPECTED: &'static str = "a number of topic aliases from 0 to 65,535";

    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        u16::try_from(integer).map(Self).map_err(|_| {
            Complaint::new(
                format!("expected {}, found {integer}", Self::EXPECTED),
                "out of range",
                "a topic alias has two bytes",
            )
        })
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({ "type": "integer", "minimum": 0, "maximum": u16::MAX });
        ("AliasMaximum", schema)
    }
}

/// Bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl Scalar for Size {
    const EXPECTED: &'static str = "a size such as \"4 KiB\", or a number of bytes";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        text::size(text).map(Self)
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "description": "A size: a number of bytes, or a number and a unit of B, kB, MB, GB (powers of 1,000), KiB, MiB or GiB (powers of 1,024).",
            "pattern": "^\\s*[0-9][0-9_.]*\\s*([kMG]?B|[KMG]iB)$",
            "examples": ["4 KiB", 1500],
        });
        ("Size", schema)
    }
}

/// How much may wait: bytes, or full packets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    Bytes(u64),
    Packets(u64),
}

impl Scalar for Queue {
    const EXPECTED: &'static str = "a size such as \"64 KiB\", or \"50 packets\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let number = text
            .trim()
            .strip_suffix("packets")
            .or_else(|| text.trim().strip_suffix("packet"));
        match number {
            Some(number) => text::count(number).map(Self::Packets).ok_or_else(|| {
                Complaint::new(
                    format!("`{text}` is not a number of packets"),
                    "not a number",
                    "write \"50 packets\", or a size such as \"64 KiB\"",
                )
            }),
            None => text::size(text).map(Self::Bytes),
        }
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "description": "How much may wait before the tail is dropped: a size, or a number of full packets.",
            "pattern": "^\\s*[0-9][0-9_.]*\\s*([kMG]?B|[KMG]iB|packets?)$",
            "examples": ["64 KiB", "50 packets"],
        });
        ("Queue", schema)
    }
}

/// Bits a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate(pub(crate) u64);

impl Scalar for Rate {
    const EXPECTED: &'static str = "a rate such as \"20 kbit/s\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        text::rate(text).map(Self)
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A rate: a number and a unit of bit/s, kbit/s, Mbit/s or Gbit/s (powers of 1,000).",
            "pattern": "^\\s*[0-9][0-9_.]*\\s*[kMG]?bit/s$",
            "examples": ["20 kbit/s", "1.5 Mbit/s"],
        });
        ("Rate", schema)
    }
}

/// A probability, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) f64);

impl Share {
    fn checked(share: f64, written: &str) -> Result<Self, Complaint> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(Complaint::new(
                format!("`{written}` is not a probability"),
                "not between 0 and 1",
                "write a percentage from \"0%\" to \"100%\", or a number from 0 to 1",
            ))
        }
    }
}

impl Scalar for Share {
    const EXPECTED: &'static str = "a probability such as \"10%\" or 0.1";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        Self::checked(text::percentage(text)?, text)
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "only 0 and 1 pass, and they are exact"
        )]
        Self::checked(integer as f64, &integer.to_string())
    }
    fn from_float(float: f64) -> Result<Self, Complaint> {
        Self::checked(float, &float.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": ["string", "number"],
            "minimum": 0,
            "maximum": 1,
            "description": "A probability: a percentage, or a number from 0 to 1.",
            "pattern": "^\\s*[0-9][0-9.]*\\s*%$",
            "examples": ["10%", 0.1],
        });
        ("Probability", schema)
    }
}
