//! The ledger of claims: what is published is what is measured, every scenario
//! of it is used, and every ruling rests on figures.

mod support;

use squall::reports::claims::{Figure, Ledger, Ruling};
use std::collections::BTreeSet;
use support::{root, squall, stdout};

#[test]
fn what_is_published_is_what_is_measured() {
    let output = squall(["publish", "--check", "--quiet"]);
    assert_eq!(stdout(&output), "", "`squall publish` writes it anew");
}

fn ledger() -> Ledger {
    let path = root().join("reports/published/claims.json");
    let text = std::fs::read_to_string(path).expect("it is committed");
    serde_json::from_str(&text).expect("it is a ledger")
}

#[test]
fn every_claim_has_figures_and_commands_that_measure_them() {
    let ledger = ledger();
    let numbers: Vec<u8> = ledger.claims.iter().map(|claim| claim.number).collect();
    assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
    for claim in &ledger.claims {
        let mut figures = claim.figures.iter().flat_map(|table| &table.rows);
        let measured = figures.any(|row| row.figures.iter().any(|it| *it != Figure::None));
        assert!(measured, "claim {}: {}", claim.number, claim.said);
        assert!(!claim.commands.is_empty(), "claim {}", claim.number);
        let says_when = claim
            .condition
            .as_ref()
            .is_some_and(|when| !when.is_empty());
        let has_to = claim.ruling == Ruling::HoldsWhen;
        assert_eq!(says_when, has_to, "claim {}", claim.number);
    }
}

#[test]
fn every_scenario_of_claims_is_measured() {
    let measured: BTreeSet<String> = ledger()
        .claims
        .iter()
        .flat_map(|claim| &claim.commands)
        .filter_map(|command| command.split_whitespace().nth(2))
        .map(str::to_owned)
        .collect();
    let folder = "scenarios/overhead/claims";
    let there: BTreeSet<String> = std::fs::read_dir(root().join(folder))
        .expect("a directory")
        .map(|entry| entry.expect("a file").file_name())
        .map(|name| format!("{folder}/{}", name.to_string_lossy()))
        .collect();
    assert_eq!(measured, there);
}

#[test]
fn outside_of_a_checkout_it_says_what_is_missing() {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let output = squall([
        "publish",
        "--repository",
        &elsewhere.path().display().to_string(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("is no checkout of Squall"), "{error}");
}
