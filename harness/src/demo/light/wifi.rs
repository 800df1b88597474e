//! The house's Wi-Fi: a way to the broker that can be switched off.
//!
//! While it is off nothing passes, and nobody is told: connections stay open and
//! silent, and new ones wait for an answer, as over the air. Once it is on again
//! what was written arrives, if its connection has lived that long.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use squall_devices::{BoxFuture, DeviceId, Dial, Stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex, split};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::broker::until;
use super::room::Room;

/// What a connection may hold back, each way.
const BUFFER_BYTES: usize = 4096;

/// An access point.
#[derive(Debug)]
pub(super) struct Wifi {
    broker: SocketAddr,
    on: watch::Sender<bool>,
    room: Arc<Room>,
}

impl Wifi {
    /// One that is on.
    pub(super) fn new(broker: SocketAddr, room: Arc<Room>) -> Self {
        room.change(|sight| sight.wifi = true);
        Self {
            broker,
            on: watch::Sender::new(true),
            room,
        }
    }

    pub(super) fn switch(&self, on: bool) {
        self.on.send_replace(on);
        self.room.change(|sight| sight.wifi = on);
    }
}

impl Dial for Wifi {
    fn dial(&self, _: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let mut on = self.on.subscribe();
        Box::pin(async move {
            until(&mut on, true).await;
            let stream = TcpStream::connect(self.broker).await?;
            stream.set_nodelay(true)?;
            let (device, air) = duplex(BUFFER_BYTES);
            let (from_device, to_device) = split(air);
            let (from_broker, to_broker) = stream.into_split();
            // Either ends when its connection does; whoever is still to be told
            // reads the end of the stream.
            tokio::spawn(carry(from_device, to_broker, on.clone()));
            tokio::spawn(carry(from_broker, to_device, on));
            Ok(Box::new(device) as Box<dyn Stream>)
        })
    }
}

/// Carries bytes, and the end of the stream, whenever the Wi-Fi is on.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut on: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut bytes = [0; 1024];
    loop {
        // What fails has ended, as far as its peer can tell.
        let read = from.read(&mut bytes).await.unwrap_or(0);
        until(&mut on, true).await;
        match read {
            0 => return to.shutdown().await,
            read => to.write_all(&bytes[..read]).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    const NOTHING_COMES: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn while_it_is_off_nothing_passes_and_then_it_does() {
        let broker = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = broker.local_addr().expect("an address");
        let wifi = Wifi::new(address, Arc::default());
        let mut device = wifi.dial(DeviceId(0)).await.expect("connected");
        let (mut peer, _) = broker.accept().await.expect("connected");
        wifi.switch(false);
        device.write_all(b"x").await.expect("into the air");
        let mut byte = [0];
        let early = timeout(NOTHING_COMES, peer.read(&mut byte)).await;
        assert!(early.is_err(), "it passed");
        let early = timeout(NOTHING_COMES, wifi.dial(DeviceId(1))).await;
        assert!(early.is_err(), "it connected");
        wifi.switch(true);
        assert_eq!(peer.read(&mut byte).await.expect("open"), 1);
        drop(device);
        assert_eq!(peer.read(&mut byte).await.expect("closed"), 0);
    }
}
