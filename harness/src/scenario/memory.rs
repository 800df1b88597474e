//! How much memory a run will need, and whether the machine has it.

use std::collections::BTreeSet;
use std::time::Duration;

use squall_reports::figures;

use super::diagnostic::ScenarioError;
use super::topic;
use super::{Fault, FaultKind, Fleet, Lifecycle, Publish, Scenario, Span, Target, When};

/// Resident bytes of a run before its first device.
const BYTES_OF_A_RUN: u64 = 16 << 20;

/// Resident bytes of an online device, both ends included, without its TCP
/// buffers beyond the default window.
const BYTES_PER_ONLINE_DEVICE: u64 = 64 << 10;

/// Resident bytes of a sleeping device: its schedule and its share of the
/// trace.
const BYTES_PER_SLEEPING_DEVICE: u64 = 1 << 10;

/// The window that is part of the figure above, in bytes.
const WINDOW_INCLUDED_BYTES: u64 = Fleet::WINDOW_OF_SENSORS as u64;

/// Bytes that the metrics keep of a reading to the end of the run.
const BYTES_PER_READING: u64 = 32;

/// Bytes that the metrics keep of a delivery that a subscriber is owed.
const BYTES_PER_DELIVERY: u64 = 40;

/// Bytes that a NAT keeps of a connection, from its SYN to the end of the run.
const BYTES_PER_BINDING: u64 = 40;

/// Bytes that a fault over links keeps of each device that sends or is sent a
/// packet meanwhile, both ways, until it is over.
const BYTES_PER_STRAINED_DEVICE: u64 = 224;

/// Bytes that running `scenario` takes at its busiest, from above and roughly.
#[must_use]
pub fn estimate_bytes(scenario: &Scenario) -> u64 {
    BYTES_OF_A_RUN
        .saturating_add(devices_bytes(scenario))
        .saturating_add(Kept::of(scenario).bytes())
        .saturating_add(bindings(scenario).saturating_mul(BYTES_PER_BINDING))
        .saturating_add(strained_devices(scenario).saturating_mul(BYTES_PER_STRAINED_DEVICE))
}

/// Connections that the NATs of sites remember at the end: each that is made
/// through one that is ever to forget some.
fn bindings(scenario: &Scenario) -> u64 {
    let site_of = |fault: &Fault| match (fault.kind, fault.target, &fault.when) {
        (FaultKind::NatRebinding, Target::Site(site, _), When::Planned(_)) => Some(site),
        (FaultKind::NatRebinding, Target::Fleet(fleet, _), When::Planned(_)) => {
            Some(scenario.fleets[fleet].site)
        }
        _ => None,
    };
    let sites: BTreeSet<usize> = scenario.faults.iter().filter_map(site_of).collect();
    let behind = scenario.fleets.iter();
    behind
        .filter(|fleet| sites.contains(&fleet.site))
        .map(|fleet| wake_ups(fleet, scenario.duration).saturating_mul(fleet.count.into()))
        .fold(0, u64::saturating_add)
}

/// Devices that faults over links strike at once, at worst: turns that follow
/// one another are one.
fn strained_devices(scenario: &Scenario) -> u64 {
    let devices = |fault: &Fault| {
        let turns = match &fault.when {
            When::Planned(times) if times.every.is_none() => times.count.unwrap_or(1),
            _ => 1,
        };
        let struck = |index: usize, fleet: &Fleet| match fault.target {
            Target::Site(site, _) => site == fleet.site,
            Target::Fleet(of, _) => of == index,
            Target::Matched | Target::Server(_) => false,
        };
        let fleets = scenario.fleets.iter().enumerate();
        fleets
            .filter(|(index, fleet)| struck(*index, fleet))
            .map(|(_, fleet)| u64::from(fleet.count))
            .fold(0, u64::saturating_add)
            .saturating_mul(turns.into())
    };
    let over_links = scenario.faults.iter();
    over_links
        .filter(|fault| fault.kind.ways().is_some())
        .map(devices)
        .fold(0, u64::saturating_add)
}

