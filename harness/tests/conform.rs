//! The conformance checks over the virtual network.

use squall::conform::{Setup, Simulated, every_check, simulated};
use squall::reports::conformance::{Case, Conclusion};
use squall_broker::Quirk;

fn run(setup: Setup, quirks: Vec<Quirk>) -> Vec<Case> {
    let how = Simulated {
        setup,
        quirks,
        seed: 1,
        pcap: None,
    };
    simulated(&how, every_check()).expect("the simulation is carried through")
}

#[test]
fn the_reference_broker_passes_over_the_virtual_network() {
    for setup in Setup::ALL {
        let cases = run(setup, Vec::new());
        assert_eq!(cases.len(), every_check().len());
        for case in cases {
            let passes = matches!(case.verdict, Conclusion::Pass | Conclusion::Skip { .. });
            assert!(passes, "{} {:?}: {case:#?}", case.check, case.protocol);
        }
    }
}

#[test]
fn a_defect_of_the_broker_shows_with_its_statement_and_its_packets() {
    let cases = run(Setup::Full, vec![Quirk::ToleratesConnectFlag]);
    let case = cases
        .iter()
        .find(|case| case.check == "connect-reserved-flag")
        .expect("a check of that name");
    let Conclusion::Fail { broken, .. } = &case.verdict else {
        panic!("it passes: {case:#?}");
    };
    assert_eq!(broken, &["MQTT311-3.1.2-3"]);
    assert!(!case.transcript.is_empty());
}

#[test]
fn the_same_seed_gives_the_same_cases() {
    assert_eq!(run(Setup::Full, Vec::new()), run(Setup::Full, Vec::new()));
}
