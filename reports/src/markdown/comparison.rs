//! A comparison in GitHub's Markdown. It holds every figure at every point.

use crate::{
    comparison::{Cell as CompareCell, Comparison},
    escape,
    layout::clean,
    markdown::{code, list, non_empty},
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
    let mut blocks = vec![words::figures_table(cells).markdown()];
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
