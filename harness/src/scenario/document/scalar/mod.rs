//! The scalars of the language: each parses into a valid figure or complains,
//! and describes itself to editors.

mod amount;
mod mqtt;
mod name;
mod time;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::super::text::Complaint;

pub(crate) use amount::{AliasMaximum, Bytes, Count, Decimals, Queue, Rate, Share, Size};
pub(crate) use mqtt::{ClientId, KeepAlive, Qos, ReadingTopic, TopicFilter, TopicName};
pub(crate) use name::{GuaranteeName, Line, Name, QuirkName, UnitName};
pub(crate) use time::{Drift, Seconds, SignedDrift, Time, TimeSpan};

/// A value that is one string or one number.
trait Scalar: Sized {
    /// What serde says was expected, after "expected".
    const EXPECTED: &'static str;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        Err(mismatch::<Self>(&format!("the string \"{text}\"")))
    }

    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Err(mismatch::<Self>(&format!("the number {integer}")))
    }

    fn from_float(float: f64) -> Result<Self, Complaint> {
        Err(mismatch::<Self>(&format!("the number {float}")))
    }

    /// Name and JSON Schema.
    fn describe() -> (&'static str, Schema);
}

fn mismatch<T: Scalar>(found: &str) -> Complaint {
    Complaint::new(
        format!("expected {}, found {found}", T::EXPECTED),
        "wrong type",
        "",
    )
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<T: Scalar> Visitor<'_> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        T::from_text(value).map_err(E::custom)
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        T::from_integer(value).map_err(E::custom)
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        T::from_float(value).map_err(E::custom)
    }
}

macro_rules! scalars {
    ($($name:ident),+ $(,)?) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ScalarVisitor(PhantomData))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Self::describe().0.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                Self::describe().1
            }
        }
    )+ };
}

scalars!(
    Time,
    Seconds,
    TimeSpan,
    Rate,
    Size,
    Queue,
    Share,
    Drift,
    SignedDrift,
    Count,
    Bytes,
    AliasMaximum,
    Name,
    Line,
    Qos,
    TopicName,
    ReadingTopic,
    TopicFilter,
    ClientId,
    KeepAlive,
    UnitName,
    Decimals,
    QuirkName,
    GuaranteeName
);
