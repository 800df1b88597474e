//! Brokers that are one.

use std::time::Duration;

use rstest::rstest;
use squall::conform::{Live, Setup, Simulated, every_check, known, live, simulated};
use squall::targets::Transport;
use squall_reports::conformance::{Case, Conclusion, Protocol};
use tokio::sync::Notify;

use super::{every, lines, say, started};

#[rstest]
#[case(Transport::Tcp)]
#[case(Transport::Tls)]
#[case(Transport::WebSocket)]
#[case(Transport::SecureWebSocket)]
#[tokio::test]
async fn the_reference_broker_does_on_sockets_what_it_does_in_the_simulator(
    #[case] transport: Transport,
) {
    let broker = started("reference").await.expect("it is part of squall");
    // It answers, so its patience costs no time: it is for a busy disk.
    let run = every(&broker, transport, Duration::from_secs(30)).await;
    broker.stop().await;
    let broken = run.cases.iter().filter(|case| {
        let verdict = &case.verdict;
        !matches!(verdict, Conclusion::Pass | Conclusion::Skip { .. })
    });
    assert_eq!(lines(broken), "");

    // What is skipped here is skipped there. The checks of WebSocket have no
    // excuse but that TLS is not below it.
    let how = Simulated::new(Setup::Full);
    let there = std::thread::spawn(move || simulated(&how, every_check()).expect("it runs"));
    let there = there.join().expect("no panic");
    let skipped = |case: &&Case| matches!(case.verdict, Conclusion::Skip { .. });
    let also = |case: &&Case| {
        if case.protocol == Protocol::WebSocket {
            return case.check == "wss-tls-comes-first" && !transport.is_encrypted();
        }
        let mut there = there.iter().filter(skipped);
        there.any(|other| other.check == case.check && other.protocol == case.protocol)
    };
    let only_here = run.cases.iter().filter(skipped);
    assert_eq!(lines(only_here.filter(|case| !also(case))), "");
    say(&format!("{} checks over {transport}", run.cases.len()));
}

#[tokio::test]
async fn mosquitto_fails_what_its_file_says_and_nothing_else() {
    let Some(broker) = started("mosquitto").await else {
        return;
    };
    let mut run = every(&broker, Transport::Tcp, Duration::from_secs(10)).await;
    let list = broker.expected.clone();
    broker.stop().await;
    let over = Some(Transport::Tcp);
    for case in &mut run.cases {
        known::mark(case, &list, over);
    }
    let gone = known::gone(&run.cases, &list, over);
    assert!(gone.is_empty(), "{gone:?}");
    let news = run.cases.iter().filter(|case| {
        let verdict = &case.verdict;
        let failed = matches!(verdict, Conclusion::Fail { .. } | Conclusion::Error { .. });
        failed && case.expected.is_none()
    });
    assert_eq!(lines(news), "");
}

#[tokio::test]
async fn an_interrupted_run_reports_what_had_ended() {
    let broker = started("reference").await.expect("it is part of squall");
    let enough = Notify::new();
    let mut ended = 0;
    let mut progress = |_: &Case| {
        ended += 1;
        if ended == 3 {
            enough.notify_one();
        }
    };
    let mut how = Live::over(Transport::Tcp);
    how.jobs = 1;
    let all = every_check();
    let run = live(&broker, &how, &all, enough.notified(), &mut progress).await;
    broker.stop().await;
    assert!(run.partial);
    let names = run.cases.iter().map(|case| case.check.as_str());
    let first = all.iter().map(|selected| selected.check);
    let first = first.filter(|check| !check.alone).map(|check| check.name);
    assert!(names.eq(first.take(run.cases.len())));
    assert!((3..all.len()).contains(&run.cases.len()));
}
