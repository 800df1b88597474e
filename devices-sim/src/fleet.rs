//! A fleet of like devices, as plain data.

use crate::backoff::Backoff;
use crate::id::DeviceId;
use crate::lifecycle::Lifecycle;
use crate::payload::{FIXED_SIZE_MIN, Payload, Signal};
use crate::protocol::Protocol;
use crate::random::Spread;
use std::time::Duration;

/// A fleet of like devices.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its name, part of every device's name.
    pub name: String,
    /// The number of its first device; the others follow it.
    pub first_device: DeviceId,
    /// How many devices it has.
    pub count: u32,
    /// Where all its randomness comes from.
    pub seed: u64,
    /// No device wakes earlier than this after [`run`](crate::run) starts.
    pub start_after: Duration,
    /// Each device first wakes at a random time from `start_after` to this much later.
    pub start_spread: Duration,
    /// Each device's clock is off by a constant of up to this many parts per
    /// billion, either way; below 1,000,000,000. It stretches all intervals that
    /// the device keeps by itself: wake-ups and readings.
    pub clock_drift_ppb: u32,
    /// Where its devices keep their state.
    pub device_memory: DeviceMemory,
    /// When its devices are awake.
    pub lifecycle: Lifecycle,
    /// What they speak.
    pub protocol: Protocol,
    /// How they speak MQTT. Its time to connect, its back-off and its limit of
    /// what is in flight hold whatever they speak.
    pub mqtt: MqttSettings,
    /// What they publish, if anything.
    pub publish: Option<Publish>,
    /// What they listen to. A device subscribes once for each session that the
    /// broker begins, and sends no reading before the SUBACK.
    pub subscribe: Vec<Subscribe>,
    /// No reading is taken from this long after [`run`](crate::run) starts, so
    /// that what is owed can still arrive. Devices without a subscription and
    /// with nothing owed do not wake any more.
    pub quiet_after: Option<Duration>,
}

/// Where a device keeps its outbox, its half of the session, and which
/// subscriptions it has made. Either memory lasts through sleep; the count of
/// its readings, which makes their ids unique, lasts through everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceMemory {
    /// In flash: it lasts when the power fails.
    #[default]
    Flash,
    /// In RAM, which deep sleep retains: gone when the power fails, be it by a
    /// [`Strike`](crate::Strike) or by [`Ending::Vanish`](crate::Ending::Vanish).
    /// The device then tells [`Event::Forgot`](crate::Event::Forgot).
    Ram,
}

/// Version of MQTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1.
    #[default]
    V3_1_1,
    /// MQTT 5.0.
    V5_0,
}

/// How a fleet's devices speak MQTT. What 3.1.1 has no words for is `None`
/// there, or off.
#[derive(Clone, Debug)]
pub struct MqttSettings {
    /// Which MQTT they speak.
    pub version: Version,
    /// Client identifier, with `{device}` and `{fleet}`. Devices that share one
    /// take each other's session over [MQTT311-3.1.4-2].
    pub client_id: String,
    /// Keep-alive interval in seconds, 0 for none.
    pub keep_alive_s: u16,
    /// The CONNECT's clean session flag; in MQTT 5.0, clean start.
    pub clean_session: bool,
    /// How long the broker keeps the session once the connection has ended, in
    /// seconds (MQTT 5.0); [`u32::MAX`] is for ever. Unless given as 3.1.1 has
    /// it: a clean session ends with its connection, another one never.
    pub session_expiry_s: Option<u32>,
    /// QoS 1 and 2 messages that the device takes unacknowledged, at least 1
    /// (MQTT 5.0); 65,535 unless given.
    pub receive_maximum: Option<u16>,
    /// Topic aliases that the broker may use towards the device (MQTT 5.0);
    /// none unless given.
    pub topic_alias_maximum: Option<u16>,
    /// User name, if any.
    pub username: Option<String>,
    /// Password, if any; MQTT 3.1.1 allows it only with a user name
    /// [MQTT311-3.1.2-22].
    pub password: Option<Vec<u8>>,
    /// What the broker publishes when the device vanishes.
    pub will: Option<Will>,
    /// Patience for a connection and its CONNACK, or whatever else accepts it, and
    /// for a write that the network does not take. Whole seconds; rumqttc allows no finer.
    pub connect_timeout: Duration,
    /// Most readings at QoS 1 and 2 that await acknowledgement at a time, at least 1.
    pub in_flight_max: u16,
    /// Longest packet, in bytes, that the client accepts or sends; or longest
    /// message of a plain WebSocket that it accepts.
    pub packet_size_max: usize,
    /// How it reconnects.
    pub backoff: Backoff,
}

