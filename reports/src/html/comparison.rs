//! A comparison as a web page: what each protocol costs and delivers, as
//! pictures over what was varied, with every figure in a table beside them.

use serde::Serialize;

use super::{
    chart::{Axes, Bar, Chart, Ink, Line, Mark, Scale},
    page,
};
use crate::{
    bytes::{Bytes, Layer},
    comparison::{
        Anatomy, Axis, AxisUnit, Cell, Comparison, Figure, FigureUnit, Protocol, Spread, along,
        others,
    },
    figures::{self, NONE, bytes, count, duration, exact_duration, percent},
    layout::clean,
    table::Html,
    words::comparison as words,
};

/// Figures that are drawn over each axis.
const DRAWN: [Figure; 4] = [
    Figure::BytesPerDelivered,
    Figure::RadioPerDelivered,
    Figure::LostShare,
    Figure::LatencyP99,
];

/// Crossovers that are marked in one picture.
const MARKS_MAX: usize = 5;

#[derive(Serialize)]
struct Page {
    title: String,
    lead: String,
    judgement: String,
    tone: &'static str,
    command: String,
    protocols: Html,
    crossovers: Vec<String>,
    anatomy: Option<Html>,
    alone: Vec<Chart>,
    sweeps: Vec<Sweep>,
    points: Vec<Point>,
    dropped: Vec<String>,
    notes: Vec<String>,
}

/// One axis, with the others at one point each.
#[derive(Serialize)]
struct Sweep {
    title: String,
    charts: Vec<Chart>,
}

/// Every protocol under the same conditions.
#[derive(Serialize)]
struct Point {
    conditions: String,
    /// What a search finds it by.
    sought: String,
    bytes: Option<Chart>,
    layers: Option<Html>,
    latency: Option<Chart>,
    figures: Html,
    troubles: Vec<String>,
}

/// The comparison as one self-contained web page.
#[must_use]
pub fn render_comparison(comparison: &Comparison) -> String {
    let (tone, judgement) = words::verdict(comparison);
    let crossovers = words::told(comparison);
    let sweeps = comparison.axes.iter().enumerate();
    let content = Page {
        title: clean(&comparison.title),
        lead: format!(
            "{} · squall {}",
            words::size(comparison).join(" · "),
            clean(&comparison.version)
        ),
        judgement,
        tone: tone.class(),
        command: clean(&comparison.command),
        protocols: words::protocols_table(comparison).html(),
        crossovers: crossovers
            .map(|crossover| words::crossover(comparison, crossover))
            .collect(),
        anatomy: words::anatomy_table(comparison).map(|table| table.html()),
        alone: alone(comparison),
        sweeps: sweeps
            .flat_map(|(place, axis)| sweeps_of(comparison, place, axis))
            .collect(),
        points: comparison
            .points()
            .map(|cells| Point::new(comparison, cells))
            .collect(),
        dropped: words::dropped(comparison),
        notes: comparison.notes.iter().map(|note| clean(note)).collect(),
    };
    page("comparison.html", content)
}

/// The ink of a protocol: the same in every picture.
fn ink(comparison: &Comparison, token: &str) -> Ink {
    let mut protocols = comparison.protocols.iter();
    let place = protocols.position(|protocol| protocol.token == token);
    Ink::Series(place.unwrap_or(0) as u8)
}

/// What a protocol costs one device alone, in pictures.
fn alone(comparison: &Comparison) -> Vec<Chart> {
    let picture = |title: &str, read: fn(&Anatomy) -> Option<&Bytes>| {
        let cost = |protocol: &Protocol| {
            let anatomy = protocol.anatomy.as_ref()?;
            Some((clean(&protocol.token), *read(anatomy)?))
        };
        let costs: Vec<(String, Bytes)> = comparison.protocols.iter().filter_map(cost).collect();
        let spends = |layer: &Layer| costs.iter().any(|(_, bytes)| bytes.both(*layer) > 0);
        let layers: Vec<Layer> = Layer::ALL.into_iter().filter(spends).collect();
        let bars = costs.iter().map(|(name, bytes)| Bar {
            name: name.clone(),
            parts: parts(bytes, |spent| spent),
            total: format!("{} B", count(bytes.on_wire())),
        });
        let bars: Vec<Bar> = bars.collect();
        (!layers.is_empty())
            .then(|| Chart::bars(title, &described(&bars), &bars, legend(&layers), bytes))
    };
    let session = picture(
        "A session without its readings: bytes by layer",
        |anatomy| Some(&anatomy.session),
    );
    let reading = picture("One reading more: bytes by layer", |anatomy| {
        Some(&anatomy.reading)
    });
    let idle = picture("An idle hour: bytes by layer", |anatomy| {
        anatomy.idle_hour.as_ref()
    });
    [session, reading, idle].into_iter().flatten().collect()
}

/// The parts of a bar, in the order of reports.
fn parts(bytes: &Bytes, each: impl Fn(u64) -> u64) -> Vec<(Ink, u64)> {
    let all = Layer::ALL.into_iter();
    all.map(|layer| (Ink::Layer(layer), each(bytes.both(layer))))
        .collect()
}

