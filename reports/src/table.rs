//! A table, for the terminal, for Markdown and for a web page.

use serde::Serialize;

use crate::{
    escape,
    layout::{clean, fit, pad_end, pad_start, width},
    style::{Style, Tone},
};

/// Spaces between two columns on a terminal.
const GAP: usize = 2;

/// Columns of what stays on one line of a web page: a statement's name, a figure.
const SHORT: usize = 16;

/// Class of a web page's cells with figures.
const FIGURE: &str = "figure";

/// Columns that the first, textual column of a terminal table is never cut below.
const FIRST_COLUMN_MIN: usize = 10;

/// Rows under a head. The first column may be cut to fit a terminal.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// One column's head, and how its cells are laid out.
pub(crate) struct Column {
    head: String,
    side: Side,
    /// The higher, the sooner it is left out; 0 is never left out.
    optional: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The text of one cell and what it means to the reader.
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// A table as a page's template takes it.
#[derive(Serialize)]
pub(crate) struct Html {
    heads: Vec<HtmlCell>,
    rows: Vec<Vec<HtmlCell>>,
}

#[derive(Serialize)]
struct HtmlCell {
    text: String,
    /// What stands in parentheses behind a figure, such as its spread; mostly empty.
    behind: String,
    /// Classes of the style sheet.
    class: String,
}

impl Column {
    pub(crate) fn text(head: impl AsRef<str>) -> Self {
        Self {
            head: clean(head.as_ref()),
            side: Side::Left,
            optional: 0,
        }
    }

    pub(crate) fn figure(head: impl AsRef<str>) -> Self {
        Self {
            head: clean(head.as_ref()),
            side: Side::Right,
            optional: 0,
        }
    }

    /// Leaves the column out where a terminal is too narrow, one of a higher
    /// `rank` before one of a lower.
    pub(crate) fn optional(self, rank: u8) -> Self {
        Self {
            optional: rank,
            ..self
        }
    }
}

impl Cell {
    pub(crate) fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self {
            text: clean(text.as_ref()),
            tone,
        }
    }

    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Plain, text)
    }
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The head and the rows, at most `columns` wide unless the figures alone
    /// are wider.
    pub(crate) fn terminal(&self, style: Style, columns: usize) -> Vec<String> {
        let (shown, widths) = self.shown(columns);
        let head = shown
            .iter()
            .map(|&column| (self.columns[column].head.as_str(), Tone::Dim));
        let mut lines = vec![self.line(style, &shown, &widths, head)];
        for row in &self.rows {
            let cells = shown
                .iter()
                .map(|&column| (row[column].text.as_str(), row[column].tone));
            lines.push(self.line(style, &shown, &widths, cells));
        }
        // A head of nothing but blanks would be an empty line.
        if lines[0].is_empty() {
            lines.remove(0);
        }
        lines
    }

    /// Which columns fit, and how wide each of them is.
    fn shown(&self, columns: usize) -> (Vec<usize>, Vec<usize>) {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        loop {
            let mut widths: Vec<usize> = shown.iter().map(|&column| self.width(column)).collect();
            let gaps = GAP * shown.len().saturating_sub(1);
            let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(columns);
            let spare = widths[0].saturating_sub(FIRST_COLUMN_MIN);
            let first_to_go =
                (0..shown.len()).max_by_key(|&index| self.columns[shown[index]].optional);
            if excess > spare
                && let Some(index) = first_to_go
                && self.columns[shown[index]].optional > 0
            {
                shown.remove(index);
                continue;
            }
            widths[0] -= excess.min(spare);
            return (shown, widths);
        }
    }

    /// Columns the widest cell of `column` takes, the head included.
    fn width(&self, column: usize) -> usize {
        self.rows
            .iter()
            .map(|row| width(&row[column].text))
            .fold(width(&self.columns[column].head), usize::max)
    }

    fn line<'a>(
        &self,
        style: Style,
        shown: &[usize],
        widths: &[usize],
        cells: impl Iterator<Item = (&'a str, Tone)>,
    ) -> String {
        let mut line = String::new();
        // Held back, so that no line ends in blanks.
        let mut blanks = 0;
        for (index, (text, tone)) in cells.enumerate() {
            let text = fit(text, widths[index]);
            let space = widths[index].saturating_sub(width(&text));
            let (before, after) = match self.columns[shown[index]].side {
                Side::Left => (0, space),
                Side::Right => (space, 0),
            };
            blanks += before;
            if !text.is_empty() {
                line.push_str(&" ".repeat(blanks));
                line.push_str(&style.paint(tone, &text));
                blanks = 0;
            }
            blanks += after + GAP;
        }
        line
    }

    /// A table of GitHub's Markdown, padded so that it reads well raw.
    pub(crate) fn markdown(&self) -> String {
        let escaped: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| escape::inline(&cell.text)).collect())
            .collect();
        let heads: Vec<String> = self
            .columns
            .iter()
            .map(|column| escape::inline(&column.head))
            .collect();
        let widths: Vec<usize> = heads
            .iter()
            .enumerate()
            .map(|(index, head)| {
                escaped
                    .iter()
                    .map(|row| width(&row[index]))
                    .fold(width(head).max(3), usize::max)
            })
            .collect();
        let mut text = String::new();
        self.markdown_row(&mut text, &widths, heads.iter().map(String::as_str));
        let rules: Vec<String> = self
            .columns
            .iter()
            .zip(&widths)
            .map(|(column, &columns)| match column.side {
                Side::Left => "-".repeat(columns),
                Side::Right => format!("{}:", "-".repeat(columns - 1)),
            })
            .collect();
        self.markdown_row(&mut text, &widths, rules.iter().map(String::as_str));
        for row in &escaped {
            self.markdown_row(&mut text, &widths, row.iter().map(String::as_str));
        }
        text
    }

    /// The heads and the rows, for a web page.
    pub(crate) fn html(&self) -> Html {
        let side = |column: &Column| match column.side {
            Side::Left => "text",
            Side::Right => FIGURE,
        };
        let cell = |text: &str, class: String| {
            let split = text.split_once(" (").filter(|_| class.starts_with(FIGURE));
            let (text, behind) = split.unwrap_or((text, ""));
            HtmlCell {
                text: text.to_owned(),
                behind: match behind {
                    "" => String::new(),
                    behind => format!("({behind}"),
                },
                class,
            }
        };
        let columns = self.columns.iter();
        let heads = columns.map(|column| cell(&column.head, side(column).to_owned()));
        let rows = self.rows.iter().map(|row| {
            let cells = row.iter().zip(&self.columns);
            let cells = cells.map(|(of_row, column)| {
                let tone = of_row.tone.class();
                let length = match width(&of_row.text) {
                    0..=SHORT => " short",
                    _ => "",
                };
                cell(&of_row.text, format!("{} {tone}{length}", side(column)))
            });
            cells.collect()
        });
        Html {
            heads: heads.collect(),
            rows: rows.collect(),
        }
    }

    fn markdown_row<'a>(
        &self,
        text: &mut String,
        widths: &[usize],
        cells: impl Iterator<Item = &'a str>,
    ) {
        for ((cell, column), &columns) in cells.zip(&self.columns).zip(widths) {
            text.push_str("| ");
            text.push_str(&match column.side {
                Side::Left => pad_end(cell, columns),
                Side::Right => pad_start(cell, columns),
            });
            text.push(' ');
        }
        text.push_str("|\n");
    }
}
