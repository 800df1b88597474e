//! What devices cost while they are online: resident memory and time.
//!
//! `cargo bench -p squall-devices [-- <devices>]` connects that many devices
//! (10,000) over in-memory streams to a server that only answers what has to be
//! answered, and prints the resident bytes that each adds once connected, after
//! publishing, and asleep, and the processor time of a reading. The server's
//! ends and the streams are part of it: two 128-byte pipes and a small task.
//! Once asleep again all of it has been freed, but the allocator keeps the pages.

use squall_devices::{
    BoxFuture, DeviceId, DeviceMemory, Dial, Ending, Event, Fleet, Lifecycle, MqttSettings,
    Observer, Payload, Protocol, Publish, Qos, Spread, Stream, run,
};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc::unbounded_channel;

const READINGS: u32 = 10;

struct Net;

impl Dial for Net {
    fn dial(&self, _: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let (near, far) = duplex(128);
        tokio::spawn(answer(far));
        Box::pin(std::future::ready(Ok(Box::new(near) as Box<dyn Stream>)))
    }
}

/// CONNACK for CONNECT, PUBACK for QoS 1 PUBLISH.
async fn answer(mut stream: DuplexStream) -> io::Result<()> {
    loop {
        let mut header = [0; 2];
        stream.read_exact(&mut header).await?;
        let mut body = vec![0; usize::from(header[1])];
        stream.read_exact(&mut body).await?;
        match header[0] >> 4 {
            1 => stream.write_all(&[0x20, 2, 0, 0]).await?,
            3 => {
                let packet_id = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                let ack = [0x40, 2, body[packet_id], body[packet_id + 1]];
                stream.write_all(&ack).await?;
            }
            12 => stream.write_all(&[0xd0, 0]).await?,
            _ => return Ok(()),
        }
    }
}

#[derive(Default)]
struct Count {
    connected: AtomicU64,
    acknowledged: AtomicU64,
}

impl Observer for Count {
    fn record(&self, _: DeviceId, event: Event<'_>) {
        match event {
            Event::Connected { .. } => self.connected.fetch_add(1, Ordering::Relaxed),
            Event::Acknowledged { .. } => self.acknowledged.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

fn fleet(count: u32) -> Fleet {
    Fleet {
        name: "sensor".to_owned(),
        first_device: DeviceId(0),
        count,
        seed: 1,
        start_after: Duration::from_secs(10),
        start_spread: Duration::from_secs(60),
        clock_drift_ppb: 0,
        device_memory: DeviceMemory::Flash,
        // Up for 40 minutes, then asleep.
        lifecycle: Lifecycle::UpDown {
            up: Spread::Fixed(Duration::from_secs(2_400)),
            down: Spread::Fixed(Duration::from_secs(36_000)),
            ending: Ending::Clean,
        },
        protocol: Protocol::Mqtt,
        mqtt: MqttSettings {
            keep_alive_s: 3_600,
            ..MqttSettings::default()
        },
        publish: Some(Publish {
            topic: "site/{device}/temperature".to_owned(),
            to: None,
            qos: vec![Qos::AtLeastOnce],
            retain: false,
            message_expiry_s: None,
            topic_alias: false,
            payload: Payload::Fixed { bytes: 24 },
            every: Duration::from_secs(120),
            jitter: Duration::ZERO,
            readings_max: Some(READINGS),
            outbox_max: Publish::OUTBOX_MAX,
        }),
        subscribe: Vec::new(),
        quiet_after: None,
    }
}

/// Resident bytes of this process.
fn resident() -> io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    Ok(pages.unwrap_or(0) * 4_096)
}

async fn measure(count: u32) -> io::Result<()> {
    let observer = Arc::new(Count::default());
    let seen: Arc<dyn Observer> = Arc::<Count>::clone(&observer);
    let idle = resident()?;
    let each = |now: u64| (now.saturating_sub(idle)) / u64::from(count);
    let devices = tokio::spawn(run(
        Arc::new(fleet(count)),
        Arc::new(Net),
        seen,
        unbounded_channel().1,
    ));
    let mut out = io::stdout().lock();
    let stages = [
        ("asleep, before", 5),
        ("connected, one reading", 80),
        ("ten readings", 2_000),
        ("asleep, after", 3_000),
    ];
    let mut last = Duration::ZERO;
    for (stage, at_s) in stages {
        let at = Duration::from_secs(at_s);
        let started = cpu()?;
        let before = observer.acknowledged.load(Ordering::Relaxed);
        tokio::time::sleep(at - last).await;
        last = at;
        let spent = cpu()? - started;
        let readings = observer.acknowledged.load(Ordering::Relaxed) - before;
        let time = match readings {
            0 => String::new(),
            _ => format!(
                "{:6.2} us a reading",
                spent.as_secs_f64() * 1e6 / readings as f64
            ),
        };
        let connected = observer.connected.load(Ordering::Relaxed);
        let bytes = each(resident()?);
        writeln!(
            out,
            "{stage:24} {connected:7} connected {bytes:8} B each  {time}"
        )?;
    }
    devices.abort();
    Ok(())
}

/// Processor time of this process, both kinds, in steps of 10 ms.
fn cpu() -> io::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let ticks = stat
        .split(' ')
        .skip(13)
        .take(2)
        .filter_map(|t| t.parse::<u64>().ok());
    Ok(Duration::from_millis(10 * ticks.sum::<u64>()))
}

fn main() -> io::Result<()> {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(measure(count.unwrap_or(10_000)))
}
