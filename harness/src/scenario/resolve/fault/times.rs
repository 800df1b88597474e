//! When faults strike and how long they last, within what the run has room for.

use std::ops::Range;
use std::time::Duration;

use squall_reports::figures;

use super::super::super::diagnostic::ScenarioError;
use super::super::super::document::fault::FaultTable;
use super::super::super::document::scalar::{Count, Time, TimeSpan};
use super::super::super::document::value::At;
use super::super::super::fault::{TimeRange, Times};
use super::super::super::text::{Complaint, written};
use super::super::Resolver;
use super::rule::{Place, Rule};

impl Resolver<'_> {
    /// Times that end before the weather clears, at `clear`.
    pub(super) fn times(
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
        if let (Some(period), Some(count)) = (every, &table.count) {
            self.room_for_turns(count, begins.max, period, lasts, clear)?;
        }
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
    pub(super) fn lasting(
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

    /// Refuses more turns of `every` than are over before the weather clears,
    /// if the first begins at `begins`.
    fn room_for_turns(
        &self,
        count: &At<Count>,
        begins: Duration,
        period: Duration,
        lasts: Option<TimeRange>,
        clear: Duration,
    ) -> Result<(), ScenarioError> {
        let after_first = period.saturating_mul(count.value.0 - 1);
        let last = begins.saturating_add(after_first);
        let ends = last.saturating_add(lasts.map_or(Duration::ZERO, |lasts| lasts.max));
        if last < clear && ends <= clear {
            return Ok(());
        }
        Err(self.error(
            &count.span,
            Complaint::new(
                format!(
                    "{} whose last is over at {}, when the drain has begun at {}",
                    figures::counted(count.value.0.into(), "turn"),
                    written(ends),
                    written(clear)
                ),
                "too many",
                "leave `count` out to have it come again until then, or make `duration` longer",
            ),
        ))
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
}

fn range(span: &TimeSpan) -> TimeRange {
    TimeRange {
        min: span.0,
        max: span.1,
    }
}
