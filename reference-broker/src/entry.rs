//! What an entry of the store says, and how it is written.
//!
//! Keys begin with a byte for the kind of entry, in an order such that what is
//! referred to comes first when a store is read from its beginning.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

use crate::message::{Expiry, Message};
use crate::store::CorruptEntry;
use crate::topics::Grant;
use crate::wire::{PacketId, Properties, Qos, SubscriptionId, TopicFilter, TopicName};

/// One entry, as it is read.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Entry {
    /// A message that sessions refer to by its number: written once, however
    /// many they are.
    Body {
        number: u64,
        message: Arc<Message>,
    },
    Session {
        client_id: Arc<str>,
        session: SessionEntry,
    },
    Subscription {
        client_id: Arc<str>,
        filter: TopicFilter,
        grant: Grant,
    },
    /// The identifier of a QoS 2 message that was received and not released.
    Received {
        client_id: Arc<str>,
        id: PacketId,
    },
    /// A PUBREL without its PUBCOMP, at its place in the order of PUBRECs.
    Released {
        client_id: Arc<str>,
        order: u64,
        id: PacketId,
    },
    /// A message to a client, at its place in the order of sending; with its
    /// packet identifier once it has been sent.
    Outgoing {
        client_id: Arc<str>,
        order: u64,
        outgoing: OutgoingEntry,
    },
    Retained {
        message: Arc<Message>,
    },
    Will {
        client_id: Arc<str>,
        will: WillEntry,
    },
}

/// The value of [`Entry::Session`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct SessionEntry {
    /// The user it belongs to.
    pub(crate) user: Option<Arc<str>>,
    /// How long it is kept without a connection; `None` for ever.
    pub(crate) expiry: Option<Duration>,
    /// When it ends, if its connection has ended.
    pub(crate) ends: Option<Duration>,
}

/// The value of [`Entry::Will`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WillEntry {
    /// Its expiry begins when it is published, and counts from zero until then.
    pub(crate) message: Arc<Message>,
    /// How long it waits for its client to come back.
    pub(crate) delay: Duration,
    /// When it is published, if its client has gone.
    pub(crate) due: Option<Duration>,
}

/// The value of [`Entry::Outgoing`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OutgoingEntry {
    pub(crate) body: u64,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) id: Option<PacketId>,
    /// The whole filter of the group of which the client is one member, if the
    /// message is for it.
    pub(crate) share: Option<TopicFilter>,
    /// The subscriptions it is sent for.
    pub(crate) subscription_ids: Vec<SubscriptionId>,
}

/// The first byte of a key.
#[derive(Clone, Copy)]
enum Kind {
    Body = 1,
    Session = 2,
    Subscription = 3,
    Received = 4,
    Released = 5,
    Outgoing = 6,
    Retained = 7,
    Will = 8,
}

pub(crate) fn body_key(number: u64) -> Vec<u8> {
    let mut key = vec![Kind::Body as u8];
    key.put_u64(number);
    key
}

pub(crate) fn session_key(client_id: &str) -> Vec<u8> {
    of_client(Kind::Session, client_id)
}

pub(crate) fn session_value(session: &SessionEntry) -> Vec<u8> {
    let mut value = Vec::with_capacity(24);
    put_time(&mut value, session.expiry);
    put_time(&mut value, session.ends);
    value.put_u8(session.user.is_some().into());
    value.put_slice(session.user.as_deref().unwrap_or_default().as_bytes());
    value
}

pub(crate) fn subscription_key(client_id: &str, filter: &TopicFilter) -> Vec<u8> {
    let mut key = of_client(Kind::Subscription, client_id);
    key.put_slice(filter.as_bytes());
    key
}

pub(crate) fn received_key(client_id: &str, id: PacketId) -> Vec<u8> {
    let mut key = of_client(Kind::Received, client_id);
    key.put_u16(id.get());
    key
}

pub(crate) fn released_key(client_id: &str, order: u64) -> Vec<u8> {
    let mut key = of_client(Kind::Released, client_id);
    key.put_u64(order);
    key
}

pub(crate) fn outgoing_key(client_id: &str, order: u64) -> Vec<u8> {
    let mut key = of_client(Kind::Outgoing, client_id);
    key.put_u64(order);
    key
}

