//! Where a sender stands in a WebSocket: the opening handshake, frames, and what
//! their messages carry, MQTT or the hub's own protocol (RFC 6455, sections 1.3
//! and 5.2).

use super::head::{Head, Says, Taken};
use super::tally::Tally;
use super::{End, hub, mqtt};
use squall_reports::Layer;

/// The longest header of a frame, mask included.
const HEADER_BYTES_MAX: usize = 14;

/// Bytes that are unmasked at once.
const CHUNK_BYTES: usize = 512;

/// What the messages of a WebSocket carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    Mqtt,
    Hub,
}

/// One direction of a WebSocket.
#[derive(Debug)]
pub(super) struct Dissector {
    end: End,
    carries: Carries,
    state: State,
    inside: Option<Inside>,
    /// A packet has ended in the message under way.
    ended: bool,
}

#[derive(Debug)]
enum Inside {
    Mqtt(mqtt::Dissector),
    Hub(hub::Dissector),
}

#[derive(Debug)]
enum State {
    /// In the opening handshake.
    Opening(Head),
    /// In the header of a frame.
    Header(Header),
    /// In the payload of a frame.
    Payload(Payload),
    /// After an answer that opens no WebSocket.
    Refused,
    /// Not WebSocket.
    Lost,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its payload is looked into.
    Data,
    /// All of it counts as this.
    Control(Layer),
}

impl Kind {
    /// What the bytes of its header count as.
    fn layer(self) -> Layer {
        match self {
            Kind::Data => Layer::WebSocket,
            Kind::Control(layer) => layer,
        }
    }
}

/// The header of a frame, as far as it has been sent.
#[derive(Debug, Default, Clone, Copy)]
struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    got: usize,
}

/// The payload of a frame, as far as it is to come.
#[derive(Debug, Clone, Copy)]
struct Payload {
    left: u64,
    kind: Kind,
    /// With it ends the message.
    is_final: bool,
    /// Zero where there is none.
    mask: [u8; 4],
    /// Bytes of it that have gone.
    at: usize,
}

impl Dissector {
    pub(super) fn new(carries: Carries, end: End) -> Dissector {
        Dissector {
            end,
            carries,
            state: State::Opening(Head::default()),
            inside: None,
            ended: false,
        }
    }

    /// Counts the next bytes of the stream.
    pub(super) fn count(&mut self, mut bytes: &[u8], tally: &mut Tally<'_>) {
        while !bytes.is_empty() {
            let taken = match &mut self.state {
                State::Opening(head) => {
                    let taken = head.take(bytes, self.end);
                    self.open(taken, bytes.len(), tally)
                }
                State::Header(header) => {
                    let Some(kind) = header.push(bytes[0], self.end) else {
                        self.state = State::Lost;
                        continue;
                    };
                    tally.add(kind.layer(), 1);
                    if let Some(payload) = header.payload(kind) {
                        self.state = State::Payload(payload);
                        self.end_if_all_has_gone(tally);
                    }
                    1
                }
                State::Payload(_) => self.pay(bytes, tally),
                State::Refused => {
                    tally.add(Layer::Connecting, bytes.len());
                    bytes.len()
                }
                State::Lost => {
                    tally.add(Layer::Other, bytes.len());
                    bytes.len()
                }
            };
            bytes = &bytes[taken..];
        }
    }

    /// Counts what belongs to the opening handshake.
    fn open(&mut self, taken: Taken, all: usize, tally: &mut Tally<'_>) -> usize {
        let (taken, state) = match taken {
            Taken::All => (all, None),
            Taken::Whole(taken, Some(head)) => (taken, Some(self.opened(&head))),
            Taken::Whole(taken, None) | Taken::Foreign(taken) => (taken, Some(State::Lost)),
        };
        tally.add(Layer::Connecting, taken);
        if let Some(state) = state {
            self.state = state;
        }
        taken
    }

    fn opened(&mut self, head: &Says) -> State {
        const SWITCHING_PROTOCOLS: u16 = 101;
        if self.end == End::Server && head.status != SWITCHING_PROTOCOLS {
            return State::Refused;
        }
        self.inside = Some(match self.carries {
            Carries::Mqtt => Inside::Mqtt(mqtt::Dissector::default()),
            Carries::Hub => Inside::Hub(hub::Dissector::after(head, self.end)),
        });
        State::Header(Header::default())
    }