fn legend(layers: &[Layer]) -> impl Iterator<Item = (Ink, String)> {
    let layers = layers.iter();
    layers.map(|layer| (Ink::Layer(*layer), layer.name().to_owned()))
}

/// What bars show, in words.
fn described(bars: &[Bar]) -> String {
    let bars = bars.iter().map(|bar| format!("{} {}", bar.name, bar.total));
    format!("{}.", bars.collect::<Vec<_>>().join(", "))
}

/// The pictures along one axis, for every point of the others.
fn sweeps_of(comparison: &Comparison, place: usize, axis: &Axis) -> Vec<Sweep> {
    let known = axis.points.iter().filter(|point| point.value.is_some());
    if known.count() < 2 {
        return Vec::new();
    }
    let sweep = |at: Vec<String>| {
        let charts = DRAWN.iter().filter_map(|figure| {
            let along = Along {
                comparison,
                place,
                axis,
                at: &at,
            };
            along.chart(*figure)
        });
        let charts: Vec<Chart> = charts.collect();
        let conditions = words::elsewhere(comparison, &axis.key, &at);
        (!charts.is_empty()).then(|| Sweep {
            title: format!("Over {}{conditions}", clean(&axis.name)),
            charts,
        })
    };
    let elsewhere = others(comparison, place).into_iter();
    elsewhere.filter_map(sweep).collect()
}

/// One axis, with the others at one point each.
struct Along<'a> {
    comparison: &'a Comparison,
    place: usize,
    axis: &'a Axis,
    at: &'a [String],
}

impl Along<'_> {
    /// A figure of every protocol along the axis; `None` without two points that
    /// could be joined.
    fn chart(&self, figure: Figure) -> Option<Chart> {
        let lines: Vec<Line> = self
            .comparison
            .protocols
            .iter()
            .filter_map(|protocol| self.line(&protocol.token, figure))
            .collect();
        let values = || lines.iter().flat_map(|line| &line.spread);
        let (first, last) = (
            values().map(|(at, ..)| *at).min()?,
            values().map(|(at, ..)| *at).max()?,
        );
        let (lowest, highest) = (
            values().map(|(_, low, _)| *low).min()?,
            values().map(|(.., high)| *high).max()?,
        );
        if first == last || highest == 0 {
            return None;
        }
        let mut places: Vec<u64> = values().map(|(at, ..)| *at).collect();
        places.sort_unstable();
        places.dedup();
        let axes = Axes {
            x: Scale::values(first, last, axis_text(self.axis.unit)).marked(places),
            y: match figure.unit() {
                FigureUnit::Nanoseconds => Scale::durations(lowest, highest).reading(duration),
                FigureUnit::PartsPerMillion => Scale::linear(highest, share),
                FigureUnit::Bytes => Scale::values(lowest, highest, bytes).reading(exact_bytes),
                FigureUnit::Count => Scale::values(lowest, highest, count),
            },
            x_title: clean(&self.axis.name),
            // The caption says it.
            y_title: String::new(),
            names_at_end: true,
        };
        let ends = lines.iter().filter_map(|line| {
            let (first, last) = (line.points.first()?, line.points.last()?);
            let (from, to) = (figure.says(first.1), figure.says(last.1));
            Some(format!("{} from {from} to {to}", line.name))
        });
        let description = format!("{}.", ends.collect::<Vec<_>>().join("; "));
        let title = format!(
            "{} over {}{}",
            capitalised(figure.name()),
            clean(&self.axis.name),
            words::elsewhere(self.comparison, &self.axis.key, self.at)
        );
        let marks = self.marks(figure);
        let chart = Chart::lines(&title, &description, &lines, (&[], &marks), &axes);
        Some(chart.captioned(&capitalised(figure.name())))
    }

    fn line(&self, token: &str, figure: Figure) -> Option<Line> {
        let read = |cell: &Cell| cell.figures[figure];
        let places = along(self.comparison, self.place, self.at, token, read);
        let spread = |&(at, spread): &(u64, Spread)| (at, spread.min, spread.max);
        (!places.is_empty()).then(|| Line {
            ink: ink(self.comparison, token),
            name: clean(token),
            points: places
                .iter()
                .map(|(at, spread)| (*at, spread.median))
                .collect(),
            spread: places.iter().map(spread).collect(),
        })
    }

    fn marks(&self, figure: Figure) -> Vec<Mark> {
        let here = self.comparison.crossovers.iter().filter(|crossover| {
            crossover.axis == self.axis.key
                && crossover.at == self.at
                && crossover.figure == figure.key()
        });
        let marks = here.take(MARKS_MAX).map(|crossover| Mark {
            at: crossover.from,
            text: format!(
                "{} < {} from {}",
                crossover.cheaper,
                crossover.than,
                self.axis.figure(crossover.from)
            ),
        });
        marks.collect()
    }
}

/// How values of an axis are written beside it.
fn axis_text(unit: AxisUnit) -> fn(u64) -> String {
    match unit {
        AxisUnit::Count | AxisUnit::Name => count,
        AxisUnit::Bytes => bytes,
        AxisUnit::Nanoseconds => exact_duration,
        AxisUnit::PartsPerMillion => share,
    }
}

