//! Where a sender stands in the records of TLS 1.3 (RFC 8446, section 5).
//!
//! Records are encrypted, and those of the handshake look like those with
//! application data. What is inside, the sending end has said: where in the
//! stream the records of a piece of plaintext begin, and the piece. A ciphertext
//! is as long as its plaintext, byte for byte, and a content type and a tag
//! follow it.

use super::Application;
use super::tally::Tally;
use squall_reports::Layer;
use std::collections::VecDeque;

/// Content type, version and length of a record.
const HEADER_BYTES: usize = 5;

/// What follows the ciphertext of application data in its record: the content
/// type, and the tag of AES-GCM or ChaCha20-Poly1305.
const TRAILER_BYTES: usize = 1 + 16;

/// The longest record, without its header.
const RECORD_BYTES_MAX: usize = (1 << 14) + 256;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Dissector {
    /// Bytes of the stream so far.
    at: u64,
    plaintext: VecDeque<Plaintext>,
    record: Record,
    inside: Application,
    /// A packet has ended in the record under way.
    ended: bool,
}

/// What was written at once.
#[derive(Debug)]
struct Plaintext {
    /// Where in the stream its first record begins.
    at: u64,
    bytes: Vec<u8>,
    /// How many of them have gone.
    gone: usize,
}

#[derive(Debug, Clone, Copy)]
enum Record {
    Header {
        bytes: [u8; HEADER_BYTES],
        got: usize,
    },
    /// In a record without application data.
    Handshake { left: usize },
    /// In one with.
    Data { ciphertext: usize, trailer: usize },
    /// Not TLS, or not what its end has said.
    Lost,
}

const BETWEEN: Record = Record::Header {
    bytes: [0; HEADER_BYTES],
    got: 0,
};

impl Dissector {
    pub(super) fn around(inside: Application) -> Dissector {
        Dissector {
            at: 0,
            plaintext: VecDeque::new(),
            record: BETWEEN,
            inside,
            ended: false,
        }
    }

    /// The records that begin `at` this place of the stream have this in them.
    pub(super) fn declare(&mut self, at: u64, bytes: &[u8]) {
        self.plaintext.push_back(Plaintext {
            at,
            bytes: bytes.to_vec(),
            gone: 0,
        });
    }

    /// Counts the next bytes of the stream.
    pub(super) fn count(&mut self, mut bytes: &[u8], tally: &mut Tally<'_>) {
        while !bytes.is_empty() {
            let taken = self.step(bytes, tally);
            bytes = &bytes[taken..];
            self.at += taken as u64;
        }
    }

    /// Takes some of `bytes`, or changes its state.
    fn step(&mut self, bytes: &[u8], tally: &mut Tally<'_>) -> usize {
        match self.record {
            Record::Header {
                bytes: mut header,
                got,
            } => {
                header[got] = bytes[0];
                let got = got + 1;
                if !may_begin(&header[..got]) {
                    self.record = Record::Lost;
                    return 0;
                }
                let has_data = self.has_data(self.at + 1 - got as u64);
                let layer = if has_data {
                    Layer::Tls
                } else {
                    Layer::TlsHandshake
                };
                tally.add(layer, 1);
                self.record = match got {
                    HEADER_BYTES => self.record_of(header, has_data),
                    got => Record::Header { bytes: header, got },
                };
                1
            }
            Record::Handshake { left } => {
                let taken = bytes.len().min(left);
                tally.add(Layer::TlsHandshake, taken);
                self.record = match left - taken {
                    0 => BETWEEN,
                    left => Record::Handshake { left },
                };
                taken
            }
            Record::Data {
                ciphertext: 0,
                trailer,
            } => {
                let taken = bytes.len().min(trailer);
                tally.add(Layer::Tls, taken);
                self.record = Record::Data {
                    ciphertext: 0,
                    trailer: trailer - taken,
                };
                if taken == trailer {
                    self.record = BETWEEN;
                    if std::mem::take(&mut self.ended) {
                        tally.ends();
                    }
                }
                taken
            }
            Record::Data {
                ciphertext,
                trailer,
            } => {
                let Some(plaintext) = self.plaintext.front_mut() else {
                    self.record = Record::Lost;
                    return 0;
                };
                let left = &plaintext.bytes[plaintext.gone..];
                let taken = bytes.len().min(ciphertext).min(left.len());
                let inside = &mut self.inside;
                self.ended |= tally.hold_ends(|tally| inside.count(&left[..taken], tally));
                plaintext.gone += taken;
                if plaintext.gone == plaintext.bytes.len() {
                    self.plaintext.pop_front();
                }
                self.record = Record::Data {
                    ciphertext: ciphertext - taken,
                    trailer,
                };
                taken
            }
            Record::Lost => {
                tally.add(Layer::Other, bytes.len());
                bytes.len()
            }
        }
    }

    /// Whether a record that begins at this place has application data in it.
    fn has_data(&self, at: u64) -> bool {
        let next = self.plaintext.front();
        next.is_some_and(|next| next.at == at || next.gone > 0)
    }

