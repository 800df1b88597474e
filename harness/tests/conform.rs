//! The conformance checks over the virtual network.

use squall::conform::{
    Framing, Serves, Setup, Simulated, every_check, simulated, websocket_checks,
};
use squall::reports::conformance::{Case, Conclusion};
use squall_broker::Quirk;

fn run(how: &Simulated) -> Vec<Case> {
    simulated(how, every_check()).expect("the simulation is carried through")
}

fn run_on_websocket(how: &Simulated) -> Vec<Case> {
    simulated(how, websocket_checks()).expect("the simulation is carried through")
}

fn honest(cases: &[Case]) {
    assert!(cases.iter().any(|case| case.verdict == Conclusion::Pass));
    for case in cases {
        let passes = matches!(case.verdict, Conclusion::Pass | Conclusion::Skip { .. });
        assert!(passes, "{} {:?}: {case:#?}", case.check, case.protocol);
    }
}

fn case<'a>(cases: &'a [Case], name: &str) -> &'a Case {
    let mut cases = cases.iter();
    let case = cases.find(|case| case.check == name);
    case.expect("a check of that name")
}

#[test]
fn the_reference_broker_passes_over_the_virtual_network() {
    for setup in Setup::ALL {
        let cases = run(&Simulated::new(setup));
        assert_eq!(cases.len(), every_check().len());
        honest(&cases);
    }
}

#[test]
fn the_reference_broker_passes_over_websocket_on_the_virtual_network() {
    for framing in [Framing::AsWritten, Framing::Messages(1)] {
        let cases = run(&Simulated {
            framing: Some(framing),
            ..Simulated::new(Setup::Full)
        });
        assert_eq!(cases.len(), every_check().len());
        honest(&cases);
    }
}

#[test]
fn both_websocket_servers_pass_over_the_virtual_network() {
    for serves in [Serves::Mqtt, Serves::Echo, Serves::Other] {
        let cases = run_on_websocket(&Simulated {
            serves,
            ..Simulated::new(Setup::Full)
        });
        assert_eq!(cases.len(), websocket_checks().len());
        honest(&cases);
    }
}

#[test]
fn a_defect_of_the_broker_shows_with_its_statement_and_its_packets() {
    let cases = run(&Simulated {
        quirks: vec![Quirk::ToleratesConnectFlag],
        ..Simulated::new(Setup::Full)
    });
    let case = case(&cases, "connect-reserved-flag");
    let Conclusion::Fail { broken, .. } = &case.verdict else {
        panic!("it passes: {case:#?}");
    };
    assert_eq!(broken, &["MQTT311-3.1.2-3"]);
    assert!(!case.transcript.is_empty());
}

#[test]
fn a_defect_of_either_websocket_server_shows() {
    for serves in [Serves::Mqtt, Serves::Echo] {
        let cases = run_on_websocket(&Simulated {
            quirks: vec![Quirk::WsMasksItsFrames],
            serves,
            ..Simulated::new(Setup::Full)
        });
        let case = case(&cases, "ws-own-frames-unmasked");
        let Conclusion::Fail { broken, .. } = &case.verdict else {
            panic!("it passes: {case:#?}");
        };
        assert_eq!(broken, &["RFC6455-5.1-2"]);
    }
}

#[test]
fn the_same_seed_gives_the_same_cases() {
    let how = Simulated::new(Setup::Full);
    assert_eq!(run(&how), run(&how));
    assert_eq!(run_on_websocket(&how), run_on_websocket(&how));
}
