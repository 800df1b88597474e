//! Servers that are brokers, and then no more: the checks that ran are reported,
//! the others say that the server is gone, and nothing is held against it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rstest::rstest;
use squall::conform::{Broker, Live, Selected, every_check, live};
use squall::targets::{Address, Transport, Trust};
use squall_broker::wire::Version;
use squall_reports::conformance::{Case, Conclusion, Protocol};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{lines, started};

/// Connections that are served: those that ask whether it is a broker, and those
/// of some checks.
const SERVED: usize = 60;

/// What comes after.
#[derive(Clone, Copy)]
enum End {
    /// Every connection is reset, and nobody listens.
    Dies,
    /// Connections are accepted, and nothing else.
    Hangs,
    /// Connections are answered with a packet that has no end.
    Floods,
}

/// Serves so many connections from the broker, and then no more. Says how many
/// bytes a connection took of the packet without end, at most.
async fn serve(listener: TcpListener, broker: Address, end: End, taken: Arc<AtomicUsize>) {
    let mut served = JoinSet::new();
    for _ in 0..SERVED {
        let (mut client, _) = listener.accept().await.expect("a client");
        let mut server = TcpStream::connect(broker.authority())
            .await
            .expect("the broker is there");
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("it is open");
        }
        served.spawn(async move {
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
    let mut held = Vec::new();
    loop {
        match end {
            End::Dies => {
                served.shutdown().await;
                return;
            }
            End::Hangs => held.push(listener.accept().await.expect("a client")),
            End::Floods => {
                let (mut client, _) = listener.accept().await.expect("a client");
                let taken = Arc::clone(&taken);
                served.spawn(async move {
                    let mut sent = 0;
                    let _ = client.write_all(b"\x30\xff\xff\xff\x7f").await;
                    while client.write_all(&[0; 65_536]).await.is_ok() {
                        sent += 65_536;
                        taken.fetch_max(sent, Ordering::Relaxed);
                    }
                });
            }
        }
    }
}

#[rstest]
#[case::dies(End::Dies)]
#[case::hangs(End::Hangs)]
#[case::floods(End::Floods)]
#[tokio::test]
async fn what_ran_is_reported_and_the_rest_is_an_error(#[case] end: End) {
    let real = started("reference").await.expect("it is part of squall");
    let address = real.address(Transport::Tcp, Version::V5);
    let broker = address.expect("it listens").clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let taken = Arc::new(AtomicUsize::new(0));
    let serving = tokio::spawn(serve(listener, broker, end, Arc::clone(&taken)));

    let address = Address::new(Transport::Tcp, "127.0.0.1", address.port());
    let trust = Trust::system().expect("TLS can be used");
    let timeout = Duration::from_secs(2);
    let broker = Broker::at(address, trust, timeout).await.expect("a broker");
    let of_311 = |selected: &Selected| selected.protocol == Protocol::Mqtt311;
    let selection: Vec<_> = every_check().into_iter().filter(of_311).collect();
    let how = Live {
        timeout,
        jobs: 8,
        ..Live::over(Transport::Tcp)
    };
    let began = Instant::now();
    let never = std::future::pending();
    let run = live(&broker, &how, &selection, never, &mut |_| {}).await;
    let took = began.elapsed();
    serving.abort();
    real.stop().await;

    assert_eq!(run.cases.len(), selection.len());
    let gone = |case: &&Case| {
        let Conclusion::Error { what } = &case.verdict else {
            return false;
        };
        what.starts_with("the server is gone, and could not be restarted: ")
    };
    let passed = |case: &&Case| case.verdict == Conclusion::Pass;
    let skipped = |case: &&Case| matches!(case.verdict, Conclusion::Skip { .. });
    let others = run
        .cases
        .iter()
        .filter(|case| !gone(case) && !passed(case) && !skipped(case));
    assert_eq!(lines(others), "");
    assert!(run.cases.iter().any(|case| passed(&case)));
    assert!(run.cases.iter().filter(gone).count() > selection.len() / 4);
    assert!(took < Duration::from_secs(60), "{took:?}");
    // A packet's worth, and what the system buffers.
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < 32 << 20, "{taken} bytes were taken");
}
