//! A frame as it is on the wire (RFC 6455 section 5.2), whatever is wrong with
//! it.

use bytes::{Buf as _, BytesMut};

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The top bit of a 64-bit length, which has to be clear.
const TOP_BIT: u64 = 1 << 63;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) last: bool,
    /// RSV1 to RSV3, as the lowest three bits.
    pub(super) reserved: u8,
    pub(super) opcode: u8,
    pub(super) mask: Option<[u8; 4]>,
    /// Without its mask.
    pub(super) payload: Vec<u8>,
    /// Whether the length is written in 64 bits though it needs fewer.
    pub(super) overlong: bool,
}

/// What a stream begins with.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Parsed {
    Incomplete,
    /// A frame of more bytes than are taken: how long its header is, and how
    /// long its payload.
    TooLong {
        header: usize,
        payload: u64,
    },
    Frame(Frame),
}

impl Frame {
    pub(super) fn new(opcode: u8, payload: &[u8]) -> Self {
        Self {
            last: true,
            reserved: 0,
            opcode,
            mask: None,
            payload: payload.to_vec(),
            overlong: false,
        }
    }

    pub(super) fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }

    /// Whether RFC 6455 says nothing about its opcode.
    pub(super) fn is_unknown(&self) -> bool {
        !matches!(
            self.opcode,
            CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG
        )
    }

    /// The code of a Close frame, if it has one.
    pub(super) fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.opcode == CLOSE).then_some(u16::from_be_bytes(*code))
    }

    /// Takes the next frame off a stream, if it is there and not longer than
    /// that.
    pub(super) fn parse(bytes: &mut BytesMut, most: usize, clear_top_bit: bool) -> Parsed {
        let Some([first, second]) = bytes.first_chunk::<2>() else {
            return Parsed::Incomplete;
        };
        let (first, masked, short) = (*first, second & 0x80 != 0, second & 0x7f);
        let (payload, mut header) = match short {
            126 => match bytes[2..].first_chunk::<2>() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
                None => return Parsed::Incomplete,
            },
            127 => match bytes[2..].first_chunk::<8>() {
                Some(length) => (u64::from_be_bytes(*length), 10),
                None => return Parsed::Incomplete,
            },
            short => (u64::from(short), 2),
        };
        let payload = match clear_top_bit {
            true => payload & !TOP_BIT,
            false => payload,
        };
        let mask = match masked {
            false => None,
            true => match bytes[header..].first_chunk::<4>() {
                Some(mask) => Some(*mask),
                None => return Parsed::Incomplete,
            },
        };
        header += 4 * usize::from(masked);
        let length = match usize::try_from(payload) {
            Ok(length) if length <= most => length,
            _ => return Parsed::TooLong { header, payload },
        };
        if bytes.len() < header + length {
            return Parsed::Incomplete;
        }
        bytes.advance(header);
        let mut payload = bytes.split_to(length).to_vec();
        apply(mask.unwrap_or_default(), &mut payload);
        Parsed::Frame(Self {
            last: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            opcode: first & 0x0f,
            mask,
            payload,
            overlong: false,
        })
    }

    pub(super) fn encode(&self, bytes: &mut BytesMut) {
        let masked = u8::from(self.mask.is_some()) << 7;
        bytes.extend_from_slice(&[u8::from(self.last) << 7 | self.reserved << 4 | self.opcode]);
        match (
            u8::try_from(self.payload.len()),
            u16::try_from(self.payload.len()),
        ) {
            (Ok(short @ ..=125), _) if !self.overlong => bytes.extend_from_slice(&[masked | short]),
            (_, Ok(long)) if !self.overlong => {
                bytes.extend_from_slice(&[masked | 126]);
                bytes.extend_from_slice(&long.to_be_bytes());
            }
            _ => {
                bytes.extend_from_slice(&[masked | 127]);
                bytes.extend_from_slice(&(self.payload.len() as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(self.mask.as_ref().map_or(&[], |mask| &mask[..]));
        let at = bytes.len();
        bytes.extend_from_slice(&self.payload);
        apply(self.mask.unwrap_or_default(), &mut bytes[at..]);
    }
}

/// Masks or unmasks (section 5.3).
pub(super) fn apply(mask: [u8; 4], payload: &mut [u8]) {
    for (byte, key) in payload.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// What is encoded is parsed, as soon as it is whole.
    #[rstest]
    fn a_frame_comes_through(
        #[values(0, 125, 126, 65_535, 65_536)] length: usize,
        #[values(None, Some([1, 2, 3, 4]))] mask: Option<[u8; 4]>,
        #[values(false, true)] overlong: bool,
    ) {
        let frame = Frame {
            last: false,
            reserved: 5,
            mask,
            overlong,
            ..Frame::new(PING, &vec![7; length])
        };
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        let mut part = BytesMut::from(&bytes[..bytes.len() - 1]);
        assert_eq!(Frame::parse(&mut part, 1 << 20, false), Parsed::Incomplete);
        assert_eq!(part.len(), bytes.len() - 1, "nothing is taken");
        let parsed = Frame::parse(&mut bytes, 1 << 20, false);
        assert_eq!(
            parsed,
            Parsed::Frame(Frame {
                overlong: false,
                ..frame
            })
        );
        assert!(bytes.is_empty());
    }

    #[test]
    fn a_length_beyond_the_limit_is_not_waited_for() {
        let mut bytes = BytesMut::from(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9][..]);
        let expected = Parsed::TooLong {
            header: 14,
            payload: TOP_BIT | 1,
        };
        assert_eq!(Frame::parse(&mut bytes, 100, false), expected);
        let Parsed::Frame(frame) = Frame::parse(&mut bytes, 100, true) else {
            panic!("not a frame");
        };
        assert_eq!(frame.payload, [9]);
    }
}
