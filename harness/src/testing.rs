//! For tests of your own: run a scenario, and fail with its report.
//!
//! Nothing is needed but the dependency. Squall's own runs follow the seed in
//! any build; that tokio's `select!` in what you bring along does so too takes
//! a setting, in `.cargo/config.toml` of your repository:
//!
//! ```toml
//! [build]
//! rustflags = ["--cfg", "tokio_unstable"]
//! ```
//!
//! # A directory of scenarios, as test cases
//!
//! With [rstest](https://docs.rs/rstest), one case for each file and seed:
//!
//! ```
//! # use std::path::PathBuf;
//! # use rstest::rstest;
//! #[rstest]
//! fn holds(#[files("../scenarios/smoke/*.toml")] path: PathBuf, #[values(1, 2)] seed: u64) {
//!     squall::testing::assert_holds(&path, seed);
//! }
//! # fn main() {}
//! ```
//!
//! # A scenario made up in the test, and its report as a snapshot
//!
//! ```
//! use squall::scenario::Scenario;
//! use squall::sim::{self, RunOptions};
//! use squall::testing;
//!
//! let scenario = Scenario::builder("Cellar")
//!     .set("duration", "1m")
//!     .add("site", |site| site.set("name", "cellar").set("link.preset", "wifi"))
//!     .add("fleet", |fleet| {
//!         fleet
//!             .set("name", "thermometer")
//!             .set("site", "cellar")
//!             .set("count", 3)
//!             .set("publish.topic", "cellar/{device}")
//!             .set("publish.qos", 1)
//!             .set("publish.every", "5s")
//!     })
//!     .set("expect.acknowledged", "100%")
//!     .build()?;
//! let report = sim::run(&scenario, &RunOptions::seed(7))?;
//!
//! testing::assert_held(&report);
//! assert_eq!(report.arrived.total.acknowledged, report.arrived.total.published);
//! let snapshot = testing::snapshot(&report);
//! // insta::assert_snapshot!(snapshot);
//! # assert!(snapshot.contains("Cellar"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::path::Path;

use squall_reports::{Report, Style, markdown, terminal};

use crate::scenario::Scenario;
use crate::sim::{self, RunOptions};

/// Runs the scenario in a file and expects all its guarantees and bounds to
/// hold. Returns the report, to look further.
///
/// # Panics
/// With the mistake when the file is no scenario, with the reason when it
/// cannot be run, and with the whole report when something did not hold.
#[expect(clippy::panic, reason = "that is how a test fails")]
pub fn assert_holds(path: &Path, seed: u64) -> Report {
    let scenario = match Scenario::load(path, &[]) {
        Ok(scenario) => scenario,
        Err(error) => panic!("{}", error.render(false, COLUMNS)),
    };
    match sim::run(&scenario, &RunOptions::seed(seed)) {
        Ok(report) => {
            assert_held(&report);
            report
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Expects that all guarantees and bounds of a run held.
///
/// # Panics
/// With the whole report when one did not.
pub fn assert_held(report: &Report) {
    assert!(
        report.held(),
        "{}",
        terminal::render(report, Style::PLAIN, None)
    );
}

/// A report as text for a snapshot: Markdown, which reads well in review, and
/// does not change with Squall's version alone.
#[must_use]
pub fn snapshot(report: &Report) -> String {
    let report = Report {
        version: "VERSION".to_owned(),
        ..report.clone()
    };
    markdown::render(&report)
}

/// How wide a mistake is shown.
const COLUMNS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::PathBuf;

    fn scenario(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../scenarios")
            .join(name)
    }

    fn failure(test: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it fails");
        *panic.downcast::<String>().expect("with a text")
    }

    #[test]
    fn what_holds_passes_and_its_snapshot_names_no_version() {
        let report = assert_holds(&scenario("smoke/qos1.toml"), 3);
        assert_eq!(report.seed, 3);
        assert!(report.command.ends_with("smoke/qos1.toml --seed 3"));
        let snapshot = snapshot(&report);
        assert!(snapshot.contains("squall VERSION"), "{snapshot}");
    }

    #[test]
    fn what_does_not_hold_fails_with_the_report() {
        let path = scenario("smoke/qos1.toml");
        let set = "expect.latency_max=<= 1us".to_owned();
        let scenario = Scenario::load(&path, &[set]).expect("a scenario");
        let report = sim::run(&scenario, &RunOptions::seed(1)).expect("it runs");
        let text = failure(|| assert_held(&report));
        assert!(text.contains("1 expectation not met"), "{text}");
        assert!(text.contains("latency_max"), "{text}");
    }

    #[test]
    fn what_is_no_scenario_fails_with_the_way_out() {
        let text = failure(|| drop(assert_holds(Path::new("no/such.toml"), 1)));
        assert!(text.contains("cannot read no/such.toml"), "{text}");
    }
}
