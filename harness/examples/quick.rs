#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "scratch"
)]
use squall::{scenario::Scenario, sim};
fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap();
    let sets: Vec<String> = args.collect();
    let scenario = Scenario::load(path.as_ref(), &sets).unwrap_or_else(|e| panic!("{e:?}"));
    let mut options = sim::RunOptions {
        seed: 7,
        ..Default::default()
    };
    options.pcap = std::env::var_os("PCAP").map(Into::into);
    options.trace = std::env::var_os("TRACE").map(Into::into);
    let t = std::time::Instant::now();
    let report = sim::run(&scenario, &options).unwrap_or_else(|e| panic!("{e:?}"));
    let wall = t.elapsed();
    println!("{}", squall_reports::markdown::render(&report));
    let packets = report.bytes.packets();
    let rss = std::fs::read_to_string("/proc/self/status").unwrap();
    let hwm = rss.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    println!(
        "wall {wall:?} packets {packets} us/packet {} {hwm}",
        wall.as_secs_f64() * 1e6 / packets as f64
    );
}
