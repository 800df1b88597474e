//! What has changed between two reports, in GitHub's Markdown.

use crate::{
    diff::Diff,
    escape,
    layout::clean,
    markdown::{list, non_empty},
    words::diff as words,
};

/// What has changed, ending in a newline.
#[must_use]
pub fn render_diff(diff: &Diff) -> String {
    let (_, conclusion) = words::conclusion(diff);
    let [old, new] = &diff.names;
    let title = format!("{} → {}", clean(old), clean(new));
    let mut sections = vec![
        format!("# {}\n", escape::inline(&title)),
        format!("**{}**\n", escape::inline(&conclusion)),
    ];
    let mut section = |title: &str, blocks: Vec<String>| {
        if !blocks.is_empty() {
            sections.push(format!("## {title}\n"));
            sections.extend(blocks);
        }
    };
    if diff.worse().next().is_some() {
        section("Worse", vec![words::table(diff.worse()).markdown()]);
    }
    if diff.better().next().is_some() {
        section("Better", vec![words::table(diff.better()).markdown()]);
    }
    section("Unmatched", non_empty(list(&diff.unmatched)));
    section("Notes", non_empty(list(&diff.notes)));
    sections.join("\n")
}
