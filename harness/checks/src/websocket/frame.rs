//! Frames of WebSocket (RFC 6455 section 5.2): those a check sends, whatever is
//! wrong with them, and those a server sent, with whatever is wrong.

use std::fmt;

/// Opcode of a fragment behind the first.
pub const CONTINUATION: u8 = 0x0;
/// Opcode of text.
pub const TEXT: u8 = 0x1;
/// Opcode of binary data.
pub const BINARY: u8 = 0x2;
/// Opcode of a Close frame.
pub const CLOSE: u8 = 0x8;
/// Opcode of a Ping frame.
pub const PING: u8 = 0x9;
/// Opcode of a Pong frame.
pub const PONG: u8 = 0xa;

/// A key that shows in the bytes it masks.
const KEY: [u8; 4] = [0x5a, 0xc3, 0x96, 0x0f];

/// A frame to send: in order, masked as a client's is, unless told otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    opcode: u8,
    last: bool,
    reserved: u8,
    mask: Option<[u8; 4]>,
    /// What its header says of its length, in eight bytes, instead of the truth.
    claims: Option<u64>,
    payload: Vec<u8>,
}

impl Frame {
    /// A frame of any opcode.
    #[must_use]
    pub fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            opcode,
            last: true,
            reserved: 0,
            mask: Some(KEY),
            claims: None,
            payload: payload.as_ref().to_vec(),
        }
    }

    /// A Ping.
    #[must_use]
    pub fn ping(payload: impl AsRef<[u8]>) -> Self {
        Self::new(PING, payload)
    }

    /// A Close with a status code and a reason.
    #[must_use]
    pub fn close(code: u16, reason: impl AsRef<[u8]>) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_ref());
        Self::new(CLOSE, payload)
    }

    /// The same, with others of its message to come: FIN 0.
    #[must_use]
    pub fn unfinished(self) -> Self {
        Self {
            last: false,
            ..self
        }
    }

    /// The same with RSV1 to RSV3 from these three bits, RSV1 the highest.
    #[must_use]
    pub fn reserved(self, bits: u8) -> Self {
        Self {
            reserved: bits,
            ..self
        }
    }

    /// The same, masked with this key, or not masked at all.
    #[must_use]
    pub fn mask(self, mask: Option<[u8; 4]>) -> Self {
        Self { mask, ..self }
    }

    /// The same, with a length of eight bytes in its header that is this.
    #[must_use]
    pub fn claiming(self, length: u64) -> Self {
        Self {
            claims: Some(length),
            ..self
        }
    }

    /// A message in so many fragments, as even as may be; those beyond its
    /// length are empty.
    #[must_use]
    pub fn fragments(opcode: u8, payload: &[u8], count: usize) -> Vec<Self> {
        let end = |index: usize| payload.len() * index / count;
        (0..count)
            .map(|index| Self {
                opcode: if index == 0 { opcode } else { CONTINUATION },
                last: index + 1 == count,
                ..Self::new(opcode, &payload[end(index)..end(index + 1)])
            })
            .collect()
    }

    /// Whether it is a Close.
    #[must_use]
    pub fn is_close(&self) -> bool {
        self.opcode == CLOSE
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let masked = u8::from(self.mask.is_some()) << 7;
        let length = self.payload.len();
        let mut bytes = vec![u8::from(self.last) << 7 | self.reserved << 4 | self.opcode];
        match (self.claims, length) {
            (Some(claimed), _) => {
                bytes.push(masked | 127);
                bytes.extend_from_slice(&claimed.to_be_bytes());
            }
            (None, 0..=125) => bytes.push(masked | length as u8),
            (None, 126..=65_535) => {
                bytes.push(masked | 126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            (None, _) => {
                bytes.push(masked | 127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(self.mask.as_ref().map_or(&[], |key| &key[..]));
        bytes.extend(masked_with(self.mask.unwrap_or_default(), &self.payload));
        bytes
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, self.opcode, self.last, self.reserved, &self.payload)?;
        if self.mask.is_none() {
            f.write_str(", unmasked")?;
        }
        match self.claims {
            Some(length) => write!(f, ", length {length:#x} in its header"),
            None => Ok(()),
        }
    }
}

/// A frame that came from the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// What it is.
    pub opcode: u8,
    /// FIN.
    pub last: bool,
    /// RSV1 to RSV3, RSV1 the highest of three bits.
    pub reserved: u8,
    /// Whether it was masked.
    pub masked: bool,
    /// Whether its length was written in the fewest bytes.
    pub shortest: bool,
    /// What it holds, unmasked.
    pub payload: Vec<u8>,
}

impl Received {
    /// Takes the first frame of these bytes: it, and how long it is. Nothing if
    /// it is not all there.
    ///
    /// # Errors
    /// Its length, if that is more than `most` bytes.
    pub fn decode(bytes: &[u8], most: usize) -> Result<Option<(Self, usize)>, u64> {
        let Some([first, second]) = bytes.first_chunk::<2>() else {
            return Ok(None);
        };
        let rest = &bytes[2..];
        let (length, header) = match second & 0x7f {
            126 => match rest.first_chunk::<2>() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(length) => (u64::from_be_bytes(*length), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        let shortest = header
            == match length {
                0..=125 => 2,
                126..=65_535 => 4,
                _ => 10,
            };
        let length = match usize::try_from(length) {
            Ok(length) if length <= most => length,
            _ => return Err(length),
        };
        let masked = second & 0x80 != 0;
        let begin = header + 4 * usize::from(masked);
        let Some(payload) = bytes.get(begin..begin + length) else {
            return Ok(None);
        };
        let key = match masked {
            true => bytes[header..begin].try_into().unwrap_or_default(),
            false => [0; 4],
        };
        let frame = Self {
            opcode: first & 0x0f,
            last: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            masked,
            shortest,
            payload: masked_with(key, payload).collect(),
        };
        Ok(Some((frame, begin + length)))
    }

    /// Whether it is text, binary data or a continuation of either.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.opcode < CLOSE
    }

    /// The status code of a Close frame, if it has one.
    #[must_use]
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.opcode == CLOSE).then_some(u16::from_be_bytes(*code))
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, self.opcode, self.last, self.reserved, &self.payload)?;
        if self.masked {
            f.write_str(", masked")?;
        }
        if !self.shortest {
            f.write_str(", length overlong")?;
        }
        Ok(())
    }
}

