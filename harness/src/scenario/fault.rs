//! Faults, as the simulator plans them: what goes wrong, where, and when.
//!
//! Ranges are kept as ranges: the seed draws from them once for each
//! occurrence, in `crate::faults`.

use std::fmt;
use std::time::Duration;

use super::fleet::Qos;
use super::link::{GilbertElliott, Latency, Reorder};

/// One entry of `[[fault]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// What it strikes.
    pub target: Target,
    /// When it happens.
    pub when: When,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// A link loses packets, on top of what it loses anyway.
    Loss {
        /// Which of its directions.
        ways: Ways,
        /// Probability, 0 to 1, that a packet is lost.
        loss: f64,
    },
    /// A link loses packets in bursts, on top of what it loses anyway.
    BurstLoss {
        /// Which of its directions.
        ways: Ways,
        /// How the bursts come and go.
        burst: GilbertElliott,
    },
    /// A link takes longer.
    Latency {
        /// Which of its directions.
        ways: Ways,
        /// How much longer.
        added: Latency,
    },
    /// A link is slower than it was.
    Rate {
        /// Which of its directions.
        ways: Ways,
        /// Bits a second at most.
        bits_per_second: u64,
    },
    /// A link swallows every packet, and nobody is told.
    Blackhole {
        /// Which of its directions.
        ways: Ways,
    },
    /// A link delivers packets twice.
    Duplication {
        /// Which of its directions.
        ways: Ways,
        /// Probability, 0 to 1, that a packet arrives twice.
        probability: f64,
    },
    /// A link lets packets overtake each other.
    Reordering {
        /// Which of its directions.
        ways: Ways,
        /// Which packets are held back, and for how long.
        reorder: Reorder,
    },
    /// A site and the server cannot reach each other.
    Partition {
        /// Whose packets do not get through.
        ways: Ways,
        /// The packets wait for its end, and are not lost.
        hold: bool,
    },
    /// A site loses its power: its devices, and what is on the air.
    PowerCut,
    /// A NAT forgets the connections it has: their packets are dropped from
    /// then on, both ways.
    NatRebinding,
    /// The server stops at once, and starts anew from what its disk kept.
    ServerCrash,
    /// The server does nothing for a while; its TCP goes on.
    ServerPause,
    /// Devices are gone without a word.
    Vanish,
    /// Devices end their connection with a RST.
    Reset,
    /// Devices say DISCONNECT, and connect anew.
    Disconnect,
    /// The battery of a device dies in the middle of the first packet it sends.
    BatteryDeath,
    /// Devices that connect fall asleep between CONNECT and CONNACK.
    SleepInHandshake,
    /// Devices all lose their connection, and dial again at once.
    ReconnectStorm,
    /// Clocks run fast, or slow if negative.
    ClockDrift {
        /// Parts per billion.
        drift_ppb: i32,
    },
    /// Single IP packets are dropped.
    Drop {
        /// How often the packet is dropped, its retransmissions counted.
        times: u32,
    },
}

impl FaultKind {
    /// Its name in a scenario.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Loss { .. } => "loss",
            Self::BurstLoss { .. } => "burst-loss",
            Self::Latency { .. } => "latency",
            Self::Rate { .. } => "rate",
            Self::Blackhole { .. } => "blackhole",
            Self::Duplication { .. } => "duplication",
            Self::Reordering { .. } => "reordering",
            Self::Partition { .. } => "partition",
            Self::PowerCut => "power-cut",
            Self::NatRebinding => "nat-rebinding",
            Self::ServerCrash => "server-crash",
            Self::ServerPause => "server-pause",
            Self::Vanish => "vanish",
            Self::Reset => "reset",
            Self::Disconnect => "disconnect",
            Self::BatteryDeath => "battery-death",
            Self::SleepInHandshake => "sleep-in-handshake",
            Self::ReconnectStorm => "reconnect-storm",
            Self::ClockDrift { .. } => "clock-drift",
            Self::Drop { .. } => "drop",
        }
    }

    /// The directions in which it strikes packets on links, or between them and
    /// the server; none if it strikes something else.
    #[must_use]
    pub fn ways(&self) -> Option<Ways> {
        match *self {
            Self::Loss { ways, .. }
            | Self::BurstLoss { ways, .. }
            | Self::Latency { ways, .. }
            | Self::Rate { ways, .. }
            | Self::Blackhole { ways }
            | Self::Duplication { ways, .. }
            | Self::Reordering { ways, .. }
            | Self::Partition { ways, .. } => Some(ways),
            Self::PowerCut => Some(Ways::Both),
            _ => None,
        }
    }

    /// It is over as soon as it has begun.
    #[must_use]
    pub fn is_instant(&self) -> bool {
        matches!(
            self,
            Self::NatRebinding
                | Self::Reset
                | Self::Disconnect
                | Self::ReconnectStorm
                | Self::Drop { .. }
        )
    }
}

