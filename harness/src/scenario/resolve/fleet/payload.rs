//! What readings hold.

use std::path::Path;
use std::time::Duration;

use super::super::super::diagnostic::ScenarioError;
use super::super::super::document::fleet::PayloadTable;
use super::super::super::document::scalar::{Decimals, UnitName};
use super::super::super::document::value::At;
use super::super::super::fleet::Payload;
use super::super::super::text::Complaint;
use super::super::Resolver;

impl Resolver<'_> {
    pub(super) fn payload(&self, table: PayloadTable) -> Result<Payload, ScenarioError> {
        Ok(match table {
            PayloadTable::Json {
                unit,
                decimals,
                min,
                max,
            } => {
                let (min, max) = self.values(min, max, 100.0)?;
                Payload::Json {
                    unit: unit_name(unit),
                    decimals: digits(decimals),
                    min,
                    max,
                }
            }
            PayloadTable::Fixed { bytes } => Payload::Fixed {
                bytes: self.within(
                    &bytes.span,
                    bytes.value.0,
                    Payload::BYTES_MIN..=268_000_000,
                    "a reading",
                    "at least 18 bytes, which hold the id that every reading carries",
                )?,
            },
            PayloadTable::RandomWalk {
                unit,
                decimals,
                min,
                max,
                step,
            } => {
                let (min, max) = self.values(min, max, 40.0)?;
                Payload::RandomWalk {
                    unit: unit_name(unit),
                    decimals: digits(decimals),
                    min,
                    max,
                    step: self.value(step, 0.5)?,
                }
            }
            PayloadTable::Sine {
                unit,
                decimals,
                mean,
                amplitude,
                period,
            } => Payload::Sine {
                unit: unit_name(unit),
                decimals: digits(decimals),
                mean: self.value(mean, 20.0)?,
                amplitude: self.value(amplitude, 5.0)?,
                period: match period {
                    None => Duration::from_secs(86_400),
                    Some(period) => self.positive(&period, "a swing of no time")?,
                },
            },
            PayloadTable::Empty {} => Payload::Empty,
            PayloadTable::File { path } => self.lines(&path)?,
        })
    }

    fn values(
        &self,
        min: Option<At<f64>>,
        max: Option<At<f64>>,
        otherwise: f64,
    ) -> Result<(f64, f64), ScenarioError> {
        let span = max
            .as_ref()
            .or(min.as_ref())
            .map_or(0..0, |at| at.span.clone());
        let (min, max) = (self.value(min, 0.0)?, self.value(max, otherwise)?);
        if min > max {
            let complaint = Complaint::new(
                format!("values from {min} down to {max}"),
                "the wrong way round",
                "`min` is at most `max`",
            );
            return Err(self.error(&span, complaint));
        }
        Ok((min, max))
    }

    fn value(&self, value: Option<At<f64>>, otherwise: f64) -> Result<f64, ScenarioError> {
        match value {
            None => Ok(otherwise),
            Some(value) if value.value.is_finite() => Ok(value.value),
            Some(value) => Err(self.error(
                &value.span,
                Complaint::new("a value without end", "not finite", "write a number"),
            )),
        }
    }

    fn lines(&self, path: &At<String>) -> Result<Payload, ScenarioError> {
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let file = beside.join(&path.value);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let complaint = Complaint::new(
                format!("cannot read {}: {error}", file.display()),
                "no such readings",
                "the path is relative to the scenario",
            );
            self.error(&path.span, complaint)
        })?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.is_empty() {
            let complaint = Complaint::new(
                format!("{} has no lines", file.display()),
                "an empty file",
                "each line is one reading",
            );
            return Err(self.error(&path.span, complaint));
        }
        Ok(Payload::File { path: file, lines })
    }
}

fn unit_name(unit: Option<UnitName>) -> String {
    unit.map_or_else(|| "value".to_owned(), |unit| unit.0)
}

fn digits(decimals: Option<Decimals>) -> u8 {
    decimals.map_or(1, |decimals| decimals.0)
}

pub(super) fn default_payload() -> Payload {
    Payload::Json {
        unit: unit_name(None),
        decimals: digits(None),
        min: 0.0,
        max: 100.0,
    }
}
