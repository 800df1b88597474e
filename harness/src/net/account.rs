//! Bytes by layer, counted from packets, once, at the end that sends them.
//!
//! Each end of a connection keeps a [`SendAccount`]: how far into the stream it
//! has sent, and where in its protocol that is. A packet that goes out is split by
//! it over the layers of the report; what was sent before is a retransmission and
//! counts whole, whatever it carries.
//!
//! Which protocol a stream speaks, the server's port says. There is a dissector
//! for each, in a file of its own. They read no more of a stream than they have to
//! and take its bytes in whatever pieces they come: where a stream is cut into
//! segments changes no count. What does not belong into a stream ends in
//! [`Layer::Other`], with everything after it.

mod head;
mod http;
mod hub;
mod mqtt;
mod tally;
mod tls;
mod websocket;

use super::address::{self, Service};
use super::connection::Flow;
use super::segment::Segment;
use squall_reports::{Layer, LayerBytes};
use tally::Tally;

pub(crate) use tally::StreamMark;

/// Who sends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

/// What one end of a connection has sent so far.
#[derive(Debug)]
pub(crate) struct SendAccount {
    /// The sequence number after the last one sent; nothing before the SYN.
    next: Option<u32>,
    stream: Stream,
}

/// Where in its stream an end stands.
#[derive(Debug)]
enum Stream {
    Plain(Application),
    // Boxed, as everything here but MQTT, since most connections are that.
    Tls(Box<tls::Dissector>),
}

/// Where in the application's protocol.
#[derive(Debug)]
enum Application {
    Mqtt(mqtt::Dissector),
    WebSocket(Box<websocket::Dissector>),
    Http(Box<http::Dissector>),
}

impl SendAccount {
    /// The account of the local end of a connection.
    pub(crate) fn new(flow: &Flow) -> SendAccount {
        let (server, end) = match address::server_of(*flow.local.ip()) {
            Some(_) => (flow.local, End::Server),
            None => (flow.remote, End::Client),
        };
        // Whoever is at another port is taken for a broker.
        let (service, in_tls) = Service::at(server.port()).unwrap_or((Service::Mqtt, false));
        let application = Application::of(service, end);
        SendAccount {
            next: None,
            stream: match in_tls {
                false => Stream::Plain(application),
                true => Stream::Tls(Box::new(tls::Dissector::around(application))),
            },
        }
    }

    /// In the stream of TLS records, those that begin `at` this place have these
    /// `bytes` of the application in them. Said before they are sent, once, and in
    /// their order.
    pub(crate) fn declare(&mut self, at: u64, bytes: &[u8]) {
        if let Stream::Tls(records) = &mut self.stream {
            records.declare(at, bytes);
        }
    }

    /// Splits a packet that this end sends over the layers.
    ///
    /// `mark` is told of each MQTT packet that begins or ends in it and has not
    /// been sent before.
    pub(crate) fn count(
        &mut self,
        segment: &Segment,
        packet: &[u8],
        layers: &mut LayerBytes,
        mut mark: impl FnMut(StreamMark),
    ) {
        let start = segment.seq;
        let end = start.wrapping_add(segment.sequence_length());
        let next = self.next.unwrap_or(start);
        // Sequence numbers wrap: what lies up to half the space behind is old.
        let repeated = (next.wrapping_sub(start) as i32).max(0);
        if segment.sequence_length() == 0 && !segment.rst {
            layers[Layer::PureAck] += packet.len() as u64;
            return;
        }
        if repeated > 0 {
            layers[Layer::Retransmitted] += packet.len() as u64;
        } else {
            let shakes_hands = segment.syn || segment.fin || segment.rst;
            let headers = if shakes_hands {
                Layer::TcpHandshake
            } else {
                Layer::TcpIp
            };
            layers[headers] += segment.header_bytes as u64;
        }
        // A packet that repeats something and carries more moves the stream on
        // all the same, though all its bytes count as repeated.
        let seen = (repeated as usize).min(segment.payload_bytes);
        let fresh = &packet[segment.header_bytes + seen..];
        let mut tally = Tally::new(layers, repeated == 0, seen, &mut mark);
        match &mut self.stream {
            Stream::Plain(application) => application.count(fresh, &mut tally),
            Stream::Tls(records) => records.count(fresh, &mut tally),
        }
        if self.next.is_none() || (end.wrapping_sub(next) as i32) > 0 {
            self.next = Some(end);
        }
    }
}

