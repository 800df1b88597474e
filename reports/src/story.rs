//! One run in the order of time: what a [`Report`](crate::Report) sums up, told
//! event by event for whoever wants to look.
//!
//! A run may have millions of readings, and a page has room for some hundreds.
//! So everything is counted by [`Stretch`], and [`Device`]s and [`Message`]s are
//! told one by one only up to a bound: those that a violated guarantee names are
//! always among them, the rest is spread evenly over the run. How many there
//! were in all stands beside them.
//!
//! All times are virtual, in nanoseconds since the start of the run.

#[cfg(test)]
pub(crate) mod samples;

/// What happened in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Story {
    /// Length of a stretch, in nanoseconds; at least 1.
    pub stretch_ns: u64,
    /// The run in stretches of equal length, the first from its start on.
    pub stretches: Vec<Stretch>,
    /// Devices told one by one, in the order of their fleets.
    pub devices: Vec<Device>,
    /// How many devices there were in all.
    pub devices_total: u64,
    /// Messages told one by one, in the order of their publishing.
    pub messages: Vec<Message>,
    /// How many messages there were in all.
    pub messages_total: u64,
    /// How many of them did not reach everyone whom they were owed to.
    pub messages_lost: u64,
}

/// What happened in one stretch of a run, over all devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Devices connected at its end, as far as they know.
    pub connected: u64,
    /// Attempts to connect that failed, and connections that broke.
    pub broken: u64,
    /// Readings published in it.
    pub published: u64,
    /// Deliveries that arrived in it, repeated ones included.
    pub delivered: u64,
    /// Owed deliveries of the readings published in it that never arrived.
    pub lost: u64,
    /// IP packets sent in it.
    pub packets: u64,
    /// IP packets that the network is known to have lost in it.
    pub packets_lost: u64,
}

/// What one device lived through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its fleet.
    pub fleet: String,
    /// Its connections, in order.
    pub connections: Vec<Connection>,
    /// When its attempts to connect failed.
    pub failed_ns: Vec<u64>,
    /// When it published; some of the times if there were too many.
    pub published_ns: Vec<u64>,
    /// How often it published.
    pub published: u64,
    /// When a message was delivered to it; some of the times if there were too many.
    pub delivered_ns: Vec<u64>,
    /// How many were delivered to it.
    pub delivered: u64,
}

/// One connection, as its device saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// When the server had accepted it.
    pub from_ns: u64,
    /// When it was over; the end of the run if it lasted that long.
    pub to_ns: u64,
    /// How it ended, in words; empty if it lasted.
    pub ended: String,
    /// Whether it broke, and was not closed by the device.
    pub broke: bool,
}

/// One application message and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its identifier, as in its payload and in traces: `3f2a.9`.
    pub id: String,
    /// The device that published it.
    pub publisher: String,
    /// Its fleet.
    pub fleet: String,
    /// Its topic.
    pub topic: String,
    /// What its publisher speaks if that is not MQTT, such as `HTTP`.
    pub protocol: Option<String>,
    /// QoS of its publishing: 0, 1 or 2. In another protocol than MQTT, 1 says that
    /// it was to be acknowledged.
    pub qos: u8,
    /// Whether it was to be retained.
    pub retain: bool,
    /// Length of its payload, in bytes.
    pub payload_bytes: u64,
    /// When its device gave it to its client.
    pub published_ns: u64,
    /// When its acknowledgement came, if one did.
    pub acknowledged_ns: Option<u64>,
    /// Why its client gave it up; `None` if it did not.
    pub given_up: Option<String>,
    /// Devices that it was delivered to.
    pub delivered: u64,
    /// Deliveries to devices that had it already.
    pub repeated: u64,
    /// When it first arrived anywhere; `None` if it did not.
    pub arrived_ns: Option<u64>,
    /// Owed deliveries that never arrived.
    pub missing: u64,
    /// The names of the violated guarantees whose evidence names it.
    pub violates: Vec<String>,
    /// What was seen of it, in the order of time.
    pub steps: Vec<Step>,
    /// Receivers whose steps are left out, being too many.
    pub receivers_left_out: u64,
}

/// What became of a message, the worst that is true of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// A violated guarantee names it.
    Violated,
    /// A delivery that was owed never arrived.
    Lost,
    /// A device got it more than once.
    Repeated,
    /// It arrived wherever it was owed.
    Delivered,
    /// Nobody was owed it, and nobody got it.
    Unheard,
}

impl Fate {
    /// Every fate, the worst first.
    pub const ALL: [Self; 5] = [
        Self::Violated,
        Self::Lost,
        Self::Repeated,
        Self::Delivered,
        Self::Unheard,
    ];
}

impl Message {
    /// What became of it.
    #[must_use]
    pub fn fate(&self) -> Fate {
        if !self.violates.is_empty() {
            Fate::Violated
        } else if self.missing > 0 {
            Fate::Lost
        } else if self.repeated > 0 {
            Fate::Repeated
        } else if self.delivered == 0 {
            Fate::Unheard
        } else {
            Fate::Delivered
        }
    }
}

/// One step of a message on its way: a packet that carries or acknowledges it,
/// or what befell one of those it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Who sent the packet, or whom it befell.
    pub from: String,
    /// Who was to get the packet; `None` if there is none.
    pub to: Option<String>,
    /// When it left, or befell; `None` if its sender did not tell.
    pub left_ns: Option<u64>,
    /// When the packet arrived; `None` if nobody told.
    pub arrived_ns: Option<u64>,
    /// Whether its receiver would have told: then a packet without a time of
    /// arrival never arrived.
    pub told: bool,
    /// What it was, in words: `PUBLISH 7, DUP`.
    pub what: String,
}

impl Step {
    /// When it was first seen.
    #[must_use]
    pub fn first_ns(&self) -> u64 {
        let times = [self.left_ns, self.arrived_ns];
        times.into_iter().flatten().min().unwrap_or(0)
    }

    /// Whether it is a packet that left and never arrived.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.to.is_some() && self.told && self.arrived_ns.is_none()
    }
}
