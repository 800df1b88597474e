//! A connection of a check: sends any bytes, and judges what comes.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use squall_broker::wire::{
    Ack, ConnAck, Connect, Decoder, Delivery, Disconnect, Packet, Publish, Qos, ReasonCode, Sender,
    SubAck, Subscribe, SubscribeCode, UnsubAck, Unsubscribe, Version,
};
use squall_reports::conformance::{Closing, ExchangeEvent};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use crate::bench::Bench;
use crate::finding::{Finding, Outcome};
use crate::packets::{self, RawPacket};
use crate::server::Stream;
use crate::transcript::{received, says, sent};

/// What may be read before it is looked at, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// The largest packet a server may send in a check, in bytes: several times what
/// any check sends, and little enough for many clients of a server that floods.
const PACKET_BYTES_MAX: usize = 1024 * 1024;

/// Packets that are read while something else is waited for.
const PACKETS_MAX: usize = 10_000;

/// What came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A packet.
    Packet(Packet),
    /// It ended the connection in order (FIN).
    Ended,
    /// It reset the connection (RST), or the connection broke.
    Reset,
    /// Nothing, for as long as was waited.
    Silence,
}

/// How a connection ended, or that it did not.
struct End {
    /// [`Arrival::Silence`] if it did not.
    how: Arrival,
    /// The reason that was given.
    code: Option<ReasonCode>,
    /// The name of the first packet that gives none.
    other: Option<&'static str>,
    /// What is wrong with the first bytes that were no packet.
    no_packet: Option<Finding>,
}

/// One connection of a check. Dropping it ends it without a DISCONNECT.
pub struct Client {
    bench: Bench,
    stream: Box<dyn Stream>,
    name: String,
    connection: u32,
    version: Version,
    decoder: Decoder,
    unread: BytesMut,
    /// Messages that came while an acknowledgement was waited for.
    early: VecDeque<Packet>,
    /// What has come of a packet that is not whole yet.
    begun: Vec<u8>,
    /// The bytes of the last packet, whole; or those that are none.
    last: Vec<u8>,
    /// How the connection ended, once it has.
    ended: Option<Arrival>,
    last_id: u16,
}

impl Client {
    pub(crate) fn new(bench: Bench, stream: Box<dyn Stream>, name: &str, connection: u32) -> Self {
        let version = bench.version();
        let client = Self {
            bench,
            stream,
            name: name.to_owned(),
            connection,
            version,
            decoder: Decoder::new(version, Sender::Server, PACKET_BYTES_MAX),
            unread: BytesMut::new(),
            early: VecDeque::new(),
            begun: Vec::new(),
            last: Vec::new(),
            ended: None,
            last_id: 0,
        };
        client.note(ExchangeEvent::Opened);
        client
    }

    fn note(&self, event: ExchangeEvent) {
        let mut notes = self.bench.notes();
        notes.transcript.note(self.connection, &self.name, event);
    }

    /// The next packet identifier of this client: 1, 2, 3 …
    pub fn next_id(&mut self) -> u16 {
        self.last_id += 1;
        self.last_id
    }