impl Default for MqttSettings {
    fn default() -> Self {
        Self {
            version: Version::V3_1_1,
            client_id: "{device}".to_owned(),
            keep_alive_s: 60,
            clean_session: true,
            session_expiry_s: None,
            receive_maximum: None,
            topic_alias_maximum: None,
            username: None,
            password: None,
            will: None,
            connect_timeout: Duration::from_secs(30),
            in_flight_max: 16,
            packet_size_max: 256 * 1024,
            backoff: Backoff::default(),
        }
    }
}

impl MqttSettings {
    /// The Session Expiry Interval of CONNECT, in seconds; `None` says nothing,
    /// which is 0.
    pub(crate) fn session_expiry_interval_s(&self) -> Option<u32> {
        let unlimited = (!self.clean_session).then_some(u32::MAX);
        self.session_expiry_s.or(unlimited).filter(|&s| s > 0)
    }
}

/// A will message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Topic, with `{device}` and `{fleet}`.
    pub topic: String,
    /// Payload, with `{device}` and `{fleet}`.
    pub payload: String,
    /// QoS.
    pub qos: Qos,
    /// RETAIN flag.
    pub retain: bool,
    /// The broker waits this long with it, in seconds, unless the session ends
    /// first (MQTT 5.0).
    pub delay_s: Option<u32>,
    /// Its lifetime in seconds, once published (MQTT 5.0).
    pub message_expiry_s: Option<u32>,
}

/// What each device publishes.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Topic, with `{device}`, `{fleet}` and, where there is somebody to address,
    /// `{target}`.
    pub topic: String,
    /// Whom the readings are addressed to, in turn.
    pub to: Option<Addressees>,
    /// QoS of each reading in turn; at least one.
    pub qos: Vec<Qos>,
    /// RETAIN flag.
    pub retain: bool,
    /// How long the broker may keep a reading that it cannot deliver, in
    /// seconds (MQTT 5.0); for ever unless given.
    pub message_expiry_s: Option<u32>,
    /// Uses topic aliases, as many as the broker takes (MQTT 5.0).
    pub topic_alias: bool,
    /// What a reading looks like.
    pub payload: Payload,
    /// Time between readings, counted from the first waking; what sleep makes
    /// a device miss is skipped. Life cycles that pay visits
    /// ([`Visit`](crate::Visit)) say themselves when readings are taken.
    pub every: Duration,
    /// Each reading is up to this much early or late, at random; at most half of `every`.
    pub jitter: Duration,
    /// Readings that a device takes in all, if limited.
    pub readings_max: Option<u32>,
    /// Readings that a device keeps while it cannot send them, at least 1; the
    /// oldest goes first.
    pub outbox_max: usize,
}

/// The devices of a fleet, as those whom readings are addressed to: the first
/// reading of a device to the first of them, and so on in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressees {
    /// The fleet's name.
    pub fleet: String,
    /// How many devices it has, at least 1.
    pub count: u32,
}

impl Addressees {
    /// The name of the device that a device's `sequence`-th reading, from 1, is for.
    pub(crate) fn of_reading(&self, sequence: u32) -> String {
        device_name(&self.fleet, (sequence - 1) % self.count)
    }
}

/// What each device listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Topic filter, with `{device}` and `{fleet}`; in MQTT 5.0 perhaps a shared
    /// one, `$share/name/filter`.
    pub filter: String,
    /// Highest QoS asked for.
    pub qos: Qos,
    /// What the device itself published is not sent to it (MQTT 5.0).
    pub no_local: bool,
    /// RETAIN arrives as it was published (MQTT 5.0).
    pub retain_as_published: bool,
    /// Whether retained messages are sent when it subscribes (MQTT 5.0).
    pub retain_handling: RetainHandling,
    /// The device unsubscribes this long after the SUBACK, or as soon as it is
    /// connected after that, once in each session; never unless given.
    pub stay: Option<Duration>,
}

