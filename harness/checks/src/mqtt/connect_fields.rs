//! What the flags of a CONNECT announce, and the fields of its payload
//! (sections 3.1.2.3 to 3.1.2.9 and 3.1.3 of both versions). A client breaks
//! these statements; what is seen is that the broker does not accept it
//! `[MQTT311-3.1.4-1]` `[MQTT5-3.1.4-1]`.

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome};
use crate::packets::{data, frame};
use squall_broker::wire::{Connect, Packet, ReasonCode};

checks! {
    "connect-will-missing" ["MQTT311-3.1.2-9", "MQTT5-3.1.2-9"] will_missing;
    "connect-will-qos-without-will" ["MQTT311-3.1.2-11", "MQTT311-3.1.2-13", "MQTT5-3.1.2-11"] will_qos_alone;
    "connect-will-qos-3" ["MQTT311-3.1.2-14", "MQTT5-3.1.2-12"] will_qos_3;
    "connect-will-retain-without-will" ["MQTT311-3.1.2-11", "MQTT311-3.1.2-15", "MQTT5-3.1.2-13"] will_retain_alone;
    "connect-user-name-without-flag" ["MQTT311-3.1.2-18", "MQTT5-3.1.2-16"] user_name_unannounced;
    "connect-user-name-missing" ["MQTT311-3.1.2-19", "MQTT5-3.1.2-17"] user_name_missing;
    "connect-password-without-flag" ["MQTT311-3.1.2-20", "MQTT5-3.1.2-18"] password_unannounced;
    "connect-password-missing" ["MQTT311-3.1.2-21", "MQTT5-3.1.2-19"] password_missing;
    "connect-password-without-user-name" ["MQTT311-3.1.2-22"] password_alone;
    "connect-client-id-missing" ["MQTT311-3.1.3-3", "MQTT5-3.1.3-3"] client_id_missing;
    "connect-client-id-not-text" ["MQTT311-1.5.3-1", "MQTT311-3.1.3-4", "MQTT5-1.5.4-1", "MQTT5-3.1.3-4"] client_id_not_text;
    "connect-will-topic-not-text" ["MQTT311-1.5.3-1", "MQTT311-3.1.3-10", "MQTT5-1.5.4-1", "MQTT5-3.1.3-11"] will_topic_not_text;
    "connect-user-name-not-text" ["MQTT311-1.5.3-1", "MQTT311-3.1.3-11", "MQTT5-1.5.4-1", "MQTT5-3.1.3-12"] user_name_not_text;
}

const CLEAN: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_1: u8 = 0x08;
const WILL_QOS_3: u8 = 0x18;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// Bytes that are no UTF-8.
const NOT_TEXT: [u8; 2] = [0xc3, 0x28];

/// The payload of a CONNECT up to where it is broken.
struct Payload(Vec<u8>);

impl Payload {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn client_id(bench: &Bench) -> Self {
        Self::new().field(bench.client_id("client"))
    }

    fn field(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend(data(bytes));
        self
    }

    /// The will of a valid CONNECT, but for its topic.
    fn will(mut self, bench: &Bench, topic: impl AsRef<[u8]>) -> Self {
        if bench.is_v5() {
            self.0.push(0);
        }
        self.field(topic).field("will")
    }

    /// A will whose topic is right as well.
    fn valid_will(self, bench: &Bench) -> Self {
        let topic = bench.topic("will");
        self.will(bench, topic)
    }

    /// As [`refused`](Self::refused), with the login that the broker asks
    /// for, so that nothing but what is tried is wrong.
    async fn refused_logged_in(mut self, bench: &Bench, mut flags: u8) -> Outcome {
        if let Some(login) = bench.fixtures().login.clone() {
            flags |= USER_NAME | PASSWORD;
            self = self.field(login.user).field(login.password);
        }
        self.refused(bench, flags).await
    }

