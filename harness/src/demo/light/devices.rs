//! The devices that listen: lamps and a motor, as the simulator has them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use squall_devices::{
    Backoff, DeviceId, DeviceMemory, Fleet, Lifecycle, MqttSettings, Protocol, Qos, Subscribe,
    Visit,
};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use super::INTENSITY;
use super::room::{Lamp, MOTOR, Room};
use super::wifi::Wifi;

/// Lamps that hang there from the beginning.
const LAMPS: u32 = 3;
/// More sockets the house has not.
const LAMPS_MAX: u32 = 12;
/// The motor sleeps for this long, but for the moment that it listens.
const MOTOR_WAKES_EVERY: Duration = Duration::from_secs(10);

/// All of them.
pub(super) struct Devices {
    room: Arc<Room>,
    wifi: Arc<Wifi>,
    /// How many lamps there are, and what each device does.
    plugged: Mutex<(u32, JoinSet<()>)>,
}

impl Devices {
    /// The motor and the first lamps.
    pub(super) fn new(room: &Arc<Room>, wifi: &Arc<Wifi>) -> Self {
        let devices = Self {
            room: Arc::clone(room),
            wifi: Arc::clone(wifi),
            plugged: Mutex::default(),
        };
        devices.run(motor());
        for _ in 0..LAMPS {
            devices.plug_in_lamp();
        }
        devices
    }

    /// Plugs in one more lamp, if there is a socket for it; its number, from 1.
    pub(super) fn plug_in_lamp(&self) -> Option<u32> {
        let number = {
            let (lamps, _) = &mut *self.plugged.lock();
            if *lamps == LAMPS_MAX {
                return None;
            }
            *lamps += 1;
            // Before it is told anything.
            self.room.change(|sight| sight.lamps.push(Lamp::default()));
            *lamps
        };
        self.run(lamp(number));
        Some(number)
    }

    fn run(&self, fleet: Fleet) {
        // Nothing strikes here but what the person does.
        let (_, strikes) = unbounded_channel();
        let (wifi, room) = (Arc::clone(&self.wifi), Arc::clone(&self.room));
        let device = squall_devices::run(Arc::new(fleet), wifi, room, strikes);
        self.plugged.lock().1.spawn(device);
    }
}

/// A lamp keeps no session: the retained value is its memory.
fn lamp(number: u32) -> Fleet {
    let mqtt = MqttSettings {
        client_id: format!("lamp-{number}"),
        ..impatient()
    };
    listener("lamp", DeviceId(MOTOR.0 + number), INTENSITY, mqtt)
}

/// The motor's session is where commands wait for it.
fn motor() -> Fleet {
    let mqtt = MqttSettings {
        clean_session: false,
        ..impatient()
    };
    Fleet {
        lifecycle: Lifecycle::Periodic {
            every: MOTOR_WAKES_EVERY,
            jitter: Duration::ZERO,
            visit: Visit {
                readings: 0,
                gap: Duration::ZERO,
                linger: Duration::from_secs(1),
                patience: MOTOR_WAKES_EVERY / 2,
            },
        },
        ..listener("motor", MOTOR, "motor/1/speed", mqtt)
    }
}

/// A person looks on: silence is noticed within seconds, and no wait for the
/// next attempt is long.
fn impatient() -> MqttSettings {
    MqttSettings {
        keep_alive_s: 5,
        connect_timeout: Duration::from_secs(3),
        backoff: Backoff {
            first: Duration::from_millis(200),
            max: Duration::from_secs(1),
            ..Backoff::default()
        },
        ..MqttSettings::default()
    }
}

/// One device that listens to this filter.
fn listener(name: &str, device: DeviceId, filter: &str, mqtt: MqttSettings) -> Fleet {
    Fleet {
        name: name.to_owned(),
        first_device: device,
        count: 1,
        seed: 1,
        start_after: Duration::ZERO,
        start_spread: Duration::ZERO,
        clock_drift_ppb: 0,
        device_memory: DeviceMemory::Flash,
        lifecycle: Lifecycle::AlwaysOn,
        protocol: Protocol::Mqtt,
        mqtt,
        publish: None,
        subscribe: vec![Subscribe::new(filter, Qos::AtLeastOnce)],
        quiet_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_makes_sense() {
        assert_eq!(motor().check(), Ok(()));
        assert_eq!(lamp(LAMPS_MAX).check(), Ok(()));
    }
}
