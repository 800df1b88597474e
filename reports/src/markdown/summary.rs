//! The summary of many runs in GitHub's Markdown.

use crate::{
    escape,
    layout::clean,
    markdown::code,
    summary::{Outcome, Run, Summary},
    table::{Cell, Column, Table},
    words,
};

/// The summary of many runs, ending in a newline.
#[must_use]
pub fn render_summary(summary: &Summary) -> String {
    let mut sections = vec![
        "# Squall\n".to_owned(),
        format!("**{}**\n", words::summary_verdict(summary)),
        words::scenarios_table(summary).markdown(),
    ];
    for group in &summary.groups {
        let seeds: Vec<String> = group.seeds.iter().map(u64::to_string).collect();
        sections.push(format!(
            "## ✘ {}\n\n{}\n\n{}: {}\n\n{}\n",
            escape::inline(&clean(&group.name)),
            escape::block(&clean(&group.scenario)),
            if seeds.len() == 1 { "seed" } else { "seeds" },
            seeds.join(", "),
            escape::block(&clean(&group.summary)),
        ));
        sections.push(code(&clean(&group.command)));
    }
    let failing: Vec<&Run> = summary.failing().collect();
    if !failing.is_empty() {
        let mut table = Table::new([
            Column::text("failing run"),
            Column::figure("seed"),
            Column::text("outcome"),
            Column::text("again"),
        ]);
        for run in failing {
            table.row([
                Cell::plain(&run.title),
                Cell::plain(run.seed.to_string()),
                Cell::plain(match run.outcome {
                    Outcome::Error => "harness error",
                    _ => "violated",
                }),
                Cell::plain(&run.command),
            ]);
        }
        sections.push(table.markdown());
    }
    sections.push(format!(
        "squall {}\n",
        escape::inline(&clean(&summary.version))
    ));
    sections.join("\n")
}
