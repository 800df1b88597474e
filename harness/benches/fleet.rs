//! What a simulated fleet costs: `cargo bench -p squall --bench fleet`.
//!
//! Prints, in one run,
//! - for 100 to 50,000 sensors that publish ten QoS 1 readings one second
//!   apart: packets, wall time per packet, how much faster than the clock, and
//!   resident memory per online sensor, both ends included;
//! - the same hundred sensors as one turmoil host each over turmoil's own
//!   `TcpStream`, as the baseline, and how many times faster Squall is;
//! - what judging the guarantees costs at 10,000 sensors whose readings a
//!   recorder receives: wall time against a run that is not judged, and memory
//!   per million events of the trace;
//! - a simulated day of a thousand sensors that report every 15 minutes.
//!
//! Each figure comes from a process of its own, so that none inherits
//! another's memory. `-- 100 1000` measures those sizes only.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints, and measures the wall clock"
)]

use squall::scenario::Scenario;
use squall::sim::{self, RunOptions};
use squall_devices::{BoxFuture, DeviceId, Dial, Event, Fleet, Observer, Stream};
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [u32; 4] = [100, 1_000, 10_000, 50_000];

/// Readings of each sensor, one second apart.
const READINGS: u32 = 10;

/// Sensors of the run that is judged and not judged.
const JUDGED: u32 = 10_000;

/// Sensors of the comparison with turmoil's own streams.
const COMPARED: u32 = 100;

/// What one measurement in a process of its own answers, as words on a line.
#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    wall: f64,
    packets: u64,
    /// Largest resident size in bytes.
    resident: u64,
    virtual_time: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["measure", what, number] => {
            let measured = measure(what, number.parse().expect("a number"));
            println!(
                "{} {} {} {}",
                measured.wall, measured.packets, measured.resident, measured.virtual_time
            );
        }
        _ => {
            let sizes: Vec<u32> = arguments
                .iter()
                .filter_map(|size| size.parse().ok())
                .collect();
            table(if sizes.is_empty() { &SIZES } else { &sizes });
        }
    }
}

fn measure(what: &str, number: u32) -> Measured {
    match what {
        "fleet" => run(&fleet(number, "")),
        "judged" => run(&recorded(number)),
        "unjudged" => run_with(
            &recorded(number),
            RunOptions {
                unjudged: true,
                ..RunOptions::seed(7)
            },
        ),
        "events" => events(&recorded(number)),
        "fleet-at-tick-ms" => run(&fleet(COMPARED, &format!("tick = \"{number}ms\""))),
        "baseline-at-tick-ms" => baseline(Duration::from_millis(number.into())),
        "day" => run(&day(number)),
        _ => panic!("nothing to measure is called {what}"),
    }
}

fn table(sizes: &[u32]) {
    let one = child("fleet", 1);
    println!(
        "{READINGS} QoS 1 readings each, one second apart, over 50 ms of Ethernet, in 30 s of virtual \
         time; broker, trace and metrics on\n"
    );
    println!("   sensors      packets   us/packet   sim/wall   KiB/sensor");
    let mut costs = Vec::new();
    for &size in sizes {
        let measured = child("fleet", size);
        let per_packet = measured.wall * 1e6 / measured.packets as f64;
        let memory =
            measured.resident.saturating_sub(one.resident) as f64 / 1024.0 / f64::from(size);
        println!(
            "{size:>10} {:>12} {per_packet:>11.2} {:>9.1}x {memory:>12.1}",
            measured.packets,
            measured.virtual_time / measured.wall,
        );
        costs.push((size, per_packet));
    }
    let cost = |size| {
        costs
            .iter()
            .find(|(known, _)| *known == size)
            .map(|(_, cost)| *cost)
    };
    if let (Some(thousand), Some(ten_thousand)) = (cost(1_000), cost(10_000)) {
        println!(
            "\nper packet, 10,000 sensors against 1,000: {:.2}x",
            ten_thousand / thousand
        );
    }
    for tick in [1, 10] {
        let squall = child("fleet-at-tick-ms", tick);
        let baseline = child("baseline-at-tick-ms", tick);
        println!(
            "{COMPARED} sensors at a tick of {tick} ms: {:.0} ms; one turmoil host per sensor over turmoil's \
             TcpStream: {:.0} ms, {:.0}x as long",
            squall.wall * 1e3,
            baseline.wall * 1e3,
            baseline.wall / squall.wall,
        );
    }
    judging(JUDGED);
    let day = child("day", 1_000);
    println!(
        "a day of 1,000 sensors reporting every 15 minutes: {:.1} s, {} packets",
        day.wall, day.packets
    );
}

