//! Figures as a person reads them: with a unit, in the reader's magnitude.
//!
//! All of it is integer arithmetic, so that the same figure is the same text
//! on every machine. Rounding is half up.

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What stands where there is no figure.
pub const NONE: &str = "–";

/// A measured duration of `ns` nanoseconds to about two digits: `0.61 s`,
/// `38 s`, `2 min 5 s`.
#[must_use]
pub fn duration(ns: u64) -> String {
    if ns == 0 {
        return "0 s".to_owned();
    }
    if ns < US {
        return format!("{ns} ns");
    }
    if rounded(ns, US) < 1_000 {
        return format!("{} µs", two_digits(ns, US));
    }
    if rounded(ns, MS) < 100 {
        return format!("{} ms", two_digits(ns, MS));
    }
    let hundredths = rounded(ns, SECOND / 100);
    if hundredths < 100 {
        return format!("0.{hundredths:02} s");
    }
    // Up to two minutes, seconds alone are easier to compare.
    let seconds = rounded(ns, SECOND);
    if seconds < 120 {
        return format!("{} s", two_digits(ns, SECOND));
    }
    if seconds < 3_600 {
        return two_units(seconds, 60, "min", "s");
    }
    let minutes = rounded(ns, MINUTE);
    if minutes < 24 * 60 {
        return two_units(minutes, 60, "h", "min");
    }
    two_units(rounded(ns, HOUR), 24, "d", "h")
}

/// A duration of `ns` nanoseconds that somebody chose, to the last digit:
/// `155 ms`, `1 min 30 s`, `10.5 s`.
#[must_use]
pub fn exact_duration(ns: u64) -> String {
    match ns {
        0 => "0 s".to_owned(),
        1..US => format!("{ns} ns"),
        US..MS => format!("{} µs", decimal(ns, US)),
        MS..SECOND => format!("{} ms", decimal(ns, MS)),
        _ => {
            let wholes = [
                (ns / DAY, "d"),
                (ns % DAY / HOUR, "h"),
                (ns % HOUR / MINUTE, "min"),
            ];
            let mut parts: Vec<String> = wholes
                .into_iter()
                .filter(|&(value, _)| value > 0)
                .map(|(value, unit)| format!("{value} {unit}"))
                .collect();
            if !ns.is_multiple_of(MINUTE) {
                parts.push(format!("{} s", decimal(ns % MINUTE, SECOND)));
            }
            parts.join(" ")
        }
    }
}

/// An instant of the run, `ns` nanoseconds after its start, as hours, minutes
/// and seconds, with whole milliseconds if there are any: `0:08:10.412`.
#[must_use]
pub fn clock(ns: u64) -> String {
    let (hours, minutes, seconds) = (ns / HOUR, ns % HOUR / MINUTE, ns % MINUTE / SECOND);
    match ns % SECOND / MS {
        0 => format!("{hours}:{minutes:02}:{seconds:02}"),
        ms => format!("{hours}:{minutes:02}:{seconds:02}.{ms:03}"),
    }
}

/// A number of bytes to about two digits, in decimal units: `24 B`, `1.2 MB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let mut unit = 1;
    for name in ["B", "kB", "MB", "GB", "TB"] {
        if rounded(bytes, unit) < 1_000 {
            return format!("{} {name}", two_digits(bytes, unit));
        }
        unit *= 1_000;
    }
    format!("{} PB", two_digits(bytes, unit))
}

/// A count with its thousands set apart: `41,208`.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun, which takes an `s` unless there is exactly one:
/// `1 site`, `1,002 devices`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// What share of `whole` `part` is, to a tenth of a percent: `9.9 %`.
///
/// It is `100 %` or `0 %` only if it is exactly that, and [`NONE`] if `whole`
/// is 0.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NONE.to_owned();
    }
    let (exact, whole_wide) = (u128::from(part) * 100, u128::from(whole));
    if exact.is_multiple_of(whole_wide) {
        return format!("{} %", exact / whole_wide);
    }
    let mut tenths = (exact * 10 * 2 + whole_wide) / (2 * whole_wide);
    if tenths == 0 {
        return "<0.1 %".to_owned();
    }
    if part < whole {
        tenths = tenths.min(999);
    }
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// `value` in units of `unit`, rounded half up.
fn rounded(value: u64, unit: u64) -> u64 {
    value / unit + u64::from(value % unit >= unit.div_ceil(2))
}

/// `value` in units of `unit`: one decimal below 10 unless it is whole, none above.
fn two_digits(value: u64, unit: u64) -> String {
    if value.is_multiple_of(unit) || unit < 10 {
        return (value / unit).to_string();
    }
    let tenths = rounded(value, unit / 10);
    if tenths < 100 {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        rounded(value, unit).to_string()
    }
}

