//! From the file as it is written to what the simulator runs: defaults filled
//! in, names looked up, and whatever depends on more than one value checked.

mod fault;
mod fleet;
mod link;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use squall_broker::Capabilities;
use squall_reports::figures;

use super::diagnostic::{ScenarioError, Sources};
use super::document::protocol::{ProtocolName, TlsValue};
use super::document::scalar::{Count, Name, Size, Time};
use super::document::value::At;
use super::document::{
    BrokerTable, CapabilitiesTable, CongestionName, ExpectTable, NetworkTable, ScenarioTable,
};
use super::expect::{Exception, Expectation, Expectations, Metric};
use super::fault::{Fault, FaultKind};
use super::fleet::{MqttVersion, Qos};
use super::settings::{BrokerSettings, CongestionControl, NetworkSettings};
use super::text::{Complaint, written};
use super::{Scenario, Site};
use crate::net::address::DEVICES_MAX;

/// The tick is never derived outside of these: below, runs idle; above, hosts
/// see each other too late.
const TICK_DERIVED: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(10));

/// How long a disk takes to sync unless given.
const DISK_SYNC: Duration = Duration::from_millis(2);

/// Resolves a document that came from `sources`; `path` is the scenario's file.
pub(super) fn resolve(
    table: ScenarioTable,
    path: &Path,
    sources: &Sources,
) -> Result<Scenario, ScenarioError> {
    let resolver = Resolver {
        path,
        sources,
        duration: table.duration.value.0,
        version: table.mqtt.map_or(MqttVersion::V3_1_1, fleet::version),
        protocol: table.protocol.unwrap_or(ProtocolName::Mqtt),
        tls: table.tls.clone(),
    };
    resolver.scenario(table)
}

struct Resolver<'a> {
    path: &'a Path,
    sources: &'a Sources,
    duration: Duration,
    /// What fleets speak that do not say, and whether in TLS.
    version: MqttVersion,
    protocol: ProtocolName,
    tls: Option<TlsValue>,
}