/// What judging costs: the best of three runs each, one kind after the other.
fn judging(sensors: u32) {
    let best = |what: &str| {
        let runs = (0..3).map(|_| child(what, sensors));
        runs.min_by(|one, other| one.wall.total_cmp(&other.wall))
            .unwrap_or_default()
    };
    let (unjudged, judged) = (best("unjudged"), best("judged"));
    let events = child("events", sensors).packets;
    let memory = judged.resident.saturating_sub(unjudged.resident) as f64 / (1 << 20) as f64;
    println!(
        "{sensors} sensors and a recorder: {:.2} s, {:.2} s with the guarantees judged, {:.2}x; {:.0} MiB more \
         for {events} events, {:.0} MiB per million",
        unjudged.wall,
        judged.wall,
        judged.wall / unjudged.wall,
        memory,
        memory * 1e6 / events as f64,
    );
}

/// How many events a run's trace has.
fn events(scenario: &Scenario) -> Measured {
    let path = std::env::temp_dir().join(format!("squall-bench-{}.jsonl", std::process::id()));
    let mut measured = run_with(
        scenario,
        RunOptions {
            trace: Some(path.clone()),
            ..RunOptions::seed(7)
        },
    );
    let lines = std::fs::File::open(&path).map(io::BufReader::new);
    let lines = lines.map_or(0, |lines| io::BufRead::lines(lines).count() as u64);
    measured.packets = lines.saturating_sub(1);
    // Left behind, it would only take room.
    let _ = std::fs::remove_file(path);
    measured
}

/// Measures in a process of its own.
fn child(what: &str, number: u32) -> Measured {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .args(["measure", what, &number.to_string()])
        .output()
        .expect("this program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("text");
    let mut words = text.split_whitespace();
    let mut word = || words.next().expect("four figures");
    Measured {
        wall: word().parse().expect("seconds"),
        packets: word().parse().expect("packets"),
        resident: word().parse().expect("bytes"),
        virtual_time: word().parse().expect("seconds"),
    }
}

fn fleet(sensors: u32, network: &str) -> Scenario {
    scenario(&format!(
        r#"
        title = "Fleet"
        duration = "30s"
        drain = "5s"
        [network]
        {network}
        [[site]]
        name = "field"
        link = {{ preset = "ethernet", latency = "50ms" }}
        [[fleet]]
        name = "sensor"
        site = "field"
        count = {sensors}
        start = {{ spread = "1s" }}
        publish = {{ topic = "field/{{device}}", qos = 1, every = "1s", readings = {READINGS}, payload = {{ kind = "json", unit = "degC", min = 0, max = 30 }} }}
        "#
    ))
}

/// The same, with a recorder that receives every reading.
fn recorded(sensors: u32) -> Scenario {
    scenario(&format!(
        r#"
        title = "Recorded fleet"
        duration = "30s"
        drain = "5s"
        [broker]
        inflight_max = 8192 # 10,000 readings a second, 100 ms there and back
        [[site]]
        name = "field"
        link = {{ preset = "ethernet", latency = "50ms" }}
        [[fleet]]
        name = "sensor"
        site = "field"
        count = {sensors}
        start = {{ after = "1s", spread = "1s" }}
        publish = {{ topic = "field/{{device}}", qos = 1, retain = true, every = "1s", readings = {READINGS}, payload = {{ kind = "json", unit = "degC", min = 0, max = 30 }} }}
        [[fleet]]
        name = "recorder"
        site = "field"
        count = 1
        window = "1 MiB"
        mqtt = {{ clean_session = false }}
        subscribe = [{{ filter = "field/+", qos = 1 }}]
        [expect]
        delivered = "100% of acknowledged"
        "#
    ))
}

fn day(sensors: u32) -> Scenario {
    scenario(&format!(
        r#"
        title = "Day"
        duration = "24h"
        [[site]]
        name = "field"
        link = {{ preset = "ethernet", latency = "50ms" }}
        [[site]]
        name = "office"
        link = {{ preset = "ethernet", latency = "10ms" }}
        [[fleet]]
        name = "sensor"
        site = "field"
        count = {sensors}
        lifecycle = {{ kind = "periodic", every = "15m", jitter = "1m" }}
        publish = {{ topic = "field/{{device}}", qos = 1, payload = {{ kind = "json", unit = "degC", min = 0, max = 30 }} }}
        [[fleet]]
        name = "recorder"
        site = "office"
        count = 1
        mqtt = {{ clean_session = false }}
        subscribe = [{{ filter = "field/+", qos = 1 }}]
        [expect]
        delivered = "100%"
        "#
    ))
}

fn scenario(text: &str) -> Scenario {
    Scenario::parse("bench.toml".as_ref(), text, &[])
        .unwrap_or_else(|error| panic!("{}", error.render(false, 100)))
}

fn run(scenario: &Scenario) -> Measured {
    run_with(scenario, RunOptions::seed(7))
}

fn run_with(scenario: &Scenario, options: RunOptions) -> Measured {
    let began = Instant::now();
    let report = sim::run(scenario, &options).expect("the run is carried through");
    let wall = began.elapsed().as_secs_f64();
    assert!(report.held(), "{:?}", report.expectations);
    assert_eq!(
        report.arrived.total.published,
        report.arrived.total.acknowledged
    );
    Measured {
        wall,
        packets: report.bytes.packets(),
        resident: resident_max(),
        virtual_time: scenario.duration.as_secs_f64(),
    }
}

/// The largest resident size of this process so far, in bytes (Linux).
fn resident_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The same fleet as one turmoil host per sensor over turmoil's own streams.
fn baseline(tick: Duration) -> Measured {
    let latency = Duration::from_millis(50);
    let mut sim = turmoil::Builder::new()
        .tick_duration(tick)
        .simulation_duration(Duration::from_secs(3600))
        .rng_seed(7)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .build();
    sim.host("broker", || async {
        let server = squall_broker::Server::new(squall_broker::Config::default(), None);
        let listener = turmoil::net::TcpListener::bind(("0.0.0.0", 1883)).await?;
        let timers = server.clone();
        tokio::spawn(async move { timers.run_timers().await });
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(server.serve(stream));
        }
    });
    let acknowledged = Arc::new(Acknowledged::default());
    for sensor in 0..COMPARED {
        let acknowledged = Arc::clone(&acknowledged);
        sim.host(format!("sensor-{sensor}"), move || {
            let acknowledged = Arc::clone(&acknowledged);
            async move {
                let fleet = Arc::new(baseline_fleet(sensor));
                let strikes = tokio::sync::mpsc::unbounded_channel().1;
                squall_devices::run(fleet, Arc::new(TurmoilNetwork), acknowledged, strikes).await;
                Ok(())
            }
        });
    }
    let virtual_time = 30.0;
    let began = Instant::now();
    while sim.elapsed().as_secs_f64() < virtual_time {
        sim.step().expect("turmoil steps");
    }
    let wall = began.elapsed().as_secs_f64();
    let acknowledged = acknowledged.0.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(
        acknowledged,
        u64::from(COMPARED * READINGS),
        "every reading is acknowledged"
    );
    Measured {
        wall,
        packets: 0,
        resident: resident_max(),
        virtual_time,
    }
}

