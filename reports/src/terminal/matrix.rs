//! Brokers side by side for a person at a terminal: how many statements each
//! keeps. What is wrong with each is in its own report.

use crate::{
    conformance::{Decision, Matrix},
    figures::{NONE, count, counted},
    layout::{clean, wrap},
    style::{Style, Tone},
    table::{Cell, Column, Table},
    terminal::{Page, Timing},
    words::conformance as words,
};

/// The matrix, ending in a newline.
#[must_use]
pub fn render_matrix(matrix: &Matrix, style: Style, timing: Option<Timing>) -> String {
    let mut page = Page::new(style);
    let rows = matrix.rows();
    let mut phrases = vec![
        format!("squall {}", clean(&matrix.squall)),
        counted(matrix.brokers.len() as u64, "broker"),
        counted(rows.len() as u64, "statement"),
    ];
    phrases.extend(timing.map(|timing| timing.text()));
    page.header(&phrases);
    page.line("");
    let heads = ["broker", "version", "over"].map(Column::text);
    let marks = Decision::ALL.map(|decision| Column::figure(words::decision(decision).0));
    let mut table = Table::new(heads.into_iter().chain(marks));
    for (index, run) in matrix.brokers.iter().enumerate() {
        let number = |decision: Decision| {
            let cells = rows.iter().map(|row| row.cells[index].decision);
            let tone = match decision {
                Decision::Fail | Decision::Error => Tone::Bad,
                _ => Tone::Plain,
            };
            match cells.filter(|cell| *cell == decision).count() {
                0 => Cell::new(Tone::Dim, NONE),
                number => Cell::new(tone, count(number as u64)),
            }
        };
        let names = [&run.target, &run.target_version, &run.transport].map(Cell::plain);
        table.row(names.into_iter().chain(Decision::ALL.map(number)));
    }
    for line in table.terminal(style, style.columns()) {
        page.line(&line);
    }
    page.line("");
    let legend = Decision::ALL.map(|decision| {
        let (mark, meaning) = words::decision(decision);
        format!("{mark} {meaning}")
    });
    for line in super::join(&legend, style.columns()) {
        let line = page.paint(Tone::Dim, &line);
        page.line(&line);
    }
    for left_out in &matrix.left_out {
        for line in wrap(&clean(&words::left_out(left_out)), style.columns()) {
            page.line(&line);
        }
    }
    page.text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::samples;

    #[test]
    fn a_matrix() {
        let text = render_matrix(&samples::matrix(), Style::PLAIN, None);
        insta::assert_snapshot!("terminal_matrix", text);
    }
}
