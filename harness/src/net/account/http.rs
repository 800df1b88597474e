//! Where a sender stands in HTTP/1.1: one request or answer after another on the
//! connection (RFC 9112, sections 2 to 7). What a body holds, the answers of the
//! REST server tell by their heads: a reading, its feed of several, or words.

use super::End;
use super::head::{Head, Says, Taken};
use super::tally::Tally;
use squall_reports::Layer;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Dissector {
    end: End,
    state: State,
    content: Content,
}

/// What a body holds.
#[derive(Debug, Clone, Copy)]
enum Content {
    /// One reading.
    Reading,
    /// Several of the REST server's, each after a line with its length: so much of
    /// one is to come.
    Feed(Feed),
    /// Why a request is refused.
    Words,
}

/// Where in a feed, whose lines are `position sensor length`.
#[derive(Debug, Clone, Copy)]
enum Feed {
    /// In a line, after a number that may be the length.
    Line { number: u64 },
    /// In a reading of which so many bytes are to come; never none.
    Reading { left: u64 },
}

#[derive(Debug)]
enum State {
    Head(Head),
    /// In a body of which so many bytes are to come; never none.
    Body(u64),
    /// In a body that ends with the connection.
    BodyToTheEnd,
    Chunks(Chunk),
    /// Not HTTP.
    Lost,
}

/// Where in a chunked body (RFC 9112, section 7.1).
#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// In the digits of a size.
    Size { bytes: u64, digits: u8 },
    /// After them, up to the end of the line.
    Extension { bytes: u64 },
    /// In the chunk.
    Data { left: u64 },
    /// In the line end after it.
    End { left: u8 },
    /// After the last chunk: in a line with so many bytes before.
    Trailer { line_bytes: usize },
}

/// Hexadecimal digits of a size that 64 bits hold.
const DIGITS_MAX: u8 = 16;

impl Dissector {
    pub(super) fn new(end: End) -> Dissector {
        Dissector {
            end,
            state: State::Head(Head::default()),
            content: Content::Reading,
        }
    }

    /// Counts the next bytes of the stream.
    pub(super) fn count(&mut self, mut bytes: &[u8], tally: &mut Tally<'_>) {
        while !bytes.is_empty() {
            let (layer, taken) = self.step(bytes);
            match layer {
                Some(layer) => {
                    tally.add(layer, taken);
                }
                None => self.content.count(&bytes[..taken], tally),
            }
            bytes = &bytes[taken..];
        }
    }

    /// Takes some of `bytes`, or changes its state: their layer, unless they are of
    /// a body, and how many.
    fn step(&mut self, bytes: &[u8]) -> (Option<Layer>, usize) {
        match &mut self.state {
            State::Head(head) => {
                let (taken, state) = match head.take(bytes, self.end) {
                    Taken::All => return (Some(Layer::Http), bytes.len()),
                    Taken::Whole(taken, Some(head)) => {
                        self.content = Content::after(&head, self.end);
                        (taken, body(&head, self.end))
                    }
                    Taken::Whole(taken, None) | Taken::Foreign(taken) => (taken, State::Lost),
                };
                self.state = state;
                (Some(Layer::Http), taken)
            }
            State::Body(left) => {
                let taken = up_to(bytes, *left);
                self.state = body_of(*left - taken as u64);
                (None, taken)
            }
            State::BodyToTheEnd => (None, bytes.len()),
            State::Chunks(Chunk::Data { left }) => {
                let taken = up_to(bytes, *left);
                let left = *left - taken as u64;
                self.state = State::Chunks(match left {
                    0 => Chunk::End { left: 2 },
                    left => Chunk::Data { left },
                });
                (None, taken)
            }
            State::Chunks(chunk) => match chunk.step(bytes[0]) {
                Some(state) => {
                    self.state = state;
                    (Some(Layer::Http), 1)
                }
                None => {
                    self.state = State::Lost;
                    (Some(Layer::Other), 0)
                }
            },
            State::Lost => (Some(Layer::Other), bytes.len()),
        }
    }
}

impl Content {
    fn after(head: &Says, end: End) -> Content {
        const OK: u16 = 200;
        match (end, head.status) {
            (End::Client, _) => Content::Reading,
            (End::Server, OK) if head.list("etag").next().is_some() => Content::Reading,
            (End::Server, OK) => Content::Feed(Feed::Line { number: 0 }),
            (End::Server, _) => Content::Words,
        }
    }

    /// Counts the next bytes of a body.
    fn count(&mut self, mut bytes: &[u8], tally: &mut Tally<'_>) {
        let feed = match self {
            Content::Reading => {
                tally.add(Layer::Payload, bytes.len());
                return;
            }
            Content::Words => {
                tally.add(Layer::Http, bytes.len());
                return;
            }
            Content::Feed(feed) => feed,
        };
        while let Some(first) = bytes.first() {
            let taken = match *feed {
                Feed::Line { number } => {
                    *feed = feed_after(number, *first);
                    tally.add(Layer::Http, 1);
                    1
                }
                Feed::Reading { left } => {
                    let taken = up_to(bytes, left);
                    *feed = feed_of(left - taken as u64);
                    tally.add(Layer::Payload, taken);
                    taken
                }
            };
            bytes = &bytes[taken..];
        }
    }
}

/// What follows this byte of a feed's line.
fn feed_after(number: u64, byte: u8) -> Feed {
    match byte {
        b'\n' => feed_of(number),
        b'0'..=b'9' => Feed::Line {
            number: number
                .saturating_mul(10)
                .saturating_add(u64::from(byte - b'0')),
        },
        _ => Feed::Line { number: 0 },
    }
}

fn feed_of(bytes: u64) -> Feed {
    match bytes {
        0 => Feed::Line { number: 0 },
        left => Feed::Reading { left },
    }
}