/// Whether retained messages are sent in answer to a SUBSCRIBE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetainHandling {
    /// 0: each time, as in 3.1.1.
    #[default]
    Send,
    /// 1: only if the session has no such subscription yet.
    SendIfNew,
    /// 2: never.
    DoNotSend,
}

impl Subscribe {
    /// A subscription as 3.1.1 knows it, for good.
    #[must_use]
    pub fn new(filter: impl Into<String>, qos: Qos) -> Self {
        Self {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
            stay: None,
        }
    }
}

/// Quality of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
    /// QoS 2.
    ExactlyOnce,
}

impl Fleet {
    /// The number of the fleet's `index`-th device, from 0.
    #[must_use]
    pub fn device(&self, index: u32) -> DeviceId {
        DeviceId(self.first_device.0 + index)
    }

    /// The name of the fleet's `index`-th device, from 0: the fleet's name and
    /// the device's number within it, from 1.
    #[must_use]
    pub fn device_name(&self, index: u32) -> String {
        device_name(&self.name, index)
    }

    /// The client identifier of the fleet's `index`-th device, from 0.
    #[must_use]
    pub fn client_id(&self, index: u32) -> String {
        self.expand(&self.mqtt.client_id, index)
    }

    /// `template` with `{device}` and `{fleet}` filled in for one device.
    #[must_use]
    pub fn expand(&self, template: &str, index: u32) -> String {
        template
            .replace("{fleet}", &self.name)
            .replace("{device}", &self.device_name(index))
    }
}

fn device_name(fleet: &str, index: u32) -> String {
    format!("{fleet}-{}", u64::from(index) + 1)
}

/// A fleet that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fleet `{fleet}`: {problem}")]
pub struct FleetError {
    fleet: String,
    problem: &'static str,
}

impl Fleet {
    /// Whether the fleet can be run at all. [`run`](crate::run) relies on it.
    ///
    /// # Errors
    ///
    /// The first setting that makes no sense.
    pub fn check(&self) -> Result<(), FleetError> {
        let problem = self.problem();
        problem.map_or(Ok(()), |problem| {
            Err(FleetError {
                fleet: self.name.clone(),
                problem,
            })
        })
    }

    fn problem(&self) -> Option<&'static str> {
        let backoff = self.mqtt.backoff;
        let rules = [
            (!self.name.is_empty(), "the name is empty"),
            (self.count > 0, "it has no devices"),
            (
                self.first_device.0.checked_add(self.count).is_some(),
                "its device numbers do not fit in 32 bits",
            ),
            (
                self.clock_drift_ppb < 1_000_000_000,
                "the clocks drift by 1,000,000,000 ppb or more",
            ),
            (
                !self.mqtt.client_id.is_empty(),
                "the client identifier is empty",
            ),
            (self.mqtt.in_flight_max > 0, "`in_flight_max` is 0"),
            (self.mqtt.packet_size_max > 0, "`packet_size_max` is 0"),
            (
                self.mqtt.connect_timeout >= Duration::from_secs(1),
                "`connect_timeout` is shorter than 1 s",
            ),
            (
                self.mqtt.version == Version::V5_0
                    || self.mqtt.password.is_none()
                    || self.mqtt.username.is_some(),
                "a password needs a user name [MQTT311-3.1.2-22]",
            ),
            (
                self.mqtt.version == Version::V5_0 || !self.needs_5_0(),
                "MQTT 3.1.1 has no session expiry, receive maximum, topic alias, message \
                 expiry, will delay or subscription options",
            ),
            (
                self.mqtt.receive_maximum != Some(0),
                "`receive_maximum` is 0 [MQTT 5.0, section 3.1.2.11.3]",
            ),
            (
                !backoff.first.is_zero() && backoff.first <= backoff.max,
                "the first back-off is 0 or above its maximum",
            ),
            (
                backoff.factor >= 1.0 && backoff.factor.is_finite(),
                "the back-off's factor is below 1",
            ),
            (
                (0.0..=1.0).contains(&backoff.jitter),
                "the back-off's jitter is not between 0 and 1",
            ),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds);
        broken
            .map(|(_, problem)| *problem)
            .or_else(|| self.lifecycle.problem())
            .or_else(|| self.publish.as_ref()?.problem())
            .or_else(|| self.topic_problem())
            .or_else(|| self.protocol.problem(self))
    }

    /// It asks for something that only MQTT 5.0 has.
    fn needs_5_0(&self) -> bool {
        let mqtt = &self.mqtt;
        mqtt.session_expiry_s.is_some()
            || mqtt.receive_maximum.is_some()
            || mqtt.topic_alias_maximum.is_some()
            || mqtt
                .will
                .iter()
                .any(|will| will.delay_s.or(will.message_expiry_s).is_some())
            || self
                .publish
                .iter()
                .any(|publish| publish.message_expiry_s.is_some() || publish.topic_alias)
            || self.subscribe.iter().any(|wanted| {
                let as_3_1_1 = Subscribe {
                    stay: wanted.stay,
                    ..Subscribe::new(wanted.filter.clone(), wanted.qos)
                };
                *wanted != as_3_1_1
            })
    }

    /// Topics and filters, as they are for the first device.
    fn topic_problem(&self) -> Option<&'static str> {
        let publish = self.publish.as_ref().map(|publish| &publish.topic);
        let will = self.mqtt.will.as_ref().map(|will| &will.topic);
        let named = |topic: &&String| rumqttc::valid_topic(&self.expand(topic, 0));
        let filtered = |s: &Subscribe| rumqttc::valid_filter(&self.expand(&s.filter, 0));
        if !publish.iter().chain(&will).all(named) {
            return Some("a topic is empty or has a wildcard");
        }
        let all_valid = self.subscribe.iter().all(filtered);
        (!all_valid).then_some("a topic filter is not valid")
    }
}