/// `value` in units of `unit`, a power of ten, with all decimals it has.
fn decimal(value: u64, unit: u64) -> String {
    let digits = unit.ilog10() as usize;
    let text = format!("{}.{:0digits$}", value / unit, value % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `smalls` as `ratio` small units to the large one: `2 min 5 s`.
fn two_units(smalls: u64, ratio: u64, large: &str, small: &str) -> String {
    match smalls % ratio {
        0 => format!("{} {large}", smalls / ratio),
        rest => format!("{} {large} {rest} {small}", smalls / ratio),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0 s")]
    #[case(999, "999 ns")]
    #[case(3_249, "3.2 µs")]
    #[case(412_000, "412 µs")]
    #[case(999_499, "999 µs")]
    #[case(999_500, "1.0 ms")]
    #[case(1_000_000, "1 ms")]
    #[case(9_949_999, "9.9 ms")]
    #[case(9_950_000, "10 ms")]
    #[case(99_499_999, "99 ms")]
    #[case(99_500_000, "0.10 s")]
    #[case(612_331_000, "0.61 s")]
    #[case(994_999_999, "0.99 s")]
    #[case(995_000_000, "1.0 s")]
    #[case(1_900_000_000, "1.9 s")]
    #[case(9_960_000_000, "10 s")]
    #[case(94_200_000_000, "94 s")]
    #[case(119_499_999_999, "119 s")]
    #[case(119_500_000_000, "2 min")]
    #[case(125 * SECOND, "2 min 5 s")]
    #[case(HOUR - 1, "1 h")]
    #[case(65 * MINUTE, "1 h 5 min")]
    #[case(DAY - 1, "1 d")]
    #[case(26 * HOUR, "1 d 2 h")]
    #[case(u64::MAX, "213504 d")]
    fn a_duration_has_the_readers_magnitude(#[case] ns: u64, #[case] text: &str) {
        assert_eq!(duration(ns), text);
    }

    #[rstest]
    #[case(0, "0 s")]
    #[case(1, "1 ns")]
    #[case(1_500, "1.5 µs")]
    #[case(155_000_000, "155 ms")]
    #[case(SECOND, "1 s")]
    #[case(10_500_000_000, "10.5 s")]
    #[case(90 * SECOND, "1 min 30 s")]
    #[case(20 * MINUTE, "20 min")]
    #[case(DAY + 1, "1 d 0.000000001 s")]
    #[case(DAY, "1 d")]
    fn a_chosen_duration_loses_no_digit(#[case] ns: u64, #[case] text: &str) {
        assert_eq!(exact_duration(ns), text);
    }

    #[rstest]
    #[case(0, "0:00:00")]
    #[case(358_003_999_999, "0:05:58.003")]
    #[case(26 * HOUR + 999_999, "26:00:00")]
    fn an_instant_is_a_clock(#[case] ns: u64, #[case] text: &str) {
        assert_eq!(clock(ns), text);
    }

    #[rstest]
    #[case(0, "0 B")]
    #[case(24, "24 B")]
    #[case(999, "999 B")]
    #[case(1_000, "1 kB")]
    #[case(1_234, "1.2 kB")]
    #[case(412_551, "413 kB")]
    #[case(999_499, "999 kB")]
    #[case(999_500, "1.0 MB")]
    #[case(1_949_999, "1.9 MB")]
    #[case(u64::MAX, "18447 PB")]
    fn bytes_are_decimal(#[case] number: u64, #[case] text: &str) {
        assert_eq!(bytes(number), text);
    }

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(41_208, "41,208")]
    #[case(u64::MAX, "18,446,744,073,709,551,615")]
    fn a_count_sets_thousands_apart(#[case] number: u64, #[case] text: &str) {
        assert_eq!(count(number), text);
    }

    #[rstest]
    #[case(0, "0 sites")]
    #[case(1, "1 site")]
    #[case(1_002, "1,002 sites")]
    fn a_noun_agrees_with_its_count(#[case] number: u64, #[case] text: &str) {
        assert_eq!(counted(number, "site"), text);
    }

    #[rstest]
    #[case(0, 0, "–")]
    #[case(0, 7, "0 %")]
    #[case(7, 7, "100 %")]
    #[case(1, 10, "10 %")]
    #[case(41_208, 412_551, "10.0 %")]
    #[case(999_999, 1_000_000, "99.9 %")]
    #[case(1, 1_000_000, "<0.1 %")]
    #[case(3, 2, "150 %")]
    #[case(u64::MAX - 1, u64::MAX, "99.9 %")]
    fn a_share_is_whole_only_if_exact(#[case] part: u64, #[case] whole: u64, #[case] text: &str) {
        assert_eq!(percent(part, whole), text);
    }
}
