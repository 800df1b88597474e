//! The honest broker passes every check, and every check is seen to fail.
//!
//! A quirk kills a check when that fails and names a statement that the quirk
//! breaks, while nine tenths of the other checks go on passing: so the check
//! finds this very defect, and not just any.

mod pipe;

use std::collections::{BTreeMap, BTreeSet};

use pipe::{everything, try_checks};
use squall_broker::Quirk;
use squall_checks::Setup;
use squall_reports::conformance::{Case, Conclusion, Protocol};

/// Of the other checks, this many in a hundred still pass under a quirk.
const STILL_PASS_PERCENT: usize = 90;

fn name(case: &Case) -> (String, Protocol) {
    (case.check.clone(), case.protocol)
}

/// In one setup or the other each check applies, and it passes wherever it does.
#[test]
fn the_honest_broker_passes_every_check() {
    let mut skipped: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let mut passed = BTreeSet::new();
    for setup in Setup::ALL {
        for case in try_checks(setup, None, &everything()) {
            match &case.verdict {
                Conclusion::Pass => {
                    passed.insert(name(&case));
                }
                Conclusion::Skip { lacks } => {
                    skipped.entry(name(&case)).or_default().push(lacks.clone());
                }
                verdict => panic!(
                    "{} {:?} ({setup:?}): {verdict:#?}\n{:#?}",
                    case.check, case.protocol, case.transcript
                ),
            }
        }
    }
    skipped.retain(|name, _| !passed.contains(name));
    assert!(skipped.is_empty(), "never run: {skipped:#?}");
}

/// Prints the table: run with `--nocapture` to read it.
#[test]
#[expect(clippy::print_stdout, reason = "the table is what it is read for")]
fn every_check_is_killed_by_a_quirk() {
    let all = everything();
    let mut killers: BTreeMap<_, Vec<Quirk>> = BTreeMap::new();
    let mut harmless = Vec::new();
    let mut coarse = Vec::new();
    for quirk in Quirk::ALL.iter().copied() {
        let mut kills = 0;
        for setup in Setup::ALL {
            let cases = try_checks(setup, Some(quirk), &all);
            let killed: Vec<_> = cases.iter().filter(|case| is_killed(case, quirk)).collect();
            let failed = |case: &&Case| {
                matches!(
                    case.verdict,
                    Conclusion::Fail { .. } | Conclusion::Error { .. }
                )
            };
            let others = cases.len() - killed.len();
            let bystanders: Vec<_> = cases
                .iter()
                .filter(|case| failed(case) && !is_killed(case, quirk))
                .map(|case| case.check.as_str())
                .collect();
            if bystanders.len() * 100 > others * (100 - STILL_PASS_PERCENT) {
                coarse.push((quirk, bystanders.join(", ")));
                continue;
            }
            kills += killed.len();
            for case in killed {
                let by = killers.entry(name(case)).or_default();
                if !by.contains(&quirk) {
                    by.push(quirk);
                }
            }
        }
        if kills == 0 {
            harmless.push(quirk);
        }
    }
    for ((check, protocol), by) in &killers {
        let by: Vec<_> = by.iter().map(|quirk| quirk.name()).collect();
        println!("{check:44} {:11} {}", protocol.title(), by.join(", "));
    }
    let survivors: Vec<_> = all
        .iter()
        .map(|selected| (selected.check.name.to_owned(), selected.protocol))
        .filter(|name| !killers.contains_key(name))
        .collect();
    assert!(coarse.is_empty(), "quirks that break too much: {coarse:#?}");
    assert!(
        survivors.is_empty(),
        "checks that no quirk fails: {survivors:#?}"
    );
    println!("caught by no check: {harmless:?}");
}

fn is_killed(case: &Case, quirk: Quirk) -> bool {
    match &case.verdict {
        Conclusion::Fail { broken, .. } => broken
            .iter()
            .any(|statement| quirk.statements().contains(&statement.as_str())),
        _ => false,
    }
}
