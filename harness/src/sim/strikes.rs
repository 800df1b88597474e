//! The way of strikes from the world to the devices.

use crate::net::{Clock, Nanos};
use parking_lot::Mutex;
use squall_devices::{DeviceId, Strike};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;

/// By the number of a fleet's first device, where its strikes go.
type Fleets = BTreeMap<DeviceId, UnboundedSender<(DeviceId, Strike)>>;

/// Strikes for the devices of all fleets.
#[derive(Clone, Default)]
pub(super) struct Strikes(Arc<Mutex<Fleets>>);

impl Strikes {
    /// The strikes on a fleet that now runs, in place of those on an earlier run of it.
    pub(super) fn on_fleet(&self, first_device: DeviceId) -> UnboundedReceiver<(DeviceId, Strike)> {
        let (sender, receiver) = unbounded_channel();
        self.0.lock().insert(first_device, sender);
        receiver
    }

    /// Strikes a device. It acts when its host runs next. A device whose fleet
    /// does not run is not struck.
    pub(super) fn strike(&self, device: DeviceId, strike: Strike) {
        let fleets = self.0.lock();
        if let Some((_, fleet)) = fleets.range(..=device).next_back() {
            // Its receiver is gone with the host it ran on.
            let _ = fleet.send((device, strike));
        }
    }

    /// Strikes devices of the host whose clock this is, each at its time.
    pub(super) async fn strike_on_time(
        self,
        clock: Clock,
        strikes: Vec<(Nanos, DeviceId, Strike)>,
    ) -> io::Result<()> {
        for (at, device, strike) in strikes {
            if at > clock.now() {
                sleep_until(clock.instant(at)).await;
            }
            self.strike(device, strike);
        }
        // The end of a task would be the end of its host.
        std::future::pending().await
    }
}