impl Chunk {
    /// What comes after this byte, which belongs to no chunk's data; nothing if
    /// it does not belong here.
    fn step(self, byte: u8) -> Option<State> {
        let next = match (self, byte) {
            (Chunk::Size { bytes, digits }, byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16)?;
                if digits == DIGITS_MAX {
                    return None;
                }
                Chunk::Size {
                    bytes: bytes << 4 | u64::from(digit),
                    digits: digits + 1,
                }
            }
            (Chunk::Size { digits: 0, .. }, _) => return None,
            (Chunk::Size { bytes: 0, .. } | Chunk::Extension { bytes: 0 }, b'\n') => {
                Chunk::Trailer { line_bytes: 0 }
            }
            (Chunk::Size { bytes, .. } | Chunk::Extension { bytes }, b'\n') => {
                Chunk::Data { left: bytes }
            }
            (Chunk::Size { bytes, .. } | Chunk::Extension { bytes }, _) => {
                Chunk::Extension { bytes }
            }
            (Chunk::Data { .. }, _) => return None,
            (Chunk::End { left: 2 }, b'\r') => Chunk::End { left: 1 },
            (Chunk::End { left: 1 }, b'\n') => Chunk::Size {
                bytes: 0,
                digits: 0,
            },
            (Chunk::End { .. }, _) => return None,
            (Chunk::Trailer { line_bytes: 0 }, b'\n') => {
                return Some(State::Head(Head::default()));
            }
            (Chunk::Trailer { .. }, b'\n') => Chunk::Trailer { line_bytes: 0 },
            (Chunk::Trailer { line_bytes }, b'\r') => Chunk::Trailer { line_bytes },
            (Chunk::Trailer { line_bytes }, _) => Chunk::Trailer {
                line_bytes: line_bytes + 1,
            },
        };
        Some(State::Chunks(next))
    }
}

/// The body that follows a head (RFC 9112, section 6.3).
fn body(head: &Says, end: End) -> State {
    let has_none = end == End::Server && matches!(head.status, 100..=199 | 204 | 304);
    if has_none {
        return State::Head(Head::default());
    }
    if head.list("transfer-encoding").last() == Some("chunked") {
        return State::Chunks(Chunk::Size {
            bytes: 0,
            digits: 0,
        });
    }
    match (head.list("content-length").next(), end) {
        (Some(length), _) => length.parse().map_or(State::Lost, body_of),
        (None, End::Client) => State::Head(Head::default()),
        (None, End::Server) => State::BodyToTheEnd,
    }
}

fn body_of(bytes: u64) -> State {
    match bytes {
        0 => State::Head(Head::default()),
        left => State::Body(left),
    }
}

fn up_to(bytes: &[u8], most: u64) -> usize {
    bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::{counted, layers};
    use super::*;
    use rstest::rstest;

    const POST: &[u8] =
        b"POST /sensor/valley.t-1 HTTP/1.1\r\nhost: a\r\nContent-Length: 4\r\n\r\n21.4";

    #[rstest]
    #[case::a_request_with_a_body(End::Client, POST, &[(Layer::Http, 64), (Layer::Payload, 4)])]
    #[case::two_requests(
        End::Client,
        &[POST, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat(),
        &[(Layer::Http, 64 + 27), (Layer::Payload, 4)]
    )]
    #[case::answers_without_a_body(
        End::Server,
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\netag: \"7\"\r\ncontent-length: 2\r\n\r\n21",
        &[(Layer::Http, 27 + 49), (Layer::Payload, 2)]
    )]
    #[case::a_feed(
        End::Server,
        b"HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n17 t-1 4\n21.418 t-2 0\n19 a 3\n1\n2",
        &[(Layer::Http, 39 + 9 + 9 + 7), (Layer::Payload, 4 + 3)]
    )]
    #[case::words(
        End::Server,
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone",
        &[(Layer::Http, 45 + 4)]
    )]
    #[case::an_empty_body(
        End::Server,
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n",
        &[(Layer::Http, 45 + 29)]
    )]
    #[case::a_body_to_the_end(
        End::Server,
        b"HTTP/1.1 200 OK\r\netag: 1\r\n\r\n21.4\r\n\r\nHTTP",
        &[(Layer::Http, 28), (Layer::Payload, 12)]
    )]
    #[case::chunks(
        End::Server,
        b"HTTP/1.1 200 OK\r\nEtag: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n21.4\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        &[(Layer::Http, 56 + 5 + 13 + 3 + 6 + 2 + 27), (Layer::Payload, 14)]
    )]
    #[case::a_chunk_without_its_end(
        End::Server,
        b"HTTP/1.1 200 OK\r\nEtag: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2x\r\n",
        &[(Layer::Http, 56 + 3), (Layer::Payload, 1), (Layer::Other, 3)]
    )]
    #[case::a_size_that_is_none(
        End::Server,
        b"HTTP/1.1 200 OK\r\nEtag: 1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        &[(Layer::Http, 56), (Layer::Other, 2)]
    )]
    #[case::a_length_that_is_none(
        End::Client,
        b"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n1",
        &[(Layer::Http, 38), (Layer::Other, 1)]
    )]
    #[case::no_http(End::Client, b"\x10\x0c\x00\x04MQTT", &[(Layer::Other, 8)])]
    fn bytes_fall_into_layers_however_they_are_split(
        #[case] end: End,
        #[case] stream: &[u8],
        #[case] expected: &[(Layer, u64)],
    ) {
        for size in 1..=stream.len() {
            let mut dissector = Dissector::new(end);
            let (found, _) = counted(stream.chunks(size), |piece, tally| {
                dissector.count(piece, tally);
            });
            assert_eq!(found, layers(expected), "in pieces of {size}");
        }
    }
}
