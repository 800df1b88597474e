//! Drives a fleet: one schedule of sleeping devices, and a task for each that is awake.

use crate::awake::awake;
use crate::device::Device;
use crate::event::{Event, Observer};
use crate::fleet::Fleet;
use crate::id::DeviceId;
use crate::lifecycle::first_wake;
use crate::network::Dial;
use crate::strike::Strike;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What all devices of a fleet share.
pub(crate) struct World {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) network: Arc<dyn Dial>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) epoch: Instant,
}

impl World {
    pub(crate) fn record(&self, device: &Device, event: Event<'_>) {
        self.observer.record(self.fleet.device(device.index), event);
    }

    pub(crate) fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.epoch)
    }
}

/// Runs all devices of `fleet` on tokio's clock, from now on.
///
/// Never returns: the world stops a fleet by dropping this future, and with it
/// every device that is awake, in silence. A device's first waking, and
/// [`Fleet::quiet_after`], count from the first poll. The fleet must have passed
/// [`Fleet::check`].
///
/// Each of `strikes` acts on its device at once; those on devices of other
/// fleets do nothing. The other end may be dropped.
///
/// # Panics
///
/// Outside a tokio runtime with its timer enabled.
pub async fn run(
    fleet: Arc<Fleet>,
    network: Arc<dyn Dial>,
    observer: Arc<dyn Observer>,
    mut strikes: UnboundedReceiver<(DeviceId, Strike)>,
) {
    let world = Arc::new(World {
        fleet,
        network,
        observer,
        epoch: Instant::now(),
    });
    let mut schedule = Schedule::new(&world);
    let mut tasks = JoinSet::new();
    loop {
        let next = schedule.next();
        tokio::select! {
            biased;
            Some(ended) = tasks.join_next() => match ended {
                Ok((device, until)) => schedule.add(device, until),
                // A bug in this crate: let it surface where the fleet is run.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            },
            // Received, and without effect yet.
            Some(_) = strikes.recv() => {}
            () = sleep_until(next.unwrap_or(world.epoch)), if next.is_some() => {
                let now = Instant::now();
                while let Some(device) = schedule.wake(now) {
                    tasks.spawn(awake(Arc::clone(&world), device));
                }
            }
            // Nobody will ever wake again.
            else => std::future::pending::<()>().await,
        }
    }
}

/// The sleeping devices, by when they wake.
struct Schedule {
    times: BinaryHeap<Reverse<(Instant, u32)>>,
    /// By index; `None` for devices that are awake, or will not wake again.
    devices: Vec<Option<Device>>,
}

impl Schedule {
    fn new(world: &World) -> Self {
        let fleet = &world.fleet;
        let first = |index| world.epoch + first_wake(fleet, fleet.device(index));
        Self {
            times: (0..fleet.count)
                .map(|index| Reverse((first(index), index)))
                .collect(),
            devices: (0..fleet.count)
                .map(|index| Some(Device::new(index)))
                .collect(),
        }
    }

    fn next(&self) -> Option<Instant> {
        self.times.peek().map(|Reverse((at, _))| *at)
    }

    /// The next device whose time has come; those of one time in the fleet's order.
    fn wake(&mut self, now: Instant) -> Option<Device> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, index)) = self.times.pop()?;
        self.devices[index as usize].take()
    }

    fn add(&mut self, device: Device, until: Option<Instant>) {
        if let Some(until) = until {
            self.times.push(Reverse((until, device.index)));
            let place = device.index as usize;
            self.devices[place] = Some(device);
        }
    }
}