    /// Counts bytes of a frame's payload.
    fn pay(&mut self, bytes: &[u8], tally: &mut Tally<'_>) -> usize {
        let State::Payload(payload) = &mut self.state else {
            return 0;
        };
        let left = usize::try_from(payload.left).unwrap_or(usize::MAX);
        let mut taken = bytes.len().min(left);
        match (payload.kind, &mut self.inside) {
            (Kind::Control(layer), _) => {
                tally.add(layer, taken);
            }
            (Kind::Data, inside) => {
                taken = taken.min(CHUNK_BYTES);
                let mut chunk = [0; CHUNK_BYTES];
                let chunk = &mut chunk[..taken];
                chunk.copy_from_slice(&bytes[..taken]);
                for (index, byte) in chunk.iter_mut().enumerate() {
                    *byte ^= payload.mask[(payload.at + index) % 4];
                }
                match inside {
                    Some(Inside::Mqtt(packets)) => {
                        self.ended |= tally.hold_ends(|tally| packets.count(chunk, tally));
                    }
                    Some(Inside::Hub(messages)) => messages.count(chunk, tally),
                    // There is always something once a WebSocket is open.
                    None => {
                        tally.add(Layer::Other, taken);
                    }
                }
            }
        }
        payload.left -= taken as u64;
        payload.at += taken;
        self.end_if_all_has_gone(tally);
        taken
    }

    fn end_if_all_has_gone(&mut self, tally: &mut Tally<'_>) {
        let State::Payload(payload) = &self.state else {
            return;
        };
        if payload.left > 0 {
            return;
        }
        if payload.kind == Kind::Data && payload.is_final {
            if let Some(Inside::Hub(messages)) = &mut self.inside {
                messages.end_message(tally);
            }
            if std::mem::take(&mut self.ended) {
                tally.ends();
            }
        }
        self.state = State::Header(Header::default());
    }
}

impl Header {
    /// Takes the next byte; says what the frame is, or nothing when it is none
    /// that this end may send.
    fn push(&mut self, byte: u8, end: End) -> Option<Kind> {
        const MASK: u8 = 0x80;
        self.bytes[self.got] = byte;
        self.got += 1;
        let kind = self.kind()?;
        // Who masks, and who does not (RFC 6455, section 5.1).
        let is_masked = self.bytes[1] & MASK != 0;
        if self.got == 2 && is_masked != (end == End::Client) {
            return None;
        }
        Some(kind)
    }

    /// By the first byte.
    fn kind(&self) -> Option<Kind> {
        const RESERVED: u8 = 0x70;
        if self.bytes[0] & RESERVED != 0 {
            // No extension is agreed upon that could give it a meaning.
            return None;
        }
        match self.bytes[0] & 0x0F {
            0..=2 => Some(Kind::Data),
            8 => Some(Kind::Control(Layer::Connecting)),
            9 | 10 => Some(Kind::Control(Layer::KeepAlive)),
            _ => None,
        }
    }

