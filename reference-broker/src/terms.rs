//! What a client has said of itself in its CONNECT (section 3.1.2.11). Of a
//! 3.1.1 client, what 5.0 assumes of one that says nothing.

use std::time::Duration;

use crate::wire::{Connect, Property, Text, Version};

/// The interval that means for ever (section 3.1.2.11.2).
const FOR_EVER_S: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Terms {
    /// QoS 1 and 2 messages that it takes unacknowledged.
    pub(crate) receive_maximum: u16,
    /// The largest packet that it takes, in bytes.
    pub(crate) packet_bytes_max: usize,
    /// Topic aliases that may be used towards it.
    pub(crate) topic_alias_maximum: u16,
    /// How long its session is to be kept; `None` for ever.
    pub(crate) session_expiry: Option<Duration>,
    /// Whether it asks for response information.
    pub(crate) response_information: bool,
    /// The authentication method that it names.
    pub(crate) method: Option<Text>,
}

impl Terms {
    pub(crate) fn of(connect: &Connect) -> Self {
        let ends_with_connection = match connect.version {
            Version::V3_1_1 => connect.clean_session,
            Version::V5 => true,
        };
        let mut terms = Self {
            session_expiry: ends_with_connection.then_some(Duration::ZERO),
            ..Self::default()
        };
        for property in connect.properties.iter() {
            match property {
                Property::ReceiveMaximum(most) => terms.receive_maximum = most.get(),
                Property::MaximumPacketSize(most) => terms.packet_bytes_max = most.get() as usize,
                Property::TopicAliasMaximum(most) => terms.topic_alias_maximum = most,
                Property::SessionExpiryInterval(seconds) => {
                    terms.session_expiry = session_expiry(seconds);
                }
                Property::RequestResponseInformation(asked) => terms.response_information = asked,
                Property::AuthenticationMethod(method) => terms.method = Some(method),
                _ => {}
            }
        }
        terms
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            receive_maximum: u16::MAX,
            packet_bytes_max: usize::MAX,
            topic_alias_maximum: 0,
            session_expiry: Some(Duration::ZERO),
            response_information: false,
            method: None,
        }
    }
}

/// What a session expiry interval means; `None` for ever.
pub(crate) fn session_expiry(seconds: u32) -> Option<Duration> {
    (seconds != FOR_EVER_S).then(|| Duration::from_secs(seconds.into()))
}

/// How it is said.
pub(crate) fn session_expiry_interval(expiry: Option<Duration>) -> Property {
    let seconds = expiry.map_or(FOR_EVER_S, |expiry| {
        u32::try_from(expiry.as_secs()).unwrap_or(FOR_EVER_S)
    });
    Property::SessionExpiryInterval(seconds)
}
