//! Bounds in `[expect]`: `"<= 3s"`, `">= 99%"`, `"100% of acknowledged"`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::super::expect::{Expectation, Metric, Relation, Unit, Whole};
use super::super::text::{self, Complaint};

/// A bound on a figure measured in `U`.
#[derive(Clone, Debug)]
pub(crate) struct Bound<U> {
    relation: Relation,
    limit: f64,
    of: Whole,
    text: String,
    unit: PhantomData<U>,
}

impl<U> Bound<U> {
    pub(crate) fn on(self, metric: Metric) -> Expectation {
        Expectation {
            metric,
            relation: self.relation,
            limit: self.limit,
            of: self.of,
            text: self.text,
        }
    }
}

/// What the figure of a bound is measured in.
pub(crate) trait Measure {
    const UNIT: Unit;
    const NAME: &'static str;
    const EXAMPLES: [&'static str; 2];
}

macro_rules! measures {
    ($($name:ident = $unit:ident, $schema:literal, $examples:expr;)+) => { $(
        #[derive(Clone, Debug)]
        pub(crate) enum $name {}
        impl Measure for $name {
            const UNIT: Unit = Unit::$unit;
            const NAME: &'static str = $schema;
            const EXAMPLES: [&'static str; 2] = $examples;
        }
    )+ };
}

measures! {
    OfShare = Share, "ShareBound", [">= 99%", "100%"];
    OfWhole = Share, "DeliveredBound", [">= 99%", "100% of acknowledged"];
    OfTime = Nanoseconds, "DurationBound", ["<= 3s", "< 150ms"];
    OfBytes = Bytes, "SizeBound", ["<= 180", "<= 4 KiB"];
    OfThings = Count, "CountBound", ["<= 10", "= 0"];
}

const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("==", Relation::Equal),
    ("<", Relation::LessThan),
    (">", Relation::MoreThan),
    ("=", Relation::Equal),
];

impl<U: Measure> Bound<U> {
    fn parse(text: &str) -> Result<Self, Complaint> {
        let help = || {
            let [first, second] = U::EXAMPLES;
            format!("write a relation and a figure: \"{first}\", \"{second}\"")
        };
        let trimmed = text.trim();
        let (relation, figure) = RELATIONS
            .iter()
            .find_map(|(sign, relation)| Some((Some(*relation), trimmed.strip_prefix(sign)?)))
            .unwrap_or((None, trimmed));
        let (figure, of) = split_whole(figure.trim());
        let (of, limit) = match (of, figure_in(U::UNIT, figure)) {
            (Ok(of), Some(limit)) => (of, limit),
            _ => {
                return Err(Complaint::new(
                    format!("`{text}` is not a bound"),
                    "not a bound",
                    help(),
                ));
            }
        };
        if of == Whole::Acknowledged && U::NAME != OfWhole::NAME {
            return Err(Complaint::new(
                "only `delivered` can be a share of what was acknowledged",
                "of what?",
                help(),
            ));
        }
        let relation = match (relation, U::UNIT) {
            (Some(relation), _) => relation,
            // A bare "100%" can only mean all of it; a bare "3s" hardly means
            // three seconds to the nanosecond.
            (None, Unit::Share | Unit::Count) => Relation::Equal,
            (None, Unit::Nanoseconds | Unit::Bytes) => {
                return Err(Complaint::new(
                    format!("`{text}` does not say which way it bounds"),
                    "at most? at least?",
                    format!("write \"<= {figure}\" or \">= {figure}\""),
                ));
            }
        };
        Ok(Self {
            relation,
            limit,
            of,
            text: text.to_owned(),
            unit: PhantomData,
        })
    }
}

/// `"100% of acknowledged"` into its two halves.
fn split_whole(text: &str) -> (&str, Result<Whole, ()>) {
    match text.split_once(" of ") {
        None => (text, Ok(Whole::Published)),
        Some((figure, whole)) => {
            let whole = match whole.trim() {
                "published" => Ok(Whole::Published),
                "acknowledged" => Ok(Whole::Acknowledged),
                _ => Err(()),
            };
            (figure.trim(), whole)
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a bound of more than 2^53 nanoseconds (104 days) or bytes needs no exactness"
)]
fn figure_in(unit: Unit, text: &str) -> Option<f64> {
    match unit {
        Unit::Share => text::percentage(text)
            .ok()
            .filter(|share| (0.0..=1.0).contains(share)),
        Unit::Count => text::count(text).map(|count| count as f64),
        Unit::Nanoseconds => text::duration(text).ok().map(|time| time.as_nanos() as f64),
        Unit::Bytes => text::size(text).ok().map(|bytes| bytes as f64),
    }
}

impl<'de, U: Measure> Deserialize<'de> for Bound<U> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoundVisitor<U>(PhantomData<U>);

        impl<U: Measure> Visitor<'_> for BoundVisitor<U> {
            type Value = Bound<U>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a bound such as \"{}\"", U::EXAMPLES[0])
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
                Bound::parse(value).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                Bound::parse(&value.to_string()).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(BoundVisitor(PhantomData))
    }
}

impl<U: Measure> JsonSchema for Bound<U> {
    fn schema_name() -> Cow<'static, str> {
        U::NAME.into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "A bound: a relation (<=, <, >=, >, =) and a figure.",
            "examples": U::EXAMPLES,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("100%", Some((Relation::Equal, 1.0, Whole::Published)))]
    #[case(">= 99%", Some((Relation::AtLeast, 0.99, Whole::Published)))]
    #[case(">99.5 %", Some((Relation::MoreThan, 0.995, Whole::Published)))]
    #[case("100% of acknowledged", Some((Relation::Equal, 1.0, Whole::Acknowledged)))]
    #[case("== 100% of published", Some((Relation::Equal, 1.0, Whole::Published)))]
    #[case("101%", None)]
    #[case("100% of everything", None)]
    #[case("<= 3s", None)]
    fn shares(#[case] text: &str, #[case] expected: Option<(Relation, f64, Whole)>) {
        let bound = Bound::<OfWhole>::parse(text).ok();
        assert_eq!(bound.map(|b| (b.relation, b.limit, b.of)), expected);
    }

    #[rstest]
    #[case("<= 3s", Some((Relation::AtMost, 3e9)))]
    #[case("< 1h30m", Some((Relation::LessThan, 5.4e12)))]
    #[case("3s", None)]
    #[case("<= 3", None)]
    #[case("<= 3s of acknowledged", None)]
    fn durations(#[case] text: &str, #[case] expected: Option<(Relation, f64)>) {
        let bound = Bound::<OfTime>::parse(text).ok();
        assert_eq!(bound.map(|b| (b.relation, b.limit)), expected);
    }

    #[rstest]
    #[case("0", Some((Relation::Equal, 0.0)))]
    #[case(">= 1_000", Some((Relation::AtLeast, 1000.0)))]
    #[case("<= -1", None)]
    fn counts(#[case] text: &str, #[case] expected: Option<(Relation, f64)>) {
        let bound = Bound::<OfThings>::parse(text).ok();
        assert_eq!(bound.map(|b| (b.relation, b.limit)), expected);
    }
}