impl Publish {
    /// A reasonable [`Publish::outbox_max`]: some 100 KB of small readings.
    pub const OUTBOX_MAX: usize = 1_000;

    /// QoS of a device's `sequence`-th reading, from 1.
    pub(crate) fn qos_of(&self, sequence: u32) -> Qos {
        self.qos[(sequence as usize - 1) % self.qos.len()]
    }

    fn problem(&self) -> Option<&'static str> {
        let rules = [
            (!self.every.is_zero(), "readings are taken every 0 s"),
            (
                self.jitter <= self.every / 2,
                "the readings' jitter is above half of `every`",
            ),
            (self.outbox_max > 0, "`outbox_max` is 0"),
            (!self.qos.is_empty(), "readings have no QoS"),
            (
                self.to.as_ref().is_none_or(|to| to.count > 0),
                "readings are addressed to a fleet without devices",
            ),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds);
        broken
            .map(|(_, problem)| *problem)
            .or_else(|| self.payload.problem())
    }
}

impl Payload {
    fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Json {
                unit,
                decimals,
                signal,
            } => {
                let escaped = |c: char| c == '"' || c == '\\' || c.is_control();
                if unit.is_empty() || unit.chars().any(escaped) {
                    Some("a unit is empty, or JSON would escape it")
                } else if *decimals > 9 {
                    Some("a reading has more than 9 decimals")
                } else {
                    signal.problem()
                }
            }
            Self::Fixed { bytes } => {
                (*bytes < FIXED_SIZE_MIN).then_some("a payload of a fixed size needs 18 bytes")
            }
            Self::Empty => None,
            Self::Lines(lines) => lines.is_empty().then_some("a payload's file has no line"),
        }
    }
}

impl Signal {
    fn problem(&self) -> Option<&'static str> {
        let ordered = |min: f64, max: f64| min.is_finite() && max.is_finite() && min <= max;
        match *self {
            Self::Uniform { min, max } => {
                (!ordered(min, max)).then_some("a signal's `min` is above its `max`")
            }
            Self::RandomWalk { min, max, step } => (!ordered(min, max) || !ordered(0.0, step))
                .then_some("a random walk's bounds or step make no sense"),
            Self::Sine {
                mean,
                amplitude,
                period,
            } => (!mean.is_finite() || !amplitude.is_finite() || period.is_zero())
                .then_some("a sine's figures are not finite, or its period is 0"),
        }
    }
}