    /// What follows, once the header is whole.
    fn payload(&self, kind: Kind) -> Option<Payload> {
        if self.got < 2 {
            return None;
        }
        let short = self.bytes[1] & 0x7F;
        let extended = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masked = if self.bytes[1] & 0x80 != 0 { 4 } else { 0 };
        if self.got < 2 + extended + masked {
            return None;
        }
        let length = self.bytes[2..2 + extended].iter();
        let length = length.fold(0, |length, byte| length << 8 | u64::from(*byte));
        let mut mask = [0; 4];
        mask[..masked].copy_from_slice(&self.bytes[2 + extended..self.got]);
        Some(Payload {
            left: if extended == 0 {
                u64::from(short)
            } else {
                length
            },
            kind,
            is_final: self.bytes[0] & 0x80 != 0,
            mask,
            at: 0,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tally::tests::{counted, layers};
    use super::*;
    use rstest::rstest;

    pub(in crate::net::account) const BINARY: u8 = 0x82;
    pub(in crate::net::account) const TEXT: u8 = 0x81;
    const PING: u8 = 0x89;
    const CLOSE: u8 = 0x88;

    /// A request for a WebSocket at a path.
    pub(in crate::net::account) fn request(path: &str, acknowledged: bool) -> Vec<u8> {
        let protocol = match acknowledged {
            true => "Sec-WebSocket-Protocol: acknowledged.squall\r\n",
            false => "",
        };
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n{protocol}\r\n").into_bytes()
    }

    /// The answer that opens it.
    pub(in crate::net::account) fn answer(acknowledged: bool) -> Vec<u8> {
        let protocol = match acknowledged {
            true => "sec-websocket-protocol: acknowledged.squall\r\n",
            false => "",
        };
        format!("HTTP/1.1 101 Switching Protocols\r\n{protocol}\r\n").into_bytes()
    }

    /// A frame as an end sends it.
    pub(in crate::net::account) fn frame(end: End, first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ ..=125 => frame.push(length as u8),
            length @ ..=0xFFFF => {
                frame.push(126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        if end == End::Server {
            frame.extend(payload);
            return frame;
        }
        let mask = [0x5A, 0xC3, 0x01, 0xFF];
        frame[1] |= 0x80;
        frame.extend(mask);
        let masked = payload.iter().zip(mask.iter().cycle());
        frame.extend(masked.map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn check(carries: Carries, end: End, stream: &[u8], expected: &[(Layer, u64)]) {
        let split = |size| {
            let mut dissector = Dissector::new(carries, end);
            counted(stream.chunks(size), |piece, tally| {
                dissector.count(piece, tally);
            })
        };
        let (_, marks) = split(stream.len());
        for size in 1..=stream.len() {
            let found = split(size);
            assert_eq!(
                found,
                (layers(expected), marks.clone()),
                "in pieces of {size}"
            );
        }
    }

    /// An opening, and what follows it; and how long the opening is.
    fn client(path: &str, acknowledged: bool, frames: &[&[u8]]) -> (Vec<u8>, u64) {
        let opening = request(path, acknowledged);
        let bytes = opening.len() as u64;
        ([opening, frames.concat()].concat(), bytes)
    }

    fn server(acknowledged: bool, frames: &[&[u8]]) -> (Vec<u8>, u64) {
        let opening = answer(acknowledged);
        let bytes = opening.len() as u64;
        ([opening, frames.concat()].concat(), bytes)
    }

    #[rstest]
    #[case::short(125, 6)]
    #[case::medium(126, 8)]
    #[case::medium_too(0xFFFF, 8)]
    #[case::long(0x1_0000, 14)]
    fn a_header_is_as_long_as_the_length_needs(#[case] payload: usize, #[case] header: u64) {
        let reading = vec![b'r'; payload];
        let frame = frame(End::Client, BINARY, &reading);
        let (stream, opening) = client("/sensors/a/b", false, &[&frame]);
        let mut dissector = Dissector::new(Carries::Hub, End::Client);
        let (found, _) = counted(stream.chunks(1_000), |piece, tally| {
            dissector.count(piece, tally);
        });
        let expected = [
            (Layer::Connecting, opening),
            (Layer::WebSocket, header),
            (Layer::Payload, payload as u64),
        ];
        assert_eq!(found, layers(&expected));
    }

    #[test]
    fn mqtt_is_found_in_frames_wherever_it_is_divided() {
        const PUBLISH: &[u8] = b"\x32\x0e\x00\x03t/1\x00\x07reading";
        let frame = |first, payload: &[u8]| frame(End::Client, first, payload);
        let whole = frame(BINARY, &[b"\xc0\x00", PUBLISH].concat());
        let begun = frame(0x02, &PUBLISH[..6]);
        let ping = frame(PING, b"?");
        let ended = frame(0x80, &PUBLISH[6..]);
        let (stream, opening) = client("/mqtt", false, &[&whole, &begun, &ping, &ended]);
        let expected = [
            (Layer::Connecting, opening),
            (Layer::WebSocket, 3 * 6),
            (Layer::KeepAlive, 2 + 7),
            (Layer::Mqtt, 2 * 9),
            (Layer::Payload, 2 * 7),
        ];
        check(Carries::Mqtt, End::Client, &stream, &expected);

        let mut dissector = Dissector::new(Carries::Mqtt, End::Client);
        let (_, marks) = counted([stream.as_slice()], |piece, tally| {
            dissector.count(piece, tally);
        });
        let opening = opening as usize;
        let first = opening + whole.len();
        let (begins, ends): (Vec<_>, Vec<_>) = marks.iter().partition(|mark| !mark.ends);
        let places = |marks: &[&super::super::StreamMark]| -> Vec<_> {
            marks
                .iter()
                .map(|mark| (mark.at, mark.first_byte))
                .collect()
        };
        assert_eq!(
            places(&begins),
            [(opening + 6, 0xC0), (opening + 8, 0x32), (first + 6, 0x32)]
        );
        // A message has arrived only once all of it has.
        assert_eq!(places(&ends), [(first, 0), (stream.len(), 0)]);
    }

    #[rstest]
    #[case::a_reading("/sensors/a/b", false, b"21.4", &[(Layer::Payload, 4)])]
    #[case::a_numbered_reading(
        "/sensors/a/b", true, b"17 21.4 C",
        &[(Layer::WebSocket, 3), (Layer::Payload, 6)]
    )]
    #[case::no_number("/sensors/a/b", true, b"21.4", &[(Layer::Other, 4)])]
    #[case::an_acknowledgement("/groups/a/me", true, b"17", &[(Layer::Acknowledgements, 2)])]
    fn a_client_of_the_hub_sends(
        #[case] path: &str,
        #[case] acknowledged: bool,
        #[case] message: &[u8],
        #[case] expected: &[(Layer, u64)],
    ) {
        let frame = frame(End::Client, TEXT, message);
        let (stream, opening) = client(path, acknowledged, &[&frame, &frame]);
        let mut twice = vec![(Layer::Connecting, opening), (Layer::WebSocket, 2 * 6)];
        twice.extend(expected.iter().chain(expected));
        check(Carries::Hub, End::Client, &stream, &twice);
    }

    #[rstest]
    #[case::a_reading(false, b"t-1\n21.4\n", &[(Layer::WebSocket, 4), (Layer::Payload, 5)])]
    #[case::a_reading_of_a_number(false, b"12\n21", &[(Layer::WebSocket, 3), (Layer::Payload, 2)])]
    #[case::a_numbered_reading(
        true, b"17 t-1\n21.4",
        &[(Layer::WebSocket, 7), (Layer::Payload, 4)]
    )]
    #[case::an_acknowledgement(true, b"17", &[(Layer::Acknowledgements, 2)])]
    #[case::an_echo(false, b"17", &[(Layer::Payload, 2)])]
    #[case::nothing(false, b"", &[])]
    fn the_hub_sends(
        #[case] acknowledged: bool,
        #[case] message: &[u8],
        #[case] expected: &[(Layer, u64)],
    ) {
        let frame = frame(End::Server, TEXT, message);
        let (stream, opening) = server(acknowledged, &[&frame, &frame]);
        let mut twice = vec![(Layer::Connecting, opening), (Layer::WebSocket, 2 * 2)];
        twice.extend(expected.iter().chain(expected));
        check(Carries::Hub, End::Server, &stream, &twice);
    }

    #[test]
    fn goodbyes_connect_and_pings_keep_alive() {
        let [ping, close] = [(PING, &b""[..]), (CLOSE, b"\x03\xe8bye")]
            .map(|(first, payload)| frame(End::Server, first, payload));
        let (stream, opening) = server(false, &[&ping, &close]);
        let expected = [(Layer::Connecting, opening + 2 + 5), (Layer::KeepAlive, 2)];
        check(Carries::Hub, End::Server, &stream, &expected);
    }

    #[test]
    fn a_refusal_opens_nothing() {
        let stream = b"HTTP/1.1 404 Not Found\r\n\r\n\x82\x01a";
        let all = [(Layer::Connecting, stream.len() as u64)];
        check(Carries::Hub, End::Server, stream, &all);
    }

    #[rstest]
    #[case::unmasked(End::Client, b"\x82\x01a", &[(Layer::WebSocket, 1), (Layer::Other, 2)])]
    #[case::masked(End::Server, b"\x82\x81abcde", &[(Layer::WebSocket, 1), (Layer::Other, 6)])]
    #[case::reserved_bit(End::Server, b"\xc2\x01a", &[(Layer::Other, 3)])]
    #[case::reserved_opcode(End::Server, b"\x83\x01a", &[(Layer::Other, 3)])]
    fn what_is_no_frame_is_other(
        #[case] end: End,
        #[case] bytes: &[u8],
        #[case] expected: &[(Layer, u64)],
    ) {
        let (stream, opening) = match end {
            End::Client => client("/mqtt", false, &[bytes]),
            End::Server => server(false, &[bytes]),
        };
        let all = [&[(Layer::Connecting, opening)], expected].concat();
        check(Carries::Mqtt, end, &stream, &all);
    }
}