pub(crate) fn retained_key(topic: &TopicName) -> Vec<u8> {
    let mut key = vec![Kind::Retained as u8];
    key.put_slice(topic.as_bytes());
    key
}

pub(crate) fn will_key(client_id: &str) -> Vec<u8> {
    of_client(Kind::Will, client_id)
}

/// The length of a client identifier fits, since it came in an MQTT string.
fn of_client(kind: Kind, client_id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + 2 + client_id.len() + 8);
    key.put_u8(kind as u8);
    key.put_u16(client_id.len() as u16);
    key.put_slice(client_id.as_bytes());
    key
}

/// `started` is when the time began that the message's expiry counts from.
pub(crate) fn message_value(message: &Message, started: Duration) -> Vec<u8> {
    let mut value = Vec::new();
    put_message(&mut value, message, started);
    value
}

pub(crate) fn will_value(will: &WillEntry) -> Vec<u8> {
    let mut value = Vec::new();
    put_time(&mut value, Some(will.delay));
    put_time(&mut value, will.due);
    put_message(&mut value, &will.message, Duration::ZERO);
    value
}

fn put_message(value: &mut Vec<u8>, message: &Message, started: Duration) {
    let topic = message.topic.as_bytes();
    let properties = message.properties.as_bytes();
    value.reserve(21 + topic.len() + properties.len() + message.payload.len());
    value.put_u8(message.qos as u8);
    value.put_u8(message.retain.into());
    value.put_u16(topic.len() as u16);
    value.put_slice(topic);
    let expires = message.expiry.map(|expiry| expiry.at);
    put_time(value, expires.map(|at| at.saturating_add(started)));
    value.put_u32(message.expiry.map_or(0, |expiry| expiry.interval_s));
    value.put_u32(properties.len() as u32);
    value.put_slice(properties);
    value.put_slice(&message.payload);
}

