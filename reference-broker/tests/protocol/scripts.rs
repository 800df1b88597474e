//! The fuzz target of the broker, bounded and seeded: what holds for any script.

#[path = "../../fuzz/src/broker/mod.rs"]
mod broker;

use std::panic::catch_unwind;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use rstest::rstest;
use squall_broker::{Quirk, Quirks};

/// A random script. Short ones are as likely as long ones.
fn script(seed: u64) -> Vec<u8> {
    let mut dice = Pcg32::seed_from_u64(seed);
    let length = dice.next_u32() % 512;
    (0..length)
        .map(|_| dice.next_u32().to_le_bytes()[0])
        .collect()
}

#[test]
fn whatever_clients_do_they_are_served_by_the_rules() {
    let count = std::env::var("SQUALL_SCRIPTS").ok();
    let count = count.map_or(3000, |count| count.parse().expect("a number"));
    for seed in 0..count {
        let checked = catch_unwind(|| broker::check(&script(seed), Quirks::default()));
        assert!(checked.is_ok(), "seed {seed}");
    }
}

/// What the scripts look for is found where it is.
#[rstest]
#[case(Quirk::IgnoresReceiveMaximum)]
#[case(Quirk::ExceedsTopicAliasMaximum)]
#[case(Quirk::MarksQueuedDup)]
#[case(Quirk::SessionPresentInRefusal)]
#[case(Quirk::CutsSubackId)]
#[case(Quirk::ReusesIdentifiers)]
#[case(Quirk::FreesQuotaAtPubrec)]
#[case(Quirk::OverfillsReasonStrings)]
fn a_defect_is_found(#[case] quirk: Quirk) {
    let found = (0..20_000).find(|seed| {
        let script = script(*seed);
        catch_unwind(|| broker::check(&script, Quirks::from_iter([quirk]))).is_err()
    });
    assert!(found.is_some(), "{}", quirk.name());
}
