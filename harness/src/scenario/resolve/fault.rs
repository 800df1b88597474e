//! Faults: which keys go with which kind, names looked up, and times that the
//! run has room for.

use std::ops::Range;
use std::time::Duration;

use squall_reports::figures;

use super::super::diagnostic::{ScenarioError, unknown};
use super::super::document::fault::{
    FaultName, FaultTable, PacketName, SenderName, TriggerTable, WaysName,
};
use super::super::document::scalar::{Name, Time, TimeSpan};
use super::super::document::value::At;
use super::super::fault::{
    Chosen, Fault, FaultKind, PacketType, Sender, Target, TimeRange, Times, Trigger, Ways, When,
};
use super::super::link::Reorder;
use super::super::text::{Complaint, written};
use super::super::{Fleet, Site};
use super::Resolver;

/// What a kind of fault strikes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Access links of a site or a fleet.
    Links,
    /// Devices of a site or a fleet.
    Devices,
    /// A site as a whole.
    Site,
    /// A server.
    Server,
    /// A packet.
    Packet,
}

impl Place {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Links => &["site", "fleet", "devices", "share", "direction"],
            Self::Devices => &["site", "fleet", "devices", "share"],
            Self::Site => &["site"],
            Self::Server => &["server"],
            Self::Packet => &[],
        }
    }
}

/// Which keys go with a kind.
struct Rule {
    kind: FaultName,
    /// The kind as it is written.
    name: &'static str,
    place: Place,
    /// Its own keys.
    own: &'static [&'static str],
    /// It lasts, and so has `for`.
    lasts: bool,
    /// A packet can set it off.
    on: bool,
}

/// Every kind of fault, with its keys.
const RULES: [Rule; 20] = {
    use FaultName as Kind;
    const fn rule(
        kind: Kind,
        name: &'static str,
        place: Place,
        own: &'static [&'static str],
    ) -> Rule {
        Rule {
            kind,
            name,
            place,
            own,
            lasts: true,
            on: false,
        }
    }
    const fn instant(rule: Rule) -> Rule {
        Rule {
            lasts: false,
            ..rule
        }
    }
    const fn surgical(rule: Rule) -> Rule {
        Rule { on: true, ..rule }
    }
    [
        rule(Kind::Loss, "loss", Place::Links, &["loss"]),
        rule(Kind::BurstLoss, "burst-loss", Place::Links, &["burst"]),
        rule(Kind::Latency, "latency", Place::Links, &["latency"]),
        rule(Kind::Rate, "rate", Place::Links, &["rate"]),
        rule(Kind::Blackhole, "blackhole", Place::Links, &[]),
        rule(
            Kind::Duplication,
            "duplication",
            Place::Links,
            &["duplicate"],
        ),
        rule(Kind::Reordering, "reordering", Place::Links, &["reorder"]),
        rule(
            Kind::Partition,
            "partition",
            Place::Site,
            &["direction", "hold"],
        ),
        rule(Kind::PowerCut, "power-cut", Place::Site, &[]),
        surgical(instant(rule(
            Kind::NatRebinding,
            "nat-rebinding",
            Place::Devices,
            &[],
        ))),
        surgical(rule(Kind::ServerCrash, "server-crash", Place::Server, &[])),
        rule(Kind::ServerPause, "server-pause", Place::Server, &[]),
        surgical(rule(Kind::Vanish, "vanish", Place::Devices, &[])),
        surgical(instant(rule(Kind::Reset, "reset", Place::Devices, &[]))),
        instant(rule(Kind::Disconnect, "disconnect", Place::Devices, &[])),
        rule(Kind::BatteryDeath, "battery-death", Place::Devices, &[]),
        rule(
            Kind::SleepInHandshake,
            "sleep-in-handshake",
            Place::Devices,
            &[],
        ),
        instant(rule(
            Kind::ReconnectStorm,
            "reconnect-storm",
            Place::Devices,
            &[],
        )),
        rule(Kind::ClockDrift, "clock-drift", Place::Devices, &["drift"]),
        surgical(instant(rule(Kind::Drop, "drop", Place::Packet, &["times"]))),
    ]
};

impl Rule {
    fn of(kind: FaultName) -> &'static Rule {
        let index = RULES.iter().position(|rule| rule.kind == kind);
        // Every kind has a rule, which a test makes sure of.
        &RULES[index.unwrap_or_default()]
    }

    /// The keys beside `kind` that go with it, when a packet sets it off and
    /// when not.
    fn keys(&self, on: bool) -> Vec<&'static str> {
        let mut keys = Vec::new();
        if on || self.place == Place::Packet {
            keys.push("on");
        } else {
            keys.push("at");
        }
        if self.lasts {
            keys.push("for");
        }
        if !on && self.place != Place::Packet {
            keys.extend(["every", "count"]);
            keys.extend(self.place.keys());
        }
        if self.on && !on && self.place != Place::Packet {
            keys.push("on");
        }
        keys.extend(self.own);
        keys
    }
}