fn baseline_fleet(sensor: u32) -> Fleet {
    Fleet {
        name: format!("sensor{sensor}"),
        first_device: DeviceId(sensor),
        count: 1,
        seed: 7,
        start_after: Duration::ZERO,
        start_spread: Duration::from_secs(1),
        clock_drift_ppb: 0,
        device_memory: squall_devices::DeviceMemory::Flash,
        lifecycle: squall_devices::Lifecycle::AlwaysOn,
        protocol: squall_devices::Protocol::Mqtt,
        mqtt: squall_devices::MqttSettings::default(),
        publish: Some(squall_devices::Publish {
            topic: "field/{device}".to_owned(),
            to: None,
            qos: vec![squall_devices::Qos::AtLeastOnce],
            retain: false,
            message_expiry_s: None,
            topic_alias: false,
            payload: squall_devices::Payload::Json {
                unit: "degC".to_owned(),
                decimals: 1,
                signal: squall_devices::Signal::Uniform {
                    min: 0.0,
                    max: 30.0,
                },
            },
            every: Duration::from_secs(1),
            jitter: Duration::ZERO,
            readings_max: Some(READINGS),
            outbox_max: 100,
        }),
        subscribe: Vec::new(),
        quiet_after: None,
    }
}

struct TurmoilNetwork;

impl Dial for TurmoilNetwork {
    fn dial(&self, _device: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let stream = turmoil::net::TcpStream::connect(("broker", 1883)).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// Counts acknowledged readings.
#[derive(Default)]
struct Acknowledged(std::sync::atomic::AtomicU64);

impl Observer for Acknowledged {
    fn record(&self, _device: DeviceId, event: Event<'_>) {
        if matches!(event, Event::Acknowledged { .. }) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