/// In nanoseconds, which reach from 1970 to 2554.
fn put_time(value: &mut Vec<u8>, time: Option<Duration>) {
    value.put_u8(time.is_some().into());
    if let Some(time) = time {
        value.put_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}

pub(crate) fn grant_value(grant: &Grant) -> Vec<u8> {
    let mut value = vec![
        grant.qos as u8,
        grant.no_local.into(),
        grant.retain_as_published.into(),
        grant.shared.into(),
    ];
    value.put_u32(grant.id.map_or(0, SubscriptionId::get));
    value
}

pub(crate) fn outgoing_value(outgoing: &OutgoingEntry) -> Vec<u8> {
    let share = outgoing
        .share
        .as_ref()
        .map_or(&b""[..], TopicFilter::as_bytes);
    let mut value = Vec::with_capacity(14 + share.len());
    value.put_u64(outgoing.body);
    value.put_u8(outgoing.qos as u8);
    value.put_u8(outgoing.retain.into());
    value.put_u16(outgoing.id.map_or(0, PacketId::get));
    // No filter is empty.
    value.put_u16(share.len() as u16);
    value.put_slice(share);
    for id in &outgoing.subscription_ids {
        value.put_u32(id.get());
    }
    value
}

/// What an entry says. Messages' expiry counts from `started`, as it will have
/// been written.
pub(crate) fn read(key: &[u8], value: &[u8], started: Duration) -> Result<Entry, CorruptEntry> {
    parse(key, value, started).ok_or_else(|| CorruptEntry { key: key.to_vec() })
}

fn parse(mut key: &[u8], mut value: &[u8], started: Duration) -> Option<Entry> {
    let kind = key.try_get_u8().ok()?;
    let entry = match kind {
        1 => Entry::Body {
            number: key.try_get_u64().ok()?,
            message: message(&mut value, started)?,
        },
        2 => Entry::Session {
            client_id: client(&mut key)?,
            session: SessionEntry {
                expiry: time(&mut value)?,
                ends: time(&mut value)?,
                user: match flag(&mut value)? {
                    true => Some(std::str::from_utf8(std::mem::take(&mut value)).ok()?.into()),
                    false => None,
                },
            },
        },
        3 => Entry::Subscription {
            client_id: client(&mut key)?,
            filter: TopicFilter::new(Bytes::copy_from_slice(std::mem::take(&mut key))).ok()?,
            grant: Grant {
                qos: Qos::from_level(value.try_get_u8().ok()?)?,
                no_local: flag(&mut value)?,
                retain_as_published: flag(&mut value)?,
                shared: flag(&mut value)?,
                id: SubscriptionId::new(value.try_get_u32().ok()?),
            },
        },
        4 => Entry::Received {
            client_id: client(&mut key)?,
            id: PacketId::new(key.try_get_u16().ok()?)?,
        },
        5 => Entry::Released {
            client_id: client(&mut key)?,
            order: key.try_get_u64().ok()?,
            id: PacketId::new(value.try_get_u16().ok()?)?,
        },
        6 => Entry::Outgoing {
            client_id: client(&mut key)?,
            order: key.try_get_u64().ok()?,
            outgoing: OutgoingEntry {
                body: value.try_get_u64().ok()?,
                qos: Qos::from_level(value.try_get_u8().ok()?)?,
                retain: flag(&mut value)?,
                id: PacketId::new(value.try_get_u16().ok()?),
                share: share(&mut value)?,
                subscription_ids: subscription_ids(&mut value)?,
            },
        },
        7 => {
            let message = message(&mut value, started)?;
            if std::mem::take(&mut key) != message.topic.as_bytes() {
                return None;
            }
            Entry::Retained { message }
        }
        8 => Entry::Will {
            client_id: client(&mut key)?,
            will: WillEntry {
                delay: time(&mut value)??,
                due: time(&mut value)?,
                message: message(&mut value, Duration::ZERO)?,
            },
        },
        _ => return None,
    };
    (key.is_empty() && value.is_empty()).then_some(entry)
}

fn client(key: &mut &[u8]) -> Option<Arc<str>> {
    let length = key.try_get_u16().ok()?;
    let client_id = key.split_off(..usize::from(length))?;
    Some(std::str::from_utf8(client_id).ok()?.into())
}

#[expect(clippy::option_option, reason = "that there is none is no mistake")]
fn share(value: &mut &[u8]) -> Option<Option<TopicFilter>> {
    let length = value.try_get_u16().ok()?;
    let filter = value.split_off(..usize::from(length))?;
    if filter.is_empty() {
        return Some(None);
    }
    TopicFilter::new(Bytes::copy_from_slice(filter))
        .ok()
        .map(Some)
}

fn subscription_ids(value: &mut &[u8]) -> Option<Vec<SubscriptionId>> {
    let mut ids = Vec::new();
    while !value.is_empty() {
        ids.push(SubscriptionId::new(value.try_get_u32().ok()?)?);
    }
    Some(ids)
}

fn flag(value: &mut &[u8]) -> Option<bool> {
    match value.try_get_u8().ok()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The outer one is `None` where there is no time to be read.
#[expect(
    clippy::option_option,
    reason = "a time that is not given is no mistake"
)]
fn time(value: &mut &[u8]) -> Option<Option<Duration>> {
    Some(match flag(value)? {
        true => Some(Duration::from_nanos(value.try_get_u64().ok()?)),
        false => None,
    })
}

