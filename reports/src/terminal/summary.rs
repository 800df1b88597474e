//! The summary of many runs for a person at a terminal.

use crate::{
    figures::{count, counted},
    layout::{clean, fit, wrap, wrap_command},
    style::{Style, Tone},
    summary::{Group, Run, Summary},
    terminal::{Page, Timing, join},
    words,
};

/// Failing runs whose commands are printed; beyond, the JSON summary has them.
const FAILING_SHOWN: usize = 100;

/// Seeds of one group that are printed.
const SEEDS_SHOWN: usize = 12;

/// The summary of many runs, ending in a newline.
#[must_use]
pub fn render_summary(summary: &Summary, style: Style, timing: Option<Timing>) -> String {
    let mut page = Page::new(style);
    let runs = counted(summary.planned, "run");
    page.header(&[
        format!("squall {}", clean(&summary.version)),
        match timing {
            Some(timing) => format!("{runs} in {}", timing.text()),
            None => runs,
        },
    ]);
    page.line("");
    for line in words::scenarios_table(summary).terminal(style, style.columns()) {
        page.line(&line);
    }
    failing(summary, &mut page);
    for group in &summary.groups {
        page.line("");
        for line in group_lines(group, &page) {
            page.line(&line);
        }
    }
    page.line("");
    let tone = if summary.held() {
        Tone::Good
    } else {
        Tone::Bad
    };
    page.footer(tone, &words::summary_verdict(summary));
    page.text
}

fn group_lines(group: &Group, page: &Page) -> Vec<String> {
    let columns = page.style.columns() - 4;
    let name = format!("{} · {}", clean(&group.name), clean(&group.scenario));
    let mut lines = vec![format!(
        "{} {}",
        page.paint(Tone::Bad, "✘"),
        fit(&name, page.style.columns() - 2)
    )];
    let mut seeds: Vec<String> = group
        .seeds
        .iter()
        .take(SEEDS_SHOWN)
        .map(u64::to_string)
        .collect();
    let more = group.seeds.len() - seeds.len();
    if more > 0 {
        seeds.push(format!("and {} more", count(more as u64)));
    }
    let seeds = match group.seeds.len() {
        1 => format!("seed {}", seeds.join(", ")),
        number => format!("{} seeds: {}", count(number as u64), seeds.join(", ")),
    };
    for text in [seeds, clean(&group.summary)] {
        lines.extend(
            wrap(&text, columns)
                .iter()
                .map(|line| format!("    {line}")),
        );
    }
    let command = wrap_command(&clean(&group.command), columns);
    lines.extend(
        command
            .iter()
            .map(|line| format!("    {}", page.paint(Tone::Strong, line))),
    );
    lines
}

/// Each failing run with its command, unless the groups have said it all.
fn failing(summary: &Summary, page: &mut Page) {
    let failing: Vec<&Run> = summary.failing().collect();
    let named = |run: &&Run| {
        let mut groups = summary.groups.iter();
        groups.any(|group| group.command == run.command)
    };
    if failing.iter().all(named) {
        return;
    }
    page.line("");
    page.line("failing runs");
    for run in failing.iter().take(FAILING_SHOWN) {
        for line in wrap_command(&clean(&run.command), page.style.columns() - 4) {
            page.line(&format!("    {line}"));
        }
    }
    if failing.len() > FAILING_SHOWN {
        let more = counted((failing.len() - FAILING_SHOWN) as u64, "more run");
        let text = format!("and {more}, which the JSON summary lists");
        for line in join(&[text], page.style.columns() - 4) {
            let line = page.paint(Tone::Dim, &line);
            page.line(&format!("    {line}"));
        }
    }
}
