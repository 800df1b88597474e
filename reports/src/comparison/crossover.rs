//! From where on an axis one protocol costs less than another.
//!
//! Between two points of an axis the difference of two protocols is taken to
//! change evenly. Where the axis is how many readings share the cost of a
//! session, or how many deliveries share that of a reading, it is the difference
//! times that number which does: a cost that is paid once, and one that is paid
//! for each, give a crossover that a run at that very point then shows. Costs are
//! taken in thousandths of a byte here, so that rounding moves none.

use serde::{Deserialize, Serialize};

use super::{Axis, Cell, CellRun, Comparison, Figure, Spread};
use crate::bytes::per_reading;

/// The figures that crossovers are looked for in: of those that people choose a
/// protocol by, the ones that random choices do not decide.
const COMPARED: [Figure; 2] = [Figure::BytesPerDelivered, Figure::BytesPerPublished];

/// What a reading costs in a run, in thousandths of a byte.
fn cost(figure: Figure, run: &CellRun) -> Option<u64> {
    let readings = match figure {
        Figure::BytesPerDelivered => run.counts.delivered,
        _ => run.counts.published,
    };
    per_reading(run.bytes.on_wire().saturating_mul(1_000), readings)
}

/// A value of an axis from which on one protocol costs less than another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossover {
    /// Key of the axis.
    pub axis: String,
    /// The points of the other axes, in their order.
    pub at: Vec<String>,
    /// Key of the figure, such as `bytes_per_delivered`.
    pub figure: String,
    /// Token of the protocol that costs less from here on.
    pub cheaper: String,
    /// Token of the protocol that costs less up to here.
    pub than: String,
    /// The smallest whole value of the axis from which on it does, in the axis's
    /// unit: interpolated between two points.
    pub from: u64,
    /// The values of the two points.
    pub between: [u64; 2],
    /// Whether every seed agrees at both points on which of the two costs less.
    pub every_seed: bool,
}

/// Every crossover, by axis, then figure, then protocols in their order.
pub(super) fn find(comparison: &Comparison) -> Vec<Crossover> {
    let mut found = Vec::new();
    for (place, axis) in comparison.axes.iter().enumerate() {
        for at in others(comparison, place) {
            for figure in COMPARED {
                let line = |token: &str| line(comparison, place, &at, figure, token);
                for (index, one) in comparison.protocols.iter().enumerate() {
                    for other in &comparison.protocols[index + 1..] {
                        let pair = Pair {
                            axis,
                            at: &at,
                            figure,
                            tokens: [&one.token, &other.token],
                        };
                        pair.crossovers(&line(&one.token), &line(&other.token), &mut found);
                    }
                }
            }
        }
    }
    found
}

/// The points of all axes but the one at `place`, in the order of the cells.
pub(crate) fn others(comparison: &Comparison, place: usize) -> Vec<Vec<String>> {
    let mut others: Vec<Vec<String>> = Vec::new();
    for cell in &comparison.cells {
        let other = without(cell, place);
        if !others.contains(&other) {
            others.push(other);
        }
    }
    others
}

fn without(cell: &Cell, place: usize) -> Vec<String> {
    let mut at = cell.at.clone();
    if place < at.len() {
        at.remove(place);
    }
    at
}

/// A figure along an axis: the value of each point and the figure there, by
/// value ascending.
pub(crate) type Line = Vec<(u64, Spread)>;

/// What is `read` of the cells of the protocol with this token along the axis at
/// `place`, with the other axes at `at`.
pub(crate) fn along(
    comparison: &Comparison,
    place: usize,
    at: &[String],
    token: &str,
    read: impl Fn(&Cell) -> Option<Spread>,
) -> Line {
    let axis = &comparison.axes[place];
    let value = |cell: &Cell| {
        let mut points = axis.points.iter();
        let point = points.find(|point| Some(&point.text) == cell.at.get(place))?;
        Some((point.value?, read(cell)?))
    };
    let mut line: Line = comparison
        .cells
        .iter()
        .filter(|cell| cell.protocol == token && without(cell, place) == at)
        .filter_map(value)
        .collect();
    line.sort_by_key(|(value, _)| *value);
    line
}

fn line(comparison: &Comparison, place: usize, at: &[String], figure: Figure, token: &str) -> Line {
    along(comparison, place, at, token, |cell| {
        let costs = cell.runs.iter().filter_map(|run| cost(figure, run));
        Spread::of(costs.collect())
    })
}

/// Two protocols along one axis.
struct Pair<'a> {
    axis: &'a Axis,
    at: &'a [String],
    figure: Figure,
    tokens: [&'a str; 2],
}

/// Where two lines are at one value of the axis.
#[derive(Clone, Copy)]
struct Gap {
    value: u64,
    /// The first line's median less the second's, as it changes evenly.
    difference: i128,
    /// The two spreads do not touch.
    apart: bool,
}