/// Masks or unmasks (section 5.3).
fn masked_with(key: [u8; 4], payload: &[u8]) -> impl Iterator<Item = u8> {
    let keys = key.into_iter().cycle();
    payload.iter().zip(keys).map(|(byte, key)| byte ^ key)
}

fn describe(
    f: &mut fmt::Formatter<'_>,
    opcode: u8,
    last: bool,
    reserved: u8,
    payload: &[u8],
) -> fmt::Result {
    match opcode {
        CONTINUATION => f.write_str("Continuation")?,
        TEXT => f.write_str("Text")?,
        BINARY => f.write_str("Binary")?,
        CLOSE => f.write_str("Close")?,
        PING => f.write_str("Ping")?,
        PONG => f.write_str("Pong")?,
        other => write!(f, "opcode {other:#x}")?,
    }
    match payload.first_chunk::<2>() {
        Some(code) if opcode == CLOSE => write!(f, " {}", u16::from_be_bytes(*code))?,
        _ => write!(f, " of {} bytes", payload.len())?,
    }
    if !last {
        f.write_str(", FIN 0")?;
    }
    if reserved != 0 {
        write!(f, ", RSV {reserved:03b}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// The example of section 5.7: a masked text of "Hello".
    #[test]
    fn a_masked_text_is_that_of_the_rfc() {
        let hello = Frame::new(TEXT, "Hello").mask(Some([0x37, 0xfa, 0x21, 0x3d]));
        let expected = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(hello.encode(), expected);
        let (received, length) = Received::decode(expected, 100)
            .expect("not too long")
            .expect("complete");
        assert_eq!(length, expected.len());
        assert_eq!(received.payload, b"Hello");
        assert!(received.masked && received.shortest && received.last);
    }

    #[rstest]
    fn a_length_is_read_however_it_is_written(
        #[values(0, 125, 126, 65_535, 65_536)] length: usize,
        #[values(false, true)] claiming: bool,
    ) {
        let mut frame = Frame::new(BINARY, vec![1; length]).mask(None);
        if claiming {
            frame = frame.claiming(length as u64);
        }
        let bytes = frame.encode();
        assert_eq!(
            Received::decode(&bytes[..bytes.len() - 1], 1 << 20),
            Ok(None)
        );
        let (received, taken) = Received::decode(&bytes, 1 << 20)
            .expect("not too long")
            .expect("complete");
        assert_eq!((taken, received.payload.len()), (bytes.len(), length));
        assert_eq!(received.shortest, !claiming || length > 65_535);
    }

    #[test]
    fn too_much_is_not_waited_for() {
        let bytes = Frame::new(BINARY, "").claiming(1 << 62).encode();
        assert_eq!(Received::decode(&bytes, 1 << 20), Err(1 << 62));
    }

    #[test]
    fn fragments_are_one_message() {
        let fragments = Frame::fragments(TEXT, b"abc", 5);
        let opcodes: Vec<_> = fragments.iter().map(|one| one.opcode).collect();
        assert_eq!(opcodes, [TEXT, 0, 0, 0, 0]);
        let last: Vec<_> = fragments.iter().map(|one| one.last).collect();
        assert_eq!(last, [false, false, false, false, true]);
        let payload: Vec<_> = fragments.iter().flat_map(|one| &one.payload).collect();
        assert_eq!(payload, [&b'a', &b'b', &b'c']);
    }
}