impl Application {
    fn of(service: Service, end: End) -> Application {
        let websocket = |carries| {
            let dissector = websocket::Dissector::new(carries, end);
            Application::WebSocket(Box::new(dissector))
        };
        match service {
            Service::Mqtt => Application::Mqtt(mqtt::Dissector::default()),
            Service::MqttWebSocket => websocket(websocket::Carries::Mqtt),
            Service::Hub => websocket(websocket::Carries::Hub),
            Service::Http => Application::Http(Box::new(http::Dissector::new(end))),
        }
    }

    fn count(&mut self, bytes: &[u8], tally: &mut Tally<'_>) {
        match self {
            Application::Mqtt(packets) => packets.count(bytes, tally),
            Application::WebSocket(frames) => frames.count(bytes, tally),
            Application::Http(messages) => messages.count(bytes, tally),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tally::tests::{counted, layers};
    use super::*;
    use crate::net::segment::tests::packet;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use smoltcp::wire::TcpControl;

    /// PUBLISH, QoS 1, topic `t/1`, packet id 7, payload `reading`.
    const PUBLISH: &[u8] = b"\x32\x0e\x00\x03t/1\x00\x07reading";

    /// Of the device that [`packet`] is from.
    fn account() -> SendAccount {
        SendAccount::new(&Flow {
            local: "10.0.0.1:50000".parse().expect("an address"),
            remote: "192.0.2.1:1883".parse().expect("an address"),
        })
    }

    #[test]
    fn every_packet_of_a_connection_is_counted_whole_and_once() {
        let mut account = account();
        let mut counted = LayerBytes::default();
        let mut total = 0;
        let mut send = |control, seq, payload: &[u8]| {
            let bytes = packet(control, seq, Some(1), payload);
            let segment = Segment::parse(&bytes).expect("a TCP packet");
            account.count(&segment, &bytes, &mut counted, |_| {});
            total += bytes.len() as u64;
            assert_eq!(counted.total(), total);
            counted
        };
        send(TcpControl::Syn, 99, b"");
        assert_eq!(send(TcpControl::None, 100, b"")[Layer::PureAck], 40);
        send(TcpControl::Psh, 100, &PUBLISH[..10]);
        send(TcpControl::Psh, 100, &PUBLISH[..10]);
        send(TcpControl::Psh, 110, &PUBLISH[10..]);
        send(TcpControl::Fin, 116, b"");
        send(TcpControl::Fin, 116, b"");
        let end = send(TcpControl::Rst, 117, b"");
        assert_eq!(
            end,
            layers(&[
                (Layer::TcpHandshake, 40 + 40 + 40),
                (Layer::PureAck, 40),
                (Layer::TcpIp, 80),
                (Layer::Mqtt, 9),
                (Layer::Payload, 7),
                (Layer::Retransmitted, 50 + 40),
            ])
        );
    }

    #[test]
    fn a_repeated_segment_that_grew_moves_the_stream_on() {
        let mut account = account();
        let mut counted = LayerBytes::default();
        for payload in [&PUBLISH[..4], PUBLISH] {
            let bytes = packet(TcpControl::Psh, 100, Some(1), payload);
            account.count(
                &Segment::parse(&bytes).expect("TCP"),
                &bytes,
                &mut counted,
                |_| {},
            );
        }
        let bytes = packet(TcpControl::Psh, 116, Some(1), b"\xc0\x00");
        account.count(
            &Segment::parse(&bytes).expect("TCP"),
            &bytes,
            &mut counted,
            |_| {},
        );
        assert_eq!(counted[Layer::KeepAlive], 2);
        assert_eq!(counted[Layer::Retransmitted], 56);
    }

    /// What an end may send, in whole pieces; any may be followed by any.
    fn sayings(service: Service, end: End) -> Vec<Vec<u8>> {
        let frame = websocket::tests::frame;
        let (text, binary) = (websocket::tests::TEXT, websocket::tests::BINARY);
        let packets = [PUBLISH, b"\x40\x02\x00\x07", b"\xc0\x00"];
        match service {
            Service::Mqtt => packets.map(<[u8]>::to_vec).to_vec(),
            Service::MqttWebSocket => {
                let divided = [
                    frame(end, 0x02, &PUBLISH[..4]),
                    frame(end, 0x80, &PUBLISH[4..]),
                ];
                let frames = packets.map(|packet| frame(end, binary, packet));
                [frames.as_slice(), &divided].concat()
            }
            Service::Hub => [&b"17"[..], b"17 21.4", b"17 t-1\n21.4", b"t-1\n\n", b""]
                .map(|message| frame(end, text, message))
                .to_vec(),
            Service::Http => match end {
                End::Client => vec![
                    b"GET /sensor/a.b HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
                    b"POST /sensor/a.b HTTP/1.1\r\nContent-Length: 4\r\n\r\n21.4".to_vec(),
                ],
                End::Server => vec![
                    b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
                    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n21.4".to_vec(),
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n21\r\n0\r\n\r\n"
                        .to_vec(),
                ],
            },
        }
    }

    /// What comes before all that.
    fn opening(service: Service, end: End, acknowledged: bool) -> Vec<u8> {
        match (service, end) {
            (Service::Mqtt | Service::Http, _) => Vec::new(),
            (_, End::Client) => websocket::tests::request("/sensors/a/b", acknowledged),
            (_, End::Server) => websocket::tests::answer(acknowledged),
        }
    }

    proptest! {
        /// However TCP divides a stream, well-formed or not, its bytes count the
        /// same, and all of them count.
        #[test]
        fn where_a_stream_is_cut_changes_no_count(
            service in select(&Service::ALL[..]),
            end in select(&[End::Client, End::Server][..]),
            acknowledged: bool,
            said in vec(0..8_usize, 0..8),
            noise in vec(any::<u8>(), 0..40),
            in_tls: bool,
            cuts in vec(1..40_usize, 1..8),
        ) {
            let sayings = sayings(service, end);
            // Beyond what there is to say stands noise, which often ends it.
            let said = said.iter().map(|which| sayings.get(*which).unwrap_or(&noise));
            let opening = opening(service, end, acknowledged);
            let pieces = std::iter::once(&opening).chain(said).filter(|piece| !piece.is_empty());
            let (mut stream, mut declared) = (Vec::new(), Vec::new());
            for piece in pieces {
                if in_tls {
                    declared.push((stream.len() as u64, piece.clone()));
                    let mut record = tls::tests::data(piece.len());
                    record[5..5 + piece.len()].copy_from_slice(piece);
                    stream.extend(record);
                } else {
                    stream.extend(piece);
                }
            }
            let count = |pieces: Vec<&[u8]>| {
                let mut application = Application::of(service, end);
                let mut records = tls::Dissector::around(Application::of(service, end));
                for (at, bytes) in &declared {
                    records.declare(*at, bytes);
                }
                counted(pieces, |piece, tally| match in_tls {
                    true => records.count(piece, tally),
                    false => application.count(piece, tally),
                })
            };
            let (whole, marks) = count(vec![&stream]);
            prop_assert_eq!(whole.total(), stream.len() as u64);
            let (mut pieces, mut rest) = (Vec::new(), stream.as_slice());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(count(pieces), (whole, marks));
        }
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut account = account();
        let mut counted = LayerBytes::default();
        for (seq, payload) in [(u32::MAX - 3, &PUBLISH[..10]), (6, &PUBLISH[10..])] {
            let bytes = packet(TcpControl::Psh, seq, Some(1), payload);
            account.count(
                &Segment::parse(&bytes).expect("TCP"),
                &bytes,
                &mut counted,
                |_| {},
            );
        }
        assert_eq!(counted[Layer::Retransmitted], 0);
        assert_eq!(counted[Layer::Payload], 7);
    }
}
