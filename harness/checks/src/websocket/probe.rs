//! A WebSocket of a check: sends any bytes, and judges what comes.

use std::io;

use bytes::{Buf as _, BytesMut};
use squall_reports::conformance::ExchangeEvent;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout_at};

use super::Serves;
use super::frame::{CLOSE, Frame, PONG, Received};
use super::handshake::{HEAD_BYTES_MAX, Request, Response};
use crate::bench::Bench;
use crate::finding::{Finding, Outcome};
use crate::server::{Stream, write_within};
use crate::transcript::{received, sent};

/// What may be read before it is looked at, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// The longest frame that is taken, in bytes.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Frames that are read while something else is waited for.
const FRAMES_MAX: usize = 10_000;

/// What came from the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// A frame.
    Frame(Received),
    /// The end of the connection, in order (FIN).
    Ended,
    /// A reset (RST), or the connection broke.
    Reset,
    /// Nothing, for as long as was waited.
    Silence,
}

/// How a server ended a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ending {
    /// The frames before the end, the Close frame among them.
    pub frames: Vec<Received>,
    /// Whether by a reset.
    pub reset: bool,
}

impl Ending {
    /// Its Close frame, if there was one.
    #[must_use]
    pub fn close(&self) -> Option<&Received> {
        self.frames.iter().find(|frame| frame.opcode == CLOSE)
    }
}

/// A WebSocket of a check. Dropping it ends the connection without a Close
/// frame.
pub struct WebSocket {
    bench: Bench,
    stream: Box<dyn Stream>,
    name: String,
    connection: u32,
    unread: BytesMut,
    /// Whether a Close frame was sent.
    closed: bool,
    ended: Option<Arrival>,
}

impl WebSocket {
    pub(crate) fn new(bench: Bench, stream: Box<dyn Stream>, name: &str, connection: u32) -> Self {
        let socket = Self {
            bench,
            stream,
            name: name.to_owned(),
            connection,
            unread: BytesMut::new(),
            closed: false,
            ended: None,
        };
        socket.note(ExchangeEvent::Opened);
        socket
    }

    fn note(&self, event: ExchangeEvent) {
        let mut notes = self.bench.notes();
        notes.transcript.note(self.connection, &self.name, event);
    }

    /// Sends a request and reads the answer's head; nothing when the server ends
    /// the connection instead.
    ///
    /// # Errors
    /// [`Finding::Fail`] when no answer comes, or one without end.
    pub async fn request(&mut self, request: &Request) -> Outcome<Option<Response>> {
        let bytes = request.encode();
        let says = String::from_utf8_lossy(&bytes).into_owned();
        self.write(&bytes, says).await?;
        self.response().await
    }

    /// The head of an answer to what was sent.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn response(&mut self) -> Outcome<Option<Response>> {
        let deadline = Instant::now() + self.bench.timeout();
        loop {
            if let Some((response, length)) = Response::decode(&self.unread) {
                let head = self.unread.split_to(length);
                let says = String::from_utf8_lossy(&head).into_owned();
                self.note(received(&head, says));
                return Ok(Some(response));
            }
            if self.unread.len() > HEAD_BYTES_MAX {
                let actual = format!("{} bytes without the end of a head", self.unread.len());
                return Err(Finding::fail("an answer of HTTP", actual));
            }
            match self.read(deadline).await {
                None => {}
                Some(Arrival::Ended | Arrival::Reset) => return Ok(None),
                Some(other) => return Err(self.instead("an answer of HTTP", &other)),
            }
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// As [`send_all`](Self::send_all).
    pub async fn send(&mut self, frame: &Frame) -> Outcome {
        self.send_all(std::slice::from_ref(frame)).await
    }

    /// Sends frames in one piece.
    ///
    /// # Errors
    /// [`Finding::Error`] when they are not taken within the time for an answer.
    /// That the server has ended the connection meanwhile is no error: the next
    /// read tells.
    pub async fn send_all(&mut self, frames: &[Frame]) -> Outcome {
        self.closed |= frames.iter().any(Frame::is_close);
        let bytes: Vec<_> = frames.iter().flat_map(Frame::encode).collect();
        let says: Vec<_> = frames.iter().map(Frame::to_string).collect();
        self.write(&bytes, says.join("; ")).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// As [`send_all`](Self::send_all).
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.write(bytes, String::new()).await
    }

    async fn write(&mut self, bytes: &[u8], says: String) -> Outcome {
        self.note(sent(bytes, says));
        // Whatever is wrong with the stream, reading tells how it ended.
        let _ = write_within(&mut *self.stream, bytes, self.bench.timeout()).await?;
        Ok(())
    }

    /// Reads once; nothing if there is more to look at.
    async fn read(&mut self, deadline: Instant) -> Option<Arrival> {
        if let Some(ended) = &self.ended {
            return Some(ended.clone());
        }
        self.unread.reserve(READ_BYTES);
        let read = timeout_at(deadline, self.stream.read_buf(&mut self.unread)).await;
        let (ended, event) = match read {
            Err(_) => return Some(Arrival::Silence),
            Ok(Ok(0)) => (Arrival::Ended, ExchangeEvent::Ended),
            Ok(Ok(_)) => return None,
            // TLS without its close_notify.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                (Arrival::Ended, ExchangeEvent::Ended)
            }
            Ok(Err(_)) => (Arrival::Reset, ExchangeEvent::Reset),
        };
        self.ended = Some(ended.clone());
        self.note(event);
        Some(ended)
    }

