//! Where a value stands on an axis, and which values are marked there.
//!
//! Places are integers, and the logarithm is libm's, so that the same figures are
//! the same picture on every machine.

use crate::figures::exact_duration;

/// Places of a decade on a logarithmic axis.
const DECADE: f64 = 1_000_000.0;

/// Steps of time that a person counts in, in nanoseconds, beyond a second.
const TIMES: [u64; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 432_000, 864_000, 1_728_000,
];
const SECOND: u64 = 1_000_000_000;

/// An axis from its origin on.
#[derive(Clone)]
pub(in crate::html) struct Scale {
    /// What the origin stands for: 0, but on a logarithmic axis.
    from: u64,
    to: u64,
    kind: Kind,
    text: fn(u64) -> String,
    /// How a value that was measured is read.
    reading: fn(u64) -> String,
    /// Values to be marked rather than round ones; empty for none.
    marked: Vec<u64>,
}

/// An axis whose ends differ by as many times or more is logarithmic.
const LOGARITHMIC_FROM: u64 = 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Linear,
    /// With marks at whole minutes and hours.
    Time,
    LogTime,
    Log,
}

impl Scale {
    /// From 0 to `to`.
    pub(in crate::html) fn linear(to: u64, text: fn(u64) -> String) -> Self {
        Self::new(0, to, Kind::Linear, text)
    }

    /// From the start of a run to `to` nanoseconds after it.
    pub(in crate::html) fn time(to: u64, text: fn(u64) -> String) -> Self {
        Self::new(0, to, Kind::Time, text)
    }

    /// Durations from `from` to `to` nanoseconds; logarithmic if they differ
    /// much, and else from 0.
    pub(in crate::html) fn durations(from: u64, to: u64) -> Self {
        if from > 0 && to / from >= LOGARITHMIC_FROM {
            Self::new(from, to, Kind::LogTime, exact_duration)
        } else {
            Self::new(0, to, Kind::Time, exact_duration)
        }
    }

    /// Values from `from` to `to`; logarithmic if they differ much, and else
    /// from 0.
    pub(in crate::html) fn values(from: u64, to: u64, text: fn(u64) -> String) -> Self {
        if from > 0 && to / from >= LOGARITHMIC_FROM {
            Self::new(from, to, Kind::Log, text)
        } else {
            Self::new(0, to, Kind::Linear, text)
        }
    }

    fn new(from: u64, to: u64, kind: Kind, text: fn(u64) -> String) -> Self {
        Self {
            from,
            to: to.max(from + 1),
            kind,
            text,
            reading: text,
            marked: Vec::new(),
        }
    }

    /// With measured values read like this.
    pub(in crate::html) fn reading(self, reading: fn(u64) -> String) -> Self {
        Self { reading, ..self }
    }

    /// With marks at these values, from the lowest up, as far as there is room.
    pub(in crate::html) fn marked(self, marked: Vec<u64>) -> Self {
        Self { marked, ..self }
    }

    /// What is measured along the axis, and that its steps are factors where they
    /// are.
    pub(super) fn titled(&self, title: &str) -> String {
        let words = match self.kind {
            Kind::Linear | Kind::Time => vec![title],
            Kind::LogTime | Kind::Log => vec![title, "logarithmic"],
        };
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(", ")
    }

    /// A value that was measured, as it is read.
    pub(super) fn reads(&self, value: u64) -> String {
        (self.reading)(value)
    }

    /// Where a value stands.
    pub(in crate::html) fn place(&self, value: u64) -> i64 {
        let value = value.max(self.from);
        match self.kind {
            Kind::Linear | Kind::Time => i64::try_from(value).unwrap_or(i64::MAX),
            Kind::LogTime | Kind::Log => {
                let decades = libm::log10(value as f64) - libm::log10(self.from as f64);
                (decades * DECADE) as i64
            }
        }
    }

    /// Where the axis ends.
    pub(super) fn reach(&self) -> i64 {
        self.place(self.to).max(1)
    }

    /// At most `most` marks, by their places.
    pub(super) fn ticks(&self, most: usize) -> Vec<(i64, String)> {
        let values = match self.kind {
            _ if !self.marked.is_empty() => self.apart(most),
            Kind::Linear => steps(self.to, most, decimal_steps()),
            Kind::Time => steps(self.to, most, time_steps()),
            Kind::LogTime => self.round(most, time_steps()),
            Kind::Log => self.round_decimal(most),
        };
        let values = values.into_iter();
        values
            .map(|value| (self.place(value), (self.text)(value)))
            .collect()
    }

    /// The values to be marked, without those that would stand too close.
    fn apart(&self, most: usize) -> Vec<u64> {
        let least = self.reach() * 2 / (3 * most.max(1) as i64);
        let mut kept: Vec<u64> = Vec::new();
        for &value in &self.marked {
            let close = |last: &u64| self.place(value) - self.place(*last) < least;
            if !kept.last().is_some_and(close) {
                kept.push(value);
            }
        }
        kept
    }

