//! Lifecycles: when devices of a fleet are up.

use std::ops::Range;
use std::time::Duration;

use super::super::super::diagnostic::ScenarioError;
use super::super::super::document::fleet::{LifecycleTable, SpanValue};
use super::super::super::document::scalar::Time;
use super::super::super::document::value::{At, Either};
use super::super::super::fleet::{Lifecycle, Span};
use super::super::super::text::{Complaint, written};
use super::super::Resolver;

/// How long a periodic device that subscribes listens, unless told.
const LISTEN: Duration = Duration::from_secs(5);

impl Resolver<'_> {
    pub(super) fn lifecycle(
        &self,
        table: LifecycleTable,
        subscribes: bool,
    ) -> Result<Lifecycle, ScenarioError> {
        let up_time = "a device that is never up";
        Ok(match table {
            LifecycleTable::AlwaysOn {} => Lifecycle::AlwaysOn,
            LifecycleTable::Periodic {
                every,
                jitter,
                readings,
                gap,
                listen,
                awake_max,
            } => {
                let period = self.positive(&every, "a device that wakes all the time")?;
                let readings = readings.map_or(1, |count| count.0);
                let gap = match gap {
                    None => Duration::from_secs(1),
                    Some(gap) => self.positive(&gap, "readings all at one moment")?,
                };
                let span = awake_max.as_ref().map_or(&every.span, |time| &time.span);
                let awake = match &awake_max {
                    None => Duration::from_secs(60).min(period / 2),
                    Some(time) => self.positive(time, up_time)?,
                };
                let taking = gap.saturating_mul(readings.saturating_sub(1));
                if awake <= taking {
                    return Err(self.error(span, not_awake_enough(readings, taking, awake)));
                }
                let listen = match listen {
                    None if subscribes => LISTEN.min(awake / 2),
                    None => Duration::ZERO,
                    Some(time) if time.value.0 < awake => time.value.0,
                    Some(time) => {
                        return Err(
                            self.error(&time.span, listens_in_its_sleep(time.value.0, awake))
                        );
                    }
                };
                Lifecycle::Periodic {
                    jitter: self.jitter(jitter, period)?,
                    every: period,
                    readings,
                    gap,
                    listen,
                    awake_max: awake,
                }
            }
            LifecycleTable::Random { up, down, graceful } => Lifecycle::Random {
                up: self.span(&up)?,
                down: self.span(&down)?,
                graceful: graceful.unwrap_or(false),
            },
            LifecycleTable::Flapping { up, down, graceful } => Lifecycle::Flapping {
                up: self.positive(&up, up_time)?,
                down: self.positive(&down, "a device that is never down does not flap")?,
                graceful: graceful.unwrap_or(false),
            },
            LifecycleTable::Once { stay, graceful } => Lifecycle::Once {
                stay: match stay {
                    None => None,
                    Some(stay) => Some(self.positive(&stay, up_time)?),
                },
                graceful: graceful.unwrap_or(true),
            },
        })
    }

    fn span(&self, span: &SpanValue) -> Result<Span, ScenarioError> {
        let fixed = |time: &Time, span: &Range<usize>| {
            let at = At {
                value: *time,
                span: span.clone(),
            };
            self.positive(&at, "a time of nothing")
        };
        let table = match &span.value {
            Either::Short(time) => return Ok(Span::Fixed(fixed(time, &span.span)?)),
            Either::Table(table) => table,
        };
        match (&table.exponential, &table.uniform) {
            (Some(mean), None) => Ok(Span::Exponential {
                mean: fixed(&mean.value, &mean.span)?,
            }),
            (None, Some(range)) => {
                let (min, max) = self.range(range)?;
                fixed(&Time(max), &range.span)?;
                Ok(Span::Uniform { min, max })
            }
            _ => Err(self.error(
                &span.span,
                Complaint::new(
                    "a time that is not exactly one distribution",
                    "which one?",
                    "write \"10m\", { exponential = \"10m\" } or { uniform = [\"5m\", \"15m\"] }",
                ),
            )),
        }
    }
}

/// A device that goes back to sleep before it has taken its readings.
fn not_awake_enough(readings: u32, taking: Duration, awake: Duration) -> Complaint {
    Complaint::new(
        format!(
            "{readings} readings take {}, and the device is awake for {} at most",
            written(taking),
            written(awake)
        ),
        "asleep before the last reading",
        "give `awake_max` more, `gap` less, or take fewer readings",
    )
}

/// A device that goes back to sleep before it has listened for as long as it should.
fn listens_in_its_sleep(listen: Duration, awake: Duration) -> Complaint {
    Complaint::new(
        format!(
            "a device that listens for {} and is awake for {} at most",
            written(listen),
            written(awake)
        ),
        "asleep by then",
        "`listen` is less than `awake_max`, which is a minute unless given, and at most half of `every`",
    )
}