    /// The record with this header.
    fn record_of(&self, header: [u8; HEADER_BYTES], has_data: bool) -> Record {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        match (has_data, length) {
            (_, 0) | (_, RECORD_BYTES_MAX..) => Record::Lost,
            (false, left) => Record::Handshake { left },
            (true, ..TRAILER_BYTES) => Record::Lost,
            (true, length) => Record::Data {
                ciphertext: length - TRAILER_BYTES,
                trailer: TRAILER_BYTES,
            },
        }
    }
}

/// Whether a record may begin like this.
fn may_begin(header: &[u8]) -> bool {
    let [kind, version @ ..] = header else {
        return true;
    };
    // Change cipher spec, alert, handshake, application data; and TLS's version,
    // which in a first record may be that of 1.0.
    (20..=23).contains(kind)
        && version.first().is_none_or(|major| *major == 3)
        && version.get(1).is_none_or(|minor| (1..=3).contains(minor))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::End;
    use super::super::tally::tests::{counted, layers};
    use super::*;
    use crate::net::address::Service;
    use rstest::rstest;

    const HANDSHAKE: u8 = 22;
    const DATA: u8 = 23;

    /// A record around so many bytes.
    pub(in crate::net::account) fn record(kind: u8, bytes: usize) -> Vec<u8> {
        let mut record = vec![kind, 3, 3];
        record.extend((bytes as u16).to_be_bytes());
        record.resize(HEADER_BYTES + bytes, 0xEE);
        record
    }

    /// Records with application data of so many bytes.
    pub(in crate::net::account) fn data(bytes: usize) -> Vec<u8> {
        record(DATA, bytes + TRAILER_BYTES)
    }

    /// PUBLISH, QoS 1, topic `t/1`, packet id 7, payload `reading`.
    const PUBLISH: &[u8] = b"\x32\x0e\x00\x03t/1\x00\x07reading";

    /// Counts a stream in pieces of a size; `declared` says where in it begins
    /// which plaintext.
    fn split(
        stream: &[u8],
        declared: &[(u64, &[u8])],
        size: usize,
    ) -> (squall_reports::LayerBytes, Vec<super::super::StreamMark>) {
        let mut dissector = Dissector::around(Application::of(Service::Mqtt, End::Client));
        for (at, bytes) in declared {
            dissector.declare(*at, bytes);
        }
        counted(stream.chunks(size), |piece, tally| {
            dissector.count(piece, tally);
        })
    }

    fn check(stream: &[u8], declared: &[(u64, &[u8])], expected: &[(Layer, u64)]) {
        let (_, marks) = split(stream, declared, stream.len());
        for size in 1..=stream.len() {
            let found = split(stream, declared, size);
            assert_eq!(
                found,
                (layers(expected), marks.clone()),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn records_with_data_are_told_from_those_of_the_handshake() {
        let hello = record(HANDSHAKE, 200);
        let finished = record(DATA, 53);
        let alert = record(DATA, 19);
        let first = data(PUBLISH.len());
        // One packet in two records, with nothing between them.
        let (begun, ended) = (data(5), data(PUBLISH.len() - 5));
        let stream = [&hello, &finished, &first, &begun, &ended, &alert];
        let at = |records: usize| stream[..records].iter().map(|r| r.len() as u64).sum();
        let declared = [(at(2), PUBLISH), (at(3), PUBLISH)];
        let expected = [
            (Layer::TlsHandshake, 205 + 58 + 24),
            (Layer::Tls, 3 * 22),
            (Layer::Mqtt, 2 * 9),
            (Layer::Payload, 2 * 7),
        ];
        let whole = stream.map(Vec::as_slice).concat();
        check(&whole, &declared, &expected);

        let (_, marks) = split(&whole, &declared, 10);
        let places: Vec<_> = marks
            .iter()
            .map(|mark| (mark.at as u64, mark.ends))
            .collect();
        // A packet begins behind its record's header, and has arrived only with
        // its record's tag.
        assert_eq!(
            places,
            [
                (at(2) + 5, false),
                (at(3), true),
                (at(3) + 5, false),
                (at(5), true)
            ]
        );
    }

    #[rstest]
    #[case::no_type(b"\x10\x0c\x00", &[(Layer::Other, 3)])]
    #[case::no_version(b"\x16\x02\x00\x00\x01a", &[(Layer::TlsHandshake, 1), (Layer::Other, 5)])]
    #[case::no_length(b"\x16\x03\x03\x00\x00a", &[(Layer::TlsHandshake, 5), (Layer::Other, 1)])]
    #[case::too_long(b"\x16\x03\x03\xff\xffa", &[(Layer::TlsHandshake, 5), (Layer::Other, 1)])]
    fn what_is_no_record_is_other(#[case] stream: &[u8], #[case] expected: &[(Layer, u64)]) {
        check(stream, &[], expected);
    }

    #[test]
    fn a_record_longer_than_what_was_declared_is_other() {
        let stream = data(PUBLISH.len() + 1);
        let expected = [
            (Layer::Tls, 5),
            (Layer::Mqtt, 9),
            (Layer::Payload, 7),
            (Layer::Other, 18),
        ];
        check(&stream, &[(0, PUBLISH)], &expected);
    }
}