    /// 1, 2, 5, 10, ... within a logarithmic axis, or if these are too many, powers
    /// of ten.
    fn round_decimal(&self, most: usize) -> Vec<u64> {
        let within = |value: &u64| (self.from..=self.to).contains(value);
        let powers = (0..20).map(|power| 10u64.pow(power)).filter(within);
        match decimal_steps().filter(within).count() > most && powers.clone().count() > 1 {
            true => self.round(most, powers),
            false => self.round(most, decimal_steps()),
        }
    }

    /// Round values within a logarithmic axis, thinned.
    fn round(&self, most: usize, round: impl Iterator<Item = u64>) -> Vec<u64> {
        let within = round.filter(|value| (self.from..=self.to).contains(value));
        let within: Vec<u64> = within.collect();
        let each = within.len().div_ceil(most.max(1)).max(1);
        within.into_iter().step_by(each).collect()
    }
}

/// Multiples of the smallest step that gives at most `most` of them up to `to`.
fn steps(to: u64, most: usize, mut round: impl Iterator<Item = u64>) -> Vec<u64> {
    let step = round.find(|step| to / step < most as u64);
    let step = step.unwrap_or(to.max(1));
    (0..=to / step).map(|number| number * step).collect()
}

/// 1, 2, 5, 10, 20, ...
fn decimal_steps() -> impl Iterator<Item = u64> {
    (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10u64.pow(power)))
}

/// The same below a second, and then seconds, minutes, hours and days.
fn time_steps() -> impl Iterator<Item = u64> {
    let below = decimal_steps().take_while(|step| *step < SECOND);
    below.chain(TIMES.map(|seconds| seconds * SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures;
    use rstest::rstest;

    fn texts(scale: &Scale, most: usize) -> String {
        let ticks = scale.ticks(most).into_iter();
        ticks.map(|(_, text)| text).collect::<Vec<_>>().join(" | ")
    }

    #[rstest]
    #[case(0, "0 | 1")]
    #[case(5, "0 | 1 | 2 | 3 | 4 | 5")]
    #[case(99, "0 | 20 | 40 | 60 | 80")]
    #[case(1_234_567, "0 | 500,000 | 1,000,000")]
    fn marks_are_round(#[case] to: u64, #[case] expected: &str) {
        assert_eq!(texts(&Scale::linear(to, figures::count), 6), expected);
    }

    #[rstest]
    #[case(20 * 60 * SECOND, "0:00:00 | 0:05:00 | 0:10:00 | 0:15:00 | 0:20:00")]
    #[case(90 * SECOND, "0:00:00 | 0:00:30 | 0:01:00 | 0:01:30")]
    fn a_run_is_marked_at_whole_minutes(#[case] to: u64, #[case] expected: &str) {
        assert_eq!(texts(&Scale::time(to, figures::clock), 6), expected);
    }

    #[test]
    fn what_differs_much_is_logarithmic() {
        let scale = Scale::durations(120_000_000, 94 * SECOND);
        assert_eq!(texts(&scale, 5), "200 ms | 1 s | 5 s | 15 s | 1 min");
    }

    #[rstest]
    #[case(8, "1 | 2 | 5 | 10 | 20 | 50 | 100")]
    #[case(4, "1 | 10 | 100")]
    fn decades_are_marked_before_what_is_between(#[case] most: usize, #[case] expected: &str) {
        let scale = Scale::values(1, 100, figures::count);
        assert_eq!(texts(&scale, most), expected);
    }

    #[test]
    fn what_was_measured_at_is_marked_where_there_is_room() {
        let scale = Scale::values(0, 200, figures::count);
        let scale = scale.marked(vec![0, 10, 50, 100, 200]);
        assert_eq!(texts(&scale, 8), "0 | 50 | 100 | 200");
        assert_eq!(texts(&scale, 20), "0 | 10 | 50 | 100 | 200");
    }

    #[rstest]
    #[case(Scale::linear(9, figures::count), "bytes", "bytes")]
    #[case(Scale::values(1, 99, figures::count), "bytes", "bytes, logarithmic")]
    #[case(Scale::values(1, 99, figures::count), "", "logarithmic")]
    fn a_logarithmic_axis_says_so(#[case] scale: Scale, #[case] title: &str, #[case] titled: &str) {
        assert_eq!(scale.titled(title), titled);
    }

    #[test]
    fn a_decade_is_as_wide_as_the_next() {
        let scale = Scale::values(10, 10_000, figures::count);
        let places = [10, 100, 1_000].map(|value| scale.place(value));
        assert_eq!(places, [0, 1_000_000, 2_000_000]);
        assert_eq!(Scale::values(10, 20, figures::count).place(10), 10);
    }
}
