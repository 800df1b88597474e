//! WebSocket on real sockets: servers of it that are no brokers, and the checks
//! that take TLS, or a connection that can be reset.

use std::time::Duration;

use rstest::rstest;
use squall::conform::{Broker, Live, Serves, live, websocket_checks};
use squall::serve::{Endpoint, Listening, Settings};
use squall::targets::{Address, Transport, Trust};
use squall_broker::{Config, Quirk, Quirks};
use squall_reports::conformance::{Case, Conclusion};
use tokio::sync::oneshot;

use super::lines;

/// How long an answer may take: long, since the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The cases of WebSocket on the broker over this transport, or on the hub.
async fn cases(transport: Transport, serves: Serves, quirk: Option<Quirk>) -> Vec<Case> {
    let any = "127.0.0.1:0".to_owned();
    let (endpoints, hubs) = match serves {
        Serves::Mqtt => (vec![Endpoint::new(transport, any)], Vec::new()),
        Serves::Echo | Serves::Other => (Vec::new(), vec![any]),
    };
    let settings = Settings {
        endpoints,
        hubs,
        broker: Config {
            quirks: Quirks::from_iter(quirk),
            ..Config::default()
        },
        ..Settings::default()
    };
    let listening = Listening::bind(settings).await.expect("it listens");
    let mut address: Address = listening.urls()[0].parse().expect("a URL");
    match serves {
        Serves::Mqtt => {}
        Serves::Echo => "/echo".clone_into(&mut address.path),
        Serves::Other => "/groups/valley".clone_into(&mut address.path),
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listening.serve(async {
        let _ = stopped.await;
    }));
    let trust = Trust::anyone().expect("TLS can be used");
    let server = Broker::websocket_at(address, trust, serves, TIMEOUT).await;
    let server = server.expect("it is reached");
    let how = Live {
        timeout: TIMEOUT,
        ..Live::over(transport)
    };
    let never = std::future::pending();
    let run = live(&server, &how, &websocket_checks(), never, &mut |_| {}).await;
    drop(stop);
    let served = serving.await.expect("no panic");
    served.expect("no store failed");
    run.cases
}

fn is_broken(case: &Case) -> bool {
    !matches!(case.verdict, Conclusion::Pass | Conclusion::Skip { .. })
}

#[rstest]
#[case(Serves::Echo)]
#[case(Serves::Other)]
#[tokio::test]
async fn the_hub_passes_where_its_limits_are_its_own(#[case] serves: Serves) {
    let cases = cases(Transport::WebSocket, serves, None).await;
    assert_eq!(lines(cases.iter().filter(|case| is_broken(case))), "");
    let passed = |case: &&Case| case.verdict == Conclusion::Pass;
    assert!(cases.iter().filter(passed).count() > cases.len() / 2);
}

/// The one check fails for the statement that the quirk breaks, and no other
/// does.
#[rstest]
#[case(
    Transport::SecureWebSocket,
    Quirk::WssServesPlain,
    "wss-tls-comes-first"
)]
#[case(
    Transport::WebSocket,
    Quirk::WsResetsStreams,
    "ws-stream-ends-in-order"
)]
#[tokio::test]
async fn a_quirk_of_sockets_is_found_by_its_check(
    #[case] transport: Transport,
    #[case] quirk: Quirk,
    #[case] check: &str,
) {
    let honest = cases(transport, Serves::Mqtt, None).await;
    assert_eq!(lines(honest.iter().filter(|case| is_broken(case))), "");
    let decides = honest.iter().find(|case| case.check == check);
    let decides = decides.expect("a check of that name");
    assert_eq!(decides.verdict, Conclusion::Pass);
    assert_eq!(decides.statements, quirk.statements());

    let quirky = cases(transport, Serves::Mqtt, Some(quirk)).await;
    let broken: Vec<_> = quirky.iter().filter(|case| is_broken(case)).collect();
    let names: Vec<_> = broken.iter().map(|case| case.check.as_str()).collect();
    assert_eq!(names, [check], "{}", lines(broken));
}
