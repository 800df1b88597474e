//! How much memory a run will need, and whether the machine has it.

use super::diagnostic::ScenarioError;
use super::{Fleet, Lifecycle, Scenario};

/// Resident bytes of an online device, both ends included, without its TCP
/// buffers beyond the default window.
const BYTES_PER_ONLINE_DEVICE: u64 = 64 << 10;

/// Resident bytes of a sleeping device: its schedule and its share of the
/// trace.
const BYTES_PER_SLEEPING_DEVICE: u64 = 1 << 10;

/// The window that is part of the figure above, in bytes.
const WINDOW_INCLUDED_BYTES: u64 = Fleet::WINDOW_OF_SENSORS as u64;

/// Bytes that running `scenario` takes at its busiest, from above and roughly.
#[must_use]
pub fn estimate_bytes(scenario: &Scenario) -> u64 {
    scenario
        .fleets
        .iter()
        .map(|fleet| {
            let count = u64::from(fleet.count);
            // A receive buffer at each end, and a send buffer half its size.
            let window = u64::from(fleet.window_bytes);
            let online = BYTES_PER_ONLINE_DEVICE + 3 * window.saturating_sub(WINDOW_INCLUDED_BYTES);
            let awake = match &fleet.lifecycle {
                // Starts spread over a period keep wake-ups apart, so that few
                // are awake at once: at worst each for as long as it may be.
                Lifecycle::Periodic {
                    every, awake_max, ..
                } if fleet.start.spread >= *every => {
                    let share = awake_max.as_nanos().min(every.as_nanos());
                    let awake = u128::from(count) * share / every.as_nanos().max(1);
                    u64::try_from(awake).unwrap_or(count).max(1)
                }
                _ => count,
            };
            awake
                .saturating_mul(online)
                .saturating_add((count - awake).saturating_mul(BYTES_PER_SLEEPING_DEVICE))
        })
        .fold(0, u64::saturating_add)
}

/// Bytes that programs can still get without swapping, where the system says
/// (`MemAvailable` of Linux's `/proc/meminfo`).
#[must_use]
pub fn available_bytes() -> Option<u64> {
    parse_meminfo(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// Refuses a scenario that needs more than `available` bytes when `parallel`
/// runs of it go at once.
///
/// # Errors
/// One that says the estimate, and what makes it smaller.
pub fn check(scenario: &Scenario, parallel: u64, available: u64) -> Result<(), ScenarioError> {
    let one = estimate_bytes(scenario);
    let needed = one.saturating_mul(parallel.max(1));
    if needed <= available {
        return Ok(());
    }
    let runs = if parallel > 1 {
        format!(", {} for each of {parallel} runs at once", gibibytes(one))
    } else {
        String::new()
    };
    Err(ScenarioError::new(
        format!(
            "{} needs about {} of memory{runs}, and this machine has {} left",
            scenario.path.display(),
            gibibytes(needed),
            gibibytes(available),
        ),
        Some(format!(
            "{} devices at 64 KiB each while online, and three times a TCP window beyond \
             {WINDOW_INCLUDED_BYTES} bytes: use fewer devices (--set fleet.<name>.count=1000), \
             a smaller window, or fewer --jobs",
            scenario.device_count(),
        )),
    ))
}

fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// `1.5 GiB`, in whole tenths and rounded up.
fn gibibytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10).div_ceil(1 << 30);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("MemTotal:  100 kB\nMemAvailable:    2048 kB\n", Some(2 << 20))]
    #[case("MemTotal:  100 kB\n", None)]
    #[case("MemAvailable: many kB\n", None)]
    #[case("", None)]
    fn meminfo(#[case] text: &str, #[case] bytes: Option<u64>) {
        assert_eq!(parse_meminfo(text), bytes);
    }

    #[rstest]
    #[case(0, "0.0 GiB")]
    #[case(1, "0.1 GiB")]
    #[case(3 << 29, "1.5 GiB")]
    fn gibibytes_round_up(#[case] bytes: u64, #[case] text: &str) {
        assert_eq!(gibibytes(bytes), text);
    }

    #[rstest]
    #[case::always_on("network = { window = 2048 }", 1_000 * (64 << 10))]
    #[case::a_larger_window("network = { window = 3048 }", 1_000 * ((64 << 10) + 3_000))]
    fn estimates(#[case] top: &str, #[case] bytes: u64) {
        let text = format!(
            "title = \"t\"\nduration = \"1m\"\n{top}\n\
             [[site]]\nname = \"s\"\nlink = \"wifi\"\n\
             [[fleet]]\nname = \"f\"\nsite = \"s\"\ncount = 1000\nsubscribe = [{{ filter = \"#\" }}]\n"
        );
        let scenario = Scenario::parse("t.toml".as_ref(), &text, &[]).expect("it parses");
        assert_eq!(estimate_bytes(&scenario), bytes);
        assert!(check(&scenario, 1, bytes).is_ok());
        assert!(check(&scenario, 2, bytes).is_err());
    }
}
