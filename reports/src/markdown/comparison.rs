//! A comparison in GitHub's Markdown. It holds every figure at every point.

use crate::{
    comparison::{Cell as CompareCell, Comparison, Figure},
    escape,
    layout::clean,
    markdown::{code, list, non_empty},
    table::{Cell, Column, Table},
    words::comparison as words,
};

/// A comparison, ending in a newline.
#[must_use]
pub fn render_comparison(comparison: &Comparison) -> String {
    let (_, verdict) = words::verdict(comparison);
    let mut sections = vec![
        format!("# {}\n", escape::inline(&clean(&comparison.title))),
        format!(
            "**{}**\n\n{} · squall {}\n",
            escape::inline(&verdict),
            escape::inline(&words::size(comparison).join(" · ")),
            escape::inline(&clean(&comparison.version)),
        ),
        code(&clean(&comparison.command)),
    ];
    let mut section = |title: &str, blocks: Vec<String>| {
        if !blocks.is_empty() {
            sections.push(format!("## {}\n", escape::inline(title)));
            sections.extend(blocks);
        }
    };
    section(
        "Protocols",
        vec![words::protocols_table(comparison).markdown()],
    );
    let anatomy = words::anatomy_table(comparison).map(|table| table.markdown());
    section("One device alone", anatomy.into_iter().collect());
    let crossovers = words::told(comparison);
    let crossovers: Vec<String> = crossovers
        .map(|crossover| words::crossover(comparison, crossover))
        .collect();
    section("Crossovers", non_empty(list(&crossovers)));
    for cells in comparison.points() {
        let at = cells.first().map_or(&[][..], |cell| &cell.at);
        section(&words::conditions(comparison, at), point(cells));
    }
    section("Left out", non_empty(list(&words::dropped(comparison))));
    let notes: Vec<String> = comparison.notes.iter().map(|note| clean(note)).collect();
    section("Notes", non_empty(list(&notes)));
    sections.join("\n")
}

/// Every figure of every protocol under the same conditions, with its spread,
/// and the layers.
fn point(cells: &[CompareCell]) -> Vec<String> {
    let columns = cells.iter().map(|cell| Column::figure(&cell.protocol));
    let mut table = Table::new(std::iter::once(Column::text("figure")).chain(columns));
    for figure in Figure::ALL {
        let figures = cells.iter().map(|cell| {
            let median = words::median(cell, figure);
            match words::spread(cell, figure) {
                spread if spread.is_empty() => Cell::plain(median),
                spread => Cell::plain(format!("{median} ({spread})")),
            }
        });
        table.row(std::iter::once(Cell::plain(figure.name())).chain(figures));
    }
    let mut blocks = vec![table.markdown()];
    let layers = words::layers(cells);
    if !layers.is_empty() {
        blocks.push(words::layers_table(cells, &layers).markdown());
    }
    let troubles = cells.iter().flat_map(|cell| {
        let troubles = words::troubles(cell).into_iter();
        troubles.map(|trouble| format!("✘ {} {trouble}", clean(&cell.protocol)))
    });
    blocks.extend(non_empty(list(&troubles.collect::<Vec<_>>())));
    blocks
}
