//! What a reading's payload looks like, and how to find its id again.
//!
//! | kind | payload | least size |
//! |---|---|---|
//! | [`Payload::Json`] | `{"id":"3f2a.9","degC":21.4}` | 15 bytes and the unit, plus id and value |
//! | [`Payload::Fixed`] | `#3f2a.9 xxxxxxxx` | [`FIXED_SIZE_MIN`] bytes |
//! | [`Payload::Empty`] | nothing, and so no id | 0 bytes |
//! | [`Payload::Lines`] | `#3f2a.9 <line>` | 2 bytes and the line, plus id |
//!
//! The id is the payload's first field in all others, so that [`id_of`] looks at a few
//! bytes only.

use crate::id::{DeviceId, MessageId};
use crate::random::{Draw, Purpose};
use bytes::Bytes;
use std::io::Write;
use std::time::Duration;

/// Least size of a [`Payload::Fixed`], in bytes: `#` and the longest id.
pub const FIXED_SIZE_MIN: usize = 1 + MessageId::TEXT_LEN_MAX;

const JSON_START: &[u8] = b"{\"id\":\"";

/// What a reading's payload is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// A JSON object of two fields: the reading's id, and a figure named after its unit.
    Json {
        /// Name of the figure's field, such as `degC`; no character that JSON escapes.
        unit: String,
        /// Digits after the decimal point, at most 9.
        decimals: u8,
        /// How the figure goes from reading to reading.
        signal: Signal,
    },
    /// The id, and filler up to `bytes`, which is at least [`FIXED_SIZE_MIN`].
    Fixed {
        /// Size of the whole payload.
        bytes: usize,
    },
    /// No bytes at all. Retained, it clears its topic's value [MQTT311-3.3.1-10].
    /// Such a reading has an id as any other, and loses it on its way.
    Empty,
    /// The id and one line of a text, the lines taken in turn; at least one.
    Lines(Vec<String>),
}

/// How a measured figure goes from reading to reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Signal {
    /// Independent figures, uniform from `min` to `max`.
    Uniform {
        /// Least figure.
        min: f64,
        /// Greatest figure.
        max: f64,
    },
    /// Starts anywhere between `min` and `max` and moves by up to `step` from
    /// one reading to the next, staying within.
    RandomWalk {
        /// Least figure.
        min: f64,
        /// Greatest figure.
        max: f64,
        /// Longest move.
        step: f64,
    },
    /// `mean + amplitude * sin(2 pi t / period)`, `t` since the fleet was started.
    Sine {
        /// Middle.
        mean: f64,
        /// Greatest distance from the middle.
        amplitude: f64,
        /// Time of one wave; not zero.
        period: Duration,
    },
}

/// What a payload is computed from.
pub(crate) struct Moment {
    pub(crate) seed: u64,
    pub(crate) device: DeviceId,
    /// The reading's number, from 1.
    pub(crate) sequence: u32,
    /// Since the fleet was started.
    pub(crate) elapsed: Duration,
}

impl Payload {
    /// The payload of one reading. `last` is the device's latest figure, which a
    /// random walk goes on from.
    pub(crate) fn render(&self, moment: &Moment, last: &mut f64) -> Bytes {
        let id = MessageId::new(moment.device, moment.sequence);
        let mut text = Vec::with_capacity(self.size_hint());
        // Writing to a Vec cannot fail.
        let _ = match self {
            Self::Json {
                unit,
                decimals,
                signal,
            } => {
                *last = signal.next(moment, *last);
                let decimals = usize::from(*decimals);
                write!(text, "{{\"id\":\"{id}\",\"{unit}\":{:.decimals$}}}", *last)
            }
            Self::Fixed { bytes } => {
                let written = write!(text, "#{id}");
                if text.len() < *bytes {
                    text.push(b' ');
                    text.resize(*bytes, b'x');
                }
                written
            }
            Self::Empty => Ok(()),
            Self::Lines(lines) => {
                let line = &lines[(moment.sequence as usize - 1) % lines.len()];
                write!(text, "#{id} {line}")
            }
        };
        Bytes::from(text)
    }

    fn size_hint(&self) -> usize {
        match self {
            Self::Json { unit, .. } => 40 + unit.len(),
            Self::Fixed { bytes } => *bytes,
            Self::Empty => 0,
            Self::Lines(_) => 64,
        }
    }
}

impl Signal {
    fn next(&self, moment: &Moment, last: f64) -> f64 {
        let count = u64::from(moment.sequence);
        let mut draw = Draw::new(moment.seed, Purpose::Payload, moment.device, count);
        match *self {
            Self::Uniform { min, max } => min + (max - min) * draw.unit(),
            Self::RandomWalk { min, max, .. } if moment.sequence == 1 => {
                min + (max - min) * draw.unit()
            }
            Self::RandomWalk { min, max, step } => {
                (last + step * (2.0 * draw.unit() - 1.0)).clamp(min, max)
            }
            Self::Sine {
                mean,
                amplitude,
                period,
            } => {
                // The remainder is taken in nanoseconds, so that a long run
                // loses no precision.
                let period = period.as_nanos().max(1);
                let phase = (moment.elapsed.as_nanos() % period) as f64 / period as f64;
                mean + amplitude * libm::sin(phase * std::f64::consts::TAU)
            }
        }
    }
}

