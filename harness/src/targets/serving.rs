//! Whether a broker serves: it lets a client in, and gives back what the client
//! publishes. That its port is open, or its process alive, says less.

use std::time::Duration;

use bytes::Bytes;
use squall_broker::wire::{
    Connect, Decoder, Delivery, Disconnect, Packet, Publish, Qos, ReasonCode, Sender, Subscribe,
    SubscribeCode, Subscription, Text, TopicFilter, TopicName, Version, Violation,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::dial::{DialError, Stream, Trust, dial};
use super::{Address, Transport};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// An HTTP response that upgrades nothing.
    #[error("the WebSocket handshake was answered with `{0}`")]
    NotUpgraded(String),
    /// Something that cannot be said in MQTT.
    #[error("{0} cannot be said in MQTT")]
    Unspeakable(String),
}

/// Asks the broker at this address for service.
///
/// # Errors
/// When it does not serve.
pub(super) async fn serves(
    address: &Address,
    version: Version,
    trust: &Trust,
) -> Result<(), NotServing> {
    let dialed = timeout(PATIENCE, dial(address, trust)).await;
    let stream = dialed.map_err(|_| NotServing::Silent("connection", PATIENCE))??;
    match address.transport {
        Transport::Tcp | Transport::Tls => echoes(stream, address, version).await,
        Transport::WebSocket | Transport::SecureWebSocket => upgrades(stream, address).await,
    }
}

/// Publishes to itself.
async fn echoes(
    stream: Box<dyn Stream>,
    address: &Address,
    version: Version,
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
        let read = timeout(PATIENCE, reading).await;
        read.map_err(|_| NotServing::Silent(awaited, PATIENCE))?
    }
}

/// Shakes hands for a WebSocket (RFC 6455 section 4.1), and leaves. What is
/// behind it is the same broker as behind its other ports.
async fn upgrades(mut stream: Box<dyn Stream>, address: &Address) -> Result<(), NotServing> {
    const AWAITED: &str = "HTTP response";
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: c3F1YWxsIGlzIHdlYXRoZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: mqtt\r\n\r\n",
        address.path,
        address.authority()
    );
    let asking = async {
        let closed = |_| NotServing::Closed(AWAITED);
        stream.write_all(request.as_bytes()).await.map_err(closed)?;
        let mut response = Vec::new();
        while !response.contains(&b'\n') && response.len() < PACKET_BYTES_MAX {
            match stream.read_buf(&mut response).await.map_err(closed)? {
                0 => return Err(NotServing::Closed(AWAITED)),
                _ => continue,
            }
        }
        let text = String::from_utf8_lossy(&response);
        let status = text.lines().next().unwrap_or_default();
        match status.split(' ').nth(1) {
            Some("101") => Ok(()),
            _ => Err(NotServing::NotUpgraded(status.chars().take(80).collect())),
        }
    };
    let asked = timeout(PATIENCE, asking).await;
    asked.map_err(|_| NotServing::Silent(AWAITED, PATIENCE))?
}
