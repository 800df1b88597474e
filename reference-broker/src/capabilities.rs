//! What the server offers beyond the least that MQTT 5.0 asks of one, and tells
//! its clients in CONNACK (section 3.2.2.3). To 3.1.1 it cannot be told; a
//! 3.1.1 client that asks for more is refused as far as its packets can say so.

use std::collections::BTreeSet;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use crate::limits::Limits;
use crate::wire::{Property, Qos, ReasonCode, SubscriptionId, Text, TopicFilter, is_wild};

/// What the server offers, switch by switch. By default everything.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The highest quality of service of messages taken and granted
    /// `[MQTT5-3.2.2-9]`.
    pub maximum_qos: Qos,
    /// Whether messages are retained.
    pub retain: bool,
    /// Whether filters may have wildcards.
    pub wildcard_subscriptions: bool,
    /// Whether subscriptions may have identifiers.
    pub subscription_identifiers: bool,
    /// Whether there are shared subscriptions.
    pub shared_subscriptions: bool,
    /// QoS 1 and 2 messages that one client may have under way to the server at
    /// once. Default 65,535.
    pub receive_maximum: NonZeroU16,
    /// Topic aliases that one client may use towards the server. Default 16.
    pub topic_alias_maximum: u16,
    /// How long a session is kept at most once its connection has ended; `None`
    /// for ever.
    pub session_expiry_max: Option<Duration>,
    /// The keep-alive time of every client, in seconds, whatever it asks for
    /// `[MQTT5-3.2.2-21]`; `None` leaves it to the client.
    pub server_keep_alive_s: Option<u16>,
    /// Whether a client that gives no identifier gets one `[MQTT311-3.1.3-6]`
    /// `[MQTT5-3.1.3-6]`; if not, it is refused with return code 2, or 0x85.
    pub assigned_client_ids: bool,
    /// Identifiers of clients that are refused, with return code 2, or 0x85
    /// `[MQTT311-3.1.3-9]` `[MQTT5-3.1.3-8]`.
    pub refused_client_ids: BTreeSet<String>,
    /// What a client is told that asks for response information (section
    /// 3.2.2.3.15): as a rule, the beginning of topics that are its own to get
    /// responses by.
    pub response_information: Option<Text>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            maximum_qos: Qos::ExactlyOnce,
            retain: true,
            wildcard_subscriptions: true,
            subscription_identifiers: true,
            shared_subscriptions: true,
            receive_maximum: NonZeroU16::MAX,
            topic_alias_maximum: 16,
            session_expiry_max: None,
            server_keep_alive_s: None,
            assigned_client_ids: true,
            refused_client_ids: BTreeSet::new(),
            response_information: None,
        }
    }
}

impl Capabilities {
    /// Why a filter cannot be subscribed to here, if so (section 3.9.3).
    pub(crate) fn refuse(
        &self,
        filter: &TopicFilter,
        shared: bool,
        id: Option<SubscriptionId>,
    ) -> Option<ReasonCode> {
        if shared && !self.shared_subscriptions {
            Some(ReasonCode::SharedSubscriptionsNotSupported)
        } else if id.is_some() && !self.subscription_identifiers {
            Some(ReasonCode::SubscriptionIdentifiersNotSupported)
        } else if is_wild(filter.as_bytes()) && !self.wildcard_subscriptions {
            Some(ReasonCode::WildcardSubscriptionsNotSupported)
        } else {
            None
        }
    }

    /// What CONNACK has to say of them: whatever is not as a client assumes.
    pub(crate) fn announce(&self, limits: &Limits) -> impl Iterator<Item = Property> {
        let most = limits.packet_bytes;
        let packet_bytes = u32::try_from(most).ok().and_then(NonZeroU32::new);
        let limited = most < Limits::default().packet_bytes;
        let aliases = self.topic_alias_maximum;
        [
            (self.receive_maximum != NonZeroU16::MAX)
                .then_some(Property::ReceiveMaximum(self.receive_maximum)),
            (self.maximum_qos != Qos::ExactlyOnce)
                .then_some(Property::MaximumQos(self.maximum_qos)),
            (!self.retain).then_some(Property::RetainAvailable(false)),
            packet_bytes
                .filter(|_| limited)
                .map(Property::MaximumPacketSize),
            (aliases > 0).then_some(Property::TopicAliasMaximum(aliases)),
            (!self.wildcard_subscriptions)
                .then_some(Property::WildcardSubscriptionAvailable(false)),
            (!self.subscription_identifiers)
                .then_some(Property::SubscriptionIdentifierAvailable(false)),
            (!self.shared_subscriptions).then_some(Property::SharedSubscriptionAvailable(false)),
            self.server_keep_alive_s.map(Property::ServerKeepAlive),
        ]
        .into_iter()
        .flatten()
    }
}