impl Resolver<'_> {
    fn error(&self, span: &Range<usize>, complaint: Complaint) -> ScenarioError {
        self.sources.error(span.clone(), complaint)
    }

    fn scenario(&self, table: ScenarioTable) -> Result<Scenario, ScenarioError> {
        self.positive(&table.duration, "a run of no time")?;
        let drain = match &table.drain {
            None => (self.duration / 10).min(Duration::from_secs(120)),
            Some(drain) if drain.value.0 < self.duration => drain.value.0,
            Some(drain) => {
                return Err(self.error(
                    &drain.span,
                    Complaint::new(
                        format!(
                            "a drain as long as the run: nothing could be published in {}",
                            written(self.duration)
                        ),
                        "not less than `duration`",
                        "`drain` is the end of `duration` in which nothing new is published",
                    ),
                ));
            }
        };
        self.no_twins("site", table.site.iter().map(|site| &site.name))?;
        self.no_twins("fleet", table.fleet.iter().map(|fleet| &fleet.name))?;
        self.not_empty(
            "site",
            "name = \"valley\"\nlink = \"nb-iot\"",
            table.site.len(),
        )?;
        self.not_empty(
            "fleet",
            "name = \"thermometer\"\nsite = \"valley\"\ncount = 10",
            table.fleet.len(),
        )?;
        self.addresses(table.fleet.iter().map(|fleet| &fleet.count))?;
        let sites = table
            .site
            .into_iter()
            .map(|site| self.site(site))
            .collect::<Result<Vec<_>, _>>()?;
        let window = self.window(table.network.window.as_ref())?;
        let names = table.fleet.iter().map(|fleet| fleet.name.value.0.clone());
        let fleet_names: Vec<String> = names.collect();
        let fleets = table
            .fleet
            .into_iter()
            .map(|fleet| self.fleet(fleet, &sites, &fleet_names, window))
            .collect::<Result<Vec<_>, _>>()?;
        let faults = table
            .fault
            .into_iter()
            .map(|fault| self.fault(fault, &sites, &fleets, drain))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Scenario {
            title: table.title.0,
            path: self.path.to_owned(),
            duration: self.duration,
            drain,
            network: self.network(&table.network, &sites)?,
            broker: self.broker(&table.broker, &faults)?,
            sites,
            fleets,
            faults,
            expect: self.expectations(table.expect, drain)?,
        })
    }

    /// Every device needs an address of its own.
    fn addresses<'t>(
        &self,
        counts: impl Iterator<Item = &'t At<Count>>,
    ) -> Result<(), ScenarioError> {
        let mut devices = 0;
        for count in counts {
            devices += u64::from(count.value.0);
            if devices > u64::from(DEVICES_MAX) {
                return Err(self.error(
                    &count.span,
                    Complaint::new(
                        format!("more than {} devices", figures::count(DEVICES_MAX.into())),
                        format!("{} with these", figures::count(devices)),
                        "devices share the network 10.0.0.0/8: use fewer",
                    ),
                ));
            }
        }
        Ok(())
    }

    /// A TCP window that is given, in bytes.
    fn window(&self, window: Option<&At<Size>>) -> Result<Option<u32>, ScenarioError> {
        let Some(window) = window else {
            return Ok(None);
        };
        let bytes = self.within(
            &window.span,
            window.value.0,
            512..=1 << 20,
            "the TCP window",
            "from 512 bytes to 1 MiB, such as \"4 KiB\"",
        )?;
        Ok(Some(bytes))
    }

    fn network(
        &self,
        table: &NetworkTable,
        sites: &[Site],
    ) -> Result<NetworkSettings, ScenarioError> {
        let whole_ms = |time: Duration| time.subsec_nanos().is_multiple_of(1_000_000);
        let tick = match &table.tick {
            None => derived_tick(sites),
            Some(tick)
                if (Duration::from_millis(1)..=Duration::from_secs(1)).contains(&tick.value.0)
                    && whole_ms(tick.value.0) =>
            {
                tick.value.0
            }
            Some(tick) => {
                return Err(self.error(
                    &tick.span,
                    Complaint::new(
                        format!("a tick of {}", written(tick.value.0)),
                        "not 1 ms to 1 s",
                        "the tick is whole milliseconds, and best no longer than the smallest delay of a link",
                    ),
                ));
            }
        };
        let timeout = |time: &Option<At<Time>>, otherwise: u64| match time {
            None => Ok(Duration::from_secs(otherwise)),
            Some(time) => self.positive(time, "a timeout of no time"),
        };
        let ack_delay = table
            .ack_delay
            .map_or(Duration::from_millis(10), |time| time.0);
        Ok(NetworkSettings {
            tick,
            tick_derived: table.tick.is_none(),
            user_timeout: timeout(&table.user_timeout, 924)?,
            syn_timeout: timeout(&table.syn_timeout, 127)?,
            ack_delay: Some(ack_delay).filter(|delay| !delay.is_zero()),
            nodelay: table.nodelay.unwrap_or(true),
            congestion: match table.congestion {
                Some(CongestionName::None) => CongestionControl::None,
                None | Some(CongestionName::Reno) => CongestionControl::Reno,
                Some(CongestionName::Cubic) => CongestionControl::Cubic,
            },
        })
    }

    fn broker(
        &self,
        table: &BrokerTable,
        faults: &[Fault],
    ) -> Result<BrokerSettings, ScenarioError> {
        Ok(BrokerSettings {
            inflight_max: table.inflight_max.map(|count| count.0),
            queue_messages_max: table.queue_messages_max.map(|count| count.0),
            queue_bytes_max: table.queue_bytes_max.map(|size| size.0),
            packet_bytes_max: match &table.packet_bytes_max {
                None => None,
                // [MQTT311-2.2.3] a remaining length has four bytes at most.
                Some(size) => Some(self.within(
                    &size.span,
                    size.value.0,
                    64..=268_435_455,
                    "the largest packet",
                    "from 64 bytes to MQTT's own limit of 268,435,455",
                )?),
            },
            connect_timeout: match &table.connect_timeout {
                None => None,
                Some(time) => Some(self.positive(time, "a timeout of no time")?),
            },
            queue_qos0: table.queue_qos0,
            disk_sync: self.disk_sync(table, faults)?,
            capabilities: capabilities(&table.capabilities),
            quirks: table.quirks.iter().map(|name| name.0).collect(),
        })
    }

    fn expectations(
        &self,
        mut table: ExpectTable,
        drain: Duration,
    ) -> Result<Expectations, ScenarioError> {
        let settle = match &table.settle {
            None => None,
            Some(settle) if settle.value.0 > drain => {
                return Err(self.error(
                    &settle.span,
                    Complaint::new(
                        format!(
                            "{} to settle, after which the run is over: the drain is {}",
                            written(settle.value.0),
                            written(drain)
                        ),
                        "longer than `drain`",
                        "what is owed when the weather clears would never be late: \
                         give less, or a longer `drain`",
                    ),
                ));
            }
            Some(settle) => {
                Some(self.positive(settle, "what is owed would have no time to arrive")?)
            }
        };
        let mut exceptions: Vec<Exception> = Vec::new();
        for exception in std::mem::take(&mut table.exceptions) {
            let invariant = exception.guarantee.value.0;
            if exceptions.iter().any(|other| other.invariant == invariant) {
                return Err(self.error(
                    &exception.guarantee.span,
                    Complaint::new(
                        format!("two exceptions for `{}`", invariant.id()),
                        "excepted already",
                        "give one, with all of the reason",
                    ),
                ));
            }
            exceptions.push(Exception {
                invariant,
                why: exception.why.0,
            });
        }
        Ok(Expectations {
            bounds: bounds(table),
            settle,
            exceptions,
        })
    }

    /// How long the server's disk takes to sync, if it is to have one.
    fn disk_sync(
        &self,
        table: &BrokerTable,
        faults: &[Fault],
    ) -> Result<Option<Duration>, ScenarioError> {
        let crashes = |fault: &Fault| fault.kind == FaultKind::ServerCrash;
        let durable = match (&table.durable, &table.disk_sync) {
            (None, given) => given.is_some() || faults.iter().any(crashes),
            (Some(durable), Some(_)) if !durable.value => {
                return Err(self.error(
                    &durable.span,
                    Complaint::new(
                        "a disk, but nothing on it",
                        "and yet `disk_sync` is given",
                        "leave out one of the two",
                    ),
                ));
            }
            (Some(durable), _) => durable.value,
        };
        let takes = match &table.disk_sync {
            None => DISK_SYNC,
            Some(time) => self.positive(time, "a disk that syncs in no time")?,
        };
        Ok(durable.then_some(takes))
    }

    fn positive(&self, time: &At<Time>, what: &str) -> Result<Duration, ScenarioError> {
        if time.value.0.is_zero() {
            return Err(self.error(
                &time.span,
                Complaint::new(what, "zero", "write a duration of more than nothing"),
            ));
        }
        Ok(time.value.0)
    }

    fn within(
        &self,
        span: &Range<usize>,
        value: u64,
        range: std::ops::RangeInclusive<u32>,
        what: &str,
        help: &str,
    ) -> Result<u32, ScenarioError> {
        u32::try_from(value)
            .ok()
            .filter(|value| range.contains(value))
            .ok_or_else(|| {
                let complaint = Complaint::new(
                    format!("{what} cannot be {value} bytes"),
                    "out of range",
                    help,
                );
                self.error(span, complaint)
            })
    }

    fn no_twins<'t>(
        &self,
        kind: &str,
        names: impl Iterator<Item = &'t At<Name>>,
    ) -> Result<(), ScenarioError> {
        let mut seen = BTreeMap::new();
        for name in names {
            if seen.insert(name.value.0.as_str(), ()).is_some() {
                return Err(self.error(
                    &name.span,
                    Complaint::new(
                        format!("two {kind}s called `{}`", name.value.0),
                        "taken",
                        format!("give each {kind} a name of its own"),
                    ),
                ));
            }
        }
        Ok(())
    }

    fn not_empty(&self, kind: &str, example: &str, count: usize) -> Result<(), ScenarioError> {
        if count > 0 {
            return Ok(());
        }
        Err(self.error(
            &(0..0),
            Complaint::new(
                format!("a scenario without a {kind}"),
                format!("no [[{kind}]] in this file"),
                format!("add one:\n[[{kind}]]\n{example}"),
            ),
        ))
    }
}

