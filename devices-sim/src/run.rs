//! Drives a fleet: one schedule of sleeping devices, and a task for each that is awake.

use crate::awake::awake;
use crate::device::Device;
use crate::event::{Event, Observer};
use crate::fleet::Fleet;
use crate::id::DeviceId;
use crate::lifecycle::first_wake;
use crate::network::Dial;
use crate::strike::{Blow, Inbox, Strike, strike_asleep};
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
                Ok((device, until)) => schedule.fell_asleep(&world, device, until),
                // A bug in this crate: let it surface where the fleet is run.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            },
            Some((device, strike)) = strikes.recv() => schedule.strike(&world, device, strike),
            () = sleep_until(next.unwrap_or(world.epoch)), if next.is_some() => {
                let now = Instant::now();
                while let Some((device, inbox)) = schedule.wake(now) {
                    tasks.spawn(awake(Arc::clone(&world), device, inbox));
                }
            }
            // Nobody will ever wake again.
            else => std::future::pending::<()>().await,
        }
    }
}

/// The devices, and when those that sleep wake.
struct Schedule {
    /// Also times at which a device was to wake and will not.
    times: BinaryHeap<Reverse<(Instant, u32)>>,
    /// By index.
    places: Vec<Place>,
}

enum Place {
    Awake(Arc<Inbox>),
    Asleep(Device, Instant),
    /// It will not wake again.
    Gone,
}

impl Schedule {
    fn new(world: &World) -> Self {
        let fleet = &world.fleet;
        let first = |index| world.epoch + first_wake(fleet, fleet.device(index));
        Self {
            times: (0..fleet.count)
                .map(|index| Reverse((first(index), index)))
                .collect(),
            places: (0..fleet.count)
                .map(|index| Place::Asleep(Device::new(index), first(index)))
                .collect(),
        }
    }

    fn next(&self) -> Option<Instant> {
        self.times.peek().map(|Reverse((at, _))| *at)
    }

    /// The next device whose time has come; those of one time in the fleet's order.
    fn wake(&mut self, now: Instant) -> Option<(Device, Arc<Inbox>)> {
        while self.next()? <= now {
            let Reverse((at, index)) = self.times.pop()?;
            let place = &mut self.places[index as usize];
            if let Place::Asleep(device, until) = place
                && *until == at
            {
                let inbox = Inbox::new(device.armed());
                if let Place::Asleep(device, _) =
                    std::mem::replace(place, Place::Awake(Arc::clone(&inbox)))
                {
                    return Some((device, inbox));
                }
            }
        }
        None
    }

    fn fell_asleep(&mut self, world: &World, device: Device, until: Option<Instant>) {
        let index = device.index;
        let place = &mut self.places[index as usize];
        let left = match until {
            Some(until) => {
                self.times.push(Reverse((until, index)));
                std::mem::replace(place, Place::Asleep(device, until))
            }
            None => std::mem::replace(place, Place::Gone),
        };
        // What came when it was past taking it.
        if let Place::Awake(inbox) = left {
            while let Some(blow) = inbox.take() {
                if let Blow::Strike(strike) = blow {
                    self.strike(world, world.fleet.device(index), strike);
                }
            }
        }
    }

    fn strike(&mut self, world: &World, device: DeviceId, strike: Strike) {
        let index = device.0.checked_sub(world.fleet.first_device.0);
        let place = index.and_then(|index| self.places.get_mut(index as usize));
        match place {
            Some(Place::Awake(inbox)) => inbox.push(Blow::Strike(strike)),
            Some(place @ Place::Asleep(..)) => {
                let Place::Asleep(device, until) = place else {
                    return;
                };
                match strike_asleep(world, device, *until, strike) {
                    Some(later) if later != *until => {
                        self.times.push(Reverse((later, device.index)));
                        *until = later;
                    }
                    Some(_) => {}
                    None => *place = Place::Gone,
                }
            }
            Some(Place::Gone) | None => {}
        }
    }
}
