//! Faults: which keys go with which kind, names looked up, and times that the
//! run has room for.

mod rule;
mod target;
mod times;
mod trigger;

use std::ops::Range;
use std::time::Duration;

use super::super::diagnostic::ScenarioError;
use super::super::document::fault::{FaultName, FaultTable, WaysName};
use super::super::document::link::{BurstTable, ReorderTable};
use super::super::document::value::At;
use super::super::fault::{Fault, FaultKind, Target, Ways, When};
use super::super::link::{GilbertElliott, Reorder};
use super::super::text::Complaint;
use super::super::{Fleet, Site};
use super::Resolver;
use rule::{Place, Rule};

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
                    Some(loss) if loss.value.0 > 0.0 => loss.value.0,
                    Some(loss) => return Err(self.idle(&loss.span, "a loss of no packet")),
                    None => return Err(missing("loss", "\"30%\"")),
                },
            },
            FaultName::BurstLoss => FaultKind::BurstLoss {
                ways,
                burst: match &table.burst {
                    Some(burst) => self.lossy_burst(burst)?,
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
                    Some(latency) => match self.latency(latency)? {
                        added if added.is_nothing() => {
                            return Err(self.idle(&latency.span, "a latency of nothing"));
                        }
                        added => added,
                    },
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
                    Some(duplicate) if duplicate.value.0 > 0.0 => duplicate.value.0,
                    Some(duplicate) => {
                        return Err(self.idle(&duplicate.span, "a duplication of no packet"));
                    }
                    None => return Err(missing("duplicate", "\"20%\"")),
                },
            },
            FaultName::Reordering => FaultKind::Reordering {
                ways,
                reorder: match &table.reorder {
                    Some(reorder) => self.reordering(reorder)?,
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
                    Some(drift) => match libm::round(drift.value.0 * 1e3) as i32 {
                        0 => return Err(self.idle(&drift.span, "a drift of nothing")),
                        drift_ppb => drift_ppb,
                    },
                    None => return Err(missing("drift", "\"500 ppm\"")),
                },
            },
            FaultName::Drop => FaultKind::Drop {
                times: table.times.as_ref().map_or(1, |times| times.value.0),
            },
        })
    }

    /// A burst in whose bad state, or else good state, packets are lost.
    fn lossy_burst(&self, burst: &At<BurstTable>) -> Result<GilbertElliott, ScenarioError> {
        let resolved = self.burst(burst)?;
        let loses_when_bad = resolved.enter > 0.0 && resolved.loss_bad > 0.0;
        if !loses_when_bad && resolved.loss_good <= 0.0 {
            return Err(self.idle(&burst.span, "a burst that loses no packet"));
        }
        Ok(resolved)
    }

    fn reordering(&self, reorder: &At<ReorderTable>) -> Result<Reorder, ScenarioError> {
        let resolved = Reorder {
            probability: reorder.value.probability.0,
            delay: reorder.value.delay.0,
        };
        if resolved.probability <= 0.0 || resolved.delay.is_zero() {
            return Err(self.idle(&reorder.span, "a reordering that holds no packet back"));
        }
        Ok(resolved)
    }

    /// A fault that would be told of, and do nothing.
    fn idle(&self, span: &Range<usize>, what: &str) -> ScenarioError {
        let help = "write more than nothing, or leave the fault out";
        self.error(span, Complaint::new(what, "no effect", help))
    }
}