/// The smallest one-way delay of any link, in whole milliseconds, within
/// [`TICK_DERIVED`].
fn derived_tick(sites: &[Site]) -> Duration {
    let (least, most) = TICK_DERIVED;
    let smallest = sites
        .iter()
        .map(|site| site.link.latency_floor())
        .min()
        .unwrap_or(least);
    let whole_ms = Duration::from_millis(u64::try_from(smallest.as_millis()).unwrap_or(u64::MAX));
    whole_ms.clamp(least, most)
}

fn capabilities(table: &CapabilitiesTable) -> Capabilities {
    let mut offered = Capabilities::default();
    let given = |flag: Option<bool>| flag.unwrap_or(true);
    if let Some(qos) = table.maximum_qos {
        offered.maximum_qos = match qos.0 {
            Qos::AtMostOnce => squall_broker::wire::Qos::AtMostOnce,
            Qos::AtLeastOnce => squall_broker::wire::Qos::AtLeastOnce,
            Qos::ExactlyOnce => squall_broker::wire::Qos::ExactlyOnce,
        };
    }
    offered.retain = given(table.retain);
    offered.wildcard_subscriptions = given(table.wildcard_subscriptions);
    offered.subscription_identifiers = given(table.subscription_identifiers);
    offered.shared_subscriptions = given(table.shared_subscriptions);
    let receive_maximum = table
        .receive_maximum
        .and_then(|most| NonZeroU16::new(most.0));
    offered.receive_maximum = receive_maximum.unwrap_or(offered.receive_maximum);
    let aliases = table.topic_alias_maximum.map(|most| most.0);
    offered.topic_alias_maximum = aliases.unwrap_or(offered.topic_alias_maximum);
    offered.session_expiry_max = table.session_expiry_max.map(|time| time.0);
    // Whole seconds that fit, as the scalar has checked.
    let keep_alive = table.server_keep_alive.map(|time| time.0.as_secs());
    offered.server_keep_alive_s = keep_alive.and_then(|seconds| u16::try_from(seconds).ok());
    offered
}

fn bounds(table: ExpectTable) -> Vec<Expectation> {
    let bounds: [Option<Expectation>; Metric::ALL.len()] = [
        table.delivered.map(|bound| bound.on(Metric::Delivered)),
        table
            .acknowledged
            .map(|bound| bound.on(Metric::Acknowledged)),
        table.duplicated.map(|bound| bound.on(Metric::Duplicated)),
        table.last_value.map(|bound| bound.on(Metric::LastValue)),
        table.published.map(|bound| bound.on(Metric::Published)),
        table.latency_p50.map(|bound| bound.on(Metric::LatencyP50)),
        table.latency_p95.map(|bound| bound.on(Metric::LatencyP95)),
        table.latency_p99.map(|bound| bound.on(Metric::LatencyP99)),
        table.latency_max.map(|bound| bound.on(Metric::LatencyMax)),
        table
            .bytes_per_reading
            .map(|bound| bound.on(Metric::BytesPerReading)),
        table.bytes_total.map(|bound| bound.on(Metric::BytesTotal)),
        table.connects.map(|bound| bound.on(Metric::Connects)),
        table
            .connect_failures
            .map(|bound| bound.on(Metric::ConnectFailures)),
    ];
    bounds.into_iter().flatten().collect()
}