    /// Sends a CONNECT, whatever its version. What it leaves behind is tidied up
    /// after the check.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub async fn send_connect(&mut self, connect: &Connect) -> Outcome {
        if connect.version != self.version {
            self.version = connect.version;
            self.decoder = Decoder::new(connect.version, Sender::Server, PACKET_BYTES_MAX);
        }
        self.bench.leaves_session(connect);
        self.send(&Packet::Connect(Box::new(connect.clone()))).await
    }

    /// Sends a packet.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub async fn send(&mut self, packet: &Packet) -> Outcome {
        if let Packet::Publish(publish) = packet
            && publish.retain
        {
            self.bench.leaves_retained(publish.topic.as_str());
        }
        let bytes = packets::encode(packet, self.version);
        self.write(&bytes, says(packet)).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// [`Finding::Error`] when they are not taken within the time for an answer.
    /// That the server has ended the connection meanwhile is no error: the next
    /// read tells.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.write(bytes, String::new()).await
    }

    /// Sends bytes in pieces of `size`, each flushed on its own.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub async fn send_in_pieces(&mut self, bytes: &[u8], size: usize) -> Outcome {
        for piece in bytes.chunks(size) {
            self.send_bytes(piece).await?;
            // A server in the same process reads it before the next comes.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8], says: String) -> Outcome {
        self.note(sent(bytes, says));
        let deadline = Instant::now() + self.bench.timeout();
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout_at(deadline, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_ended(&error) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Finding::Error(format!(
                "the server did not take {} bytes within {} s",
                bytes.len(),
                self.bench.timeout().as_secs_f64()
            ))),
        }
    }

    /// What comes next, within the time for an answer.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it is no packet that a server may send.
    pub async fn next(&mut self) -> Outcome<Arrival> {
        self.next_within(self.bench.timeout()).await
    }

    /// What comes next, within a time.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_within(&mut self, time: Duration) -> Outcome<Arrival> {
        let deadline = Instant::now() + time;
        if let Some(packet) = self.early.pop_front() {
            return Ok(Arrival::Packet(packet));
        }
        loop {
            if let Some(packet) = self.decode()? {
                return Ok(Arrival::Packet(packet));
            }
            if let Some(ended) = &self.ended {
                return Ok(ended.clone());
            }
            self.unread.reserve(READ_BYTES);
            let read = timeout_at(deadline, self.stream.read_buf(&mut self.unread)).await;
            let ended = match read {
                Err(_) => return Ok(Arrival::Silence),
                Ok(Ok(0)) => (Arrival::Ended, ExchangeEvent::Ended),
                Ok(Ok(_)) => continue,
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    (Arrival::Ended, ExchangeEvent::Ended)
                }
                Ok(Err(_)) => (Arrival::Reset, ExchangeEvent::Reset),
            };
            self.ended = Some(ended.0);
            self.note(ended.1);
        }
    }

    /// The next packet among the bytes that have come.
    fn decode(&mut self) -> Outcome<Option<Packet>> {
        let mut rest: &[u8] = &self.unread;
        let decoded = self.decoder.decode(&mut rest);
        let taken = self.unread.len() - rest.len();
        self.begun.extend_from_slice(&self.unread.split_to(taken));
        match decoded {
            Ok(Some(packet)) => {
                self.last = std::mem::take(&mut self.begun);
                self.note(received(&self.last, says(&packet)));
                Ok(Some(packet))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.last = std::mem::take(&mut self.begun);
                // Nothing behind it can be read.
                self.last.extend_from_slice(&self.unread.split());
                self.note(received(&self.last, error.to_string()));
                self.decoder = Decoder::new(self.version, Sender::Server, PACKET_BYTES_MAX);
                Err(Finding::fail(
                    "a packet that a server may send",
                    format!("bytes that are none: {error}"),
                ))
            }
        }
    }

    /// How many bytes the last packet took.
    #[must_use]
    pub fn last_packet_bytes(&self) -> usize {
        self.last.len()
    }

    /// The bytes of the next packet, even if no server may send it; `None` when
    /// the connection has ended or nothing comes. Not for a client that has
    /// waited for an acknowledgement, which messages may come before.
    ///
    /// # Errors
    /// [`Finding::Fail`] when what comes begins no packet.
    pub async fn packet_in_bytes(&mut self) -> Outcome<Option<RawPacket>> {
        self.last.clear();
        match self.next().await {
            Ok(Arrival::Packet(_)) => {}
            Ok(_) => return Ok(None),
            Err(_) if !self.last.is_empty() => {}
            Err(finding) => return Err(finding),
        }
        let packet = RawPacket::first_of(&self.last);
        let none = || Finding::fail("a packet", "bytes that begin none");
        packet.map(Some).ok_or_else(none)
    }

    /// The next packet; anything else is a failure to send what was expected.
    ///
    /// # Errors
    /// [`Finding::Fail`] that expected `what`.
    pub async fn packet(&mut self, what: &str) -> Outcome<Packet> {
        match self.next().await? {
            Arrival::Packet(packet) => Ok(packet),
            other => Err(Finding::fail(what, self.in_words(&other))),
        }
    }

    /// What came, as a report says it.
    #[must_use]
    pub fn in_words(&self, arrival: &Arrival) -> String {
        match arrival {
            Arrival::Packet(packet) => {
                let (name, says) = (packet.name(), says(packet));
                match says.strip_prefix(name).unwrap_or(&says).trim_start() {
                    "" => format!("{name} came"),
                    details => format!("{name} came: {details}"),
                }
            }
            Arrival::Ended => "the broker ended the connection".to_owned(),
            Arrival::Reset => "the broker reset the connection".to_owned(),
            Arrival::Silence => {
                let time = self.bench.timeout().as_secs_f64();
                format!("nothing came within {time} s")
            }
        }
    }

    /// The next packet, which has to be one that `wanted` takes.
    ///
    /// # Errors
    /// [`Finding::Fail`] that expected `what`.
    pub async fn expect<T>(
        &mut self,
        what: &str,
        wanted: impl FnOnce(&Packet) -> Option<T>,
    ) -> Outcome<T> {
        let packet = self.packet(what).await?;
        match wanted(&packet) {
            Some(found) => Ok(found),
            None => Err(Finding::fail(what, self.in_words(&Arrival::Packet(packet)))),
        }
    }

    /// An acknowledgement that `wanted` takes. Nothing orders it among the
    /// messages that the server sends, and those of a subscription may come
    /// before its SUBACK (section 3.8.4), so messages that come first are kept
    /// for whoever asks for them.
    async fn answer<T>(
        &mut self,
        what: &str,
        wanted: impl FnOnce(&Packet) -> Option<T>,
    ) -> Outcome<T> {
        let mut early = VecDeque::new();
        let answer = loop {
            match self.packet(what).await {
                Ok(packet @ Packet::Publish(_)) if early.len() < PACKETS_MAX => {
                    early.push_back(packet);
                }
                answer => break answer,
            }
        };
        self.early = early;
        let packet = answer?;
        wanted(&packet)
            .ok_or_else(|| Finding::fail(what, self.in_words(&Arrival::Packet(packet.clone()))))
    }

    /// CONNACK, whatever it says.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn connack(&mut self) -> Outcome<ConnAck> {
        self.expect("a CONNACK", |packet| match packet {
            Packet::ConnAck(connack) => Some(connack.clone()),
            _ => None,
        })
        .await
    }

    /// PINGRESP.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn pingresp(&mut self) -> Outcome {
        self.expect("a PINGRESP", |packet| {
            (*packet == Packet::PingResp).then_some(())
        })
        .await
    }

    /// PUBACK of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn puback(&mut self, id: u16) -> Outcome<Ack> {
        self.answer(&format!("a PUBACK of {id}"), |packet| match packet {
            Packet::PubAck(ack) if ack.packet_id.get() == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// PUBREC of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn pubrec(&mut self, id: u16) -> Outcome<Ack> {
        self.answer(&format!("a PUBREC of {id}"), |packet| match packet {
            Packet::PubRec(ack) if ack.packet_id.get() == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// PUBREL of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn pubrel(&mut self, id: u16) -> Outcome<Ack> {
        self.answer(&format!("a PUBREL of {id}"), |packet| match packet {
            Packet::PubRel(ack) if ack.packet_id.get() == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// PUBCOMP of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn pubcomp(&mut self, id: u16) -> Outcome<Ack> {
        self.answer(&format!("a PUBCOMP of {id}"), |packet| match packet {
            Packet::PubComp(ack) if ack.packet_id.get() == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// SUBACK of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn suback(&mut self, id: u16) -> Outcome<SubAck> {
        self.answer(&format!("a SUBACK of {id}"), |packet| match packet {
            Packet::SubAck(suback) if suback.packet_id.get() == id => Some(suback.clone()),
            _ => None,
        })
        .await
    }

    /// UNSUBACK of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn unsuback(&mut self, id: u16) -> Outcome<UnsubAck> {
        self.answer(&format!("an UNSUBACK of {id}"), |packet| match packet {
            Packet::UnsubAck(unsuback) if unsuback.packet_id.get() == id => Some(unsuback.clone()),
            _ => None,
        })
        .await
    }

    /// A PUBLISH, not acknowledged yet.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn publish(&mut self) -> Outcome<Publish> {
        self.expect("a PUBLISH", |packet| match packet {
            Packet::Publish(publish) => Some(publish.clone()),
            _ => None,
        })
        .await
    }

    /// A PUBLISH that is under way together with others, so many at once in all. A
    /// broker may send fewer until they are acknowledged (section 4.6 of 3.1.1, 4.9
    /// of 5.0): with one there already, the check does not apply to one that does.
    ///
    /// # Errors
    /// [`Finding::Skip`] when no more than `already` are under way,
    /// [`Finding::Fail`] when something else comes.
    pub async fn publish_beside(&mut self, already: usize, in_all: usize) -> Outcome<Publish> {
        match self.next().await? {
            Arrival::Packet(Packet::Publish(publish)) => Ok(publish),
            Arrival::Silence if already > 0 => Err(Finding::too_few_under_way(in_all)),
            other => Err(Finding::fail("a PUBLISH", self.in_words(&other))),
        }
    }

    /// A PUBLISH, and the rest of its handshake.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn message(&mut self) -> Outcome<Publish> {
        let publish = self.publish().await?;
        self.acknowledge(&publish).await?;
        Ok(publish)
    }

    /// The receiver's part of a PUBLISH's handshake.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn acknowledge(&mut self, publish: &Publish) -> Outcome {
        match publish.delivery {
            Delivery::AtMostOnce => Ok(()),
            Delivery::AtLeastOnce(id) => self.send(&Packet::PubAck(Ack::new(id))).await,
            Delivery::ExactlyOnce(id) => {
                self.send(&Packet::PubRec(Ack::new(id))).await?;
                self.pubrel(id.get()).await?;
                self.send(&Packet::PubComp(Ack::new(id))).await
            }
        }
    }

    /// Sends a PUBLISH and does the sender's part of its handshake, in which the
    /// server has to succeed.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it does not.
    pub async fn send_message(&mut self, publish: &Publish) -> Outcome {
        self.send(&Packet::Publish(publish.clone())).await?;
        let ack = match publish.delivery {
            Delivery::AtMostOnce => return Ok(()),
            Delivery::AtLeastOnce(id) => self.puback(id.get()).await?,
            Delivery::ExactlyOnce(id) => {
                let received = self.pubrec(id.get()).await?;
                if !received.code.is_failure() {
                    self.send(&Packet::PubRel(Ack::new(id))).await?;
                    self.pubcomp(id.get()).await?;
                }
                received
            }
        };
        if ack.code.is_failure() {
            return Err(Finding::fail(
                "the message to be taken",
                format!("reason code {:#04x} ({:?})", ack.code as u8, ack.code),
            ));
        }
        Ok(())
    }

    /// Publishes and completes the handshake.
    ///
    /// # Errors
    /// As [`send_message`](Self::send_message).
    pub async fn publishes(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: Qos) -> Outcome {
        let id = self.next_id();
        let publish = packets::publish(topic, payload, qos, id);
        self.send_message(&publish).await
    }

    /// Publishes a message that is to be retained, and completes the handshake.
    ///
    /// # Errors
    /// As [`send_message`](Self::send_message).
    pub async fn retains(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: Qos) -> Outcome {
        let id = self.next_id();
        let publish = Publish {
            retain: true,
            ..packets::publish(topic, payload, qos, id)
        };
        self.send_message(&publish).await
    }

    /// Removes a topic's retained message.
    pub(crate) async fn clear_retained(&mut self, topic: &str) -> Outcome {
        // Not through `send`, which would remember it as left behind again.
        let publish = Publish {
            retain: true,
            ..packets::publish(topic, "", Qos::AtMostOnce, 0)
        };
        let bytes = packets::encode(&Packet::Publish(publish), self.version);
        self.send_bytes(&bytes).await
    }

    /// Subscribes, which has to be granted, and returns the SUBACK.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it is refused.
    pub async fn subscribe(&mut self, filter: &str, qos: Qos) -> Outcome<SubAck> {
        let id = self.next_id();
        self.subscribe_with(&packets::subscribe(id, &[(filter, qos)]))
            .await
    }

    /// Sends a SUBSCRIBE that has to be granted, and returns the SUBACK.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it is refused.
    pub async fn subscribe_with(&mut self, subscribe: &Subscribe) -> Outcome<SubAck> {
        self.send(&Packet::Subscribe(subscribe.clone())).await?;
        let suback = self.suback(subscribe.packet_id.get()).await?;
        for code in &suback.codes {
            if let SubscribeCode::Refused(code) = code {
                return Err(Finding::fail(
                    "the subscription to be granted",
                    format!("SUBACK {:#04x} ({code:?})", *code as u8),
                ));
            }
        }
        Ok(suback)
    }

    /// Unsubscribes and returns the UNSUBACK.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn unsubscribe(&mut self, filter: &str) -> Outcome<UnsubAck> {
        let id = self.next_id();
        let unsubscribe: Unsubscribe = packets::unsubscribe(id, &[filter]);
        self.send(&Packet::Unsubscribe(unsubscribe)).await?;
        self.unsuback(id).await
    }

    /// Messages in the order in which they come, before the first of this payload;
    /// each is acknowledged as its QoS demands, the last one too, whatever else
    /// comes between the steps of a handshake.
    ///
    /// # Errors
    /// [`Finding::Fail`] when anything but a message or a PUBREL comes.
    pub async fn messages_until(&mut self, last: impl AsRef<[u8]>) -> Outcome<Vec<Publish>> {
        let last = last.as_ref();
        let what = format!("the message {}", last.escape_ascii());
        let (mut messages, mut ended, mut unreleased) = (Vec::new(), false, 0_usize);
        for _ in 0..PACKETS_MAX {
            match self.packet(&what).await? {
                Packet::Publish(publish) => {
                    match publish.delivery {
                        Delivery::AtMostOnce => {}
                        Delivery::AtLeastOnce(id) => {
                            self.send(&Packet::PubAck(Ack::new(id))).await?
                        }
                        Delivery::ExactlyOnce(id) => {
                            unreleased += 1;
                            self.send(&Packet::PubRec(Ack::new(id))).await?;
                        }
                    }
                    if publish.payload == last {
                        ended = true;
                    } else {
                        messages.push(publish);
                    }
                }
                Packet::PubRel(ack) => {
                    unreleased = unreleased.saturating_sub(1);
                    self.send(&Packet::PubComp(Ack::new(ack.packet_id))).await?;
                }
                other => return Err(Finding::fail(what, self.in_words(&Arrival::Packet(other)))),
            }
            if ended && unreleased == 0 {
                return Ok(messages);
            }
        }
        Err(Finding::fail(
            what,
            format!("{PACKETS_MAX} other packets came"),
        ))
    }

    /// What comes until a PINGREQ sent now is answered: the way to see that
    /// something did *not* come. Messages are not acknowledged.
    ///
    /// # Errors
    /// [`Finding::Fail`] when the connection ends or nothing comes.
    pub async fn until_ping(&mut self) -> Outcome<Vec<Packet>> {
        self.send(&Packet::PingReq).await?;
        self.until("a PINGRESP", |packet| *packet == Packet::PingResp)
            .await
            .map(|(before, _)| before)
    }

    /// No message of this topic may come until a PINGREQ sent now is answered.
    ///
    /// # Errors
    /// [`Finding::Fail`] when one does; as [`until_ping`](Self::until_ping).
    pub async fn until_ping_without(&mut self, topic: &str) -> Outcome {
        for packet in self.until_ping().await? {
            if let Packet::Publish(publish) = &packet
                && publish.topic.as_str() == topic
            {
                let came = self.in_words(&Arrival::Packet(packet));
                return Err(Finding::fail(format!("no message of {topic}"), came));
            }
        }
        Ok(())
    }

    /// What comes until a packet that `last` takes, and that packet.
    ///
    /// # Errors
    /// [`Finding::Fail`] that expected `what` when the connection ends or
    /// nothing comes.
    pub async fn until(
        &mut self,
        what: &str,
        mut last: impl FnMut(&Packet) -> bool,
    ) -> Outcome<(Vec<Packet>, Packet)> {
        let mut before = Vec::new();
        while before.len() < PACKETS_MAX {
            let packet = self.packet(what).await?;
            if last(&packet) {
                return Ok((before, packet));
            }
            before.push(packet);
        }
        Err(Finding::fail(
            what,
            format!("{PACKETS_MAX} other packets came"),
        ))
    }

    /// The broker has to end the connection, with one of these reason codes if
    /// it gives one. How it did it is in the report, and does not decide: a
    /// DISCONNECT or, before the connection is accepted, a CONNACK that refuses
    /// it may come first, and what was under way before, even bytes that are no
    /// packet.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it does not, within the time for an answer.
    pub async fn closed(&mut self, codes: &[ReasonCode]) -> Outcome {
        self.closed_within(self.bench.timeout(), codes).await
    }

    /// The same within a time, from now.
    ///
    /// # Errors
    /// As [`closed`](Self::closed).
    pub async fn closed_within(&mut self, time: Duration, codes: &[ReasonCode]) -> Outcome {
        let end = self.end_within(time).await?;
        self.judge_end(&end, codes)
    }

    /// The broker has to end a connection without accepting it: as
    /// [`closed`](Self::closed), but a CONNACK that accepts it is a failure,
    /// whatever comes after.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it accepts it, or does not end it.
    pub async fn refused(&mut self, codes: &[ReasonCode]) -> Outcome {
        self.last.clear();
        let mut end = self.end_within(self.bench.timeout()).await?;
        // A broker may refuse in the other version: it does not know, or not
        // speak, the one that the client asks for.
        let in_other_version = matches!(self.last[..], [0x20, 2, 0, code] if code != 0);
        if let Some(finding) = end.no_packet.take()
            && !in_other_version
        {
            return Err(finding);
        }
        if end.other == Some("CONNACK") {
            let expected = "the broker not to accept the connection";
            return Err(Finding::fail(expected, "a CONNACK accepts it"));
        }
        self.judge_end(&end, codes)
    }

    /// Notes how the connection ended, and fails if it did not.
    fn judge_end(&self, end: &End, codes: &[ReasonCode]) -> Outcome {
        let closing = match (&end.how, end.code) {
            (Arrival::Silence | Arrival::Packet(_), _) => Closing::StaysOpen,
            (_, Some(code)) if codes.contains(&code) => Closing::RightCode { code: code as u8 },
            (_, Some(code)) => Closing::WrongCode { code: code as u8 },
            (Arrival::Ended, None) => Closing::NoCode,
            (Arrival::Reset, None) => Closing::Reset,
        };
        self.bench.notes().closing = Some(closing);
        if closing != Closing::StaysOpen {
            return Ok(());
        }
        let actual = match (end.other, end.code) {
            (Some(name), _) => format!("the connection stays open, and {name} came"),
            (None, Some(code)) => format!("{code:?} was said, and the connection stays open"),
            (None, None) => "the connection stays open".to_owned(),
        };
        Err(Finding::fail("the broker to end the connection", actual))
    }

    /// Reads until the connection has ended, or for a time.
    async fn end_within(&mut self, time: Duration) -> Outcome<End> {
        let deadline = Instant::now() + time;
        let (mut code, mut other, mut no_packet) = (None, None, None);
        for _ in 0..PACKETS_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.next_within(left).await {
                Ok(Arrival::Packet(Packet::Disconnect(disconnect))) => code = Some(disconnect.code),
                Ok(Arrival::Packet(Packet::ConnAck(connack))) if connack.code.is_failure() => {
                    code = Some(connack.code);
                }
                Ok(Arrival::Packet(packet)) => other = other.or(Some(packet.name())),
                Err(finding @ Finding::Fail { .. }) => {
                    other = other.or(Some("what is no packet"));
                    no_packet = no_packet.or(Some(finding));
                }
                Err(finding) => return Err(finding),
                Ok(how) => {
                    return Ok(End {
                        how,
                        code,
                        other,
                        no_packet,
                    });
                }
            }
        }
        let how = Arrival::Silence;
        Ok(End {
            how,
            code,
            other,
            no_packet,
        })
    }

    /// Says DISCONNECT and ends the connection.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub async fn leave(mut self) -> Outcome {
        self.send(&Packet::Disconnect(Disconnect::default()))
            .await?;
        let _ = self.stream.shutdown().await;
        // Once the server has ended it too, it has acted upon it.
        let _ = self.end_within(self.bench.timeout()).await;
        self.note(ExchangeEvent::Closed);
        Ok(())
    }

    /// Ends the connection without a DISCONNECT, as a client does that crashes,
    /// and waits until the server has noticed.
    ///
    /// # Errors
    /// None yet.
    pub async fn vanish(mut self) -> Outcome {
        let _ = self.stream.shutdown().await;
        let _ = self.end_within(self.bench.timeout()).await;
        self.note(ExchangeEvent::Closed);
        Ok(())
    }
}

/// Whether a write failed because the peer has ended the connection.
fn is_ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero
    )
}
