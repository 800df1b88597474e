//! One time awake: connect, stay connected, reconnect, until the duty is done
//! or a strike ends it.

use crate::connection::Outcome;
use crate::device::Device;
use crate::duty::Duty;
use crate::event::Event;
use crate::http;
use crate::lifecycle::{Ending, next_wake};
use crate::mqtt;
use crate::names::Names;
use crate::protocol::Protocol;
use crate::random::{Draw, Purpose};
use crate::run::World;
use crate::strike::{Blow, Dark, Inbox, Strike, prepare};
use crate::websocket;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// Runs a device from its waking to its falling asleep. Returns it, and when it
/// is to wake again, if ever.
pub(crate) async fn awake(
    world: Arc<World>,
    mut device: Device,
    inbox: Arc<Inbox>,
) -> (Device, Option<Instant>) {
    world.record(&device, Event::Woke);
    device.dark = false;
    let names = Names::new(&world.fleet, device.index);
    let mut duty = Duty::new(&world, &mut device, Instant::now());
    device.wakes += 1;
    let mut failures = 0;
    let dark = loop {
        let mut outcome = match need(&world, &mut device, &mut duty, &names, &inbox).await {
            Some(outcome) => outcome,
            None => {
                let attempt = failures + 1;
                world.record(&device, Event::Connecting { attempt });
                let outcome = connect(&world, &mut device, &mut duty, &names, &inbox).await;
                device.connects += 1;
                device.outbox.connection_ended();
                outcome
            }
        };
        if matches!(outcome, Outcome::Failed | Outcome::Lost) {
            failures = match outcome {
                Outcome::Failed => failures + 1,
                _ => 0,
            };
            outcome = back_off(&world, &mut device, &mut duty, &names, &inbox, failures).await;
        }
        match outcome {
            Outcome::Done => break None,
            Outcome::Dark(dark) => break Some(dark),
            Outcome::Again => failures = 0,
            Outcome::Failed | Outcome::Lost => {}
        }
    };
    let now = Instant::now();
    let lost_power = match dark {
        Some(dark) => matches!(dark, Dark::NoPower(_)),
        None => world.fleet.lifecycle.ending() == Ending::Vanish,
    };
    if lost_power {
        device.power_failed(&world);
    }
    device.outbox.shrink();
    let until = match dark {
        Some(Dark::NoPower(down) | Dark::Asleep(down)) => {
            device.dark = true;
            now.checked_add(down)
        }
        None => {
            let until = next_wake(&world.fleet, &mut device, world.since_start(now));
            until.map(|at| world.epoch + at)
        }
    };
    world.record(&device, Event::Slept { until });
    (device, until)
}

/// Connects, and serves the connection until it ends.
async fn connect(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
    inbox: &Arc<Inbox>,
) -> Outcome {
    // Boxed but for MQTT, which most devices speak: all have room for it.
    match &world.fleet.protocol {
        Protocol::Mqtt => mqtt::connect(world, device, duty, names, inbox).await,
        Protocol::WebSocket(settings) => {
            Box::pin(websocket::connect(
                world, device, duty, names, inbox, settings,
            ))
            .await
        }
        Protocol::Http(settings) => {
            Box::pin(http::connect(world, device, duty, names, inbox, settings)).await
        }
    }
}

/// Waits until there is something to connect for. Over HTTP a device asks for
/// one thing after the other, and needs no connection in between; all others
/// have one while they are awake.
async fn need(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
    inbox: &Inbox,
) -> Option<Outcome> {
    match world.fleet.protocol {
        Protocol::Http(_) => offline(world, device, duty, names, inbox, None).await,
        Protocol::Mqtt | Protocol::WebSocket(_) => None,
    }
}

/// Waits before the next attempt, and takes the readings that fall due. Ends as
/// [`Outcome::Failed`] when it is time for that attempt.
async fn back_off(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
    inbox: &Inbox,
    failures: u32,
) -> Outcome {
    let fleet = &world.fleet;
    let (id, count) = (fleet.device(device.index), u64::from(device.waits));
    let mut draw = Draw::new(fleet.seed, Purpose::Backoff, id, count);
    device.waits += 1;
    let waits_before = failures.saturating_sub(1);
    let retry = Instant::now() + fleet.mqtt.backoff.wait(waits_before, &mut draw);
    let ended = offline(world, device, duty, names, inbox, Some(retry)).await;
    ended.unwrap_or(Outcome::Failed)
}

