//! The house's broker, which can be switched off and on.
//!
//! It is the one of `squall serve`, with what it acknowledges on a disk: a
//! restart finds sessions and retained values there. Its ports stay its own
//! while it is off.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::watch;

use super::room::Room;
use crate::serve::{Endpoint, Listening, ServeError, Settings, Transport};
use crate::targets::Port;

/// A broker's place, whether it is on or not.
#[derive(Debug)]
pub(super) struct Broker {
    /// Whether it is to be on.
    pub(super) power: Arc<watch::Sender<bool>>,
    mqtt: Port,
    websocket: Port,
    data: TempDir,
}

impl Broker {
    /// A place for a broker: two ports and a directory.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            power: Arc::new(watch::Sender::new(true)),
            mqtt: Port::free()?,
            websocket: Port::free()?,
            data: tempfile::Builder::new().prefix("squall-light-").tempdir()?,
        })
    }

    /// Where it is for MQTT over TCP.
    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.mqtt.number).into()
    }

    pub(super) fn websocket_port(&self) -> u16 {
        self.websocket.number
    }

    pub(super) async fn listen(&self) -> Result<Listening, ServeError> {
        let endpoint = |transport, port: &Port| {
            Endpoint::new(
                transport,
                format!("{}:{}", Ipv4Addr::LOCALHOST, port.number),
            )
        };
        let settings = Settings {
            endpoints: vec![
                endpoint(Transport::Tcp, &self.mqtt),
                endpoint(Transport::WebSocket, &self.websocket),
            ],
            data: Some(self.data.path().to_owned()),
            ..Settings::default()
        };
        Listening::bind(settings).await
    }

    /// Serves whenever it is on, until `stop` is ready.
    pub(super) async fn run(
        &self,
        first: Listening,
        room: &Room,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let mut stop = std::pin::pin!(stop);
        let mut power = self.power.subscribe();
        let mut listening = Some(first);
        loop {
            let serves = match listening.take() {
                Some(listening) => listening,
                None => self.listen().await?,
            };
            room.change(|sight| sight.broker = true);
            let mut stopped = false;
            serves
                .serve(async {
                    tokio::select! {
                        biased;
                        () = &mut stop => stopped = true,
                        () = until(&mut power, false) => {}
                    }
                })
                .await?;
            room.change(|sight| sight.broker = false);
            if stopped {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                () = until(&mut power, true) => {}
            }
        }
    }
}

/// Waits until a switch is on, or off. One that nobody holds any more stays as it
/// is.
pub(super) async fn until(switch: &mut watch::Receiver<bool>, on: bool) {
    if switch.wait_for(|now| *now == on).await.is_err() {
        std::future::pending().await
    }
}