    /// Sends it in a CONNECT with these flags, which is not to be accepted.
    async fn refused(self, bench: &Bench, flags: u8) -> Outcome {
        let mut body = data("MQTT");
        body.extend([bench.version().level(), flags, 0, 60]);
        if bench.is_v5() {
            body.push(0);
        }
        body.extend(self.0);
        let mut client = bench.open("client").await?;
        client.send_bytes(&frame(0x10, &body)).await?;
        client
            .refused(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError])
            .await
    }
}

/// Skips where nobody is served who does not log in: a broker that overlooked
/// what is wrong would refuse the client all the same.
async fn needs_anonymous(bench: &Bench) -> Outcome {
    let mut client = bench.open("anonymous").await?;
    let connect = Connect {
        user_name: None,
        password: None,
        ..bench.connect_packet("anonymous")
    };
    client.send_connect(&connect).await?;
    match client.next().await? {
        Arrival::Packet(Packet::ConnAck(connack)) if connack.code == ReasonCode::Success => {
            client.leave().await
        }
        _ => Err(Finding::skip("clients that do not log in")),
    }
}

/// A payload that ends after the client identifier.
async fn will_missing(bench: Bench) -> Outcome {
    let payload = Payload::client_id(&bench);
    payload.refused(&bench, CLEAN | WILL).await
}

async fn will_qos_alone(bench: Bench) -> Outcome {
    let payload = Payload::client_id(&bench);
    payload.refused_logged_in(&bench, CLEAN | WILL_QOS_1).await
}

async fn will_qos_3(bench: Bench) -> Outcome {
    let payload = Payload::client_id(&bench).valid_will(&bench);
    payload
        .refused_logged_in(&bench, CLEAN | WILL | WILL_QOS_3)
        .await
}

async fn will_retain_alone(bench: Bench) -> Outcome {
    let payload = Payload::client_id(&bench);
    payload.refused_logged_in(&bench, CLEAN | WILL_RETAIN).await
}

async fn user_name_unannounced(bench: Bench) -> Outcome {
    needs_anonymous(&bench).await?;
    let payload = Payload::client_id(&bench).field("user");
    payload.refused(&bench, CLEAN).await
}

/// A payload that ends after the client identifier.
async fn user_name_missing(bench: Bench) -> Outcome {
    needs_anonymous(&bench).await?;
    let payload = Payload::client_id(&bench);
    payload.refused(&bench, CLEAN | USER_NAME).await
}

async fn password_unannounced(bench: Bench) -> Outcome {
    needs_anonymous(&bench).await?;
    let payload = Payload::client_id(&bench).field("user").field("password");
    payload.refused(&bench, CLEAN | USER_NAME).await
}

/// A payload that ends after the user name.
async fn password_missing(bench: Bench) -> Outcome {
    needs_anonymous(&bench).await?;
    let payload = Payload::client_id(&bench).field("user");
    let flags = CLEAN | USER_NAME | PASSWORD;
    payload.refused(&bench, flags).await
}

/// Which 5.0 allows.
async fn password_alone(bench: Bench) -> Outcome {
    needs_anonymous(&bench).await?;
    let payload = Payload::client_id(&bench).field("password");
    payload.refused(&bench, CLEAN | PASSWORD).await
}

/// A payload without a byte.
async fn client_id_missing(bench: Bench) -> Outcome {
    Payload::new().refused(&bench, CLEAN).await
}

async fn client_id_not_text(bench: Bench) -> Outcome {
    let payload = Payload::new().field(NOT_TEXT);
    payload.refused_logged_in(&bench, CLEAN).await
}

async fn will_topic_not_text(bench: Bench) -> Outcome {
    let payload = Payload::client_id(&bench).will(&bench, NOT_TEXT);
    payload.refused_logged_in(&bench, CLEAN | WILL).await
}

async fn user_name_not_text(bench: Bench) -> Outcome {
    needs_anonymous(&bench).await?;
    let payload = Payload::client_id(&bench).field(NOT_TEXT);
    payload.refused(&bench, CLEAN | USER_NAME).await
}