impl Pair<'_> {
    fn crossovers(&self, one: &Line, other: &Line, found: &mut Vec<Crossover>) {
        let mut before: Option<Gap> = None;
        for (value, mine) in one {
            let Some((_, theirs)) = other.iter().find(|(of, _)| of == value) else {
                continue;
            };
            let gap = self.gap(*value, mine, theirs);
            if gap.difference == 0 {
                continue;
            }
            if let Some(before) = before
                && before.difference.signum() != gap.difference.signum()
            {
                found.push(self.crossover(before, gap));
            }
            before = Some(gap);
        }
    }

    fn gap(&self, value: u64, mine: &Spread, theirs: &Spread) -> Gap {
        let difference = i128::from(mine.median) - i128::from(theirs.median);
        let weight = if self.axis.divides_the_cost() {
            i128::from(value)
        } else {
            1
        };
        Gap {
            value,
            difference: difference.saturating_mul(weight),
            apart: mine.max < theirs.min || theirs.max < mine.min,
        }
    }

    /// The crossover between two points whose differences have opposite signs.
    fn crossover(&self, before: Gap, after: Gap) -> Crossover {
        let length = u128::from(after.value - before.value);
        let (left, right) = (
            before.difference.unsigned_abs(),
            after.difference.unsigned_abs(),
        );
        // The differences are products of two 64-bit figures at most; a third
        // factor may not fit, and then a coarser one does.
        let way = match length.checked_mul(left) {
            Some(product) => product / (left + right),
            None => length / (1 + right / left),
        };
        let way = u64::try_from(way).unwrap_or(u64::MAX);
        let [one, other] = self.tokens;
        let (cheaper, than) = if after.difference < 0 {
            (one, other)
        } else {
            (other, one)
        };
        Crossover {
            axis: self.axis.key.clone(),
            at: self.at.to_vec(),
            figure: self.figure.key().to_owned(),
            cheaper: cheaper.to_owned(),
            than: than.to_owned(),
            // Where they are equal, neither costs less.
            from: before.value.saturating_add(way).saturating_add(1),
            between: [before.value, after.value],
            every_seed: before.apart && after.apart,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::comparison::{AxisUnit, Point};

    /// Crossovers of two lines along an axis, as where from, who, than whom.
    fn check(key: &str, one: &[(u64, u64)], other: &[(u64, u64)], expected: &[(u64, &str)]) {
        let axis = Axis {
            key: key.to_owned(),
            name: String::new(),
            unit: AxisUnit::Count,
            points: Vec::<Point>::new(),
        };
        let line = |points: &[(u64, u64)]| -> Line {
            let exact = |&(value, figure)| {
                let spread = Spread {
                    median: figure,
                    min: figure,
                    max: figure,
                };
                (value, spread)
            };
            points.iter().map(exact).collect()
        };
        let pair = Pair {
            axis: &axis,
            at: &[],
            figure: Figure::BytesPerDelivered,
            tokens: ["a", "b"],
        };
        let mut found = Vec::new();
        pair.crossovers(&line(one), &line(other), &mut found);
        let found: Vec<(u64, &str)> = found
            .iter()
            .map(|crossover| (crossover.from, crossover.cheaper.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::never(&[(0, 5), (9, 5)], &[(0, 6), (9, 6)], &[])]
    #[case::alike(&[(0, 5), (9, 5)], &[(0, 5), (9, 5)], &[])]
    #[case::in_the_middle(&[(0, 10), (10, 0)], &[(0, 0), (10, 10)], &[(6, "a")])]
    #[case::a_third_of_the_way(&[(0, 1), (9, 0)], &[(0, 0), (9, 2)], &[(4, "a")])]
    #[case::there_and_back(
        &[(0, 1), (10, 3), (20, 1)],
        &[(0, 2), (10, 2), (20, 2)],
        &[(6, "b"), (16, "a")]
    )]
    #[case::over_a_tie(&[(0, 3), (10, 2), (20, 1)], &[(0, 2), (10, 2), (20, 2)], &[(11, "a")])]
    #[case::begins_in_a_tie(&[(0, 2), (10, 1)], &[(0, 2), (10, 2)], &[])]
    #[case::only_where_both_are_known(&[(0, 1), (10, 3)], &[(0, 2), (20, 2)], &[])]
    #[case::as_far_as_figures_go(
        &[(0, u64::MAX), (u64::MAX, 0)],
        &[(0, 0), (u64::MAX, u64::MAX)],
        &[(u64::MAX / 2 + 1, "a")]
    )]
    fn a_crossover_is_interpolated(
        #[case] one: &[(u64, u64)],
        #[case] other: &[(u64, u64)],
        #[case] expected: &[(u64, &str)],
    ) {
        check("loss", one, other, expected);
    }

    /// `a` pays 600 for a session and 50 for each reading, `b` 100 and 90: at 12.5
    /// readings both would pay 1,225.
    #[test]
    fn a_cost_that_readings_share_is_taken_apart() {
        let cost = |session: u64, reading: u64| {
            [1, 10, 100].map(|readings| (readings, session / readings + reading))
        };
        let (a, b) = (cost(600, 50), cost(100, 90));
        check("readings_per_session", &a, &b, &[(13, "a")]);
        // Taken as it is, it would be far off.
        check("readings", &a, &b, &[(31, "a")]);
    }

    #[test]
    fn seeds_that_disagree_are_told() {
        let comparison = crate::comparison::samples::sweep();
        let sure: Vec<bool> = comparison
            .crossovers
            .iter()
            .map(|crossover| crossover.every_seed)
            .collect();
        assert!(sure.contains(&true), "{:?}", comparison.crossovers);
        let mut wide = comparison.clone();
        for cell in &mut wide.cells {
            let mut runs = cell.runs.clone();
            runs[0].bytes.on_wire_up *= 9;
            *cell = Cell::new(&cell.protocol, cell.at.clone(), "", runs, Vec::new());
        }
        let wide = wide.with_crossovers();
        assert!(!wide.crossovers.is_empty());
        assert!(
            wide.crossovers
                .iter()
                .all(|crossover| !crossover.every_seed)
        );
    }
}
