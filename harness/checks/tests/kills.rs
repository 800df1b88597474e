//! The honest servers pass every check, and every check is seen to fail.
//!
//! A quirk kills a check when that fails and names a statement that the quirk
//! breaks, while nine tenths of the other checks go on passing: so the check
//! finds this very defect, and not just any.

mod pipe;

use std::collections::{BTreeMap, BTreeSet};

use pipe::{Ground, try_checks};
use squall_broker::Quirk;
use squall_checks::websocket::Framing;
use squall_checks::{Check, Setup, all};
use squall_reports::conformance::{Case, Conclusion, Protocol};

/// Of the other checks, this many in a hundred still pass under a quirk.
const STILL_PASS_PERCENT: usize = 90;

/// What a pipe has not: TLS below it, and a way to be reset. The command's tests
/// of `squall serve` pass and kill these.
const SOCKETS_ONLY: [&str; 2] = ["wss-tls-comes-first", "ws-stream-ends-in-order"];

fn name(case: &Case) -> (String, Protocol) {
    (case.check.clone(), case.protocol)
}

/// On one ground or the other each check applies, and it passes wherever it
/// does.
#[test]
fn the_honest_servers_pass_every_check() {
    let mut skipped: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let mut passed = BTreeSet::new();
    for ground in Ground::ALL {
        for case in try_checks(ground, None) {
            match &case.verdict {
                Conclusion::Pass => {
                    passed.insert(name(&case));
                }
                Conclusion::Skip { lacks } => {
                    skipped.entry(name(&case)).or_default().push(lacks.clone());
                }
                _ => panic!("{}", in_full(&case, ground)),
            }
        }
    }
    skipped.retain(|name, _| !passed.contains(name) && !SOCKETS_ONLY.contains(&name.0.as_str()));
    assert!(skipped.is_empty(), "never run: {skipped:#?}");
}

/// A broker must not care for how packets are divided among frames
/// [MQTT-6.0.0-2], and nothing else is different.
#[test]
fn the_honest_broker_passes_over_websocket_as_it_does_without() {
    for setup in Setup::ALL {
        let without = try_checks(Ground::Mqtt(setup), None);
        for framing in [
            Framing::AsWritten,
            Framing::Messages(1),
            Framing::Fragments(3),
        ] {
            let ground = Ground::Framed(setup, framing);
            let within = try_checks(ground, None);
            assert_eq!(within.len(), without.len());
            for (within, without) in within.iter().zip(&without) {
                let case = || in_full(within, ground);
                assert_eq!(within.verdict, without.verdict, "{}", case());
            }
        }
    }
}

#[test]
fn a_broker_that_cares_for_frames_is_found_out_over_websocket() {
    let quirk = Some(Quirk::WsTakesWholePacketsOnly);
    let passed = |framing| {
        let cases = try_checks(Ground::Framed(Setup::Full, framing), quirk);
        let passed = cases.iter().filter(|case| case.verdict == Conclusion::Pass);
        (passed.count(), cases.len())
    };
    let (whole, all) = passed(Framing::AsWritten);
    assert!(whole > all / 2, "{whole} of {all} pass with whole packets");
    assert_eq!(passed(Framing::Messages(1)).0, 0, "with pieces of them");
}

/// Prints the table: run with `--nocapture` to read it.
#[test]
#[expect(clippy::print_stdout, reason = "the table is what it is read for")]
fn every_check_is_killed_by_a_quirk() {
    let mut killers: BTreeMap<_, Vec<Quirk>> = BTreeMap::new();
    let mut harmless = Vec::new();
    let mut coarse = Vec::new();
    for (quirk, Damage { killed, too_much }) in each_quirks_damage() {
        if killed.is_empty() {
            harmless.push(quirk);
        }
        for name in killed {
            killers.entry(name).or_default().push(quirk);
        }
        coarse.extend(too_much.into_iter().map(|damage| (quirk, damage)));
    }
    for ((check, protocol), by) in &killers {
        let by: Vec<_> = by.iter().map(|quirk| quirk.name()).collect();
        println!("{check:44} {:11} {}", protocol.title(), by.join(", "));
    }
    let each = |check: &Check| {
        let name = check.name;
        let protocols = check.protocols().into_iter();
        protocols.map(move |protocol| (name.to_owned(), protocol))
    };
    let survivors: Vec<_> = all()
        .flat_map(each)
        .filter(|name| !killers.contains_key(name) && !SOCKETS_ONLY.contains(&name.0.as_str()))
        .collect();
    assert!(coarse.is_empty(), "quirks that break too much: {coarse:#?}");
    assert!(
        survivors.is_empty(),
        "checks that no quirk fails: {survivors:#?}"
    );
    println!("caught by no check: {harmless:?}");
}

/// What a quirk does on the grounds that it shows on.
struct Damage {
    /// The checks that it kills.
    killed: BTreeSet<(String, Protocol)>,
    /// Where too many other checks fail, and which.
    too_much: Vec<(Ground, String)>,
}

/// The damage of every quirk, in their order. They know nothing of each other,
/// so there are as many at a time as there are processors.
fn each_quirks_damage() -> Vec<(Quirk, Damage)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = |first: usize| {
        let mine = Quirk::ALL.iter().copied().enumerate().skip(first);
        let mine = mine.step_by(threads);
        mine.map(|(at, quirk)| (at, quirk, damage(quirk))).collect()
    };
    let mut all: Vec<(usize, Quirk, Damage)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || -> Vec<_> { share(first) }))
            .collect();
        let done = running.into_iter().map(|thread| thread.join());
        done.flat_map(|share| share.expect("no panic")).collect()
    });
    all.sort_by_key(|(at, ..)| *at);
    let each = all.into_iter();
    each.map(|(_, quirk, damage)| (quirk, damage)).collect()
}

fn damage(quirk: Quirk) -> Damage {
    let mut damage = Damage {
        killed: BTreeSet::new(),
        too_much: Vec::new(),
    };
    for ground in Ground::ALL.into_iter().filter(|ground| ground.shows(quirk)) {
        let cases = try_checks(ground, Some(quirk));
        let (killed, others): (Vec<_>, Vec<_>) =
            cases.iter().partition(|case| is_killed(case, quirk));
        let failed = |case: &&&Case| {
            matches!(
                case.verdict,
                Conclusion::Fail { .. } | Conclusion::Error { .. }
            )
        };
        let bystanders: Vec<_> = others
            .iter()
            .filter(failed)
            .map(|case| case.check.as_str())
            .collect();
        if bystanders.len() * 100 > others.len() * (100 - STILL_PASS_PERCENT) {
            damage.too_much.push((ground, bystanders.join(", ")));
        } else {
            damage.killed.extend(killed.into_iter().map(name));
        }
    }
    damage
}

/// Whether a verdict names a statement that the quirk breaks. A departure from a
/// SHOULD names all that the check decides.
fn is_killed(case: &Case, quirk: Quirk) -> bool {
    let named = match &case.verdict {
        Conclusion::Fail { broken, .. } => broken,
        Conclusion::NonStrict { .. } => &case.statements,
        _ => return false,
    };
    named
        .iter()
        .any(|statement| quirk.statements().contains(&statement.as_str()))
}

/// Everything that is known of a case.
fn in_full(case: &Case, ground: Ground) -> String {
    let Case {
        check,
        protocol,
        verdict,
        transcript,
        ..
    } = case;
    format!("{check} {protocol:?} ({ground:?}): {verdict:#?}\n{transcript:#?}")
}