/// Directions of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// From the device to the server.
    Up,
    /// From the server to the device.
    Down,
    /// Either.
    Both,
}

/// What a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Devices at a site, by its index in the scenario.
    Site(usize, Chosen),
    /// Devices of a fleet, by its index in the scenario.
    Fleet(usize, Chosen),
    /// Whoever sends or is sent the packet that sets the fault off.
    Matched,
    /// A server, by its index: 0 is the broker.
    Server(u16),
}

/// Which of the devices of a site or a fleet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Chosen {
    /// All of them.
    All,
    /// So many, at most all: the seed decides which.
    Number(u32),
    /// Such a share, 0 to 1, rounded up: the seed decides which.
    Share(f64),
}

/// When a fault happens.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At times known before the run.
    Planned(Times),
    /// When a packet is sent.
    On(Trigger, Option<TimeRange>),
}

/// Times known before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it begins.
    pub at: TimeRange,
    /// How long it lasts; until the drain begins unless given. Nothing for a
    /// fault of one instant.
    pub lasts: Option<TimeRange>,
    /// From one beginning to the next, until the drain begins.
    pub every: Option<Duration>,
    /// How often it happens at most: turns of `every`, or else draws from `at`.
    pub count: Option<u32>,
}

/// From one time to another, equally likely; often both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// Earliest or shortest.
    pub min: Duration,
    /// Latest or longest, at least `min`.
    pub max: Duration,
}

/// The packet that sets a fault off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Type of the MQTT packet.
    pub packet: PacketType,
    /// Who sends it; either unless given.
    pub from: Option<Sender>,
    /// The how manyth of those that match, from 1. Repetitions by TCP do not
    /// count, those by MQTT (with DUP) do.
    pub nth: u32,
    /// QoS of a PUBLISH; any unless given.
    pub qos: Option<Qos>,
    /// Fleet of the device at the one end, by its index; any unless given.
    pub fleet: Option<usize>,
    /// The how manyth device of that fleet, from 1; any unless given.
    pub device: Option<u32>,
    /// Whether the packet itself is lost, too, and not only what follows it.
    pub lost: bool,
}

impl fmt::Display for Trigger {
    /// Such as `on PUBREC 3 from the server`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on {} {}", self.packet.name(), self.nth)?;
        match self.from {
            Some(Sender::Client) => write!(f, " from a client"),
            Some(Sender::Server) => write!(f, " from the server"),
            None => Ok(()),
        }
    }
}

/// Who sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A device.
    Client,
    /// The broker.
    Server,
}

/// Control packet types of MQTT 3.1.1 (table 2.1), by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the specification")]
pub enum PacketType {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
}

impl PacketType {
    /// Its name in the specification, such as `PUBACK`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
        }
    }

    /// The one end that sends it, where only one does.
    #[must_use]
    pub fn sender(self) -> Option<Sender> {
        match self {
            Self::Connect
            | Self::Subscribe
            | Self::Unsubscribe
            | Self::Pingreq
            | Self::Disconnect => Some(Sender::Client),
            Self::Connack | Self::Suback | Self::Unsuback | Self::Pingresp => Some(Sender::Server),
            Self::Publish | Self::Puback | Self::Pubrec | Self::Pubrel | Self::Pubcomp => None,
        }
    }
}
