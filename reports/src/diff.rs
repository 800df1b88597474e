//! What has changed from one report to another, of runs or of comparisons: what
//! it costs, how long it takes, what arrives, and what is promised.
//!
//! What is compared are figures of which less is better, so that every change
//! has a direction. Of a comparison each cell is compared with the one of the
//! same protocol and conditions, by its median.

use crate::{
    comparison::{Cell, CellRun, Comparison, Figure, Figures},
    layout::clean,
    model::{Report, Verdict},
    words,
};

/// The figures that are compared. The highest latency is one event among many,
/// and is not.
const COMPARED: [Figure; 9] = [
    Figure::BytesPerDelivered,
    Figure::BytesPerPublished,
    Figure::RadioPerDelivered,
    Figure::LostShare,
    Figure::Duplicated,
    Figure::LatencyP50,
    Figure::LatencyP95,
    Figure::LatencyP99,
    Figure::FirstReading,
];

/// A report that can be compared with another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Of one run.
    Report(Box<Report>),
    /// Of a comparison.
    Comparison(Box<Comparison>),
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// What is called the old report and the new.
    pub names: [String; 2],
    /// A figure may grow by this much, in parts per million.
    pub tolerance_ppm: u64,
    /// What has changed by more, in the order of reports.
    pub changes: Vec<Change>,
    /// Figures and promises that were compared.
    pub compared: u64,
    /// What only one of the two has, a sentence each.
    pub unmatched: Vec<String>,
    /// What the reader must know, a sentence each.
    pub notes: Vec<String>,
}

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where: protocol and conditions; empty in a report of one run.
    pub place: String,
    /// What: a figure, a guarantee or an expectation.
    pub what: String,
    /// What it was.
    pub old: String,
    /// What it is.
    pub new: String,
    /// By how much of what it was; empty where that cannot be said.
    pub by: String,
    /// Whether it is for the worse.
    pub worse: bool,
}

/// Two documents have nothing in common that could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the two reports have no protocol and conditions in common")]
pub struct NothingInCommon;

impl Diff {
    /// What has changed from `old` to `new` by more than `tolerance_ppm`, in parts
    /// per million of what it was.
    ///
    /// # Errors
    /// When there is nothing that both have.
    pub fn new(
        names: [String; 2],
        old: &Document,
        new: &Document,
        tolerance_ppm: u64,
    ) -> Result<Self, NothingInCommon> {
        let (before, after) = (places(old), places(new));
        let mut diff = Self {
            names,
            tolerance_ppm,
            changes: Vec::new(),
            compared: 0,
            unmatched: Vec::new(),
            notes: notes(old, new),
        };
        let mut matched = false;
        for place in &before {
            match after.iter().find(|other| other.name == place.name) {
                Some(other) => {
                    matched = true;
                    diff.place(place, other);
                }
                None => diff
                    .unmatched
                    .push(format!("{}: only in the old", place.name)),
            }
        }
        for place in &after {
            if !before.iter().any(|other| other.name == place.name) {
                diff.unmatched
                    .push(format!("{}: only in the new", place.name));
            }
        }
        if matched {
            Ok(diff)
        } else {
            Err(NothingInCommon)
        }
    }

