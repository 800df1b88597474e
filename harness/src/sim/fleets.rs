//! Who takes part: the scenario's fleets as devices, numbered through.

use super::websockets::AUTHORITY;
use crate::invariants::History;
use crate::invariants::history::{Options, Role, Roster, Will};
use crate::metrics::{FleetInfo, Wanted};
use crate::net::{Map, Nanos, Place, SECOND, nanos};
use crate::scenario::{self, Scenario, Server};
use crate::trace::Texts;
use squall_broker::Capabilities;
use squall_devices as devices;
use squall_devices::{DeviceId, FleetError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// Readings a device keeps while it cannot send them: a day of one a minute.
const OUTBOX_READINGS: usize = 1440;

/// More than a packet has beside a reading, in bytes: a topic of up to 65,535,
/// and what frames both.
const BESIDE_READING_BYTES: usize = 66 * 1024;

/// Who takes part in a run.
pub(crate) struct Cast {
    pub(crate) fleets: Vec<Arc<devices::Fleet>>,
    /// Names of all hosts, servers first, as people know them.
    pub(crate) host_names: Vec<String>,
    pub(crate) map: Arc<Map>,
    /// By fleet, with whom it speaks.
    pub(crate) servers: Vec<Server>,
    /// What the broker offers, whatever fleets ask for.
    capabilities: Capabilities,
}

impl Cast {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Result<Cast, FleetError> {
        let mut fleets = Vec::new();
        let mut places = Vec::new();
        let mut first_device = 0;
        for fleet in &scenario.fleets {
            let device_fleet = device_fleet(fleet, first_device, seed, scenario);
            device_fleet.check()?;
            fleets.push(Arc::new(device_fleet));
            places.push(Place {
                first_device,
                site: fleet.site,
                window_bytes: fleet.window_bytes,
            });
            first_device += fleet.count;
        }
        let mut host_names = vec!["broker".to_owned()];
        host_names.extend(scenario.sites.iter().map(|site| site.name.clone()));
        // What turmoil calls them: a site may be named like a server, or like
        // an address.
        let mut hosts = vec!["server/broker".to_owned()];
        hosts.extend(
            scenario
                .sites
                .iter()
                .map(|site| format!("site/{}", site.name)),
        );
        let map = Map {
            hosts,
            servers: 1,
            fleets: places,
        };
        Ok(Cast {
            fleets,
            host_names,
            map: Arc::new(map),
            servers: scenario
                .fleets
                .iter()
                .map(|fleet| fleet.protocol.server())
                .collect(),
            capabilities: scenario.broker.capabilities.clone(),
        })
    }

    /// A device's fleet.
    pub(crate) fn fleet_of(&self, device: DeviceId) -> &devices::Fleet {
        let after = self
            .fleets
            .partition_point(|fleet| fleet.first_device <= device);
        &self.fleets[after.saturating_sub(1)]
    }

    /// A device's name.
    pub(crate) fn device_name(&self, device: DeviceId) -> String {
        let fleet = self.fleet_of(device);
        fleet.device_name(device.0 - fleet.first_device.0)
    }

    /// What is to be known of each server that somebody speaks with.
    pub(crate) fn histories(&self, texts: &mut Texts) -> Vec<History> {
        let servers: BTreeSet<Server> = self.servers.iter().copied().collect();
        let history = |server| History::new(self.roster(texts), server);
        servers.into_iter().map(history).collect()
    }

    /// Who takes part, for judging what was guaranteed to them.
    fn roster(&self, texts: &mut Texts) -> Roster {
        let mut roster = Roster::default();
        for (fleet, server) in self.fleets.iter().zip(&self.servers) {
            let session_expiry = self.session_expiry(&fleet.mqtt);
            roster.fleet(Role {
                first_device: fleet.first_device.0,
                server: *server,
                speaks_5_0: fleet.mqtt.version == devices::Version::V5_0,
                clean_session: ends_with_connection(fleet),
                session_expiry,
                receive_maximum: fleet.mqtt.receive_maximum,
                message_expiry: fleet
                    .publish
                    .as_ref()
                    .and_then(|publish| publish.message_expiry_s)
                    .map(seconds),
                keep_alive: self.keep_alive(&fleet.mqtt),
            });
            for index in 0..fleet.count {
                let name = fleet.device_name(index);
                let will = fleet.mqtt.will.as_ref().map(|will| {
                    let payload = fleet.expand(&will.payload, index);
                    Will {
                        topic: texts.id(&fleet.expand(&will.topic, index)),
                        payload_bytes: payload.len() as u32,
                        payload_hash: xxh3_64(payload.as_bytes()),
                        qos: will.qos,
                        retain: will.retain,
                        delay: will_delay(&fleet.mqtt, will, session_expiry),
                        expires: will.message_expiry_s.is_some(),
                    }
                });
                let client_id = texts.id(&fleet.client_id(index));
                roster.device(name, client_id, will);
                for subscribe in &fleet.subscribe {
                    let options = Options {
                        no_local: subscribe.no_local,
                        retain_as_published: subscribe.retain_as_published,
                        retain_handling: subscribe.retain_handling,
                    };
                    let filter = texts.id(&fleet.expand(&subscribe.filter, index));
                    roster.subscribes(filter, options);
                }
            }
        }
        roster
    }

    /// How long the broker keeps a session beyond its connection; for ever if
    /// `None`.
    fn session_expiry(&self, mqtt: &devices::MqttSettings) -> Option<Nanos> {
        let asked = mqtt
            .session_expiry_s
            .filter(|expiry_s| *expiry_s != u32::MAX);
        let most = self.capabilities.session_expiry_max.map(nanos);
        [asked.map(seconds), most].into_iter().flatten().min()
    }

    /// The keep-alive time that the broker holds devices to [MQTT5-3.2.2-21].
    fn keep_alive(&self, mqtt: &devices::MqttSettings) -> Nanos {
        let ours = self.capabilities.server_keep_alive_s;
        let ours = ours.filter(|_| mqtt.version == devices::Version::V5_0);
        seconds(ours.unwrap_or(mqtt.keep_alive_s).into())
    }

    pub(crate) fn fleet_infos(&self) -> Vec<FleetInfo> {
        let info = |(fleet, server): (&Arc<devices::Fleet>, &Server)| FleetInfo {
            name: fleet.name.clone(),
            server: *server,
            first_device: fleet.first_device.0,
            clean_session: ends_with_connection(fleet),
            subscribers: if fleet.subscribe.is_empty() {
                Vec::new()
            } else {
                (0..fleet.count)
                    .map(|index| (fleet.client_id(index), filters(fleet, index)))
                    .collect()
            },
        };
        self.fleets.iter().zip(&self.servers).map(info).collect()
    }
}

/// Whether a session ends with its connection. A hub keeps readings for those
/// listeners that have a name.
fn ends_with_connection(fleet: &devices::Fleet) -> bool {
    let mqtt = &fleet.mqtt;
    match (&fleet.protocol, mqtt.session_expiry_s) {
        (devices::Protocol::WebSocket(settings), _) => !settings.acknowledged,
        // A device remembers what it has read.
        (devices::Protocol::Http(_), _) => false,
        (_, Some(0)) => true,
        // Nobody else may take up what a clean start begins.
        _ => mqtt.clean_session,
    }
}

fn seconds(seconds: u32) -> Nanos {
    u64::from(seconds) * SECOND
}

/// How long a will waits: until the session ends, at most.
fn will_delay(
    mqtt: &devices::MqttSettings,
    will: &devices::Will,
    session_expiry: Option<Nanos>,
) -> Nanos {
    let delay = seconds(will.delay_s.unwrap_or(0));
    let at_once = match mqtt.session_expiry_s {
        Some(expiry_s) => expiry_s == 0,
        None => mqtt.clean_session,
    };
    match session_expiry {
        _ if at_once => 0,
        Some(expiry) => delay.min(expiry),
        None => delay,
    }
}

fn filters(fleet: &devices::Fleet, index: u32) -> Vec<Wanted> {
    fleet
        .subscribe
        .iter()
        .map(|subscribe| Wanted {
            filter: fleet.expand(&subscribe.filter, index),
            no_local: subscribe.no_local,
        })
        .collect()
}

fn device_fleet(
    fleet: &scenario::Fleet,
    first_device: u32,
    seed: u64,
    scenario: &Scenario,
) -> devices::Fleet {
    let mqtt = &fleet.mqtt;
    devices::Fleet {
        name: fleet.name.clone(),
        first_device: DeviceId(first_device),
        count: fleet.count,
        seed,
        start_after: fleet.start.after,
        start_spread: fleet.start.spread,
        // Parts per billion: the scenario's parts per million may have decimals.
        clock_drift_ppb: libm::round(fleet.clock.drift_ppm * 1e3) as u32,
        device_memory: match fleet.device_memory {
            scenario::DeviceMemory::Flash => devices::DeviceMemory::Flash,
            scenario::DeviceMemory::Ram => devices::DeviceMemory::Ram,
        },
        lifecycle: lifecycle(fleet),
        protocol: protocol(&fleet.protocol),
        mqtt: devices::MqttSettings {
            version: match mqtt.version {
                scenario::MqttVersion::V3_1_1 => devices::Version::V3_1_1,
                scenario::MqttVersion::V5_0 => devices::Version::V5_0,
            },
            client_id: mqtt.client_id.clone(),
            keep_alive_s: mqtt.keep_alive.as_secs() as u16,
            clean_session: mqtt.clean_session,
            session_expiry_s: mqtt.session_expiry_s,
            receive_maximum: mqtt.receive_maximum,
            topic_alias_maximum: mqtt.topic_alias_maximum,
            username: mqtt.username.clone(),
            password: mqtt.password.clone().map(String::into_bytes),
            will: mqtt.will.as_ref().map(|will| devices::Will {
                topic: will.topic.clone(),
                payload: will.payload.clone(),
                qos: qos(will.qos),
                retain: will.retain,
                delay_s: will.delay_s,
                message_expiry_s: will.message_expiry_s,
            }),
            packet_size_max: packet_size_max(scenario),
            connect_timeout: fleet.reconnect.timeout,
            in_flight_max: mqtt.inflight,
            backoff: devices::Backoff {
                first: fleet.reconnect.min,
                factor: 2.0,
                max: fleet.reconnect.max,
                jitter: fleet.reconnect.jitter,
            },
        },
        publish: fleet.publish.as_ref().map(|publish| devices::Publish {
            topic: publish.topic.clone(),
            to: publish.to.map(|to| devices::Addressees {
                fleet: scenario.fleets[to].name.clone(),
                count: scenario.fleets[to].count,
            }),
            qos: publish.qos.iter().copied().map(qos).collect(),
            retain: publish.retain,
            message_expiry_s: publish.message_expiry_s,
            topic_alias: publish.topic_alias,
            payload: payload(&publish.payload),
            every: publish.every,
            jitter: publish.jitter,
            readings_max: publish.readings,
            outbox_max: OUTBOX_READINGS,
        }),
        subscribe: fleet.subscribe.iter().map(subscribe).collect(),
        quiet_after: Some(scenario.duration.saturating_sub(scenario.drain)),
    }
}

/// A device takes what its server takes, and what any publishes, where that is
/// more than is usual.
fn packet_size_max(scenario: &Scenario) -> usize {
    let usual = devices::MqttSettings::default().packet_size_max;
    usual.max(message_bytes_max(scenario))
}

/// What readings need of whoever takes them, framing included, in bytes; or what
/// the scenario has its servers take, where that is more.
pub(super) fn message_bytes_max(scenario: &Scenario) -> usize {
    let published = scenario
        .fleets
        .iter()
        .filter_map(|fleet| fleet.publish.as_ref());
    let readings = published.map(|publish| publish.payload.bytes_max());
    let most = readings.max().unwrap_or_default() + BESIDE_READING_BYTES;
    let settable = scenario.broker.packet_bytes_max.unwrap_or_default();
    most.max(settable as usize)
}

fn protocol(protocol: &scenario::Protocol) -> devices::Protocol {
    let authority = AUTHORITY.to_owned();
    match *protocol {
        scenario::Protocol::Mqtt | scenario::Protocol::MqttOverWebSocket(_) => {
            devices::Protocol::Mqtt
        }
        scenario::Protocol::WebSocket(settings) => {
            devices::Protocol::WebSocket(devices::WebSocketSettings {
                authority,
                acknowledged: settings.acknowledged,
                text: settings.text,
                keep_alive: settings.keep_alive,
            })
        }
        scenario::Protocol::Http(settings) => devices::Protocol::Http(devices::HttpSettings {
            authority,
            keep_alive: settings.keep_alive,
            reader: match settings.reader {
                scenario::HttpReader::Poll(every) => devices::HttpReader::Poll(every),
                scenario::HttpReader::LongPoll(seconds) => {
                    devices::HttpReader::LongPoll(Duration::from_secs(seconds.into()))
                }
            },
        }),
    }
}

fn subscribe(subscription: &scenario::Subscription) -> devices::Subscribe {
    use scenario::RetainHandling;
    devices::Subscribe {
        filter: match &subscription.share {
            Some(share) => format!("$share/{share}/{}", subscription.filter),
            None => subscription.filter.clone(),
        },
        qos: qos(subscription.qos),
        no_local: subscription.no_local,
        retain_as_published: subscription.retain_as_published,
        retain_handling: match subscription.retain_handling {
            RetainHandling::Send => devices::RetainHandling::Send,
            RetainHandling::SendIfNew => devices::RetainHandling::SendIfNew,
            RetainHandling::DoNotSend => devices::RetainHandling::DoNotSend,
        },
        stay: subscription.stay,
    }
}

fn lifecycle(fleet: &scenario::Fleet) -> devices::Lifecycle {
    use scenario::Lifecycle;
    let ending = |graceful: bool| match graceful {
        true => devices::Ending::Clean,
        false => devices::Ending::Vanish,
    };
    match fleet.lifecycle {
        Lifecycle::AlwaysOn => devices::Lifecycle::AlwaysOn,
        Lifecycle::Periodic {
            every,
            jitter,
            readings,
            gap,
            listen,
            awake_max,
        } => devices::Lifecycle::Periodic {
            every,
            jitter,
            visit: devices::Visit {
                readings,
                gap,
                linger: listen,
                patience: awake_max,
            },
        },
        Lifecycle::Random { up, down, graceful } => devices::Lifecycle::UpDown {
            up: spread(up),
            down: spread(down),
            ending: ending(graceful),
        },
        Lifecycle::Flapping { up, down, graceful } => devices::Lifecycle::UpDown {
            up: devices::Spread::Fixed(up),
            down: devices::Spread::Fixed(down),
            ending: ending(graceful),
        },
        Lifecycle::Once { stay, graceful } => match stay {
            Some(stay) => devices::Lifecycle::Once {
                up: devices::Spread::Fixed(stay),
                ending: ending(graceful),
            },
            None => devices::Lifecycle::AlwaysOn,
        },
    }
}

fn spread(span: scenario::Span) -> devices::Spread {
    match span {
        scenario::Span::Fixed(time) => devices::Spread::Fixed(time),
        scenario::Span::Uniform { min, max } => devices::Spread::Uniform { min, max },
        scenario::Span::Exponential { mean } => devices::Spread::Exponential { mean },
    }
}

fn qos(qos: scenario::Qos) -> devices::Qos {
    match qos {
        scenario::Qos::AtMostOnce => devices::Qos::AtMostOnce,
        scenario::Qos::AtLeastOnce => devices::Qos::AtLeastOnce,
        scenario::Qos::ExactlyOnce => devices::Qos::ExactlyOnce,
    }
}

fn payload(payload: &scenario::Payload) -> devices::Payload {
    let json = |unit: &str, decimals: u8, signal| devices::Payload::Json {
        unit: unit.to_owned(),
        decimals,
        signal,
    };
    match *payload {
        scenario::Payload::Json {
            ref unit,
            decimals,
            min,
            max,
        } => json(unit, decimals, devices::Signal::Uniform { min, max }),
        scenario::Payload::RandomWalk {
            ref unit,
            decimals,
            min,
            max,
            step,
        } => json(
            unit,
            decimals,
            devices::Signal::RandomWalk { min, max, step },
        ),
        scenario::Payload::Sine {
            ref unit,
            decimals,
            mean,
            amplitude,
            period,
        } => json(
            unit,
            decimals,
            devices::Signal::Sine {
                mean,
                amplitude,
                period,
            },
        ),
        scenario::Payload::Fixed { bytes } => devices::Payload::Fixed {
            bytes: bytes as usize,
        },
        scenario::Payload::Empty => devices::Payload::Empty,
        scenario::Payload::File { ref lines, .. } => {
            devices::Payload::Lines(lines.iter().map(|line| line.as_str().into()).collect())
        }
    }
}
