//! One client of the hub, from its upgrade to its end.

use std::future::pending;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use super::super::close_code;
use super::super::distorted::Below;
use super::path::Path;
use super::state::Visit;
use super::{Place, Shared};
use crate::sensors::{Name, number};

/// How many readings are handed to a connection at once.
const BATCH: usize = 64;

/// A client of the hub, made by [`Hub::accept`](super::Hub::accept).
#[derive(Debug)]
#[must_use = "a client is served only by `serve`"]
pub struct HubConnection<S> {
    place: Place,
    frames: WebSocketStream<Below<S>>,
    path: Path,
    /// Whether readings have numbers.
    acknowledged: bool,
    /// When something was last heard of the client.
    heard: Instant,
    pinged: bool,
}

/// Why a connection ends.
enum End {
    /// The client has closed it, or it failed.
    Gone,
    /// The client broke the protocol: it is told so and not listened to any
    /// more.
    Failed(CloseCode, String),
    /// The hub is done with the client, which may answer.
    Closed(CloseCode, &'static str),
}

/// What a connection waits for.
enum Event {
    Stopping,
    Received(Option<Result<Message, Error>>),
    /// Something is owed to the listener.
    Owed,
    /// Nothing was heard of the client for a while.
    Silent,
}

/// What a listener's connection needs beyond a sensor's.
struct Listening {
    shared: Arc<Shared>,
    visit: Visit,
    notify: Arc<Notify>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shared.lock().leave(self.visit);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HubConnection<S> {
    pub(super) fn new(
        place: Place,
        frames: WebSocketStream<Below<S>>,
        path: Path,
        acknowledged: bool,
    ) -> Self {
        Self {
            place,
            frames,
            path,
            acknowledged,
            heard: Instant::now(),
            pinged: false,
        }
    }

    /// Serves the client until its connection has ended; dropping the future is
    /// as if the stream had failed.
    pub async fn serve(mut self) {
        match self.exchange().await {
            End::Gone => {}
            End::Failed(code, reason) => self.close(code, &reason, false).await,
            End::Closed(code, reason) => self.close(code, reason, true).await,
        }
        let shared = &self.place.shared;
        let ended = self.frames.get_mut().shutdown();
        let _ = timeout(shared.config.limits.linger, ended).await;
    }

    async fn exchange(&mut self) -> End {
        let shared = Arc::clone(&self.place.shared);
        let limits = &shared.config.limits;
        let mut stopping = shared.stopping.subscribe();
        let listening = match self.begin(&shared).await {
            Ok(listening) => listening,
            Err(end) => return end,
        };
        loop {
            let silent_until = match self.pinged {
                false => self.heard + limits.ping_every.min(limits.silence_max),
                true => self.heard + limits.silence_max,
            };
            let owed = async {
                match &listening {
                    Some(listening) => listening.notify.notified().await,
                    None => pending().await,
                }
            };
            let event = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => Event::Stopping,
                next = self.frames.next() => Event::Received(next),
                () = owed => Event::Owed,
                () = sleep_until(silent_until) => Event::Silent,
            };
            let outcome = match event {
                Event::Stopping => Err(End::Closed(CloseCode::Away, "the hub stops")),
                Event::Received(Some(Ok(message))) => {
                    self.received(message, listening.as_ref()).await
                }
                Event::Received(Some(Err(error))) => Err(match close_code(&error) {
                    Some(code) => End::Failed(code, error.to_string()),
                    None => End::Gone,
                }),
                Event::Received(None) => Err(End::Gone),
                Event::Owed => self.deliver(listening.as_ref()).await,
                Event::Silent => self.silent().await,
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    /// What comes before the first message of the client.
    async fn begin(&mut self, shared: &Arc<Shared>) -> Result<Option<Listening>, End> {
        match self.path.clone() {
            Path::Sensor { group, sensor } if self.acknowledged => {
                let kept = shared.lock().kept_up_to(&group, &sensor);
                self.send(Message::text(kept.to_string())).await?;
                Ok(None)
            }
            Path::Listener { group, name } => {
                let listening = shared.lock().listen(&group, name.as_ref());
                let (visit, notify) = listening.map_err(|_| {
                    End::Closed(CloseCode::Again, "the hub takes no more listeners")
                })?;
                let shared = Arc::clone(shared);
                Ok(Some(Listening {
                    shared,
                    visit,
                    notify,
                }))
            }
            Path::Sensor { .. } | Path::Echo => Ok(None),
        }
    }

    async fn received(
        &mut self,
        message: Message,
        listening: Option<&Listening>,
    ) -> Result<(), End> {
        self.heard = Instant::now();
        self.pinged = false;
        match message {
            Message::Text(_) | Message::Binary(_) => {}
            Message::Close(_) => {
                // The answer lies ready.
                let silence_max = self.place.shared.config.limits.silence_max;
                let _ = timeout(silence_max, self.frames.flush()).await;
                return Err(End::Gone);
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
        }
        match (self.path.clone(), listening) {
            (Path::Echo, _) => self.send(message).await,
            (Path::Sensor { group, sensor }, _) => self.reading(&group, &sensor, &message).await,
            (Path::Listener { .. }, Some(listening)) if self.acknowledged => {
                let text = message.to_text().ok();
                let sequence = text.and_then(number).ok_or_else(not_a_sequence)?;
                let mut state = listening.shared.lock();
                state.acknowledge(listening.visit, sequence);
                Ok(())
            }
            (Path::Listener { .. }, _) => Ok(()),
        }
    }

    async fn reading(&mut self, group: &Name, sensor: &Name, message: &Message) -> Result<(), End> {
        let numbered = match self.acknowledged {
            false => None,
            true => Some(split(message).ok_or_else(not_a_sequence)?),
        };
        let (number, payload) = match &numbered {
            Some((number, payload)) => (Some(*number), payload),
            None => (None, message),
        };
        let shared = &self.place.shared;
        let taken = shared.lock().reading(group, sensor, number, payload);
        taken.map_err(|_| End::Closed(CloseCode::Again, "the hub has no more room"))?;
        match number {
            Some(_) => {
                let kept = shared.lock().kept_up_to(group, sensor);
                self.send(Message::text(kept.to_string())).await
            }
            None => Ok(()),
        }
    }

    /// Sends what is owed to a listener.
    async fn deliver(&mut self, listening: Option<&Listening>) -> Result<(), End> {
        let Some(Listening {
            shared,
            visit,
            notify,
        }) = listening
        else {
            return Ok(());
        };
        let messages = shared.lock().take(*visit, BATCH);
        let messages = messages.ok_or(End::Closed(
            CloseCode::Policy,
            "another has taken this name",
        ))?;
        if messages.len() == BATCH {
            // There may be more, once it has been seen whether the client has
            // something to say.
            notify.notify_one();
        }
        for message in messages {
            self.send(message).await?;
        }
        Ok(())
    }

    /// Nothing was heard of the client for a while.
    async fn silent(&mut self) -> Result<(), End> {
        if self.pinged || self.heard.elapsed() >= self.place.shared.config.limits.silence_max {
            let reason = "nothing was heard of the client";
            return Err(End::Closed(CloseCode::Error, reason));
        }
        self.pinged = true;
        self.send(Message::Ping("".into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        let silence_max = self.place.shared.config.limits.silence_max;
        match timeout(silence_max, self.frames.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Sends a Close frame, and waits for the client's if it has earned that.
    async fn close(&mut self, code: CloseCode, reason: &str, answered: bool) {
        let close = CloseFrame {
            code,
            reason: reason.into(),
        };
        let closed = async {
            self.frames.send(Message::Close(Some(close))).await?;
            while answered && self.frames.next().await.is_some_and(|next| next.is_ok()) {}
            Ok::<_, Error>(())
        };
        let linger = self.place.shared.config.limits.linger;
        let _ = timeout(linger, closed).await;
    }
}

fn not_a_sequence() -> End {
    End::Failed(CloseCode::Policy, "not a sequence number".to_owned())
}

/// A reading's number, from 1 upwards, and the reading.
fn split(message: &Message) -> Option<(u64, Message)> {
    let (sequence, payload) = match message {
        Message::Text(text) => {
            let (sequence, payload) = text.split_once(' ')?;
            (number(sequence)?, Message::text(payload))
        }
        Message::Binary(bytes) => {
            let space = bytes.iter().position(|byte| *byte == b' ')?;
            let sequence = std::str::from_utf8(&bytes[..space]).ok()?;
            let payload = Message::Binary(bytes.slice(space + 1..));
            (number(sequence)?, payload)
        }
        _ => return None,
    };
    (sequence > 0).then_some((sequence, payload))
}
