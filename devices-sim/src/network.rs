//! How a device reaches its server.

use crate::id::DeviceId;
use std::future::Future;
use std::io;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A byte stream to a server. Dropping it closes the connection as an operating
/// system does for a process that ends.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// The network between a fleet and its server.
pub trait Dial: Send + Sync + 'static {
    /// Opens a connection for `device`.
    ///
    /// # Errors
    ///
    /// Whatever kept the connection from being opened. The device reports it as
    /// [`Event::ConnectFailed`](crate::Event::ConnectFailed) and backs off. It
    /// drops the future when its patience
    /// ([`connect_timeout`](crate::MqttSettings::connect_timeout)) or its time
    /// awake ends first.
    fn dial(&self, device: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;

    /// `device` resets the connection it has, which it drops right after this
    /// call: a RST leaves the device.
    ///
    /// A network that cannot do so closes the connection instead, which is the
    /// default.
    fn reset(&self, device: DeviceId) {
        let _ = device;
    }

    /// `device` loses its power: the connection it has, which it drops right
    /// after this call, goes silent. No FIN and no RST may leave the device.
    ///
    /// A network that cannot do so closes the connection instead, which is the
    /// default.
    fn vanish(&self, device: DeviceId) {
        let _ = device;
    }
}
