//! The way of strikes from the world to the devices.

use parking_lot::Mutex;
use squall_devices::{DeviceId, Strike};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
}
