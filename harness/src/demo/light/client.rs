//! An MQTT client that stays: it keeps its session, and comes back to it.

use std::future::Future;
use std::io;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ClientError, Event, EventLoop, Incoming, MqttOptions, NetworkOptions, Publish,
    PublishNotice, PublishOptions, QoS, SubscribeFilter,
};
use squall_devices::Stream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a publish may take to be acknowledged, for whoever waits for that.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may take, in seconds; rumqttc allows no finer.
const CONNECT_TIMEOUT_S: u64 = 3;

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    requests: AsyncClient,
    /// Ends with it.
    _running: JoinSet<()>,
}

/// A message that the broker has not acknowledged. It will be sent all the same,
/// as soon as that is possible.
#[derive(Debug)]
pub(super) struct NotAcknowledged;

impl Client {
    /// A client that only publishes.
    pub(super) fn new<Dialled>(
        name: &str,
        dial: impl Fn() -> Dialled + Send + Sync + 'static,
    ) -> Self
    where
        Dialled: Future<Output = io::Result<Box<dyn Stream>>> + Send + 'static,
    {
        Self::listening(name, None, dial, |_| {})
    }

    /// A client that also hands each message of a topic filter to `hear`.
    pub(super) fn listening<Dialled>(
        name: &str,
        filter: Option<&'static str>,
        dial: impl Fn() -> Dialled + Send + Sync + 'static,
        hear: impl Fn(&Publish) + Send + 'static,
    ) -> Self
    where
        Dialled: Future<Output = io::Result<Box<dyn Stream>>> + Send + 'static,
    {
        // The address is never looked up: the connector dials.
        let mut options = MqttOptions::new(name, ("", 0));
        options
            .set_keep_alive(5)
            .set_clean_session(false)
            .set_socket_connector(move |_, _| dial());
        let (requests, mut eventloop) = AsyncClient::builder(options).capacity(16).build();
        let mut patience = NetworkOptions::new();
        patience.set_connection_timeout(CONNECT_TIMEOUT_S);
        eventloop.set_network_options(patience);
        let mut running = JoinSet::new();
        running.spawn(stay(requests.clone(), eventloop, filter, hear));
        Self {
            requests,
            _running: running,
        }
    }

    /// Publishes at QoS 1, and waits for the broker to acknowledge that.
    ///
    /// # Errors
    /// When it has not done so after a while.
    pub(super) async fn publish(
        &self,
        topic: &str,
        payload: Vec<u8>,
        retain: bool,
    ) -> Result<(), NotAcknowledged> {
        let acknowledged = async {
            let options = PublishOptions::new(QoS::AtLeastOnce).retain(retain);
            let notice: Result<PublishNotice, ClientError> =
                self.requests.publish_tracked(topic, payload, options).await;
            let notice = notice.map_err(|_| NotAcknowledged)?;
            notice.wait_async().await.map_err(|_| NotAcknowledged)
        };
        let acknowledged = timeout(PATIENCE, acknowledged).await;
        acknowledged.map_err(|_| NotAcknowledged)?.map(drop)
    }
}

/// Connects, again and again, and subscribes wherever the broker has no session.
async fn stay(
    requests: AsyncClient,
    mut eventloop: EventLoop,
    filter: Option<&str>,
    hear: impl Fn(&Publish),
) {
    loop {
        match eventloop.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(connack))) if !connack.session_present => {
                let filters =
                    filter.map(|one| SubscribeFilter::new(one.to_owned(), QoS::AtLeastOnce));
                // The queue has room: at most a few publishes wait in it.
                if let Some(filter) = filters {
                    let _ = requests.try_subscribe_many([filter]);
                }
            }
            Ok(Event::Incoming(Incoming::Publish(publish))) => hear(&publish),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "disconnected");
                sleep(PAUSE).await;
            }
        }
    }
}
