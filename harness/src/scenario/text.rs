//! Figures as people write them: `1h30m`, `20 kbit/s`, `4 KiB`, `10%`,
//! `50 ppm`. Pure functions from text, whose errors say how to write it.

use std::time::Duration;

/// What is wrong with a value, what stands in its place, and the way out; the
/// three lines of a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) what: String,
    pub(crate) label: String,
    pub(crate) help: String,
}

impl Complaint {
    pub(crate) fn new(
        what: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            label: label.into(),
            help: help.into(),
        }
    }
}

const DURATION_HELP: &str = "write a number and a unit, or several: \"150ms\", \"20m\", \"1h30m\" (units: ns, us, ms, s, m, h, d)";

/// `"150ms"`, `"20 m"`, `"1h30m"`, `"1.5s"`.
pub(crate) fn duration(text: &str) -> Result<Duration, Complaint> {
    let complain =
        |what: &str, label: &str| Complaint::new(format!("`{text}` {what}"), label, DURATION_HELP);
    let not_one = || complain("is not a duration", "not a duration");
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return Err(complain("is a negative duration", "less than nothing"));
    }
    if rest.is_empty() {
        return Err(not_one());
    }
    let mut nanoseconds = 0_u128;
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let unit_end = after
            .trim_start()
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.trim_start().len());
        let (unit, after) = after.trim_start().split_at(unit_end);
        let scale: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "" if !number.is_empty() => return Err(complain("has no unit", "which unit?")),
            _ => return Err(not_one()),
        };
        let part = decimal(number, scale).ok_or_else(not_one)?;
        nanoseconds = nanoseconds.saturating_add(part);
        rest = after.trim_start();
    }
    u64::try_from(nanoseconds)
        .map(Duration::from_nanos)
        .map_err(|_| complain("is too long", "more than 584 years"))
}

/// `"20 kbit/s"`, in bits a second.
pub(crate) fn rate(text: &str) -> Result<u64, Complaint> {
    let complain = |what: &str, label: &str| {
        Complaint::new(
            format!("`{text}` {what}"),
            label,
            "write a number and a unit: \"20 kbit/s\", \"1.5 Mbit/s\" (units: bit/s, kbit/s, Mbit/s, Gbit/s)",
        )
    };
    let (number, unit) = split_number(text.trim());
    let scale = match unit.trim_start() {
        "bit/s" => 1,
        "kbit/s" => 1_000,
        "Mbit/s" => 1_000_000,
        "Gbit/s" => 1_000_000_000,
        _ => return Err(complain("is not a rate", "not a rate")),
    };
    match decimal(number, scale).map(u64::try_from) {
        Some(Ok(0)) => Err(complain("lets nothing through", "no rate at all")),
        Some(Ok(rate)) => Ok(rate),
        _ => Err(complain("is not a rate", "not a rate")),
    }
}

/// `"4 KiB"`, in bytes.
pub(crate) fn size(text: &str) -> Result<u64, Complaint> {
    let not_one = || {
        Complaint::new(
            format!("`{text}` is not a size"),
            "not a size",
            "write a number of bytes, or a number and a unit: 4096, \"4 KiB\", \"1.5 MB\" (units: B, kB, MB, GB, KiB, MiB, GiB)",
        )
    };
    let (number, unit) = split_number(text.trim());
    let scale = match unit.trim_start() {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(not_one()),
    };
    decimal(number, scale)
        .and_then(|bytes| u64::try_from(bytes).ok())
        .ok_or_else(not_one)
}

/// `"10%"`, as a share of 1; not bounded, since some shares may exceed it.
pub(crate) fn percentage(text: &str) -> Result<f64, Complaint> {
    text.trim()
        .strip_suffix('%')
        .and_then(|number| number.trim_end().parse::<f64>().ok())
        .filter(|percent| percent.is_finite())
        .map(|percent| percent / 100.0)
        .ok_or_else(|| {
            Complaint::new(
                format!("`{text}` is not a percentage"),
                "not a percentage",
                "write a percentage such as \"10%\"",
            )
        })
}

/// `"50 ppm"`, in parts per million.
pub(crate) fn parts_per_million(text: &str) -> Result<f64, Complaint> {
    text.trim()
        .strip_suffix("ppm")
        .and_then(|number| number.trim_end().parse::<f64>().ok())
        .filter(|ppm| (0.0..=100_000.0).contains(ppm))
        .ok_or_else(|| {
            Complaint::new(
                format!("`{text}` is not a clock drift"),
                "not a clock drift",
                "write parts per million, from 0 to 100,000: \"50 ppm\" is 4.3 s a day",
            )
        })
}

