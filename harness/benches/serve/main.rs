//! `squall serve` against Mosquitto under the same load, one core each:
//! `cargo bench -p squall --bench serve`.
//!
//! A hundred publishers send 100-byte payloads to one subscriber, all over
//! loopback TCP in MQTT 3.1.1, with memory stores on both sides. For each
//! quality of service, in one run and in turns (Squall, Mosquitto, Squall, ...),
//! it prints the medians of
//! - messages a second when every publisher always has ten under way,
//! - the broker's own processor time per message, which other work on the
//!   machine disturbs least,
//! - the time from a publisher's write to the subscriber's read, median and 99th
//!   percentile, at that load and at a quiet 5,000 messages a second,
//!
//! how many messages were lost, and, as the median of each turn's own ratio, how
//! the two compare. Then resident memory per idle connection, per stored session
//! with one subscription, and per message that waits in one.
//!
//! The broker is pinned to one core and the load to another, if there are two.
//! `-- --quick` takes half a minute; `--seconds` and `--rounds` choose how long
//! and how often. `-- --idle reports/published/idle.json` measures the memory of idle
//! connections alone, MQTT's and the plain WebSocket hub's, for the ledger of claims. Without Mosquitto (Debian: `apt-get install mosquitto`) it
//! says so, and measures Squall alone.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints, and measures the wall clock"
)]

mod broker;
mod curve;
mod load;
mod memory;

use broker::{Broker, Kind};
use clap::Parser;
use load::{Load, Measured};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Messages a second of all publishers together, where they are paced: far below
/// what either broker can do.
const QUIET_PER_SECOND: u32 = 5_000;

/// What the command line says.
#[derive(Parser)]
struct Arguments {
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How often each is repeated.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections and sessions whose memory is measured.
    #[arg(long, default_value_t = 5_000)]
    clients: u32,
    /// Three rounds of one second, and 1,000 clients.
    #[arg(long)]
    quick: bool,
    /// Only the memory of idle connections, over their number: printed, and written
    /// as JSON for the ledger of claims.
    #[arg(long, value_name = "FILE")]
    idle: Option<PathBuf>,
    /// The load itself, in a process of its own.
    #[arg(long, hide = true, value_name = "ADDR")]
    load: Option<SocketAddr>,
    #[arg(long, hide = true, default_value_t = 0)]
    qos: u8,
    #[arg(long, hide = true)]
    per_second: Option<u32>,
    /// What cargo says to a bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let mut arguments = Arguments::parse();
    if arguments.quick {
        (arguments.seconds, arguments.rounds, arguments.clients) = (1, 3, 1_000);
    }
    let load = Load {
        qos: arguments.qos,
        time: Duration::from_secs(arguments.seconds),
        per_second: arguments.per_second,
    };
    if let Some(address) = arguments.load {
        println!("{}", load.run(address));
        return;
    }
    rlimit::increase_nofile_limit(u64::MAX).expect("more descriptors");
    let mosquitto = broker::mosquitto_version();
    match &mosquitto {
        Some(version) => println!("squall {} against {version}", env!("CARGO_PKG_VERSION")),
        None => println!("skipped: Mosquitto is not installed; Squall alone"),
    }
    if let Some(file) = &arguments.idle {
        curve::write(file, mosquitto.is_some());
        return;
    }
    if !broker::are_cores_enough() {
        println!("one core for everything: the load takes from what the broker could do");
    }
    println!(
        "{} publishers to one subscriber, {} bytes of payload, {} under way each, {} x {} s in turns",
        load::PUBLISHERS,
        load::PAYLOAD_BYTES,
        load::UNDER_WAY,
        arguments.rounds,
        arguments.seconds
    );
    let kinds = match mosquitto {
        Some(_) => &[Kind::Squall, Kind::Mosquitto][..],
        None => &[Kind::Squall],
    };
    println!(
        "\n{:<34} {:>12} {:>12} {:>7}",
        "", "squall", "mosquitto", "ratio"
    );
    for qos in 0..=2 {
        let full = Load { qos, ..load };
        let quiet = Load {
            per_second: Some(QUIET_PER_SECOND),
            ..full
        };
        print_load(
            &format!("QoS {qos}"),
            &rounds(full, kinds, arguments.rounds),
            true,
        );
        let name = format!("QoS {qos}, {QUIET_PER_SECOND}/s");
        print_load(&name, &rounds(quiet, kinds, arguments.rounds), false);
    }
    memory::print(kinds, arguments.clients);
}

/// Measures the brokers in turns. The measurements of each round, in the order
/// of `kinds`.
fn rounds(load: Load, kinds: &[Kind], rounds: usize) -> Vec<Vec<Measured>> {
    let round = |_| {
        let measure = |kind: &Kind| Broker::start(*kind).measure(load);
        kinds.iter().map(measure).collect()
    };
    (0..rounds).map(round).collect()
}

/// Prints the rows of one load. What it was paced at is no result.
fn print_load(name: &str, rounds: &[Vec<Measured>], at_full: bool) {
    println!("{name}");
    if at_full {
        row("messages a second", 0, rounds, Measured::per_second);
    }
    row("processor us a message", 2, rounds, |one| one.processor_us);
    row("latency p50, ms", 3, rounds, |one| one.p50_ms);
    row("latency p99, ms", 3, rounds, |one| one.p99_ms);
    let sum = |side: usize| {
        let of = |round: &Vec<Measured>| round.get(side).map_or(0, |one| one.lost);
        rounds.iter().map(of).sum::<u64>()
    };
    if sum(0) + sum(1) > 0 {
        println!("{:<34} {:>12} {:>12}", "  lost", sum(0), sum(1));
    }
}

/// One figure of both brokers, and Squall's in Mosquitto's.
fn row(name: &str, decimals: usize, rounds: &[Vec<Measured>], of: impl Fn(&Measured) -> f64) {
    let side = |side: usize| {
        let figures = rounds.iter().filter_map(|round| round.get(side));
        median(figures.map(&of).collect())
    };
    let ratios = rounds.iter().filter_map(|round| match &round[..] {
        [squall, mosquitto] => Some(of(squall) / of(mosquitto)),
        _ => None,
    });
    print_row(name, decimals, side(0), side(1), median(ratios.collect()));
}

/// Prints a line of the table.
fn print_row(
    name: &str,
    decimals: usize,
    squall: Option<f64>,
    mosquitto: Option<f64>,
    ratio: Option<f64>,
) {
    let figure = |it: Option<f64>| it.map_or("-".to_owned(), |it| format!("{it:.decimals$}"));
    let (squall, mosquitto) = (figure(squall), figure(mosquitto));
    let ratio = ratio.map_or("-".to_owned(), |it| format!("{it:.2}x"));
    println!("  {name:<32} {squall:>12} {mosquitto:>12} {ratio:>7}");
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