/// Bytes to the last one.
fn exact_bytes(bytes: u64) -> String {
    format!("{} B", count(bytes))
}

/// A share in parts per million.
fn share(parts: u64) -> String {
    percent(parts, 1_000_000)
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

impl Point {
    fn new(comparison: &Comparison, cells: &[Cell]) -> Self {
        let at = cells.first().map_or(&[][..], |cell| &cell.at);
        let conditions = words::conditions(comparison, at);
        let tokens = cells.iter().map(|cell| cell.protocol.as_str());
        let tokens: Vec<&str> = tokens.collect();
        let layers = words::layers(cells);
        let troubles = cells.iter().flat_map(|cell| {
            let troubles = words::troubles(cell).into_iter();
            troubles.map(|trouble| format!("{} {trouble}", clean(&cell.protocol)))
        });
        Self {
            sought: clean(&format!("{conditions} {}", tokens.join(" "))),
            conditions,
            bytes: bytes_per_delivered(cells, &layers),
            layers: (!layers.is_empty()).then(|| words::layers_table(cells, &layers).html()),
            latency: latency(comparison, cells),
            figures: words::figures_table(cells).html(),
            troubles: troubles.collect(),
        }
    }
}

/// What a delivered reading costs, by layer and protocol: in the run that is the
/// median of its cell, so that the layers add up.
fn bytes_per_delivered(cells: &[Cell], layers: &[Layer]) -> Option<Chart> {
    // Layers of a fraction of a byte add up, too.
    const FINE: u64 = 1_000;
    let bars = cells.iter().map(|cell| {
        let run = cell.median_run().filter(|run| run.counts.delivered > 0);
        Bar {
            name: clean(&cell.protocol),
            parts: run.map_or(Vec::new(), |run| {
                let delivered = run.counts.delivered;
                parts(&run.bytes, |spent| spent.saturating_mul(FINE) / delivered)
            }),
            total: match run {
                Some(_) => words::median(cell, Figure::BytesPerDelivered),
                None => NONE.to_owned(),
            },
        }
    });
    let bars: Vec<Bar> = bars.collect();
    if bars.iter().all(|bar| bar.parts.is_empty()) {
        return None;
    }
    Some(Chart::bars(
        "Bytes per delivered reading, by layer",
        &described(&bars),
        &bars,
        legend(layers),
        |fine| figures::bytes(fine / FINE),
    ))
}

/// How latencies are distributed, in the run that is the median of its cell.
fn latency(comparison: &Comparison, cells: &[Cell]) -> Option<Chart> {
    let line = |cell: &Cell| {
        let curve = &cell.median_run()?.latency_curve;
        let points = curve
            .iter()
            .map(|point| (point.latency_ns, point.per_mille));
        (!curve.is_empty()).then(|| Line {
            ink: ink(comparison, &cell.protocol),
            name: clean(&cell.protocol),
            points: points.collect(),
            spread: Vec::new(),
        })
    };
    let lines: Vec<Line> = cells.iter().filter_map(line).collect();
    let description = lines.iter().filter_map(|line| {
        let (fastest, _) = line.points.first()?;
        let (slowest, _) = line.points.last()?;
        let (from, to) = (duration(*fastest), duration(*slowest));
        Some(format!("{} from {from} to {to}", line.name))
    });
    let description = format!("{}.", description.collect::<Vec<_>>().join("; "));
    Chart::distribution(&lines, &description)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::comparison::samples;

    #[rstest]
    #[case::sweep("sweep", samples::sweep())]
    #[case::grid("grid", samples::grid())]
    fn a_comparison(#[case] name: &str, #[case] comparison: Comparison) {
        let page = render_comparison(&comparison);
        // The style sheet and the scripts are files of their own.
        let body = page.split("<body>").nth(1).expect("a body");
        let (body, _) = body.split_once("<script>").expect("a script");
        insta::assert_snapshot!(format!("html_comparison_{name}"), body);
    }

    #[test]
    fn a_picture_has_the_figures_of_its_cells() {
        let comparison = samples::sweep();
        let page = render_comparison(&comparison);
        for figure in DRAWN {
            let says = |cell: &Cell| Some(figure.says(cell.figures[figure]?.median));
            let of_mqtt = comparison
                .cells
                .iter()
                .filter(|cell| cell.protocol == "mqtt");
            let figures: Vec<String> = of_mqtt.filter_map(says).collect();
            if let (Some(first), Some(last)) = (figures.first(), figures.last()) {
                let described = format!("mqtt from {first} to {last}");
                let drawn = page.contains(&described);
                assert!(drawn || figure == Figure::LostShare, "{described}");
            }
        }
    }

    #[test]
    fn a_crossover_is_marked() {
        let comparison = samples::sweep();
        let page = render_comparison(&comparison);
        for crossover in &comparison.crossovers {
            if crossover.figure == Figure::BytesPerDelivered.key() {
                let mark = format!("{} &lt; {} from ", crossover.cheaper, crossover.than);
                assert!(page.contains(&mark), "{mark}");
            }
        }
    }
}