/// How often a device wakes in `time`, at most, and so connects if nothing goes
/// wrong.
fn wake_ups(fleet: &Fleet, time: Duration) -> u64 {
    let time = time.saturating_sub(fleet.start.after);
    match &fleet.lifecycle {
        Lifecycle::AlwaysOn | Lifecycle::Once { .. } => 1,
        Lifecycle::Periodic { every, .. } => times(time, *every),
        Lifecycle::Flapping { up, down, .. } => times(time, up.saturating_add(*down)),
        Lifecycle::Random { up, down, .. } => times(time, mean(up).saturating_add(mean(down))),
    }
}

/// Readings that all devices take in a run, and deliveries of them to
/// subscribers, at most.
pub(crate) fn readings_and_deliveries(scenario: &Scenario) -> (u64, u64) {
    let kept = Kept::of(scenario);
    (kept.readings, kept.deliveries)
}

/// Connections that all devices make in a run if nothing goes wrong, at most.
pub(crate) fn connections(scenario: &Scenario) -> u64 {
    let of =
        |fleet: &Fleet| wake_ups(fleet, scenario.duration).saturating_mul(u64::from(fleet.count));
    scenario.fleets.iter().map(of).fold(0, u64::saturating_add)
}

/// What the metrics keep to the end of a run.
struct Kept {
    readings: u64,
    deliveries: u64,
}

impl Kept {
    fn of(scenario: &Scenario) -> Self {
        let mut kept = Self {
            readings: 0,
            deliveries: 0,
        };
        for fleet in &scenario.fleets {
            let Some(publish) = &fleet.publish else {
                continue;
            };
            let time = scenario.duration.saturating_sub(scenario.drain);
            let readings =
                readings_of_a_device(fleet, publish, time).saturating_mul(u64::from(fleet.count));
            let topic = publish.topic.replace("{fleet}", &fleet.name);
            let subscribers = scenario
                .fleets
                .iter()
                .map(|fleet| subscribers(fleet, &topic))
                .fold(0, u64::saturating_add);
            kept.readings = kept.readings.saturating_add(readings);
            kept.deliveries = kept
                .deliveries
                .saturating_add(readings.saturating_mul(subscribers));
        }
        kept
    }

    fn bytes(&self) -> u64 {
        let readings = self.readings.saturating_mul(BYTES_PER_READING);
        readings.saturating_add(self.deliveries.saturating_mul(BYTES_PER_DELIVERY))
    }
}

/// Devices of `fleet` with a filter that may match a message to `topic`.
fn subscribers(fleet: &Fleet, topic: &str) -> u64 {
    let count = u64::from(fleet.count);
    fleet
        .subscribe
        .iter()
        .map(|subscription| subscription.filter.replace("{fleet}", &fleet.name))
        .filter(|filter| topic::may_match(filter, topic))
        // Each device has another name, so one at most finds its own.
        .map(|filter| {
            if filter.contains("{device}") {
                1
            } else {
                count
            }
        })
        .fold(0, u64::saturating_add)
        .min(count)
}

/// Readings that a device takes in `time`, at most.
fn readings_of_a_device(fleet: &Fleet, publish: &Publish, time: Duration) -> u64 {
    let time = time.saturating_sub(fleet.start.after);
    let turns = |up: Duration, down: Duration| {
        let turns = times(time, up.saturating_add(down));
        turns.saturating_mul(times(up.min(time), publish.every))
    };
    let readings = match &fleet.lifecycle {
        Lifecycle::AlwaysOn => times(time, publish.every),
        Lifecycle::Once { stay, .. } => {
            times(stay.map_or(time, |stay| stay.min(time)), publish.every)
        }
        Lifecycle::Periodic {
            every, readings, ..
        } => times(time, *every).saturating_mul(u64::from(*readings)),
        Lifecycle::Flapping { up, down, .. } => turns(*up, *down),
        Lifecycle::Random { up, down, .. } => turns(mean(up), mean(down)),
    };
    publish
        .readings
        .map_or(readings, |most| readings.min(u64::from(most)))
}

/// How often something happens in `time` that happens at its begin, then once
/// an `every`.
fn times(time: Duration, every: Duration) -> u64 {
    let times = time.as_nanos() / every.as_nanos().max(1) + 1;
    u64::try_from(times).unwrap_or(u64::MAX)
}

