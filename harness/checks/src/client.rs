//! A connection of a check: sends any bytes, and judges what comes.
//!
//! Here is how bytes and packets go out and come in. What a check says in terms
//! of MQTT stands in a module for each: which packet has to come, whole
//! exchanges, and how a connection ends.

mod answers;
mod ending;
mod exchanges;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use squall_broker::wire::{Connect, Decoder, Packet, Sender, Version};
use squall_reports::conformance::ExchangeEvent;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout_at};

use crate::bench::Bench;
use crate::finding::{Finding, Outcome};
use crate::packets::{self, RawPacket};
use crate::server::{Stream, write_within};
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
        match write_within(&mut *self.stream, bytes, self.bench.timeout()).await? {
            Err(error) if !is_ended(&error) => Err(error.into()),
            _ => Ok(()),
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
