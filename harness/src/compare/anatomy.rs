//! What a protocol costs one device alone.
//!
//! One device of the first fleet that publishes is run by itself, on a link
//! without loss, without weather and without subscribers: once for a session with
//! one reading, once with two, and once for a session that goes on for an hour
//! after its reading. What differs between two of them is what the second
//! reading, or the hour, cost, packet by packet.
//!
//! The link takes 100 ms each way, and nothing else takes time: what passes
//! before a reading leaves is a whole number of round trips.

use std::time::Duration;

use squall_reports::comparison::Anatomy;
use squall_reports::{Bytes, FirstReading, Latency, Layer, Report};

use crate::net::nanos;
use crate::scenario::{Clock, Direction, Lifecycle, LinkSpec, Scenario, Start};

/// One-way delay of the link.
const DELAY: Duration = Duration::from_millis(100);

/// Until the device connects.
const START: Duration = Duration::from_secs(1);

/// From one reading to the next: long enough for everything a reading sets off,
/// and shorter than any keep-alive worth having.
const GAP: Duration = Duration::from_secs(3);

/// How long a short session lasts.
const STAY: Duration = Duration::from_secs(8);

/// How much longer the long one does.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Until everything is over once the device has left.
const AFTER: Duration = Duration::from_secs(30);

/// Resolution of time: fine against the link, coarse against an hour.
const TICK: Duration = Duration::from_millis(10);

/// A session of one device alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// With one reading.
    Short,
    /// With two.
    TwoReadings,
    /// With one, and an hour in which nothing is said.
    Long,
}

impl Session {
    /// Every session, in the order of scenarios.
    pub(super) const ALL: [Self; 3] = [Self::Short, Self::TwoReadings, Self::Long];
}

/// The scenarios of these sessions; `None` if no fleet publishes by itself.
pub(super) fn sessions(scenario: &Scenario) -> Option<[Scenario; 3]> {
    let mut publishing = scenario.fleets.iter();
    let fleet = publishing.find(|fleet| {
        let mut publish = fleet.publish.iter();
        publish.any(|publish| publish.to.is_none())
    })?;
    Some(Session::ALL.map(|session| {
        let (readings, stay) = match session {
            Session::Short => (1, STAY),
            Session::TwoReadings => (2, STAY),
            Session::Long => (1, STAY + HOUR),
        };
        let mut alone = scenario.clone();
        let mut fleet = fleet.clone();
        fleet.site = 0;
        fleet.count = 1;
        fleet.lifecycle = Lifecycle::Once {
            stay: Some(stay),
            graceful: true,
        };
        fleet.start = Start {
            after: START,
            spread: Duration::ZERO,
        };
        fleet.clock = Clock::default();
        fleet.subscribe.clear();
        if let Some(publish) = &mut fleet.publish {
            publish.every = GAP;
            publish.jitter = Duration::ZERO;
            publish.readings = Some(readings);
        }
        alone.sites.truncate(1);
        for site in &mut alone.sites {
            site.link = LinkSpec::symmetric(Direction::ideal(DELAY));
        }
        alone.fleets = vec![fleet];
        alone.faults.clear();
        alone.network.tick = TICK;
        alone.duration = START + stay + AFTER;
        alone.drain = AFTER / 2;
        alone
    }))
}

/// What was measured of the sessions so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    bytes: [Option<Bytes>; Session::ALL.len()],
    first_reading: FirstReading,
}

impl Measured {
    /// What came of a session.
    pub(super) fn put(&mut self, session: Session, report: &Report) {
        self.bytes[session as usize] = Some(report.bytes);
        if session == Session::Short {
            self.first_reading = report.first_reading;
        }
    }

    /// What the protocol costs; `None` unless every session ended, and the one of
    /// two readings has all that the one of one reading has. A connection that ends
    /// otherwise when it has been idle for long has no idle hour.
    pub(super) fn anatomy(&self) -> Option<Anatomy> {
        let [short, two_readings, long] = self.bytes;
        let (short, two_readings, long) = (short?, two_readings?, long?);
        let reading = less(&two_readings, &short)?;
        let first = |latency: Option<Latency>| Some(latency?.latency_ns_min);
        let sent = first(self.first_reading.sent);
        let known = first(self.first_reading.acknowledged);
        Some(Anatomy {
            session: less(&short, &reading)?,
            reading,
            idle_hour: less(&long, &short),
            round_trips_before_reading: sent.map(round_trips),
            round_trips_of_reading: sent
                .zip(known)
                .map(|(sent, known)| round_trips(known.saturating_sub(sent))),
        })
    }
}

/// How many round trips a time is, in whole ones.
fn round_trips(time_ns: u64) -> u64 {
    let round_trip = 2 * nanos(DELAY);
    (time_ns + round_trip / 2) / round_trip
}

/// What `more` has beyond `less`, layer by layer; `None` if it lacks any of it.
fn less(more: &Bytes, less: &Bytes) -> Option<Bytes> {
    let mut bytes = Bytes {
        on_wire_up: more.on_wire_up.checked_sub(less.on_wire_up)?,
        on_wire_down: more.on_wire_down.checked_sub(less.on_wire_down)?,
        packets_up: more.packets_up.checked_sub(less.packets_up)?,
        packets_down: more.packets_down.checked_sub(less.packets_down)?,
        ..Bytes::default()
    };
    for layer in Layer::ALL {
        bytes.up[layer] = more.up[layer].checked_sub(less.up[layer])?;
        bytes.down[layer] = more.down[layer].checked_sub(less.down[layer])?;
    }
    Some(bytes)
}