/// The reading that a payload carries; `None` if it is not one of ours.
#[must_use]
pub fn id_of(payload: &[u8]) -> Option<MessageId> {
    let (rest, end) = match payload.strip_prefix(JSON_START) {
        Some(rest) => (rest, b'"'),
        None => (payload.strip_prefix(b"#")?, b' '),
    };
    let window = &rest[..rest.len().min(MessageId::TEXT_LEN_MAX + 1)];
    match window.iter().position(|&byte| byte == end) {
        Some(length) => MessageId::parse(&window[..length]),
        // A fixed-size payload may end with its id.
        None if end == b' ' && window.len() == rest.len() => MessageId::parse(window),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn moment(sequence: u32, elapsed_s: u64) -> Moment {
        Moment {
            seed: 7,
            device: DeviceId(0x3f2a),
            sequence,
            elapsed: Duration::from_secs(elapsed_s),
        }
    }

    fn json(signal: Signal) -> Payload {
        Payload::Json {
            unit: "degC".to_owned(),
            decimals: 1,
            signal,
        }
    }

    fn lines() -> Payload {
        Payload::Lines(vec!["one".to_owned(), "two".to_owned()])
    }

    const SINE: Signal = Signal::Sine {
        mean: 20.0,
        amplitude: 5.0,
        period: Duration::from_secs(40),
    };

    #[rstest]
    #[case(json(SINE), 1, 0, r##"{"id":"3f2a.1","degC":20.0}"##)]
    #[case(json(SINE), 9, 10, r##"{"id":"3f2a.9","degC":25.0}"##)]
    #[case(json(SINE), 10, 70, r##"{"id":"3f2a.a","degC":15.0}"##)]
    #[case(Payload::Fixed { bytes: 18 }, 9, 0, "#3f2a.9 xxxxxxxxxx")]
    #[case(Payload::Fixed { bytes: 18 }, u32::MAX, 0, "#3f2a.ffffffff xxx")]
    #[case(lines(), 1, 0, "#3f2a.1 one")]
    #[case(lines(), 2, 0, "#3f2a.2 two")]
    #[case(lines(), 3, 0, "#3f2a.3 one")]
    fn looks_like(
        #[case] payload: Payload,
        #[case] sequence: u32,
        #[case] elapsed_s: u64,
        #[case] expected: &str,
    ) {
        let rendered = payload.render(&moment(sequence, elapsed_s), &mut 0.0);
        assert_eq!(std::str::from_utf8(&rendered), Ok(expected));
        let id = MessageId::new(DeviceId(0x3f2a), sequence);
        assert_eq!(id_of(&rendered), Some(id));
    }

    #[test]
    fn the_least_fixed_size_holds_the_longest_id() {
        let last = Moment {
            device: DeviceId(u32::MAX),
            ..moment(u32::MAX, 0)
        };
        let rendered = Payload::Fixed {
            bytes: FIXED_SIZE_MIN,
        }
        .render(&last, &mut 0.0);
        assert_eq!(rendered.len(), FIXED_SIZE_MIN);
        assert_eq!(id_of(&rendered), Some(MessageId(u64::MAX)));
    }

    #[rstest]
    #[case(b"")]
    #[case(b"#")]
    #[case(b"offline")]
    #[case(b"3f2a.9")]
    #[case(b"#3f2a.9x")]
    #[case(b"#3f2a.9\"")]
    #[case(b"{\"id\":\"3f2a.9")]
    #[case(b"{\"id\":\"3f2a.9 ")]
    #[case(b"{\"id\":3}")]
    #[case(b"#ffffffff.fffffffff")]
    #[case(&[0xff, 0x00])]
    fn no_id_in(#[case] payload: &[u8]) {
        assert_eq!(id_of(payload), None);
    }

    #[rstest]
    #[case(Signal::Uniform { min: -5.0, max: 5.0 }, 10.0)]
    #[case(Signal::RandomWalk { min: -5.0, max: 5.0, step: 0.5 }, 0.5)]
    fn a_signal_stays_within_its_bounds_and_moves(#[case] signal: Signal, #[case] step: f64) {
        let mut last = 0.0;
        let mut distinct = std::collections::BTreeSet::new();
        for sequence in 1..1_000 {
            let figure = signal.next(&moment(sequence, 0), last);
            assert!((-5.0..=5.0).contains(&figure));
            assert!(sequence == 1 || (figure - last).abs() <= step);
            distinct.insert(figure.to_bits());
            last = figure;
        }
        assert!(distinct.len() > 900);
    }

    #[test]
    fn json_is_json() {
        let walk = json(Signal::RandomWalk {
            min: 0.0,
            max: 40.0,
            step: 0.3,
        });
        let mut last = 0.0;
        for sequence in 1..100 {
            let rendered = walk.render(&moment(sequence, 0), &mut last);
            let value: serde_json::Value = serde_json::from_slice(&rendered).unwrap();
            assert!((value["degC"].as_f64().unwrap() - last).abs() <= 0.05);
        }
    }
}
