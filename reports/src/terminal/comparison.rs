//! A comparison for a person at a terminal.
//!
//! What the protocols are, what each costs one device alone, then point by point
//! what a reading costs over each and what became of the readings, where one
//! becomes cheaper than another, and the command that runs it again.

use crate::{
    comparison::{Cell as CompareCell, Comparison, Figure},
    layout::{bar, clean, fit, pad_end, width, wrap_command},
    style::{Style, Tone},
    table::{Cell, Column, Table},
    terminal::{Page, Timing},
    words::comparison as words,
};

/// Columns of the longest bar.
const BAR: usize = 12;

/// Columns of a layer's name, and the fewest of a figure, with the gap before.
const LAYER: usize = 20;
const FIGURE: usize = 9;

/// A comparison, ending in a newline. No line is wider than `style` allows,
/// except one that holds a name or an argument of a command which is.
#[must_use]
pub fn render_comparison(comparison: &Comparison, style: Style, timing: Option<Timing>) -> String {
    let mut page = Page::new(style);
    page.header(&header(comparison, timing));
    page.section("protocols", protocols(comparison, &page));
    let anatomy = words::anatomy_table(comparison);
    let anatomy = anatomy.map(|table| table.terminal(style, page.room()));
    page.section("alone", anatomy.unwrap_or_default());
    for (index, cells) in comparison.points().enumerate() {
        let name = if index == 0 { "together" } else { "" };
        page.section(name, point(comparison, cells, &page));
    }
    page.section("bytes", layers(comparison, &page));
    let crossovers = words::told(comparison);
    let crossovers = crossovers.map(|crossover| words::crossover(comparison, crossover));
    let crossovers = crossovers.flat_map(|sentence| page.text(&sentence));
    page.section("crossovers", crossovers.collect());
    let dropped = words::dropped(comparison).into_iter();
    page.section(
        "left out",
        dropped.flat_map(|text| page.text(&text)).collect(),
    );
    let notes = comparison.notes.iter().flat_map(|note| page.text(note));
    page.section("notes", notes.collect());
    page.section(
        "again",
        wrap_command(&clean(&comparison.command), page.room()),
    );
    let (tone, verdict) = words::verdict(comparison);
    page.footer(tone, &verdict);
    page.text
}

fn header(comparison: &Comparison, timing: Option<Timing>) -> Vec<String> {
    let mut phrases = vec![
        format!("squall {}", clean(&comparison.version)),
        fit(&clean(&comparison.title), 48),
    ];
    phrases.extend(words::size(comparison));
    if let (Some(timing), Some(last)) = (timing, phrases.last_mut()) {
        last.push_str(&format!(" in {}", timing.text()));
    }
    phrases
}

/// What each protocol is.
fn protocols(comparison: &Comparison, page: &Page) -> Vec<String> {
    let tokens = comparison.protocols.iter();
    let tokens: Vec<String> = tokens.map(|protocol| clean(&protocol.token)).collect();
    let longest = tokens.iter().map(|token| width(token)).max().unwrap_or(0);
    let each = comparison.protocols.iter().zip(&tokens);
    each.flat_map(|(protocol, token)| {
        let lead = pad_end(token, longest + 2);
        page.hang(&lead, width(&lead), Tone::Plain, &clean(&protocol.summary))
    })
    .collect()
}

/// What every protocol cost and delivered under the same conditions.
fn point(comparison: &Comparison, cells: &[CompareCell], page: &Page) -> Vec<String> {
    let conditions = words::conditions(comparison, cells.first().map_or(&[], |cell| &cell.at));
    let spread = |cell: &CompareCell| words::spread(cell, Figure::BytesPerDelivered);
    let spreads = cells.iter().any(|cell| !spread(cell).is_empty());
    let spread_column = spreads.then(|| Column::figure("spread").optional(4));
    let columns = [Column::text("protocol"), Column::figure("a reading")];
    let columns = columns.into_iter().chain(spread_column).chain([
        Column::figure("delivered"),
        Column::figure("lost"),
        Column::figure("twice").optional(2),
        Column::figure("p50").optional(1),
        Column::figure("p99"),
        Column::figure("first").optional(3),
        Column::text("").optional(5),
    ]);
    let mut table = Table::new(columns);
    let cost = |cell: &CompareCell| {
        let spread = cell.figures[Figure::BytesPerDelivered];
        spread.map_or(0, |spread| spread.median)
    };
    let most = cells.iter().map(cost).max().unwrap_or(0);
    for cell in cells {
        let plain = |figure| Cell::plain(words::median(cell, figure));
        let lost = match cell.figures[Figure::Lost] {
            Some(spread) if spread.max > 0 => Tone::Bad,
            _ => Tone::Plain,
        };
        let named = [
            Cell::plain(&cell.protocol),
            Cell::new(Tone::Strong, words::median(cell, Figure::BytesPerDelivered)),
        ];
        let spread = spreads.then(|| Cell::new(Tone::Dim, spread(cell)));
        table.row(named.into_iter().chain(spread).chain([
            plain(Figure::Delivered),
            Cell::new(lost, words::median(cell, Figure::Lost)),
            plain(Figure::Duplicated),
            plain(Figure::LatencyP50),
            plain(Figure::LatencyP99),
            plain(Figure::FirstReading),
            Cell::new(Tone::Drawn, bar(cost(cell), most, BAR)),
        ]));
    }
    let mut lines: Vec<String> = page
        .text(&conditions)
        .iter()
        .map(|line| page.paint(Tone::Strong, line))
        .collect();
    lines.extend(table.terminal(page.style, page.room()));
    if words::has_radios(cells) {
        let lead = "radio on per delivered reading  ";
        let each = cells.iter().map(|cell| {
            let time = words::median_and_spread(cell, Figure::RadioPerDelivered);
            format!("{} {time}", clean(&cell.protocol))
        });
        let each: Vec<String> = each.collect();
        lines.extend(page.hang_list(lead, width(lead), Tone::Plain, &each));
    }
    for cell in cells {
        for trouble in words::troubles(cell) {
            let said = format!("✘ {} {trouble}", clean(&cell.protocol));
            let said = page.text(&said);
            lines.extend(said.iter().map(|line| page.paint(Tone::Bad, line)));
        }
    }
    lines
}

/// The layers at the first point, in as many tables as its protocols take.
fn layers(comparison: &Comparison, page: &Page) -> Vec<String> {
    let Some(cells) = comparison.points().next() else {
        return Vec::new();
    };
    let layers = words::layers(cells);
    if layers.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut rest = cells;
    while !rest.is_empty() {
        let mut columns = LAYER;
        let fits = rest.iter().take_while(|cell| {
            columns += width(&clean(&cell.protocol)).max(FIGURE) + 2;
            columns <= page.room()
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(words::layers_table(now, &layers).terminal(page.style, page.room()));
        rest = later;
    }
    lines
}
