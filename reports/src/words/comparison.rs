//! The words and tables for a comparison that its renderers share.

use crate::{
    bytes::{Bytes, Layer, per_reading},
    comparison::{Anatomy, Axis, Cell as CompareCell, Comparison, Crossover, Figure, Protocol},
    figures::{self, NONE, count, counted},
    layout::clean,
    style::Tone,
    table::{Cell, Column, Table},
};

/// How much was compared: protocols, points, seeds and runs.
pub(crate) fn size(comparison: &Comparison) -> Vec<String> {
    let mut phrases = vec![counted(comparison.protocols.len() as u64, "protocol")];
    for axis in &comparison.axes {
        let points = axis.points.len() as u64;
        phrases.push(format!("{} of {}", count(points), clean(&axis.key)));
    }
    phrases.push(seeds(&comparison.seeds));
    phrases.push(counted(comparison.planned, "run"));
    phrases
}

fn seeds(seeds: &[u64]) -> String {
    match seeds {
        [] => "no seed".to_owned(),
        [seed] => format!("seed {seed}"),
        [first, .., last] => format!("seeds {first} to {last}"),
    }
}

/// Whether everything asked for was done, in one line.
pub(crate) fn verdict(comparison: &Comparison) -> (Tone, String) {
    let (ended, failed) = (comparison.ended(), comparison.failed());
    let missing = comparison.planned.saturating_sub(ended + failed);
    let mut phrases = vec![format!(
        "{} of {} compared",
        count(ended),
        counted(comparison.planned, "run")
    )];
    if failed > 0 {
        phrases.push(format!("{} failed in the harness", count(failed)));
    }
    if missing > 0 {
        phrases.push(format!("interrupted, {} not run", count(missing)));
    }
    let tone = match (failed, missing) {
        (0, 0) => Tone::Good,
        (0, _) => Tone::Strong,
        _ => Tone::Bad,
    };
    (tone, phrases.join(", "))
}

/// The conditions of a point: a value of each axis.
pub(crate) fn conditions(comparison: &Comparison, at: &[String]) -> String {
    if at.is_empty() {
        return "as the scenario has it".to_owned();
    }
    let values = comparison.axes.iter().zip(at);
    let values: Vec<String> = values.map(|(axis, text)| value(axis, text)).collect();
    values.join(", ")
}

fn value(axis: &Axis, text: &str) -> String {
    let mut points = axis.points.iter();
    let point = points.find(|point| point.text == text);
    clean(&point.map_or(text.to_owned(), |point| axis.point(point)))
}

/// What the protocols are, and what was left out of the scenario for each.
pub(crate) fn protocols_table(comparison: &Comparison) -> Table {
    let mut table = Table::new(["protocol", "what it is"].map(Column::text));
    for protocol in &comparison.protocols {
        table.row([Cell::plain(&protocol.token), Cell::plain(&protocol.summary)]);
    }
    table
}

/// What was left out, a sentence each, with the protocols it was left out for.
pub(crate) fn dropped(comparison: &Comparison) -> Vec<String> {
    let mut sentences: Vec<(&str, Vec<&str>)> = Vec::new();
    for protocol in &comparison.protocols {
        for sentence in &protocol.dropped {
            match sentences.iter_mut().find(|(other, _)| other == sentence) {
                Some((_, tokens)) => tokens.push(&protocol.token),
                None => sentences.push((sentence, vec![&protocol.token])),
            }
        }
    }
    let said = sentences.iter();
    said.map(|(sentence, tokens)| clean(&format!("{}: {sentence}", tokens.join(", "))))
        .collect()
}

/// What each protocol costs one device alone; `None` if that was not measured.
pub(crate) fn anatomy_table(comparison: &Comparison) -> Option<Table> {
    let measured: Vec<(&Protocol, &Anatomy)> = comparison
        .protocols
        .iter()
        .filter_map(|protocol| Some((protocol, protocol.anatomy.as_ref()?)))
        .collect();
    if measured.is_empty() {
        return None;
    }
    let mut table = Table::new([
        Column::text("protocol"),
        Column::figure("a session"),
        Column::figure("a reading"),
        Column::figure("packets").optional(3),
        Column::figure("an idle hour"),
        Column::figure("round trips to send").optional(1),
        Column::figure("to know").optional(2),
    ]);
    let trips = |trips: Option<u64>| trips.map_or(NONE.to_owned(), count);
    for (protocol, anatomy) in measured {
        let bytes = |bytes: &Bytes| format!("{} B", count(bytes.on_wire()));
        let idle = anatomy.idle_hour.as_ref();
        table.row([
            Cell::plain(&protocol.token),
            Cell::plain(bytes(&anatomy.session)),
            Cell::plain(bytes(&anatomy.reading)),
            Cell::plain(count(anatomy.reading.packets())),
            Cell::plain(idle.map_or(NONE.to_owned(), |idle| figures::bytes(idle.on_wire()))),
            Cell::plain(trips(anatomy.round_trips_before_reading)),
            Cell::plain(trips(anatomy.round_trips_of_reading)),
        ]);
    }
    Some(table)
}

/// A figure's median.
pub(crate) fn median(cell: &CompareCell, figure: Figure) -> String {
    let spread = cell.figures[figure];
    spread.map_or(NONE.to_owned(), |spread| figure.says(spread.median))
}

/// A figure's median, and its lowest and highest if they differ.
pub(crate) fn median_and_spread(cell: &CompareCell, figure: Figure) -> String {
    let median = median(cell, figure);
    match spread(cell, figure) {
        spread if spread.is_empty() => median,
        spread => format!("{median} ({spread})"),
    }
}

