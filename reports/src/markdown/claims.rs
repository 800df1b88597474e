//! The ledger of claims in GitHub's Markdown: all of them at a glance, then each
//! with its figures.

use crate::{
    claims::{Claim, Figures, Ledger},
    escape,
    layout::clean,
    table::{Cell, Column, Table},
    words::claims as words,
};

/// The ledger, ending in a newline.
#[must_use]
pub fn render_claims(ledger: &Ledger) -> String {
    let mut glance = Table::new([
        Column::figure(""),
        Column::text("what is said"),
        Column::text("measured"),
    ]);
    for claim in &ledger.claims {
        glance.row([
            Cell::plain(claim.number.to_string()),
            Cell::plain(&claim.said),
            Cell::plain(ruling(claim)),
        ]);
    }
    let mut sections = vec![
        "# What is said about MQTT, and what is so\n".to_owned(),
        format!(
            "{}, as squall {} measured them in packets.\n",
            words::tally(ledger),
            escape::inline(&clean(&ledger.version))
        ),
        glance.markdown(),
    ];
    sections.extend(ledger.claims.iter().map(section));
    sections.join("\n")
}

fn ruling(claim: &Claim) -> String {
    format!("{} {}", words::mark(claim.ruling), words::ruling(claim))
}

fn section(claim: &Claim) -> String {
    let said = escape::inline(&clean(&claim.said));
    let finding = escape::block(&clean(&claim.finding));
    let mut blocks = vec![
        format!("## {}. {said}\n", claim.number),
        format!("**{}.** {finding}\n", escape::inline(&ruling(claim))),
    ];
    for figures in &claim.figures {
        blocks.push(format!("{}:\n", escape::block(&clean(&figures.title))));
        blocks.push(table(figures).markdown());
    }
    for note in &claim.notes {
        blocks.push(format!("{}\n", escape::block(&clean(note))));
    }
    if !claim.commands.is_empty() {
        let commands: Vec<String> = claim
            .commands
            .iter()
            .map(|command| clean(command))
            .collect();
        blocks.push(format!(
            "<details><summary>{}</summary>\n\n```sh\n{}\n```\n\n</details>\n",
            words::measured_by(claim),
            commands.join("\n")
        ));
    }
    blocks.join("\n")
}

fn table(figures: &Figures) -> Table {
    let (case, heads) = match figures.heads.split_first() {
        Some((case, heads)) => (case.as_str(), heads),
        None => ("", &[][..]),
    };
    let heads = heads.iter().map(Column::figure);
    let mut table = Table::new([Column::text(case)].into_iter().chain(heads));
    for row in &figures.rows {
        let figures = row
            .figures
            .iter()
            .map(|figure| Cell::plain(words::figure(*figure)));
        table.row([Cell::plain(&row.case)].into_iter().chain(figures));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::sample;

    #[test]
    fn a_ledger() {
        insta::assert_snapshot!("markdown_claims", render_claims(&sample()));
    }
}
