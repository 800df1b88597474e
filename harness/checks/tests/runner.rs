//! What the runner does about a server that a check brings down.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use squall_broker::wire::{
    ConnAck, Decoder, Packet, Properties, ReasonCode, Sender as From, Version,
};
use squall_checks::{BoxFuture, Fixtures, RestartError, Selected, Server, Settings, Stream, run};
use squall_reports::conformance::{Case, Conclusion, Protocol};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// Speaks MQTT 5.0 alone, and serves nobody once a client has subscribed.
#[derive(Default)]
struct Fragile {
    down: Arc<AtomicBool>,
    fixtures: Fixtures,
}

impl Server for Fragile {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let (near, far) = tokio::io::duplex(1024);
        tokio::spawn(serve(far, Arc::clone(&self.down)));
        Box::pin(async { Ok(Box::new(near) as Box<dyn Stream>) })
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), RestartError>> {
        self.down.store(false, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }

    fn fixtures(&self) -> &Fixtures {
        &self.fixtures
    }
}

async fn serve(mut stream: DuplexStream, down: Arc<AtomicBool>) {
    let mut decoder = Decoder::new(Version::V5, From::Client, 1024);
    let mut unread = Vec::new();
    while !down.load(Ordering::Relaxed) && stream.read_buf(&mut unread).await.unwrap_or(0) > 0 {
        let mut rest = unread.as_slice();
        while let Ok(Some(packet)) = decoder.decode(&mut rest) {
            let answer = match packet {
                Packet::Connect(connect) if connect.version != Version::V5 => return,
                Packet::Connect(_) => Packet::ConnAck(ConnAck {
                    session_present: false,
                    code: ReasonCode::Success,
                    properties: Properties::NONE,
                }),
                Packet::PingReq => Packet::PingResp,
                Packet::Subscribe(_) => return down.store(true, Ordering::Relaxed),
                _ => return,
            };
            let mut bytes = Vec::new();
            answer.encode(Version::V5, &mut bytes);
            let _ = stream.write_all(&bytes).await;
        }
        let taken = unread.len() - rest.len();
        unread.drain(..taken);
    }
}

/// The verdicts on these checks in MQTT 5.0, so many at once.
async fn verdicts(checks: &[&str], jobs: usize) -> Vec<Conclusion> {
    let mut selection = Selected::all(&[Protocol::Mqtt5]);
    selection.retain(|selected| checks.contains(&selected.check.name));
    assert_eq!(selection.len(), checks.len());
    let settings = Settings {
        timeout: Duration::from_secs(5),
        quiet: Duration::from_secs(10),
        jobs,
        run: "t".to_owned(),
    };
    let server = Arc::new(Fragile::default());
    let cases = run(server, settings, &selection, &mut |_| {}).await;
    cases.into_iter().map(|case: Case| case.verdict).collect()
}

/// One at a time and all at once.
#[tokio::test(start_paused = true)]
async fn a_server_of_one_version_is_restarted_and_the_others_are_judged() {
    for jobs in [1, 8] {
        let found = verdicts(&["suback-codes-are-in-order", "pingreq-is-answered"], jobs).await;
        let [Conclusion::Fail { actual, .. }, pinged] = &found[..] else {
            panic!("{found:?}");
        };
        assert!(
            actual.ends_with("it accepts no client any more"),
            "{actual}"
        );
        assert_eq!(*pinged, Conclusion::Pass, "with {jobs} at once");
    }
}
