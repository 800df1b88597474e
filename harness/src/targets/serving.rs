//! Whether a broker serves: it lets a client in, and gives back what the client
//! publishes. That its port is open, or its process alive, says less.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use squall_broker::wire::{
    Connect, Decoder, Delivery, Disconnect, Packet, Publish, Qos, ReasonCode, Sender, Subscribe,
    SubscribeCode, Subscription, Text, TopicFilter, TopicName, Version, Violation,
};
use squall_checks::Stream;
use squall_checks::websocket::{Framing, MqttFrames};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::Address;
use super::dial::{DialError, Trust, dial};

/// The longest packet that is expected.
const PACKET_BYTES_MAX: usize = 64 * 1024;

/// Why a broker does not serve, as far as a client can tell.
#[derive(Debug, thiserror::Error)]
pub enum NotServing {
    /// Nobody is there.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// There is somebody, who says nothing.
    #[error("no {0} within {1:?}")]
    Silent(&'static str, Duration),
    /// The connection ended.
    #[error("the connection ended before {0}")]
    Closed(&'static str),
    /// The broker let nobody in.
    #[error("CONNACK says {0:?}")]
    Refused(ReasonCode),
    /// An answer to something else.
    #[error("{0} instead of {1}")]
    Another(&'static str, &'static str),
    /// An answer that is none.
    #[error("what came instead of {0} is not MQTT: {1}")]
    Malformed(&'static str, String),
    /// The subscription was refused.
    #[error("SUBACK refuses the subscription")]
    NotSubscribed,
    /// The opening handshake failed.
    #[error("{0}")]
    NoWebSocket(String),
    /// Something that cannot be said in MQTT.
    #[error("{0} cannot be said in MQTT")]
    Unspeakable(String),
}

/// Asks the broker at this address for service. Each answer may take `patience`.
///
/// # Errors
/// When it does not serve.
pub async fn serves(
    address: &Address,
    version: Version,
    trust: &Trust,
    patience: Duration,
) -> Result<(), NotServing> {
    let dialed = timeout(patience, dial(address, trust)).await;
    let stream = dialed.map_err(|_| NotServing::Silent("connection", patience))??;
    if !address.transport.is_websocket() {
        return echoes(stream, address, version, patience).await;
    }
    let authority = address.authority();
    let opening = MqttFrames::connect(stream, &authority, &address.path, Framing::default());
    match timeout(patience, opening).await {
        Err(_) => Err(NotServing::Silent("HTTP response", patience)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(NotServing::NoWebSocket(error.to_string()))
        }
        Ok(Err(_)) => Err(NotServing::Closed("the HTTP response")),
        Ok(Ok(frames)) => echoes(Box::new(frames), address, version, patience).await,
    }
}

/// Publishes to itself.
async fn echoes(
    stream: Box<dyn Stream>,
    address: &Address,
    version: Version,
    patience: Duration,
) -> Result<(), NotServing> {
    let unspeakable = |_: Violation| NotServing::Unspeakable(address.to_string());
    let client_id = format!("squall-ready-{}-{}", std::process::id(), address.port);
    let user = address.user.clone().map(Text::new);
    let connect = Connect {
        version,
        clean_session: true,
        keep_alive_s: 30,
        client_id: Text::new(client_id.clone()).map_err(unspeakable)?,
        user_name: user.transpose().map_err(unspeakable)?,
        password: address.password.clone().map(Bytes::from),
        ..Connect::default()
    };
    let mut client = Client {
        stream,
        version,
        decoder: Decoder::new(version, Sender::Server, PACKET_BYTES_MAX),
        unread: Vec::new(),
        patience,
    };
    client.write(&Packet::Connect(Box::new(connect))).await?;
    match client.read("CONNACK").await? {
        Packet::ConnAck(connack) if connack.code == ReasonCode::Success => {}
        Packet::ConnAck(connack) => return Err(NotServing::Refused(connack.code)),
        other => return Err(NotServing::Another(other.name(), "CONNACK")),
    }
    let filter = TopicFilter::new(client_id.clone()).map_err(unspeakable)?;
    client
        .write(&Packet::Subscribe(Subscribe {
            packet_id: std::num::NonZeroU16::MIN,
            subscriptions: vec![Subscription::new(filter, Qos::AtMostOnce)],
            properties: Default::default(),
        }))
        .await?;
    match client.read("SUBACK").await? {
        Packet::SubAck(suback) if suback.codes == [SubscribeCode::Granted(Qos::AtMostOnce)] => {}
        Packet::SubAck(_) => return Err(NotServing::NotSubscribed),
        other => return Err(NotServing::Another(other.name(), "SUBACK")),
    }
    client
        .write(&Packet::Publish(Publish {
            dup: false,
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: TopicName::new(client_id).map_err(unspeakable)?,
            properties: Default::default(),
            payload: Bytes::new(),
        }))
        .await?;
    match client.read("PUBLISH").await? {
        Packet::Publish(_) => {}
        other => return Err(NotServing::Another(other.name(), "PUBLISH")),
    }
    client
        .write(&Packet::Disconnect(Disconnect::default()))
        .await
}

struct Client {
    stream: Box<dyn Stream>,
    version: Version,
    decoder: Decoder,
    unread: Vec<u8>,
    patience: Duration,
}

impl Client {
    async fn write(&mut self, packet: &Packet) -> Result<(), NotServing> {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes);
        let written = self.stream.write_all(&bytes).await;
        written.map_err(|_| NotServing::Closed(packet.name()))
    }

    async fn read(&mut self, awaited: &'static str) -> Result<Packet, NotServing> {
        let reading = async {
            loop {
                let mut input = self.unread.as_slice();
                let decoded = self.decoder.decode(&mut input);
                let rest = input.len();
                self.unread.drain(..self.unread.len() - rest);
                match decoded {
                    Ok(Some(packet)) => return Ok(packet),
                    Ok(None) => {}
                    Err(error) => return Err(NotServing::Malformed(awaited, error.to_string())),
                }
                match self.stream.read_buf(&mut self.unread).await {
                    Ok(0) | Err(_) => return Err(NotServing::Closed(awaited)),
                    Ok(_) => {}
                }
            }
        };
        let read = timeout(self.patience, reading).await;
        read.map_err(|_| NotServing::Silent(awaited, self.patience))?
    }
}