    /// What has become worse.
    pub fn worse(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.worse)
    }

    /// What has become better.
    pub fn better(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.worse)
    }

    fn place(&mut self, old: &Place, new: &Place) {
        let delivered = [old, new].map(|place| place.figures[Figure::BytesPerDelivered]);
        for figure in COMPARED {
            // What was published counts where nothing is known to have arrived.
            if figure == Figure::BytesPerPublished && delivered.iter().all(Option::is_some) {
                continue;
            }
            self.figure(&old.name, figure, &old.figures, &new.figures);
        }
        for (what, verdict) in &old.verdicts {
            let mut after = new.verdicts.iter();
            match after.find(|(other, _)| other == what) {
                Some((_, after)) => self.verdict(&old.name, what, *verdict, *after),
                None if new.lists_all => self.unmatched.push(format!("{what}: only in the old")),
                None => self.verdict(&old.name, what, *verdict, Verdict::Held),
            }
        }
        for (what, verdict) in &new.verdicts {
            if old.verdicts.iter().all(|(other, _)| other != what) {
                let before = if old.lists_all {
                    Verdict::NotApplicable
                } else {
                    Verdict::Held
                };
                self.verdict(&old.name, what, before, *verdict);
            }
        }
    }

    fn figure(&mut self, place: &str, figure: Figure, old: &Figures, new: &Figures) {
        let (old, new) = match (old[figure], new[figure]) {
            (None, None) => return,
            (Some(old), Some(new)) => (old.median, new.median),
            // What is no longer measured, such as a latency with nothing
            // delivered, shows in the share that is lost.
            _ => return,
        };
        self.compared += 1;
        let (low, high) = (old.min(new), old.max(new));
        let allowed = u128::from(low) * u128::from(self.tolerance_ppm) / 1_000_000;
        if u128::from(high - low) <= allowed {
            return;
        }
        self.changes.push(Change {
            place: place.to_owned(),
            what: figure.name().to_owned(),
            old: figure.says(old),
            new: figure.says(new),
            by: words::diff::by(old, new),
            worse: new > old,
        });
    }

    fn verdict(&mut self, place: &str, what: &str, old: Verdict, new: Verdict) {
        self.compared += 1;
        let violated = |verdict| verdict == Verdict::Violated;
        if violated(old) == violated(new) {
            return;
        }
        self.changes.push(Change {
            place: place.to_owned(),
            what: what.to_owned(),
            old: words::diff::verdict(old).to_owned(),
            new: words::diff::verdict(new).to_owned(),
            by: String::new(),
            worse: violated(new),
        });
    }
}

/// What is compared as one.
struct Place {
    name: String,
    figures: Figures,
    verdicts: Vec<(String, Verdict)>,
    /// Whether `verdicts` has those that held, too.
    lists_all: bool,
}

fn places(document: &Document) -> Vec<Place> {
    match document {
        Document::Report(report) => vec![of_report(report)],
        Document::Comparison(comparison) => comparison
            .cells
            .iter()
            .filter(|cell| !cell.runs.is_empty())
            .map(|cell| of_cell(comparison, cell))
            .collect(),
    }
}

fn of_report(report: &Report) -> Place {
    let guarantees = report.guarantees.iter();
    let guarantees = guarantees.map(|guarantee| (clean(&guarantee.name), guarantee.verdict));
    let expectations = report.expectations.iter().map(|expectation| {
        let verdict = report.expectation_verdict(expectation);
        (clean(&expectation.name), verdict)
    });
    Place {
        name: String::new(),
        figures: Figures::of(&[CellRun::from(report)]),
        verdicts: guarantees.chain(expectations).collect(),
        lists_all: true,
    }
}

fn of_cell(comparison: &Comparison, cell: &Cell) -> Place {
    let mut name = clean(&cell.protocol);
    if !cell.at.is_empty() {
        name.push_str(", ");
        name.push_str(&words::comparison::conditions(comparison, &cell.at));
    }
    let mut violated: Vec<String> = Vec::new();
    for id in cell.runs.iter().flat_map(|run| &run.violated) {
        if !violated.contains(id) {
            violated.push(clean(id));
        }
    }
    let verdicts = violated.into_iter().map(|id| (id, Verdict::Violated));
    Place {
        name,
        figures: cell.figures,
        verdicts: verdicts.collect(),
        lists_all: false,
    }
}

/// What makes the two hard to compare.
fn notes(old: &Document, new: &Document) -> Vec<String> {
    let facts = |document: &Document| match document {
        Document::Report(report) => (
            report.scenario.clone(),
            vec![report.seed],
            report.version.clone(),
            report.partial,
        ),
        Document::Comparison(comparison) => (
            comparison.scenario.clone(),
            comparison.seeds.clone(),
            comparison.version.clone(),
            comparison.partial,
        ),
    };
    let (old, new) = (facts(old), facts(new));
    let mut notes = Vec::new();
    if old.0 != new.0 {
        notes.push(format!(
            "They are of two scenarios: {} and {}.",
            clean(&old.0),
            clean(&new.0)
        ));
    }
    if old.1 != new.1 {
        notes.push("They were run with other seeds: what chance decides differs.".to_owned());
    }
    if old.2 != new.2 {
        notes.push(format!(
            "Squall was {}, and is {}.",
            clean(&old.2),
            clean(&new.2)
        ));
    }
    if old.3 || new.3 {
        notes.push("One of them was interrupted.".to_owned());
    }
    notes
}

