//! What a broker may lack, and tells in CONNACK, or its target's file tells.

use crate::finding::{Finding, Outcome};
use crate::server::Fixtures;
use squall_broker::wire::{ConnAck, Property, Qos};

/// What a broker offers. Of what it does not tell, everything is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The highest quality of service it takes.
    pub maximum_qos: Qos,
    /// Retained messages.
    pub retain: bool,
    /// Filters with wildcards.
    pub wildcards: bool,
    /// Subscription identifiers.
    pub subscription_identifiers: bool,
    /// Shared subscriptions.
    pub shared_subscriptions: bool,
    /// Topic aliases that it takes; 0 for none.
    pub topic_alias_maximum: u16,
    /// QoS 1 and 2 messages that it takes at once.
    pub receive_maximum: u16,
    /// The largest packet it takes, in bytes, if it says so.
    pub maximum_packet_size: Option<u32>,
    /// The keep-alive time that it imposes, in seconds.
    pub server_keep_alive_s: Option<u16>,
    /// Names of other things that it lacks: see [`Fixtures::lacks`].
    lacks: Vec<String>,
}

impl Capabilities {
    /// What a CONNACK tells, and the fixtures.
    #[must_use]
    pub fn of(connack: &ConnAck, fixtures: &Fixtures) -> Self {
        let lacks = |name: &str| fixtures.lacks.iter().any(|lacked| lacked == name);
        let mut offered = Self {
            maximum_qos: match (lacks("qos_1"), lacks("qos_2")) {
                (true, _) => Qos::AtMostOnce,
                (_, true) => Qos::AtLeastOnce,
                _ => Qos::ExactlyOnce,
            },
            retain: !lacks("retain"),
            wildcards: !lacks("wildcards"),
            subscription_identifiers: !lacks("subscription_identifiers"),
            shared_subscriptions: !lacks("shared_subscriptions"),
            topic_alias_maximum: 0,
            receive_maximum: u16::MAX,
            maximum_packet_size: None,
            server_keep_alive_s: None,
            lacks: fixtures.lacks.clone(),
        };
        for property in connack.properties.iter() {
            match property {
                Property::MaximumQos(qos) => offered.maximum_qos = qos,
                Property::RetainAvailable(available) => offered.retain = available,
                Property::WildcardSubscriptionAvailable(available) => {
                    offered.wildcards = available;
                }
                Property::SubscriptionIdentifierAvailable(available) => {
                    offered.subscription_identifiers = available;
                }
                Property::SharedSubscriptionAvailable(available) => {
                    offered.shared_subscriptions = available;
                }
                Property::TopicAliasMaximum(most) => offered.topic_alias_maximum = most,
                Property::ReceiveMaximum(most) => offered.receive_maximum = most.get(),
                Property::MaximumPacketSize(most) => {
                    offered.maximum_packet_size = Some(most.get());
                }
                Property::ServerKeepAlive(seconds) => {
                    offered.server_keep_alive_s = Some(seconds);
                }
                _ => {}
            }
        }
        offered
    }

    /// Skips the check unless the broker takes messages of this QoS.
    ///
    /// # Errors
    /// [`Finding::Skip`].
    pub fn need_qos(&self, qos: Qos) -> Outcome {
        if self.maximum_qos >= qos {
            Ok(())
        } else {
            Err(Finding::skip(format!("QoS {}", qos as u8)))
        }
    }

    /// Skips the check unless the broker retains messages.
    ///
    /// # Errors
    /// [`Finding::Skip`].
    pub fn need_retain(&self) -> Outcome {
        need(self.retain, "retained messages")
    }

    /// Skips the check unless filters may have wildcards.
    ///
    /// # Errors
    /// [`Finding::Skip`].
    pub fn need_wildcards(&self) -> Outcome {
        need(self.wildcards, "wildcard subscriptions")
    }

    /// Skips the check unless there are shared subscriptions.
    ///
    /// # Errors
    /// [`Finding::Skip`].
    pub fn need_shared_subscriptions(&self) -> Outcome {
        need(self.shared_subscriptions, "shared subscriptions")
    }

    /// Skips the check unless there are subscription identifiers.
    ///
    /// # Errors
    /// [`Finding::Skip`].
    pub fn need_subscription_identifiers(&self) -> Outcome {
        need(self.subscription_identifiers, "subscription identifiers")
    }

    /// Skips the check unless the broker takes this many topic aliases.
    ///
    /// # Errors
    /// [`Finding::Skip`].
    pub fn need_topic_aliases(&self, count: u16) -> Outcome {
        need(
            self.topic_alias_maximum >= count,
            &format!("{count} topic aliases"),
        )
    }

    /// Skips the check if the target's file names this among what it lacks.
    ///
    /// # Errors
    /// [`Finding::Skip`].
    pub fn need(&self, name: &str) -> Outcome {
        need(!self.lacks.iter().any(|lacked| lacked == name), name)
    }
}

fn need(there: bool, what: &str) -> Outcome {
    if there {
        Ok(())
    } else {
        Err(Finding::skip(what))
    }
}
