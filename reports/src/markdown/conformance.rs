//! A conformance run in GitHub's Markdown.

use crate::{
    conformance::{Case, Conformance, KnownFailure, Standing, Tally},
    escape,
    figures::{NONE, count, duration},
    layout::clean,
    markdown::code,
    style::Tone,
    table::{Cell, Column, Table},
    words::conformance as words,
};

/// The run, ending in a newline.
#[must_use]
pub fn render_conformance(run: &Conformance) -> String {
    let (_, judgement) = words::judgement(run);
    let mut sections = vec![
        format!("# {}\n", escape::inline(&clean(&words::tested(run)))),
        format!(
            "**{}**\n\n{}\n\n{} · {} · {} · squall {}\n",
            escape::inline(&judgement),
            escape::block(&words::totals(&run.tally())),
            words::protocols(&run.protocols()),
            escape::inline(&clean(&run.transport)),
            words::extent(run),
            escape::inline(&clean(&run.squall)),
        ),
        code(&clean(&run.command)),
        chapters(run).markdown(),
    ];
    let of = |standing: Standing| -> Vec<&Case> {
        let cases = run.cases.iter();
        cases
            .filter(|case| run.standing(case) == standing)
            .collect()
    };
    let failures = of(Standing::Fail);
    if !failures.is_empty() {
        sections.push("## Failures\n".to_owned());
        sections.extend(failures.iter().flat_map(|case| failure(run, case)));
    }
    for (title, standing) in [
        ("Known failures", Standing::Known),
        ("Not as it should be", Standing::NonStrict),
        ("Skipped", Standing::Skip),
        ("Not carried through", Standing::Error),
    ] {
        let cases = of(standing);
        if !cases.is_empty() {
            sections.push(format!("## {title}\n"));
            sections.push(in_short(run, &cases).markdown());
        }
    }
    if !run.fixed.is_empty() {
        sections.push("## Known failures that are gone\n".to_owned());
        sections.push(gone(&run.fixed).markdown());
    }
    let waits = words::waits(run);
    if !waits.is_empty() {
        let mut table = Table::new([
            Column::figure("waited"),
            Column::text("check"),
            Column::text("protocol"),
            Column::text("for what"),
        ]);
        for (for_ns, case, why) in waits {
            table.row([
                Cell::plain(duration(for_ns)),
                Cell::plain(&case.check),
                Cell::plain(case.protocol.title()),
                Cell::plain(why),
            ]);
        }
        sections.push("## Waits that the specification imposes\n".to_owned());
        sections.push(table.markdown());
    }
    sections.join("\n")
}

/// A row for each part of the specification.
fn chapters(run: &Conformance) -> Table {
    let mut table = Table::new([
        Column::text("protocol"),
        Column::text("section"),
        Column::figure("pass"),
        Column::figure("fail"),
        Column::figure("known"),
        Column::figure("non-strict"),
        Column::figure("skip"),
        Column::figure("error"),
    ]);
    let mut row = |protocol: &str, title: &str, tally: &Tally| {
        let counts = Standing::ALL.map(|standing| match tally.count(standing) {
            0 => Cell::new(Tone::Dim, NONE),
            number => Cell::plain(count(number)),
        });
        table.row(
            [Cell::plain(protocol), Cell::plain(title)]
                .into_iter()
                .chain(counts),
        );
    };
    for chapter in run.chapters() {
        row(chapter.protocol.title(), chapter.title, &chapter.tally);
    }
    row("all", "", &run.tally());
    table
}

/// A failure that is new: everything that is known of it.
fn failure(run: &Conformance, case: &Case) -> Vec<String> {
    let mut blocks = vec![format!(
        "### ✘ {}\n",
        escape::inline(&clean(&format!(
            "{}, {}",
            case.check,
            case.protocol.title()
        )))
    )];
    let statements: String = run
        .concerns(case)
        .map(|statement| {
            let text = format!("{} ({})", statement.summary, statement.level);
            format!(
                "- **{}** {}\n",
                escape::inline(&clean(&statement.id)),
                escape::inline(&clean(&text))
            )
        })
        .collect();
    if !statements.is_empty() {
        blocks.push(statements);
    }
    let mut table = Table::new(["", "what"].map(Column::text));
    for (name, text) in words::findings(case) {
        table.row([Cell::plain(name), Cell::plain(text)]);
    }
    blocks.push(table.markdown());
    let transcript = words::transcript(case);
    if !transcript.is_empty() {
        let lines: Vec<_> = transcript.iter().map(|line| clean(line)).collect();
        blocks.push(code(&lines.join("\n")));
    }
    blocks.push(code(&clean(&run.again(case))));
    blocks
}

/// A row for each case of which it is enough to say that it is there.
fn in_short(run: &Conformance, cases: &[&Case]) -> Table {
    let mut table = Table::new(["check", "protocol", "statements", "what"].map(Column::text));
    for case in cases {
        let statements: Vec<_> = run
            .concerns(case)
            .map(|statement| statement.id.as_str())
            .collect();
        let mut what = words::in_short(case);
        if let Some(known) = &case.expected {
            what = format!("{} ({what})", known.reason);
            if !known.link.is_empty() {
                what = format!("{what} {}", known.link);
            }
        }
        table.row([
            Cell::plain(&case.check),
            Cell::plain(case.protocol.title()),
            Cell::plain(statements.join(", ")),
            Cell::plain(what),
        ]);
    }
    table
}

fn gone(fixed: &[KnownFailure]) -> Table {
    let mut table = Table::new(["statement", "check", "reason"].map(Column::text));
    for known in fixed {
        table.row([
            Cell::plain(known.statement.as_deref().unwrap_or_default()),
            Cell::plain(known.check.as_deref().unwrap_or_default()),
            Cell::plain(&known.reason),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::conformance::samples;

    #[rstest]
    #[case::mosquitto("mosquitto", samples::mosquitto())]
    #[case::reference("reference", samples::reference())]
    #[case::partial("partial", samples::partial())]
    #[case::hostile("hostile", samples::hostile())]
    fn a_run(#[case] name: &str, #[case] run: Conformance) {
        insta::assert_snapshot!(
            format!("markdown_conformance_{name}"),
            render_conformance(&run)
        );
    }
}
