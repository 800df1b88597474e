//! What is behind a WebSocket, as far as checks need something there: whatever
//! it is, it sends messages back.

use squall_broker::wire::{Packet, Qos, Version};

use super::frame::{BINARY, CLOSE, Frame, Received};
use super::probe::{Arrival, WebSocket};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets;

/// The close code for a message that is too big (section 7.4.1).
const TOO_BIG: u16 = 1009;

/// A WebSocket with an application behind it that sends back what it is sent.
pub(crate) struct App {
    pub(crate) socket: WebSocket,
    /// Of MQTT: the topic that is published and subscribed to.
    topic: Option<String>,
}

impl App {
    pub(crate) fn new(socket: WebSocket, topic: Option<String>) -> Self {
        Self { socket, topic }
    }

    pub(crate) fn is_mqtt(&self) -> bool {
        self.topic.is_some()
    }

    /// A message that comes back as these very bytes: a payload for an echo, and
    /// its PUBLISH for MQTT.
    pub(crate) fn message(&self, payload: impl AsRef<[u8]>) -> Vec<u8> {
        match &self.topic {
            None => payload.as_ref().to_vec(),
            Some(topic) => {
                let publish = packets::publish(topic, payload, Qos::AtMostOnce, 0);
                let packet = Packet::Publish(publish);
                packets::encode(&packet, Version::V3_1_1)
            }
        }
    }

    /// Sends bytes in a frame of their own.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Outcome {
        self.socket.send(&Frame::new(BINARY, bytes)).await
    }

    /// Waits until these bytes have come as data, in however many frames; the
    /// frames.
    ///
    /// # Errors
    /// [`Finding::Fail`] when other bytes come, or none, and [`Finding::Skip`]
    /// when they are too many for the server, which it says with close code 1009.
    pub(crate) async fn answer(&mut self, bytes: &[u8]) -> Outcome<Vec<Received>> {
        let expected = format!("{} bytes, back as they were sent", bytes.len());
        let mut frames = Vec::new();
        let mut data = Vec::new();
        while data.len() < bytes.len() {
            match self.socket.next().await? {
                Arrival::Frame(frame) if frame.is_data() => {
                    data.extend_from_slice(&frame.payload);
                    frames.push(frame);
                }
                Arrival::Frame(frame) if frame.opcode != CLOSE => frames.push(frame),
                Arrival::Frame(close) if close.close_code() == Some(TOO_BIG) => {
                    return Err(Finding::skip(format!("messages of {} bytes", bytes.len())));
                }
                other => return Err(self.socket.instead(&expected, &other)),
            }
        }
        let actual = || match data.iter().zip(bytes).position(|(one, other)| one != other) {
            Some(at) => format!("bytes that differ from the {at}th on"),
            None => format!("{} bytes", data.len()),
        };
        ensure(data == bytes, &expected, actual())?;
        Ok(frames)
    }

    /// Sends a payload as a message in one frame, and waits until it is back.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub(crate) async fn round_trip(&mut self, payload: &[u8]) -> Outcome<Vec<Received>> {
        let message = self.message(payload);
        self.send(&message).await?;
        self.answer(&message).await
    }

    /// Makes sure that nothing more has come back: a Ping is answered first.
    ///
    /// # Errors
    /// [`Finding::Fail`] that expected `what`.
    pub(crate) async fn nothing_more(&mut self, what: &str) -> Outcome {
        self.socket.send(&Frame::ping("more?")).await?;
        let before = self.socket.until_pong(b"more?").await?;
        match before.into_iter().find(Received::is_data) {
            None => Ok(()),
            Some(frame) => Err(Finding::fail(what, format!("{frame} came, too"))),
        }
    }
}