impl Spread {
    pub(crate) fn problem(self) -> Option<&'static str> {
        match self {
            Self::Uniform { min, max } if min > max => Some("a spread's `min` is above its `max`"),
            Self::Fixed(_) | Self::Uniform { .. } | Self::Exponential { .. } => None,
        }
    }
}

#[cfg(test)]
impl Fleet {
    /// One device that is always on and takes a reading a minute at QoS 1.
    pub(crate) fn sample() -> Self {
        Self {
            name: "thermometer".to_owned(),
            first_device: DeviceId(0),
            count: 1,
            seed: 7,
            start_after: Duration::ZERO,
            start_spread: Duration::ZERO,
            clock_drift_ppb: 0,
            device_memory: DeviceMemory::Flash,
            lifecycle: Lifecycle::AlwaysOn,
            protocol: Protocol::Mqtt,
            mqtt: MqttSettings::default(),
            publish: Some(Publish {
                topic: "valley/{device}/temperature".to_owned(),
                to: None,
                qos: vec![Qos::AtLeastOnce],
                retain: false,
                message_expiry_s: None,
                topic_alias: false,
                payload: Payload::Fixed { bytes: 24 },
                every: Duration::from_secs(60),
                jitter: Duration::ZERO,
                readings_max: None,
                outbox_max: Publish::OUTBOX_MAX,
            }),
            subscribe: Vec::new(),
            quiet_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn expands_names_once_for_each_device() {
        let fleet = Fleet::sample();
        assert_eq!(fleet.device_name(16), "thermometer-17");
        assert_eq!(
            fleet.expand("{fleet}/{device}/x", 0),
            "thermometer/thermometer-1/x"
        );
        assert_eq!(fleet.check(), Ok(()));
    }

    fn publish(change: impl Fn(&mut Publish)) -> Fleet {
        let mut fleet = Fleet::sample();
        fleet.publish.iter_mut().for_each(change);
        fleet
    }

    fn mqtt(change: impl Fn(&mut MqttSettings)) -> Fleet {
        let mut fleet = Fleet::sample();
        change(&mut fleet.mqtt);
        fleet
    }

    #[rstest]
    #[case(Fleet { count: 0, ..Fleet::sample() }, "no devices")]
    #[case(Fleet { first_device: DeviceId(u32::MAX), ..Fleet::sample() }, "32 bits")]
    #[case(Fleet { name: String::new(), ..Fleet::sample() }, "name is empty")]
    #[case(Fleet { clock_drift_ppb: 1_000_000_000, ..Fleet::sample() }, "drift")]
    #[case(publish(|p| p.every = Duration::ZERO), "every 0 s")]
    #[case(publish(|p| p.jitter = p.every), "jitter")]
    #[case(publish(|p| p.qos.clear()), "no QoS")]
    #[case(publish(|p| p.outbox_max = 0), "outbox_max")]
    #[case(publish(|p| p.to = Some(Addressees { fleet: "f".to_owned(), count: 0 })), "addressed")]
    #[case(publish(|p| p.topic = "a/+".to_owned()), "wildcard")]
    #[case(publish(|p| p.payload = Payload::Fixed { bytes: 17 }), "18 bytes")]
    #[case(publish(|p| p.payload = Payload::Lines(Vec::new())), "no line")]
    #[case(mqtt(|m| m.client_id.clear()), "client identifier")]
    #[case(mqtt(|m| m.in_flight_max = 0), "in_flight_max")]
    #[case(mqtt(|m| m.connect_timeout = Duration::from_millis(900)), "connect_timeout")]
    #[case(mqtt(|m| m.password = Some(b"x".to_vec())), "user name")]
    #[case(mqtt(|m| m.session_expiry_s = Some(60)), "no session expiry")]
    #[case(publish(|p| p.message_expiry_s = Some(60)), "message expiry")]
    #[case(mqtt(|m| (m.version, m.receive_maximum) = (Version::V5_0, Some(0))), "`receive_maximum`")]
    #[case(mqtt(|m| m.backoff.jitter = 1.1), "back-off")]
    #[case(mqtt(|m| m.backoff.factor = f64::NAN), "back-off")]
    fn refuses_what_makes_no_sense(#[case] fleet: Fleet, #[case] about: &str) {
        let error = fleet.check().unwrap_err().to_string();
        assert!(error.contains(about), "{error}");
    }
}
