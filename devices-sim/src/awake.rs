//! One time awake: connect, stay connected, reconnect, until the duty is done.

use crate::device::Device;
use crate::duty::Duty;
use crate::event::Event;
use crate::lifecycle::next_wake;
use crate::mqtt::{self, Names, Outcome};
use crate::random::{Draw, Purpose};
use crate::run::World;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// Runs a device from its waking to its falling asleep. Returns it, and when it
/// is to wake again, if ever.
pub(crate) async fn awake(world: Arc<World>, mut device: Device) -> (Device, Option<Instant>) {
    world.record(&device, Event::Woke);
    let names = Names::new(&world.fleet, device.index);
    let mut duty = Duty::new(&world, &mut device, Instant::now());
    device.wakes += 1;
    let mut failures = 0;
    loop {
        world.record(
            &device,
            Event::Connecting {
                attempt: failures + 1,
            },
        );
        let outcome = mqtt::connect(&world, &mut device, &mut duty, &names).await;
        device.outbox.connection_ended();
        failures = match outcome {
            Outcome::Done => break,
            Outcome::Failed => failures + 1,
            Outcome::Lost => 0,
        };
        if back_off(&world, &mut device, &mut duty, &names, failures).await {
            break;
        }
    }
    let now = Instant::now();
    device.outbox.shrink();
    let until = next_wake(&world.fleet, &mut device, world.since_start(now));
    let until = until.map(|at| world.epoch + at);
    world.record(&device, Event::Slept { until });
    (device, until)
}

/// Waits before the next attempt, and takes the readings that fall due. Returns
/// whether the duty was done meanwhile.
async fn back_off(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
    failures: u32,
) -> bool {
    let fleet = &world.fleet;
    let (id, count) = (fleet.device(device.index), u64::from(device.waits));
    let mut draw = Draw::new(fleet.seed, Purpose::Backoff, id, count);
    device.waits += 1;
    let waits_before = failures.saturating_sub(1);
    let retry = Instant::now() + fleet.mqtt.backoff.wait(waits_before, &mut draw);
    loop {
        let timer = duty.timer().unwrap_or(retry).min(retry);
        sleep_until(timer).await;
        let now = Instant::now();
        duty.perform(world, device, &names.topic, now);
        if duty.is_done(world, device, now) {
            return true;
        }
        if now >= retry {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Observer;
    use crate::fleet::Fleet;
    use crate::id::DeviceId;
    use crate::network::{BoxFuture, Dial, Stream};
    use std::io;

    struct Nowhere;

    impl Dial for Nowhere {
        fn dial(&self, _: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
            Box::pin(std::future::pending())
        }
    }

    impl Observer for Nowhere {
        fn record(&self, _: DeviceId, _: Event<'_>) {}
    }

    /// Tens of thousands of these are alive at once. Of a device awake, 3.1 KB
    /// are rumqttc's event loop and its pending poll.
    #[tokio::test]
    async fn a_device_is_small() {
        let world = World {
            fleet: Arc::new(Fleet::sample()),
            network: Arc::new(Nowhere),
            observer: Arc::new(Nowhere),
            epoch: Instant::now(),
        };
        let asleep = size_of::<Device>();
        let task = size_of_val(&awake(Arc::new(world), Device::new(0)));
        assert!(asleep <= 160, "{asleep} bytes asleep");
        assert!(task <= 4_000, "{task} bytes awake");
    }
}
