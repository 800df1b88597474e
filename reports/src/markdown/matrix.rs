//! Brokers side by side in GitHub's Markdown: how many statements each keeps,
//! then each statement, and what is wrong with those that are broken.

use crate::{
    conformance::{Conclusion, Conformance, Decision, Matrix, Protocol, Row, Standing},
    escape,
    figures::{NONE, count},
    layout::clean,
    table::{Cell, Column, Table},
    words::conformance as words,
};

/// The matrix, ending in a newline.
#[must_use]
pub fn render_matrix(matrix: &Matrix) -> String {
    let rows = matrix.rows();
    let legend = Decision::ALL.map(|decision| {
        let (mark, meaning) = words::decision(decision);
        format!("{mark} {meaning}")
    });
    let mut sections = vec![
        "# Brokers and statements\n".to_owned(),
        format!(
            "What each broker makes of each normative statement, as squall {} found it.\n",
            escape::inline(&clean(&matrix.squall))
        ),
        brokers(matrix, &rows),
        format!("{}.\n", legend.join(" · ")),
    ];
    let left_out = matrix.left_out.iter().map(words::left_out);
    sections.extend(left_out.map(|told| format!("{}.\n", escape::inline(&clean(&told)))));
    for protocol in [Protocol::Mqtt311, Protocol::Mqtt5, Protocol::WebSocket] {
        let of_protocol: Vec<_> = rows.iter().filter(|row| row.protocol == protocol).collect();
        if of_protocol.is_empty() {
            continue;
        }
        sections.push(format!("## {}\n", protocol.title()));
        for chapter in of_protocol.chunk_by(|a, b| a.statement.chapter == b.statement.chapter) {
            let title = escape::inline(&clean(&chapter[0].statement.chapter));
            sections.push(format!("### {title}\n"));
            sections.push(statements(matrix, chapter));
        }
    }
    let failures: Vec<_> = matrix.brokers.iter().flat_map(failures).collect();
    if !failures.is_empty() {
        sections.push("## Failures\n".to_owned());
        sections.extend(failures);
    }
    sections.join("\n")
}

/// A row for each broker: how many statements it keeps, breaks and lacks.
fn brokers(matrix: &Matrix, rows: &[Row<'_>]) -> String {
    let mut table = Table::new([
        Column::text("broker"),
        Column::text("version"),
        Column::text("transport"),
        Column::figure("kept"),
        Column::figure("not as it should be"),
        Column::figure("broken"),
        Column::figure("lacking"),
        Column::figure("undecided"),
    ]);
    for (index, run) in matrix.brokers.iter().enumerate() {
        let number = |decisions: &[Decision]| {
            let cells = rows.iter().map(|row| row.cells[index].decision);
            match cells.filter(|cell| decisions.contains(cell)).count() {
                0 => Cell::plain(NONE),
                number => Cell::plain(count(number as u64)),
            }
        };
        table.row([
            Cell::plain(&run.target),
            Cell::plain(&run.target_version),
            Cell::plain(&run.transport),
            number(&[Decision::Pass]),
            number(&[Decision::NonStrict]),
            number(&[Decision::Fail]),
            number(&[Decision::Skip]),
            number(&[Decision::Error, Decision::Open]),
        ]);
    }
    table.markdown()
}

/// A row for each statement, a column for each broker.
fn statements(matrix: &Matrix, rows: &[&Row<'_>]) -> String {
    let names = matrix.brokers.iter().map(|run| run.target.as_str());
    let heads = ["statement", "asks that"].into_iter().chain(names);
    let mut table = Table::new(heads.map(Column::text));
    for row in rows {
        let cells = row.cells.iter();
        let marks = cells.map(|cell| Cell::plain(words::decision(cell.decision).0));
        let text = format!("{} ({})", row.statement.summary, row.statement.level);
        table.row(
            [Cell::plain(&row.statement.id), Cell::plain(text)]
                .into_iter()
                .chain(marks),
        );
    }
    table.markdown()
}

/// What a broker does wrong.
fn failures(run: &Conformance) -> Vec<String> {
    let mut table = Table::new(["statement", "check", "broker", "why it is so"].map(Column::text));
    let mut any = false;
    for case in &run.cases {
        let Conclusion::Fail { broken, .. } = &case.verdict else {
            continue;
        };
        any = true;
        let known = match (&case.expected, run.standing(case)) {
            (Some(known), Standing::Known) => known.reason.clone(),
            _ => String::new(),
        };
        table.row([
            Cell::plain(broken.join(", ")),
            Cell::plain(&case.check),
            Cell::plain(words::in_short(case)),
            Cell::plain(known),
        ]);
    }
    let title = format!("### {}\n", escape::inline(&clean(&words::tested(run))));
    if any {
        vec![title, table.markdown()]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::samples;

    #[test]
    fn a_matrix() {
        insta::assert_snapshot!("markdown_matrix", render_matrix(&samples::matrix()));
    }
}