/// Is without a connection until `retry`, or else until it needs one, and takes
/// the readings that fall due; unless it ends otherwise before.
async fn offline(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
    inbox: &Inbox,
    retry: Option<Instant>,
) -> Option<Outcome> {
    // A connection that has just been lost has seen to everything until now.
    let mut waited = retry.is_none();
    loop {
        if waited {
            let now = Instant::now();
            duty.perform(world, device, names, now);
            if duty.is_done(world, device, now) {
                return Some(Outcome::Done);
            }
            match retry {
                Some(retry) if now >= retry => return None,
                None if duty.needs_connection(device, now) => return None,
                Some(_) => {}
                None => duty.unconnected(now),
            }
        }
        waited = true;
        let next = retry.or(duty.poll_at());
        let timer = duty.timer().into_iter().chain(next).min();
        tokio::select! {
            biased;
            blow = inbox.next() => {
                if let Some(outcome) = struck_offline(world, device, duty, inbox, blow) {
                    return Some(outcome);
                }
            }
            () = at(timer) => {}
        }
    }
}

/// Waits until then, or for ever.
async fn at(timer: Option<Instant>) {
    match timer {
        Some(timer) => sleep_until(timer).await,
        None => std::future::pending().await,
    }
}

/// Strikes a device that is between two connections.
fn struck_offline(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    inbox: &Inbox,
    blow: Blow,
) -> Option<Outcome> {
    let strike = match blow {
        // Of a connection that ended by itself right then.
        Blow::LastBytes(dark) => {
            device.spent(dark);
            world.network.vanish(world.fleet.device(device.index));
            return Some(Outcome::Dark(dark));
        }
        Blow::Strike(strike) => strike,
    };
    match prepare(world, device, strike) {
        None => {
            inbox.arm(device.armed());
            duty.clock_changed(world, device);
            None
        }
        Some(Strike::PowerOff { down }) => {
            world.network.vanish(world.fleet.device(device.index));
            Some(Outcome::Dark(Dark::NoPower(down)))
        }
        Some(Strike::Reconnect) => Some(Outcome::Again),
        // There is nothing to reset or to disconnect from.
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Observer;
    use crate::fleet::Fleet;
    use crate::id::DeviceId;
    use crate::network::{BoxFuture, Dial, Stream};
    use crate::protocol::WebSocketSettings;
    use crate::strike::Armed;
    use std::io;
    use std::time::Duration;

    struct Nowhere;

    impl Dial for Nowhere {
        fn dial(&self, _: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
            Box::pin(std::future::pending())
        }
    }

    impl Observer for Nowhere {
        fn record(&self, _: DeviceId, _: Event<'_>) {}
    }

    fn world() -> World {
        World {
            fleet: Arc::new(Fleet::sample()),
            network: Arc::new(Nowhere),
            observer: Arc::new(Nowhere),
            epoch: Instant::now(),
        }
    }

    /// Tens of thousands of these are alive at once. Of a device awake, 3.1 KB
    /// are rumqttc's event loop and its pending poll, in a build where nothing
    /// asks for more of its features than a device needs.
    #[tokio::test]
    async fn a_device_is_small() {
        let asleep = size_of::<Device>();
        let task = awake(
            Arc::new(world()),
            Device::new(0),
            Inbox::new(Armed::default()),
        );
        let task = size_of_val(&task);
        assert!(asleep <= 160, "{asleep} bytes asleep");
        assert!(task <= 4_000, "{task} bytes awake");
    }

    /// What it has beside its task, but for the buffers of tungstenite: a few
    /// kilobytes less than those of rumqttc.
    #[tokio::test]
    async fn a_connection_to_a_hub_is_small() {
        let (world, mut device) = (world(), Device::new(0));
        let names = Names::new(&world.fleet, 0);
        let mut duty = Duty::new(&world, &mut device, Instant::now());
        let inbox = Inbox::new(Armed::default());
        let settings = WebSocketSettings {
            authority: "hub".to_owned(),
            acknowledged: true,
            text: false,
            keep_alive: Duration::ZERO,
        };
        let connection =
            websocket::connect(&world, &mut device, &mut duty, &names, &inbox, &settings);
        let connection = size_of_val(&connection);
        assert!(connection <= 3_000, "{connection} bytes");
    }
}