/// A figure's lowest and highest, if a reader can tell them apart.
pub(crate) fn spread(cell: &CompareCell, figure: Figure) -> String {
    match cell.figures[figure] {
        Some(spread) if spread.min < spread.max => {
            let (min, max) = (figure.says(spread.min), figure.says(spread.max));
            match (min.rsplit_once(' '), max.rsplit_once(' ')) {
                _ if min == max => String::new(),
                (Some((min, one)), Some((_, other))) if one == other => format!("{min}–{max}"),
                _ => format!("{min}–{max}"),
            }
        }
        _ => String::new(),
    }
}

/// The figures that tables of these cells have: those of radios only where there
/// are any.
fn measured(cells: &[CompareCell]) -> impl Iterator<Item = Figure> {
    let radios = has_radios(cells);
    let figures = Figure::ALL.into_iter();
    figures.filter(move |figure| *figure != Figure::RadioPerDelivered || radios)
}

/// Whether any of the cells has devices with a radio.
pub(crate) fn has_radios(cells: &[CompareCell]) -> bool {
    let mut runs = cells.iter().flat_map(|cell| &cell.runs);
    runs.any(|run| run.radio.is_some())
}

/// Every figure of every protocol under the same conditions, with its spread.
pub(crate) fn figures_table(cells: &[CompareCell]) -> Table {
    let columns = cells.iter().map(|cell| Column::figure(&cell.protocol));
    let mut table = Table::new(std::iter::once(Column::text("figure")).chain(columns));
    for figure in measured(cells) {
        let figures = cells.iter();
        let figures = figures.map(|cell| Cell::plain(median_and_spread(cell, figure)));
        table.row(std::iter::once(Cell::plain(figure.name())).chain(figures));
    }
    table
}

/// What went wrong with runs of a cell: those that failed, and the guarantees
/// that were violated in others; empty if nothing.
pub(crate) fn troubles(cell: &CompareCell) -> Vec<String> {
    let failed = cell.failed.iter();
    let mut troubles: Vec<String> = failed
        .map(|run| clean(&format!("seed {}: {}", run.seed, run.error)))
        .collect();
    for run in &cell.runs {
        if !run.violated.is_empty() {
            let violated = run.violated.join(", ");
            troubles.push(clean(&format!("seed {}: violated {violated}", run.seed)));
        }
    }
    troubles
}

/// The layers on which any of the cells spent anything.
pub(crate) fn layers(cells: &[CompareCell]) -> Vec<Layer> {
    let spends = |layer: &Layer| {
        let mut runs = cells.iter().flat_map(|cell| &cell.runs);
        runs.any(|run| run.bytes.both(*layer) > 0)
    };
    Layer::ALL.into_iter().filter(spends).collect()
}

/// Bytes per layer and delivered reading, a column for each of the cells: those
/// of the seed that is the median of them all, so that the layers add up.
pub(crate) fn layers_table(cells: &[CompareCell], layers: &[Layer]) -> Table {
    let columns = cells.iter().map(|cell| Column::figure(&cell.protocol));
    let mut table = Table::new(std::iter::once(Column::text("a delivered reading")).chain(columns));
    let mut row = |tone, name: &str, spent: &dyn Fn(&Bytes) -> u64| {
        let figures = cells.iter().map(|cell| Cell::new(tone, each(cell, spent)));
        table.row(std::iter::once(Cell::new(tone, name)).chain(figures));
    };
    for &layer in layers {
        row(Tone::Plain, layer.name(), &|bytes| bytes.both(layer));
    }
    row(Tone::Strong, "on the wire", &Bytes::on_wire);
    table
}

fn each(cell: &CompareCell, spent: &dyn Fn(&Bytes) -> u64) -> String {
    let Some(run) = cell.median_run() else {
        return NONE.to_owned();
    };
    let spent = spent(&run.bytes);
    match per_reading(spent, run.counts.delivered) {
        Some(0) if spent > 0 => "<1 B".to_owned(),
        Some(each) => format!("{} B", count(each)),
        None => NONE.to_owned(),
    }
}

/// A crossover as a sentence: who costs less than whom from where on, and at
/// what.
pub(crate) fn crossover(comparison: &Comparison, crossover: &Crossover) -> String {
    let mut axes = comparison.axes.iter();
    let from = match axes.find(|axis| axis.key == crossover.axis) {
        Some(axis) => axis.says(crossover.from),
        None => count(crossover.from),
    };
    let at = elsewhere(comparison, &crossover.axis, &crossover.at);
    let doubt = if crossover.every_seed {
        ""
    } else {
        ", though not with every seed"
    };
    clean(&format!(
        "{} is cheaper than {} from {from} on{at}{doubt}",
        crossover.cheaper, crossover.than
    ))
}

/// What the axes but the one of this key are at: `, with 5 % loss`; empty if
/// there are no others.
pub(crate) fn elsewhere(comparison: &Comparison, key: &str, at: &[String]) -> String {
    let others = comparison.axes.iter().filter(|axis| axis.key != key);
    let others: Vec<String> = others
        .zip(at)
        .map(|(axis, text)| value(axis, text))
        .collect();
    if others.is_empty() {
        String::new()
    } else {
        format!(", with {}", others.join(", "))
    }
}

/// The crossovers of the one figure that a reader wants told: the cost of what
/// arrived, or where nothing was owed to anyone, of what was published.
pub(crate) fn told(comparison: &Comparison) -> impl Iterator<Item = &Crossover> {
    let delivered = |cell: &CompareCell| cell.figures[Figure::BytesPerDelivered].is_some();
    let figure = match comparison.cells.iter().any(delivered) {
        true => Figure::BytesPerDelivered,
        false => Figure::BytesPerPublished,
    };
    let of_figure = move |crossover: &&Crossover| crossover.figure == figure.key();
    comparison.crossovers.iter().filter(of_figure)
}