fn mean(span: &Span) -> Duration {
    match *span {
        Span::Fixed(time) | Span::Exponential { mean: time } => time,
        Span::Uniform { min, max } => min + (max - min) / 2,
    }
}

fn devices_bytes(scenario: &Scenario) -> u64 {
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
        Some(what_helps(scenario)),
    ))
}

/// What takes most of the memory, and what makes it smaller.
fn what_helps(scenario: &Scenario) -> String {
    let kept = Kept::of(scenario);
    let bindings = bindings(scenario);
    let nat_bytes = bindings.saturating_mul(BYTES_PER_BINDING);
    if nat_bytes > kept.bytes().max(devices_bytes(scenario)) {
        return format!(
            "most of it, {}, is for {} through a NAT that is to forget some, at \
             {BYTES_PER_BINDING} bytes each: use a shorter `duration`, connect less often, have \
             fewer devices at that site, or use fewer --jobs",
            gibibytes(nat_bytes),
            figures::counted(bindings, "connection"),
        );
    }
    if kept.bytes() > devices_bytes(scenario) {
        return format!(
            "most of it, {}, is for {} at {BYTES_PER_READING} bytes each and {} owed to \
             subscribers at {BYTES_PER_DELIVERY}, kept to the end of a run: use a shorter \
             `duration`, publish less often, have fewer subscribers, or use fewer --jobs",
            gibibytes(kept.bytes()),
            figures::counted(kept.readings, "reading"),
            figures::count(kept.deliveries),
        );
    }
    format!(
        "most of it is for {} at 64 KiB each while online, and three times a TCP window \
         beyond {WINDOW_INCLUDED_BYTES} bytes: use fewer devices (--set \
         fleet.<name>.count=1000), a smaller window, or fewer --jobs",
        figures::counted(scenario.device_count(), "device"),
    )
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

    fn scenario(top: &str, fleets: &str) -> Scenario {
        let text = format!(
            "title = \"t\"\nduration = \"11m\"\ndrain = \"1m\"\n{top}\n\
             [[site]]\nname = \"s\"\nlink = \"wifi\"\n{fleets}"
        );
        Scenario::parse("t.toml".as_ref(), &text, &[])
            .unwrap_or_else(|error| panic!("{}", error.render(false, 100)))
    }

    #[rstest]
    #[case::always_on("network = { window = 2048 }", 1_000 * (64 << 10))]
    #[case::a_larger_window("network = { window = 3048 }", 1_000 * ((64 << 10) + 3_000))]
    fn devices(#[case] top: &str, #[case] bytes: u64) {
        let fleet = "[[fleet]]\nname = \"f\"\nsite = \"s\"\ncount = 1000\nsubscribe = [{ filter = \"#\" }]\n";
        let scenario = scenario(top, fleet);
        let bytes = bytes + (16 << 20);
        assert_eq!(estimate_bytes(&scenario), bytes);
        assert!(check(&scenario, 1, bytes).is_ok());
        assert!(check(&scenario, 2, bytes).is_err());
    }

    /// Ten devices publish to `a/<device>` in ten minutes; fifty others
    /// subscribe.
    #[rstest]
    #[case::always_on("", "every = \"1m\"", "a/+", 110, 50)]
    #[case::to_nobody("", "every = \"1m\"", "b/+", 110, 0)]
    #[case::each_to_one("", "every = \"1m\"", "a/{device}", 110, 1)]
    #[case::limited("", "every = \"1m\", readings = 3", "#", 30, 50)]
    #[case::started_late("start = { after = \"5m\" }", "every = \"1m\"", "#", 60, 50)]
    #[case::periodic(
        "lifecycle = { kind = \"periodic\", every = \"2m\", readings = 3 }",
        "qos = 1",
        "#",
        180,
        50
    )]
    #[case::flapping(
        "lifecycle = { kind = \"flapping\", up = \"1m\", down = \"1m\" }",
        "every = \"30s\"",
        "#",
        180,
        50
    )]
    #[case::random(
        "lifecycle = { kind = \"random\", up = \"1m\", down = { uniform = [\"1m\", \"3m\"] } }",
        "every = \"30s\"",
        "#",
        120,
        50
    )]
    #[case::once(
        "lifecycle = { kind = \"once\", stay = \"2m\" }",
        "every = \"1m\"",
        "#",
        30,
        50
    )]
    fn what_is_kept(
        #[case] lifecycle: &str,
        #[case] publish: &str,
        #[case] filter: &str,
        #[case] readings: u64,
        #[case] subscribers: u64,
    ) {
        let kept = Kept::of(&scenario(
            "",
            &format!(
                "[[fleet]]\nname = \"p\"\nsite = \"s\"\ncount = 10\n{lifecycle}\n\
                 publish = {{ topic = \"a/{{device}}\", {publish} }}\n\
                 [[fleet]]\nname = \"q\"\nsite = \"s\"\ncount = 50\n\
                 subscribe = [{{ filter = \"{filter}\" }}, {{ filter = \"other\" }}]\n"
            ),
        ));
        assert_eq!(
            (kept.readings, kept.deliveries),
            (readings, readings * subscribers)
        );
    }

    /// Ten devices that connect twice a minute for eleven minutes, and a hundred
    /// that stay connected, at one site.
    #[rstest]
    #[case::none("", 0, 0)]
    #[case::a_nat_of_the_site("kind = \"nat-rebinding\"\nsite = \"s\"\nat = \"1m\"", 330, 0)]
    #[case::a_nat_of_a_fleet("kind = \"nat-rebinding\"\nfleet = \"p\"\nat = \"1m\"", 330, 0)]
    #[case::a_partition("kind = \"partition\"\nsite = \"s\"\nat = \"1m\"", 0, 110)]
    #[case::turns_of_loss(
        "kind = \"loss\"\nloss = \"9%\"\nfleet = \"p\"\nat = \"1m\"\nfor = \"9s\"\nevery = \"1m\"",
        0,
        10
    )]
    #[case::turns_that_may_overlap(
        "kind = \"loss\"\nloss = \"9%\"\nfleet = \"p\"\nat = \"1m..5m\"\ncount = 3",
        0,
        30
    )]
    #[case::devices("kind = \"vanish\"\nsite = \"s\"\nat = \"1m\"", 0, 0)]
    fn what_the_weather_remembers(
        #[case] fault: &str,
        #[case] connections: u64,
        #[case] strained: u64,
    ) {
        let fault = match fault {
            "" => String::new(),
            fault => format!("[[fault]]\n{fault}\n"),
        };
        let fleets = "[[fleet]]\nname = \"p\"\nsite = \"s\"\ncount = 10\n\
             lifecycle = { kind = \"flapping\", up = \"10s\", down = \"20s\" }\n\
             publish = { topic = \"a/{device}\", every = \"1m\" }\n\
             [[fleet]]\nname = \"q\"\nsite = \"s\"\ncount = 100\n\
             subscribe = [{ filter = \"#\" }]\n";
        let calm = scenario("", fleets);
        let stormy = scenario("", &format!("{fleets}{fault}"));
        assert_eq!(strained_devices(&stormy), strained);
        assert_eq!(
            estimate_bytes(&stormy) - estimate_bytes(&calm),
            connections * 40 + strained * 224
        );
    }

    #[test]
    fn a_year_of_milliseconds_is_refused_for_its_readings() {
        let text = "title = \"t\"\nduration = \"365d\"\n\
             [[site]]\nname = \"s\"\nlink = \"wifi\"\n\
             [[fleet]]\nname = \"f\"\nsite = \"s\"\ncount = 1\n\
             publish = { topic = \"t\", every = \"1ms\" }\n";
        let scenario = Scenario::parse("t.toml".as_ref(), text, &[]).expect("it parses");
        let error = check(&scenario, 1, 64 << 30).expect_err("it takes a terabyte");
        insta::assert_snapshot!(error.render(false, 100), @r"
        × t.toml needs about 939.9 GiB of memory, and this machine has 64.0 GiB left
        help: most of it, 939.9 GiB, is for 31,535,880,001 readings at 32 bytes each and 0 owed to
              subscribers at 40, kept to the end of a run: use a shorter `duration`, publish less often,
              have fewer subscribers, or use fewer --jobs
        ");
    }
}