/// `1_000` or `1000`.
pub(crate) fn count(text: &str) -> Option<u64> {
    decimal(text.trim(), 1).and_then(|count| u64::try_from(count).ok())
}

/// A duration as [`duration`] reads it, exactly.
pub(crate) fn written(duration: Duration) -> String {
    const UNITS: [(u128, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let mut rest = duration.as_nanos();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (scale, unit) in UNITS {
        if rest >= scale {
            text.push_str(&format!("{}{unit}", rest / scale));
            rest %= scale;
        }
    }
    text
}

/// The leading number, and what follows it.
fn split_number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(text.len());
    text.split_at(end)
}

/// A decimal number times `scale`, exactly; `None` when it is not a number, or
/// not a whole one after scaling.
fn decimal(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.len() > 18 {
        return None;
    }
    let digits = |text: &str| -> Option<u128> {
        let digits: String = text.chars().filter(|&c| c != '_').collect();
        if digits.is_empty() {
            Some(0)
        } else {
            digits.parse().ok()
        }
    };
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    if fraction.contains('_') || whole.starts_with('_') {
        return None;
    }
    let fraction = digits(fraction)?.checked_mul(scale)?;
    if fraction % divisor != 0 {
        return None;
    }
    digits(whole)?
        .checked_mul(scale)?
        .checked_add(fraction / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("150ms", Ok(150_000_000))]
    #[case("20 m", Ok(1_200_000_000_000))]
    #[case("20min", Ok(1_200_000_000_000))]
    #[case("1h30m", Ok(5_400_000_000_000))]
    #[case("1h 30m", Ok(5_400_000_000_000))]
    #[case("1.5s", Ok(1_500_000_000))]
    #[case("3us", Ok(3_000))]
    #[case("3µs", Ok(3_000))]
    #[case("0s", Ok(0))]
    #[case("2d", Ok(172_800_000_000_000))]
    #[case("1_000ms", Ok(1_000_000_000))]
    #[case("", Err("not a duration"))]
    #[case("s", Err("not a duration"))]
    #[case("20 parsec", Err("not a duration"))]
    #[case("1.5ns", Err("not a duration"))]
    #[case("1..5s", Err("not a duration"))]
    #[case("_s", Err("not a duration"))]
    #[case("20", Err("which unit?"))]
    #[case("1h30", Err("which unit?"))]
    #[case("-5s", Err("less than nothing"))]
    #[case("300000d", Err("more than 584 years"))]
    fn durations(#[case] text: &str, #[case] nanoseconds: Result<u64, &str>) {
        assert_eq!(
            duration(text).map_err(|complaint| complaint.label),
            nanoseconds.map(Duration::from_nanos).map_err(str::to_owned),
        );
    }

    #[rstest]
    #[case(Duration::ZERO, "0s")]
    #[case(Duration::from_millis(150), "150ms")]
    #[case(Duration::from_secs(5_400), "1h30m")]
    #[case(Duration::from_nanos(1_000_001), "1ms1ns")]
    fn durations_are_written_as_they_are_read(#[case] value: Duration, #[case] text: &str) {
        assert_eq!(written(value), text);
        assert_eq!(duration(text), Ok(value));
    }

    #[rstest]
    #[case("20 kbit/s", Some(20_000))]
    #[case("62.5kbit/s", Some(62_500))]
    #[case("1 Gbit/s", Some(1_000_000_000))]
    #[case("9 bit/s", Some(9))]
    #[case("0 bit/s", None)]
    #[case("20 kB/s", None)]
    #[case("20", None)]
    #[case("kbit/s", None)]
    fn rates(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(rate(text).ok(), expected);
    }

    #[rstest]
    #[case("4 KiB", Some(4_096))]
    #[case("1.5 kB", Some(1_500))]
    #[case("12", Some(12))]
    #[case("0.3 B", None)]
    #[case("4 kb", None)]
    #[case("-1 B", None)]
    fn sizes(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(size(text).ok(), expected);
    }

    #[rstest]
    #[case("10%", Some(0.1))]
    #[case("0.5 %", Some(0.005))]
    #[case("150%", Some(1.5))]
    #[case("10", None)]
    #[case("inf%", None)]
    fn percentages(#[case] text: &str, #[case] expected: Option<f64>) {
        assert_eq!(percentage(text).ok(), expected);
    }

    #[rstest]
    #[case("50 ppm", Some(50.0))]
    #[case("0ppm", Some(0.0))]
    #[case("-1 ppm", None)]
    #[case("50", None)]
    fn drifts(#[case] text: &str, #[case] expected: Option<f64>) {
        assert_eq!(parts_per_million(text).ok(), expected);
    }
}
