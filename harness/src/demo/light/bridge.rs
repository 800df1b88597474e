//! The bridge: what speaks only HTTP takes part through it.
//!
//! A topic is `/sensor/{group}.{name}` there: its first level, and the others
//! joined by dots. POST publishes a reading, retained; GET tells the latest
//! value, which the bridge knows since it subscribes to everything. And `POST
//! /motor/{number}/speed/{percent}` is a command for a motor. It answers once the
//! broker has the command, which may be long before the motor wakes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rumqttc::valid_topic;

use super::client::{Client, NotAcknowledged};
use super::wired;

/// Topics of which it keeps the latest value; others it does not know.
const TOPICS_MAX: usize = 1_000;

/// A bridge.
pub(super) struct Bridge {
    client: Client,
    latest: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Bridge {
    pub(super) fn new(broker: SocketAddr) -> Self {
        let latest = Arc::<Mutex<BTreeMap<String, Bytes>>>::default();
        let store = Arc::clone(&latest);
        let client = Client::listening("bridge", Some("#"), wired(broker), move |publish| {
            let topic = String::from_utf8_lossy(&publish.topic).into_owned();
            let mut store = store.lock();
            if publish.payload.is_empty() {
                store.remove(&topic);
            } else if store.len() < TOPICS_MAX || store.contains_key(&topic) {
                store.insert(topic, publish.payload.clone());
            }
        });
        Self { client, latest }
    }

    /// The latest value of a sensor, if it has one.
    pub(super) fn latest(&self, topic: &str) -> Option<Bytes> {
        self.latest.lock().get(topic).cloned()
    }

    /// Publishes a sensor's reading.
    ///
    /// # Errors
    /// When the broker does not acknowledge it for a while.
    pub(super) async fn report(&self, topic: &str, value: Bytes) -> Result<(), NotAcknowledged> {
        self.client.publish(topic, value.to_vec(), true).await
    }

    /// Tells a motor how fast to turn. Not retained: a command is not a state,
    /// and waits in the motor's session.
    ///
    /// # Errors
    /// When the broker does not acknowledge it for a while.
    pub(super) async fn command(&self, motor: u32, percent: u8) -> Result<(), NotAcknowledged> {
        let topic = format!("motor/{motor}/speed");
        let payload = percent.to_string().into_bytes();
        self.client.publish(&topic, payload, false).await
    }
}

/// The topic of a sensor, if it can have one: `kitchen.temperature` is
/// `kitchen/temperature`.
pub(super) fn topic_of(sensor: &str) -> Option<String> {
    let (group, name) = sensor.split_once('.')?;
    let levels = |levels: &str| levels.split('.').all(|level| !level.is_empty());
    let topic = format!("{group}/{}", name.replace('.', "/"));
    let named = !group.is_empty() && levels(name) && !sensor.contains('/');
    (named && !sensor.starts_with('$') && valid_topic(&topic)).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("kitchen.temperature", Some("kitchen/temperature"))]
    #[case("house.attic.light", Some("house/attic/light"))]
    #[case("kitchen", None)]
    #[case("kitchen.", None)]
    #[case(".temperature", None)]
    #[case("kitchen..temperature", None)]
    #[case("kitchen.+", None)]
    #[case("kitchen/x.temperature", None)]
    #[case("$SYS.clients", None)]
    fn a_sensor_is_a_topic_of_two_levels_or_more(
        #[case] sensor: &str,
        #[case] topic: Option<&str>,
    ) {
        assert_eq!(topic_of(sensor).as_deref(), topic);
    }
}