impl Resolver<'_> {
    /// `drain` is the end of the run, before which every fault is over.
    pub(super) fn fault(
        &self,
        table: FaultTable,
        sites: &[Site],
        fleets: &[Fleet],
        drain: Duration,
    ) -> Result<Fault, ScenarioError> {
        let rule = Rule::of(table.kind.value);
        self.keys(&table, rule)?;
        let kind = self.fault_kind(&table, rule)?;
        let clear = self.duration.saturating_sub(drain);
        let (when, target) = match &table.on {
            Some(on) => {
                let trigger = self.trigger(on, &kind, fleets)?;
                let lasts = match &table.r#for {
                    None => None,
                    Some(lasts) => Some(self.lasting(lasts, Duration::ZERO, clear)?),
                };
                let target = match rule.place {
                    Place::Server => Target::Server(0),
                    _ => Target::Matched,
                };
                (When::On(trigger, lasts), target)
            }
            None => {
                let times = self.times(&table, rule, clear)?;
                let target = self.target(&table, rule, sites, fleets)?;
                (When::Planned(times), target)
            }
        };
        Ok(Fault { kind, target, when })
    }

    /// Refuses keys that do not go with the kind.
    fn keys(&self, table: &FaultTable, rule: &Rule) -> Result<(), ScenarioError> {
        let name = rule.name;
        if let Some(on) = table.on.as_ref().filter(|_| !rule.on) {
            let complaint = Complaint::new(
                format!("no packet can set off `{name}`"),
                "not of this kind",
                "write `at`; drop, nat-rebinding, reset, vanish and server-crash have `on`",
            );
            return Err(self.error(&on.span, complaint));
        }
        let known = rule.keys(table.on.is_some());
        for (key, span) in table.given() {
            if known.contains(&key) {
                continue;
            }
            let complaint = if table.on.is_some() && rule.keys(false).contains(&key) {
                Complaint::new(
                    format!("`{key}` beside `on`"),
                    "one of them",
                    "`on` says both when and where: the packet, and who sends it or is sent it",
                )
            } else {
                Complaint::new(
                    format!("`{key}` is no key of the fault `{name}`"),
                    "not of this kind",
                    format!("leave it out; `{name}` has {}", known.join(", ")),
                )
            };
            return Err(self.error(&span, complaint));
        }
        Ok(())
    }

    fn fault_kind(&self, table: &FaultTable, rule: &Rule) -> Result<FaultKind, ScenarioError> {
        let ways = match table.direction.as_ref().map(|direction| direction.value) {
            Some(WaysName::Up) => Ways::Up,
            Some(WaysName::Down) => Ways::Down,
            None | Some(WaysName::Both) => Ways::Both,
        };
        let missing = |key: &str, example: &str| {
            self.error(
                &table.kind.span,
                Complaint::new(
                    format!("a fault `{}` without `{key}`", rule.name),
                    "how much?",
                    format!("add `{key} = {example}`"),
                ),
            )
        };
        Ok(match table.kind.value {
            FaultName::Loss => FaultKind::Loss {
                ways,
                loss: match &table.loss {
                    Some(loss) => loss.value.0,
                    None => return Err(missing("loss", "\"30%\"")),
                },
            },
            FaultName::BurstLoss => FaultKind::BurstLoss {
                ways,
                burst: match &table.burst {
                    Some(burst) => self.burst(burst)?,
                    None => {
                        return Err(missing(
                            "burst",
                            "{ enter = \"2%\", leave = \"25%\", loss_bad = \"80%\" }",
                        ));
                    }
                },
            },
            FaultName::Latency => FaultKind::Latency {
                ways,
                added: match &table.latency {
                    Some(latency) => self.latency(latency)?,
                    None => return Err(missing("latency", "\"2s\"")),
                },
            },
            FaultName::Rate => FaultKind::Rate {
                ways,
                bits_per_second: match &table.rate {
                    Some(rate) => rate.value.0,
                    None => return Err(missing("rate", "\"1 kbit/s\"")),
                },
            },
            FaultName::Blackhole => FaultKind::Blackhole { ways },
            FaultName::Duplication => FaultKind::Duplication {
                ways,
                probability: match &table.duplicate {
                    Some(duplicate) => duplicate.value.0,
                    None => return Err(missing("duplicate", "\"20%\"")),
                },
            },
            FaultName::Reordering => FaultKind::Reordering {
                ways,
                reorder: match &table.reorder {
                    Some(reorder) => Reorder {
                        probability: reorder.value.probability.0,
                        delay: reorder.value.delay.0,
                    },
                    None => {
                        return Err(missing(
                            "reorder",
                            "{ probability = \"20%\", delay = \"500ms\" }",
                        ));
                    }
                },
            },
            FaultName::Partition => FaultKind::Partition {
                ways,
                hold: table.hold.as_ref().is_some_and(|hold| hold.value),
            },
            FaultName::PowerCut => FaultKind::PowerCut,
            FaultName::NatRebinding => FaultKind::NatRebinding,
            FaultName::ServerCrash => FaultKind::ServerCrash,
            FaultName::ServerPause => FaultKind::ServerPause,
            FaultName::Vanish => FaultKind::Vanish,
            FaultName::Reset => FaultKind::Reset,
            FaultName::Disconnect => FaultKind::Disconnect,
            FaultName::BatteryDeath => FaultKind::BatteryDeath,
            FaultName::SleepInHandshake => FaultKind::SleepInHandshake,
            FaultName::ReconnectStorm => FaultKind::ReconnectStorm,
            FaultName::ClockDrift => FaultKind::ClockDrift {
                drift_ppb: match &table.drift {
                    // At most 10^5 ppm, which is 10^8 ppb.
                    Some(drift) => libm::round(drift.value.0 * 1e3) as i32,
                    None => return Err(missing("drift", "\"500 ppm\"")),
                },
            },
            FaultName::Drop => FaultKind::Drop {
                times: table.times.as_ref().map_or(1, |times| times.value.0),
            },
        })
    }

    /// Times that end before the weather clears, at `clear`.
    fn times(
        &self,
        table: &FaultTable,
        rule: &Rule,
        clear: Duration,
    ) -> Result<Times, ScenarioError> {
        let Some(at) = &table.at else {
            let (label, help) = match (rule.place, rule.on) {
                (Place::Packet, _) => (
                    "which packet?",
                    "add `on = { packet = \"PUBREC\", from = \"server\" }`",
                ),
                (_, true) => (
                    "when?",
                    "add `at = \"6m\"`, a range `at = \"1m..5m\"`, or a packet `on = { packet = \"PUBACK\" }`",
                ),
                (_, false) => ("when?", "add `at = \"6m\"`, or a range `at = \"1m..5m\"`"),
            };
            let what = "a fault, but not when";
            return Err(self.error(&table.kind.span, Complaint::new(what, label, help)));
        };
        let begins = range(&at.value);
        if begins.max >= clear {
            return Err(self.error(
                &at.span,
                Complaint::new(
                    format!(
                        "a fault at {}, when the drain has begun at {}",
                        written(begins.max),
                        written(clear)
                    ),
                    "too late",
                    "the weather clears before the drain, so that what is owed can arrive: \
                     let it begin earlier, or make `duration` longer",
                ),
            ));
        }
        let lasts = match &table.r#for {
            None => None,
            Some(lasts) => Some(self.lasting(lasts, begins.max, clear)?),
        };
        let every = match &table.every {
            None => None,
            Some(every) => Some(self.turns(every, lasts, rule, &table.kind.span)?),
        };
        if let (None, Some(count)) = (every, &table.count)
            && count.value.0 > 1
            && begins.min == begins.max
        {
            return Err(self.error(
                &count.span,
                Complaint::new(
                    format!(
                        "{} faults at one moment",
                        figures::count(count.value.0.into())
                    ),
                    "all at once",
                    "add `every = \"10m\"`, or give `at` a range to draw them from: \"1m..5m\"",
                ),
            ));
        }
        Ok(Times {
            at: begins,
            lasts,
            every,
            count: table.count.as_ref().map(|count| count.value.0),
        })
    }

    /// How long a fault lasts that begins at `begins` at the latest.
    fn lasting(
        &self,
        lasts: &At<TimeSpan>,
        begins: Duration,
        clear: Duration,
    ) -> Result<TimeRange, ScenarioError> {
        let TimeRange { min, max } = range(&lasts.value);
        self.positive(
            &At {
                value: Time(min),
                span: lasts.span.clone(),
            },
            "a fault of no time",
        )?;
        let ends = begins.saturating_add(max);
        if ends > clear {
            return Err(self.error(
                &lasts.span,
                Complaint::new(
                    format!(
                        "a fault that ends at {}, when the drain has begun at {}",
                        written(ends),
                        written(clear)
                    ),
                    "too long",
                    "the weather clears before the drain, so that what is owed can arrive: \
                     leave `for` out to have it last until then, or make `duration` longer",
                ),
            ));
        }
        Ok(TimeRange { min, max })
    }

    /// From one beginning to the next.
    fn turns(
        &self,
        every: &At<Time>,
        lasts: Option<TimeRange>,
        rule: &Rule,
        kind: &Range<usize>,
    ) -> Result<Duration, ScenarioError> {
        let period = self.positive(every, "a fault that happens all the time")?;
        match lasts {
            None if rule.lasts => Err(self.error(
                kind,
                Complaint::new(
                    "a fault that comes again, but does not end",
                    "for how long?",
                    "add `for = \"90s\"`, less than `every`",
                ),
            )),
            Some(lasts) if lasts.max >= period => Err(self.error(
                &every.span,
                Complaint::new(
                    format!(
                        "a fault of {} that comes again after {}",
                        written(lasts.max),
                        written(period)
                    ),
                    "before it has ended",
                    "give `every` more, or `for` less",
                ),
            )),
            _ => Ok(period),
        }
    }

    fn target(
        &self,
        table: &FaultTable,
        rule: &Rule,
        sites: &[Site],
        fleets: &[Fleet],
    ) -> Result<Target, ScenarioError> {
        if rule.place == Place::Server {
            if let Some(At { value, span }) = &table.server
                && value.0 != "broker"
            {
                return Err(self.error(span, unknown("server", &value.0, &["broker"])));
            }
            return Ok(Target::Server(0));
        }
        let site_only = rule.place == Place::Site;
        match (&table.site, &table.fleet) {
            (Some(site), None) => {
                let index = self.site_index(site, sites)?;
                let devices = fleets.iter().filter(|fleet| fleet.site == index);
                let devices = devices.map(|fleet| u64::from(fleet.count)).sum();
                Ok(Target::Site(index, self.chosen(table, devices)?))
            }
            (None, Some(fleet)) => {
                let index = self.fleet_index(fleet, fleets)?;
                let devices = u64::from(fleets[index].count);
                Ok(Target::Fleet(index, self.chosen(table, devices)?))
            }
            (Some(_), Some(fleet)) => Err(self.error(
                &fleet.span,
                Complaint::new(
                    "a fault that strikes a site and a fleet",
                    "one of them",
                    "write a [[fault]] for each",
                ),
            )),
            (None, None) => Err(self.error(
                &table.kind.span,
                Complaint::new(
                    "a fault, but not where",
                    "where?",
                    if site_only {
                        format!("add `site = \"{}\"`", sites[0].name)
                    } else {
                        format!(
                            "add `site = \"{}\"` or `fleet = \"{}\"`",
                            sites[0].name, fleets[0].name
                        )
                    },
                ),
            )),
        }
    }

    fn site_index(&self, name: &At<Name>, sites: &[Site]) -> Result<usize, ScenarioError> {
        let known: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
        let index = known.iter().position(|known| *known == name.value.0);
        index.ok_or_else(|| self.error(&name.span, unknown("site", &name.value.0, &known)))
    }

    fn fleet_index(&self, name: &At<Name>, fleets: &[Fleet]) -> Result<usize, ScenarioError> {
        let known: Vec<&str> = fleets.iter().map(|fleet| fleet.name.as_str()).collect();
        let index = known.iter().position(|known| *known == name.value.0);
        index.ok_or_else(|| self.error(&name.span, unknown("fleet", &name.value.0, &known)))
    }

    /// Which of the `all` devices there are.
    fn chosen(&self, table: &FaultTable, all: u64) -> Result<Chosen, ScenarioError> {
        match (&table.devices, &table.share) {
            (None, None) => Ok(Chosen::All),
            (Some(devices), None) if u64::from(devices.value.0) <= all => {
                Ok(Chosen::Number(devices.value.0))
            }
            (Some(devices), None) => Err(self.error(
                &devices.span,
                Complaint::new(
                    format!(
                        "{} of {}",
                        figures::counted(devices.value.0.into(), "device"),
                        figures::count(all)
                    ),
                    "not that many",
                    "leave it out to strike all of them",
                ),
            )),
            (None, Some(share)) if share.value.0 > 0.0 => Ok(Chosen::Share(share.value.0)),
            (None, Some(share)) => Err(self.error(
                &share.span,
                Complaint::new(
                    "a fault that strikes nobody",
                    "no share at all",
                    "write more than \"0%\"",
                ),
            )),
            (Some(_), Some(share)) => Err(self.error(
                &share.span,
                Complaint::new(
                    "a number of devices and a share of them",
                    "one of them",
                    "write `devices = 3` or `share = \"10%\"`",
                ),
            )),
        }
    }

    fn trigger(
        &self,
        on: &At<TriggerTable>,
        kind: &FaultKind,
        fleets: &[Fleet],
    ) -> Result<Trigger, ScenarioError> {
        let table = &on.value;
        let packet = packet_type(table.packet.value);
        let fleet = match &table.fleet {
            None => None,
            Some(fleet) => Some(self.fleet_index(fleet, fleets)?),
        };
        if let Some(qos) = &table.qos
            && packet != PacketType::Publish
        {
            return Err(self.error(
                &qos.span,
                Complaint::new(
                    format!("{} has no QoS", packet.name()),
                    "only of PUBLISH",
                    "leave it out: PUBACK is of QoS 1, PUBREC, PUBREL and PUBCOMP of QoS 2",
                ),
            ));
        }
        let from = self.sender(table, packet, kind)?;
        if let Some(device) = &table.device {
            let count = fleet.map(|fleet| fleets[fleet].count);
            if count.is_none_or(|count| device.value.0 > count) {
                let (what, label, help) = match count {
                    None => ("a device of no fleet", "of which fleet?", "add `fleet`"),
                    Some(_) => (
                        "a device that the fleet does not have",
                        "no such device",
                        "devices count from 1",
                    ),
                };
                return Err(self.error(&device.span, Complaint::new(what, label, help)));
            }
        }
        if let (Some(lost), FaultKind::Drop { .. }) = (&table.lost, kind) {
            return Err(self.error(
                &lost.span,
                Complaint::new(
                    "a packet that is dropped is lost",
                    "nothing to choose",
                    "leave it out; to lose the answer, let `nat-rebinding` strike with `lost = false`",
                ),
            ));
        }
        Ok(Trigger {
            packet,
            from,
            nth: table.nth.map_or(1, |nth| nth.0),
            qos: table.qos.as_ref().map(|qos| qos.value.0),
            fleet,
            device: table.device.as_ref().map(|device| device.value.0),
            lost: table.lost.as_ref().is_none_or(|lost| lost.value),
        })
    }

    fn sender(
        &self,
        table: &TriggerTable,
        packet: PacketType,
        kind: &FaultKind,
    ) -> Result<Option<Sender>, ScenarioError> {
        let given = table.from.as_ref().map(|from| match from.value {
            SenderName::Client => Sender::Client,
            SenderName::Server => Sender::Server,
        });
        let from = given.or(packet.sender());
        let span = table
            .from
            .as_ref()
            .map_or(&table.packet.span, |from| &from.span);
        if packet.sender().is_some_and(|only| Some(only) != from) {
            let only = match packet.sender() {
                Some(Sender::Server) => "the server",
                _ => "clients",
            };
            return Err(self.error(
                span,
                Complaint::new(
                    format!("only {only} sends {}", packet.name()),
                    "never",
                    "leave `from` out",
                ),
            ));
        }
        if matches!(kind, FaultKind::ServerCrash) && from != Some(Sender::Server) {
            return Err(self.error(
                span,
                Complaint::new(
                    "a server crashes when it sends a packet, not when a client does",
                    "whose packet?",
                    "write `from = \"server\"` and a packet that it sends, such as \"PUBACK\"",
                ),
            ));
        }
        Ok(from)
    }
}

fn range(span: &TimeSpan) -> TimeRange {
    TimeRange {
        min: span.0,
        max: span.1,
    }
}

fn packet_type(name: PacketName) -> PacketType {
    match name {
        PacketName::Connect => PacketType::Connect,
        PacketName::Connack => PacketType::Connack,
        PacketName::Publish => PacketType::Publish,
        PacketName::Puback => PacketType::Puback,
        PacketName::Pubrec => PacketType::Pubrec,
        PacketName::Pubrel => PacketType::Pubrel,
        PacketName::Pubcomp => PacketType::Pubcomp,
        PacketName::Subscribe => PacketType::Subscribe,
        PacketName::Suback => PacketType::Suback,
        PacketName::Unsubscribe => PacketType::Unsubscribe,
        PacketName::Unsuback => PacketType::Unsuback,
        PacketName::Pingreq => PacketType::Pingreq,
        PacketName::Pingresp => PacketType::Pingresp,
        PacketName::Disconnect => PacketType::Disconnect,
    }
}
