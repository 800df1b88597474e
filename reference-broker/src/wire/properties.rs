//! The properties of one packet (section 2.2.2 of MQTT 5.0).

use std::fmt;

use bytes::Bytes;

use super::error::{Rule, Violation};
use super::primitive::{Reader, variable_bytes, write_variable};
use super::property::{Place, Property, Raw};
use super::{Sender, Version};

/// The properties of a packet or a will, in their order. MQTT 3.1.1 has none.
///
/// They are kept as the bytes they travel as, in one allocation whatever their
/// number, or in none if there are none; those of a PUBLISH share the one that
/// its topic and payload lie in. Looking for one reads them from the front.
///
/// ```
/// use squall_broker::wire::{Properties, Property};
///
/// let properties: Properties = [Property::SessionExpiryInterval(60)].into_iter().collect();
/// let expiry = properties.iter().find_map(|property| match property {
///     Property::SessionExpiryInterval(seconds) => Some(seconds),
///     _ => None,
/// });
/// assert_eq!(expiry, Some(60));
/// ```
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Properties {
    /// Checked when they came off the wire, or written by [`Property`] itself.
    encoded: Bytes,
}

impl Properties {
    /// No properties.
    pub const NONE: Self = Self {
        encoded: Bytes::new(),
    };

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Each of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Property> {
        let mut rest = Reader::new(Version::V5, Sender::Server, &self.encoded);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            Raw::read(&mut rest).ok()?.property(&self.encoded)
        })
    }

    /// These, and more behind them.
    pub(crate) fn and(&self, more: impl IntoIterator<Item = Property>) -> Self {
        let mut encoded = self.encoded.to_vec();
        for property in more {
            property.encode(&mut encoded);
        }
        Self {
            encoded: encoded.into(),
        }
    }

    /// The bytes they travel as, without their length.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.encoded
    }

    /// The properties of a message that travel as these bytes.
    pub(crate) fn of_message(encoded: Bytes) -> Option<Self> {
        let mut rest = Reader::new(Version::V5, Sender::Server, &encoded);
        let mut seen = 0;
        while !rest.is_empty() {
            let property = Raw::read(&mut rest).ok()?;
            property
                .check(Place::Publish, Sender::Server, &mut seen)
                .ok()?;
        }
        Some(Self { encoded })
    }

    /// Whether there is authentication data, and no method that it is for.
    pub(crate) fn has_data_without_method(&self) -> bool {
        let has = |wanted| self.iter().any(|property| property.id() == wanted);
        has(0x16) && !has(0x15)
    }

    /// How many bytes they take in a packet, their length included.
    pub(crate) fn encoded_len(&self) -> usize {
        variable_bytes(self.encoded.len()) + self.encoded.len()
    }

    /// Writes their length and them [MQTT5-2.2.2-1].
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        write_variable(out, self.encoded.len());
        out.extend_from_slice(&self.encoded);
    }
}

impl FromIterator<Property> for Properties {
    /// # Panics
    /// If correlation or authentication data exceeds 65,535 bytes.
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        let mut encoded = Vec::new();
        for property in properties {
            property.encode(&mut encoded);
        }
        Self {
            encoded: encoded.into(),
        }
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Properties that were checked and lie in a packet's bytes.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a>(&'a [u8]);

impl Block<'_> {
    /// Takes them out of the packet, of whose bytes `of` is a copy.
    pub(crate) fn shared(self, of: &Bytes, at: usize) -> Properties {
        let encoded = of.slice(at..at + self.0.len());
        Properties { encoded }
    }

    /// Copies them out of the packet.
    pub(crate) fn copied(self) -> Properties {
        let encoded = Bytes::copy_from_slice(self.0);
        Properties { encoded }
    }

    pub(crate) fn len(self) -> usize {
        self.0.len()
    }
}

/// Reads and checks a packet's properties, where the version has any.
pub(crate) fn block<'a>(reader: &mut Reader<'a>, place: Place) -> Result<Block<'a>, Violation> {
    const NO_LENGTH: Rule = Rule::malformed("", "MQTT5-2.2.2-1", "the property length is missing");
    const CUT_SHORT: Rule = Rule::malformed(
        "",
        "MQTT5 section 2.2.2.1",
        "the properties reach beyond the packet's end",
    );
    if reader.version == Version::V3_1_1 {
        return Ok(Block(&[]));
    }
    let length = reader.variable(NO_LENGTH)?;
    let encoded = reader.take(length, CUT_SHORT)?;
    let mut rest = reader.of(encoded);
    let mut seen = 0;
    while !rest.is_empty() {
        Raw::read(&mut rest)?.check(place, reader.sender, &mut seen)?;
    }
    Ok(Block(encoded))
}

/// The same, copied out.
pub(crate) fn decode(reader: &mut Reader<'_>, place: Place) -> Result<Properties, Violation> {
    block(reader, place).map(Block::copied)
}

/// How many bytes properties take in a packet of this version.
pub(crate) fn encoded_len(properties: &Properties, version: Version) -> usize {
    match version {
        Version::V3_1_1 => 0,
        Version::V5 => properties.encoded_len(),
    }
}

/// Writes properties, where the version has any.
pub(crate) fn encode(properties: &Properties, version: Version, out: &mut Vec<u8>) {
    match version {
        Version::V3_1_1 => {}
        Version::V5 => properties.encode(out),
    }
}