#[cfg(test)]
pub(crate) mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{comparison, samples};

    /// A comparison against one in which everything got worse, and better.
    pub(crate) fn sample() -> Diff {
        let old = comparison::samples::grid();
        let mut new = old.clone();
        new.version = "0.2.0".to_owned();
        for (index, cell) in new.cells.iter_mut().enumerate() {
            let mut runs = cell.runs.clone();
            for run in &mut runs {
                match index {
                    0 => run.bytes.on_wire_up += run.counts.delivered * 20,
                    1 => run.bytes.on_wire_up -= run.counts.delivered * 20,
                    2 => run.violated.push("order".to_owned()),
                    15 => run.violated.clear(),
                    _ => {}
                }
            }
            *cell = Cell::new(&cell.protocol, cell.at.clone(), "", runs, Vec::new());
        }
        new.cells.remove(5);
        diff(
            Document::Comparison(Box::new(old)),
            Document::Comparison(Box::new(new)),
            20_000,
        )
    }

    fn diff(old: Document, new: Document, tolerance_ppm: u64) -> Diff {
        let names = ["old.json", "new.json"].map(str::to_owned);
        Diff::new(names, &old, &new, tolerance_ppm).expect("something in common")
    }

    fn run(change: impl FnOnce(&mut Report)) -> Document {
        let mut report = samples::green();
        change(&mut report);
        Document::Report(Box::new(report))
    }

    #[test]
    fn a_report_is_no_different_from_itself() {
        let report = run(|_| {});
        let diff = diff(report.clone(), report, 0);
        assert_eq!(diff.changes, []);
        assert!(diff.compared > 10, "{}", diff.compared);
        assert!(diff.notes.is_empty() && diff.unmatched.is_empty());
    }

    #[rstest]
    #[case::within(2_830, 20_000, None)]
    #[case::beyond(8_000 * 6, 20_000, Some(true))]
    #[case::beyond_none(8_000, 0, Some(true))]
    fn a_figure_may_grow_within_the_tolerance(
        #[case] more_bytes: u64,
        #[case] tolerance_ppm: u64,
        #[case] worse: Option<bool>,
    ) {
        let new = run(|report| report.bytes.on_wire_up += more_bytes);
        let forth = diff(run(|_| {}), new.clone(), tolerance_ppm);
        let first = |diff: &Diff| diff.changes.first().map(|change| change.worse);
        assert_eq!(first(&forth), worse);
        // The other way round, it is as much better.
        let back = diff(new, run(|_| {}), tolerance_ppm);
        assert_eq!(first(&back), worse.map(|worse| !worse));
    }

    #[test]
    fn a_radio_that_is_on_for_longer_is_worse() {
        let new = run(|report| report.weather.sites[0].up.airtime_ns *= 2);
        let diff = diff(run(|_| {}), new, 20_000);
        let worse: Vec<&str> = diff.worse().map(|change| change.what.as_str()).collect();
        assert_eq!(worse, ["radio on per delivered reading"]);
    }

    #[test]
    fn a_guarantee_that_no_longer_holds_is_worse_at_any_tolerance() {
        let violated = run(|report| report.guarantees[0].verdict = Verdict::Violated);
        let worse = diff(run(|_| {}), violated.clone(), u64::MAX);
        let worse: Vec<&str> = worse.worse().map(|change| change.what.as_str()).collect();
        assert_eq!(worse, ["no fabrication"]);
        assert_eq!(diff(violated, run(|_| {}), u64::MAX).better().count(), 1);
    }

    #[test]
    fn what_was_not_there_is_told() {
        let diff = sample();
        let told = &diff.unmatched;
        assert!(told[0].ends_with("only in the old"), "{told:?}");
        assert_eq!(diff.notes, ["Squall was 0.1.0, and is 0.2.0."]);
    }

    #[test]
    fn a_run_and_a_comparison_have_nothing_in_common() {
        let comparison = Document::Comparison(Box::new(comparison::samples::sweep()));
        let names = ["a", "b"].map(str::to_owned);
        let error = Diff::new(names, &run(|_| {}), &comparison, 0);
        assert_eq!(error.map(|_| ()), Err(NothingInCommon));
    }
}