    /// What comes next, within the time for an answer.
    ///
    /// # Errors
    /// [`Finding::Fail`] for a frame longer than any that is asked for.
    pub async fn next(&mut self) -> Outcome<Arrival> {
        let deadline = Instant::now() + self.bench.timeout();
        loop {
            match Received::decode(&self.unread, FRAME_BYTES_MAX) {
                Ok(Some((frame, length))) => {
                    self.note(received(&self.unread[..length], frame.to_string()));
                    self.unread.advance(length);
                    return Ok(Arrival::Frame(frame));
                }
                Ok(None) => {}
                Err(length) => {
                    let actual = format!("a frame of {length} bytes");
                    return Err(Finding::fail("a frame that was asked for", actual));
                }
            }
            if let Some(arrival) = self.read(deadline).await {
                return Ok(arrival);
            }
        }
    }

    /// A failure: this came instead of what was expected.
    #[must_use]
    pub fn instead(&self, expected: &str, arrival: &Arrival) -> Finding {
        let actual = match arrival {
            Arrival::Frame(frame) => format!("{frame} came"),
            Arrival::Ended => "the server ended the connection".to_owned(),
            Arrival::Reset => "the server reset the connection".to_owned(),
            Arrival::Silence => {
                let time = self.bench.timeout().as_secs_f64();
                format!("nothing came within {time} s")
            }
        };
        Finding::fail(expected, actual)
    }

    /// Waits for the Pong to a Ping with this payload; what came before it.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it does not come.
    pub async fn until_pong(&mut self, payload: &[u8]) -> Outcome<Vec<Received>> {
        let expected = "a Pong with the payload of the Ping";
        let is_wanted = |frame: &Received| frame.opcode == PONG && frame.payload == payload;
        self.until(expected, is_wanted)
            .await
            .map(|(before, _)| before)
    }

    /// The next Pong, whatever comes before it.
    ///
    /// # Errors
    /// [`Finding::Fail`] when none comes.
    pub async fn pong(&mut self) -> Outcome<Received> {
        self.until("a Pong", |frame| frame.opcode == PONG)
            .await
            .map(|(_, pong)| pong)
    }

    /// Waits for a frame that `is_wanted`: what came before it, and it. There is
    /// none behind a Close frame.
    async fn until(
        &mut self,
        what: &str,
        is_wanted: impl Fn(&Received) -> bool,
    ) -> Outcome<(Vec<Received>, Received)> {
        let mut before = Vec::new();
        while before.len() < FRAMES_MAX {
            match self.next().await? {
                Arrival::Frame(frame) if is_wanted(&frame) => return Ok((before, frame)),
                Arrival::Frame(frame) if frame.opcode != CLOSE => before.push(frame),
                other => return Err(self.instead(what, &other)),
            }
        }
        Err(Finding::fail(what, "frames without end"))
    }

    /// Waits for a Close frame, and answers it unless ours has gone before;
    /// nothing if the server ends the connection without one, or does neither.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn until_close(&mut self) -> Outcome<Option<Received>> {
        for _ in 0..FRAMES_MAX {
            match self.next().await? {
                Arrival::Frame(frame) if frame.opcode == CLOSE => {
                    if !self.closed {
                        self.send(&Frame::new(CLOSE, &frame.payload)).await?;
                    }
                    return Ok(Some(frame));
                }
                Arrival::Frame(_) => {}
                Arrival::Ended | Arrival::Reset | Arrival::Silence => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Waits for the server to end the connection, and tells how. Its Close frame
    /// is answered, unless ours has gone before.
    ///
    /// # Errors
    /// [`Finding::Fail`] that expected `what` when it does not.
    pub async fn until_end(&mut self, what: &str) -> Outcome<Ending> {
        let mut frames: Vec<Received> = Vec::new();
        while frames.len() < FRAMES_MAX {
            match self.next().await? {
                Arrival::Frame(frame) => {
                    if frame.opcode == CLOSE && !self.closed {
                        self.send(&Frame::new(CLOSE, &frame.payload)).await?;
                    }
                    frames.push(frame);
                }
                end @ (Arrival::Ended | Arrival::Reset) => {
                    let reset = end == Arrival::Reset;
                    return Ok(Ending { frames, reset });
                }
                Arrival::Silence => {
                    let after = match frames.last() {
                        Some(frame) => format!("{frame} came, and then nothing"),
                        None => "it stayed open, and nothing came".to_owned(),
                    };
                    return Err(Finding::fail(what, after));
                }
            }
        }
        Err(Finding::fail(what, "frames without end"))
    }

    /// Waits for the server to fail the connection (section 7.1.7): it ends it,
    /// maybe with a Close frame, and acts upon nothing more. Its own Pings, and
    /// data that nobody asked for, may be on their way.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it does not.
    pub async fn until_failed(&mut self, broken: &str) -> Outcome<Ending> {
        let expected = format!("the server to fail the connection, since {broken}");
        let ending = self.until_end(&expected).await?;
        let only_asked = self.bench.endpoint()?.serves != Serves::Other;
        let is_answer = |frame: &&Received| frame.opcode == PONG || only_asked && frame.is_data();
        match ending.frames.iter().find(is_answer) {
            None => Ok(ending),
            Some(frame) => {
                let actual = format!("{frame} came before the end");
                Err(Finding::fail(expected, actual))
            }
        }
    }
}
