//! Random scripts against naive models of what 5.0 adds: options of
//! subscriptions and their identifiers, the time that messages and sessions have,
//! the window of a client, groups; with clients of 3.1.1 among them.
//! `[MQTT5-3.8.3-3]` `[MQTT5-3.3.1-9]` `[MQTT5-3.3.1-10]` `[MQTT5-3.3.1-11]`
//! `[MQTT5-3.3.1-12]` `[MQTT5-3.3.1-13]` `[MQTT5-3.3.4-3]` `[MQTT5-3.3.4-4]`
//! `[MQTT5-3.3.2-5]` `[MQTT5-3.3.2-6]` `[MQTT5-3.3.4-9]` `[MQTT5-3.1.2-23]`
//! `[MQTT5-4.8.2-3]` `[MQTT5-4.8.2-5]`

mod groups;
mod options;

use std::panic::catch_unwind;

use groups::groups;
use options::options_and_times;
use rstest::rstest;
use squall_broker::{Quirk, Quirks};

#[rstest]
#[case::options_and_times(options_and_times)]
#[case::groups(groups)]
fn random_scripts_follow_the_model(#[case] script: fn(u64, Quirks) -> usize) {
    let deliveries = |seed| {
        let run = catch_unwind(|| script(seed, Quirks::default()));
        run.unwrap_or_else(|_| panic!("seed {seed}"))
    };
    let deliveries: usize = (0..300).map(deliveries).sum();
    // The scripts do exercise something.
    assert!(deliveries > 10_000, "{deliveries} deliveries");
}

/// A defect that the model has an eye for shows in some script.
#[rstest]
#[case(options_and_times, Quirk::IgnoresNoLocal)]
#[case(options_and_times, Quirk::IgnoresRetainAsPublished)]
#[case(options_and_times, Quirk::IgnoresRetainHandling1)]
#[case(options_and_times, Quirk::IgnoresRetainHandling2)]
#[case(options_and_times, Quirk::SendsOneSubscriptionIdentifier)]
#[case(options_and_times, Quirk::ForwardsWholeExpiry)]
#[case(options_and_times, Quirk::IgnoresMessageExpiry)]
#[case(options_and_times, Quirk::IgnoresReceiveMaximum)]
#[case(options_and_times, Quirk::NeverExpiresSessions)]
#[case(options_and_times, Quirk::LosesQueueOfAbsent)]
#[case(groups, Quirk::ForgetsSharedQos2)]
#[case(groups, Quirk::PassesOnSharedQos2)]
fn a_defect_departs_from_the_model(#[case] script: fn(u64, Quirks) -> usize, #[case] quirk: Quirk) {
    let departs = |seed| catch_unwind(|| script(seed, Quirks::from_iter([quirk]))).is_err();
    let found = (0..300).find(|seed| departs(*seed));
    assert!(found.is_some(), "{}", quirk.name());
}