fn message(value: &mut &[u8], started: Duration) -> Option<Arc<Message>> {
    let qos = Qos::from_level(value.try_get_u8().ok()?)?;
    let retain = flag(value)?;
    let length = value.try_get_u16().ok()?;
    let topic = value.split_off(..usize::from(length))?;
    let topic = TopicName::new(Bytes::copy_from_slice(topic)).ok()?;
    let expires = time(value)?;
    let interval_s = value.try_get_u32().ok()?;
    let expiry = expires.map(|at| Expiry {
        at: at.saturating_sub(started),
        interval_s,
    });
    let length = value.try_get_u32().ok()?;
    let properties = value.split_off(..usize::try_from(length).ok()?)?;
    let properties = Properties::of_message(Bytes::copy_from_slice(properties))?;
    let payload = Bytes::copy_from_slice(std::mem::take(value));
    Some(Arc::new(Message {
        topic,
        payload,
        qos,
        retain,
        properties,
        expiry,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Property, Text};

    fn text(text: &'static str) -> Text {
        Text::new(text).expect("well-formed")
    }

    /// When the broker started, in the tests.
    const STARTED: Duration = Duration::from_secs(1_800_000_000);

    /// Every entry comes back, and none of its prefixes is taken for one.
    #[track_caller]
    fn check(key: &[u8], value: &[u8], entry: &Entry) {
        let read = |key: &[u8], value: &[u8]| read(key, value, STARTED);
        assert_eq!(read(key, value).as_ref(), Ok(entry));
        let mut longer = value.to_vec();
        longer.push(0);
        let grows = match entry {
            // A longer payload, or name, is one.
            Entry::Body { .. } | Entry::Retained { .. } | Entry::Will { .. } => true,
            Entry::Session { session, .. } => session.user.is_some(),
            _ => false,
        };
        let corrupt = CorruptEntry { key: key.to_vec() };
        if !grows {
            assert_eq!(read(key, &longer), Err(corrupt.clone()));
        }
        for length in 0..value.len().min(3) {
            assert_eq!(read(key, &value[..length]), Err(corrupt.clone()));
        }
        for length in 0..key.len().min(3) {
            assert!(read(&key[..length], value).is_err());
        }
    }

    #[test]
    fn entries_come_back_as_they_were_written() {
        let client_id: Arc<str> = "sensor \u{e4}".into();
        let id = PacketId::new(513).expect("not zero");
        let filter = TopicFilter::new("a/+/#").expect("a filter");
        let message = Arc::new(Message {
            topic: TopicName::new("a/b").expect("a topic"),
            payload: Bytes::from_static(b"21.5"),
            qos: Qos::ExactlyOnce,
            retain: true,
            properties: [Property::UserProperty(text("k"), text("v"))]
                .into_iter()
                .collect(),
            expiry: Some(Expiry {
                at: Duration::from_millis(60_500),
                interval_s: 60,
            }),
        });
        let value = message_value(&message, STARTED);
        let number = 77;
        let body = Entry::Body {
            number,
            message: Arc::clone(&message),
        };
        check(&body_key(number), &value, &body);
        let longest = Duration::from_secs(u32::MAX.into());
        for session in [
            SessionEntry::default(),
            SessionEntry {
                user: Some("valley".into()),
                expiry: Some(longest),
                ends: Some(STARTED + longest),
            },
        ] {
            let value = session_value(&session);
            let client_id = Arc::clone(&client_id);
            let key = session_key(&client_id);
            check(&key, &value, &Entry::Session { client_id, session });
        }
        let grant = Grant {
            no_local: true,
            id: SubscriptionId::new(9),
            ..Grant::new(Qos::AtLeastOnce)
        };
        let subscription = Entry::Subscription {
            client_id: Arc::clone(&client_id),
            filter: filter.clone(),
            grant,
        };
        let key = subscription_key(&client_id, &filter);
        check(&key, &grant_value(&grant), &subscription);
        let received = Entry::Received {
            client_id: Arc::clone(&client_id),
            id,
        };
        check(&received_key(&client_id, id), &[], &received);
        let order = u64::MAX;
        let released = Entry::Released {
            client_id: Arc::clone(&client_id),
            order,
            id,
        };
        check(&released_key(&client_id, order), &[2, 1], &released);
        for id in [None, Some(id)] {
            let outgoing = OutgoingEntry {
                body: 77,
                qos: Qos::ExactlyOnce,
                retain: false,
                id,
                share: id.and_then(|_| TopicFilter::new("$share/g/a/b").ok()),
                subscription_ids: SubscriptionId::new(5).into_iter().collect(),
            };
            let entry = Entry::Outgoing {
                client_id: Arc::clone(&client_id),
                order,
                outgoing: outgoing.clone(),
            };
            let key = outgoing_key(&client_id, order);
            check(&key, &outgoing_value(&outgoing), &entry);
        }
        let retained = Entry::Retained {
            message: Arc::clone(&message),
        };
        check(&retained_key(&message.topic), &value, &retained);
        for due in [None, Some(STARTED)] {
            let message = Arc::clone(&message);
            let delay = Duration::from_secs(9);
            let will = WillEntry {
                message,
                delay,
                due,
            };
            let value = will_value(&will);
            let client_id = Arc::clone(&client_id);
            let key = will_key(&client_id);
            check(&key, &value, &Entry::Will { client_id, will });
        }
    }
}
