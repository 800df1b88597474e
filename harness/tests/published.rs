//! What is published of brokers belongs together, and is about the checks and the
//! lists of known failures that are here now. No broker is needed for that.
//!
//! `squall conform --all --out reports/published` writes all of it anew. Where only
//! its looks or a reason have changed, `INSTA_UPDATE=always` has this test write it.

use std::fs;
use std::path::{Path, PathBuf};

use squall::conform::{Run, Tested, every_check, report};
use squall::targets::{Target, Transport};
use squall_reports::conformance::{Conformance, Matrix, Standing};
use squall_reports::{html, json, markdown};

fn file(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join("reports/published").join(name)
}

fn read(name: &str) -> String {
    let text = fs::read_to_string(file(name));
    text.unwrap_or_else(|error| panic!("reports/published/{name}: {error}"))
}

fn matrix() -> Matrix {
    json::parse_matrix(&read("brokers.json")).expect("of the format that is read")
}

fn updates() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|how| how == "always")
}

#[test]
fn the_pages_are_what_the_data_renders_to() {
    let mut matrix = matrix();
    if updates() {
        matrix.brokers = matrix.brokers.iter().map(again).collect();
    }
    for (name, rendered) in [
        ("brokers.md", markdown::render_matrix(&matrix)),
        ("brokers.html", html::render_matrix(&matrix)),
        ("brokers.json", json::render_matrix(&matrix)),
    ] {
        if updates() {
            fs::write(file(name), rendered).expect("it can be written");
        } else {
            // Not assert_eq: nobody reads megabytes.
            assert!(read(name) == rendered, "{name} is not of brokers.json");
        }
    }
}

/// What the run would be if the same had come of the checks that are here now.
fn again(run: &Conformance) -> Conformance {
    let target = Target::load(&run.target).unwrap_or_else(|error| {
        panic!("{}: {}", run.target, error.render(false, 100));
    });
    let transport = Transport::ALL
        .into_iter()
        .find(|transport| transport.name() == run.transport);
    let tested = Tested {
        name: run.target.clone(),
        version: run.target_version.clone(),
        transport,
        command: run.command.clone(),
        strict: run.strict,
        known: target.expected,
    };
    let ran = Run {
        cases: run.cases.clone(),
        took: std::time::Duration::from_nanos(run.took_ns),
        partial: run.partial,
    };
    report(&tested, &every_check(), ran)
}

#[test]
fn what_is_published_is_of_the_checks_and_lists_that_are_here() {
    for run in &matrix().brokers {
        let name = &run.target;
        let cases = |check: fn(&squall_reports::conformance::Case) -> String| {
            run.cases.iter().map(check).collect::<Vec<_>>()
        };
        let here: Vec<_> = every_check()
            .into_iter()
            .map(|selected| {
                let decides: Vec<_> = selected.check.decides(selected.protocol).collect();
                format!(
                    "{} {:?} {decides:?}",
                    selected.check.name, selected.protocol
                )
            })
            .collect();
        let there =
            cases(|case| format!("{} {:?} {:?}", case.check, case.protocol, case.statements));
        assert_eq!(there, here, "{name}");
        let again = again(run);
        assert_eq!(again.statements, run.statements, "{name}");
        let reasons = |run: &Conformance| -> Vec<_> {
            let cases = run.cases.iter();
            cases
                .map(|case| (case.check.clone(), case.expected.clone()))
                .collect()
        };
        assert_eq!(reasons(&again), reasons(run), "{name}");
        assert_eq!(again.fixed, run.fixed, "{name}");
    }
}

/// Nothing is published that nobody has read.
#[test]
fn every_failure_that_is_published_is_known_for_what_it_is() {
    let matrix = matrix();
    let mut unread = Vec::new();
    for run in &matrix.brokers {
        for case in &run.cases {
            if matches!(run.standing(case), Standing::Fail | Standing::Error) {
                unread.push(format!("{}: {} {:?}", run.target, case.check, case.verdict));
            }
        }
        assert_eq!(run.fixed, [], "{}", run.target);
        assert!(!run.partial && run.planned == run.cases.len() as u64);
    }
    assert!(unread.is_empty(), "{unread:#?}");
}

#[test]
fn every_target_is_there_or_left_out_for_a_reason() {
    let matrix = matrix();
    let there = matrix.brokers.iter().map(|run| (run.target.clone(), None));
    let left_out = matrix.left_out.iter();
    let left_out = left_out.map(|one| (one.target.clone(), Some(one.why.clone())));
    let mut published: Vec<_> = there.chain(left_out).collect();
    published.sort();
    let targets = Target::all().expect("every one is valid").into_iter();
    let mut targets: Vec<_> = targets.map(|one| (one.name, one.left_out)).collect();
    targets.sort();
    assert_eq!(published, targets);
}
