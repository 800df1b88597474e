//! What has changed between two reports, for a person at a terminal.

use crate::{diff::Diff, layout::clean, style::Style, terminal::Page, words::diff as words};

/// What has changed, ending in a newline. No line is wider than `style` allows,
/// unless the figures alone are.
#[must_use]
pub fn render_diff(diff: &Diff, style: Style) -> String {
    let mut page = Page::new(style);
    let [old, new] = &diff.names;
    page.header(&[
        format!("{} → {}", clean(old), clean(new)),
        format!("tolerance {}", words::tolerance(diff)),
    ]);
    if diff.worse().next().is_some() {
        let table = words::table(diff.worse());
        page.section("worse", table.terminal(style, page.room()));
    }
    if diff.better().next().is_some() {
        let table = words::table(diff.better());
        page.section("better", table.terminal(style, page.room()));
    }
    let unmatched = diff.unmatched.iter().flat_map(|text| page.text(text));
    page.section("unmatched", unmatched.collect());
    let notes = diff.notes.iter().flat_map(|text| page.text(text));
    page.section("notes", notes.collect());
    page.line("");
    let (tone, conclusion) = words::conclusion(diff);
    page.footer(tone, &conclusion);
    page.text
}
