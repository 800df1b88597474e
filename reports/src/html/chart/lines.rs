//! Lines over one axis: how they are drawn, and the table of what is drawn.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::BTreeMap;

use super::{
    Area, Axes, Band, CHARACTER, Drawn, Ink, LINES_HEIGHT, Line, MARKED_MAX, Mark, ROOMY, Size,
    X_LABELS_HEIGHT, marker, text_of,
};
use crate::figures::NONE;
use crate::layout::{clean, fit, width};
use crate::table::{Cell, Column, Html, Table};

/// Height of a line of text, in pixels.
const TEXT_HEIGHT: i32 = 14;

/// Draws lines over one axis.
pub(super) fn draw(
    size: Size,
    area: &Area<'_>,
    lines: &[Line],
    (bands, marks): (&[Band], &[Mark]),
    axes: &Axes,
) -> Drawn {
    let (x_ticks, y_ticks) = (axes.x.ticks(size.ticks), axes.y.ticks(6));
    let widest = y_ticks.iter().map(|(_, text)| width(text)).max();
    let title = Ink::Text.label().pos(Pos::new(HPos::Left, VPos::Top));
    let y_title = axes.y.titled(&axes.y_title);
    let above = if y_title.is_empty() { 10 } else { 24 };
    area.draw(&Text::new(y_title, (4, 4), title.clone()))?;
    let title = title.pos(Pos::new(HPos::Right, VPos::Bottom));
    let corner = (size.width as i32 - 12, LINES_HEIGHT as i32 - 2);
    area.draw(&Text::new(axes.x.titled(&axes.x_title), corner, title))?;
    let names: Vec<String> = lines
        .iter()
        .map(|line| fit(&clean(&line.name), size.name_columns))
        .collect();
    let named = axes.names_at_end && lines.len() > 1 && size.class == ROOMY.class;
    let longest = names.iter().map(|name| width(name)).max().unwrap_or(0) as u32;
    let behind = if named { CHARACTER * longest + 8 } else { 24 };
    let mut chart = ChartBuilder::on(area)
        .margin_top(above)
        .margin_right(behind)
        .margin_bottom(16)
        .x_label_area_size(X_LABELS_HEIGHT)
        .y_label_area_size(CHARACTER * widest.unwrap_or(0) as u32 + 10)
        .build_cartesian_2d(
            (0..axes.x.reach()).with_key_points(x_ticks.iter().map(|(at, _)| *at).collect()),
            (0..axes.y.reach()).with_key_points(y_ticks.iter().map(|(at, _)| *at).collect()),
        )?;
    let (x, y) = (&axes.x, &axes.y);
    for band in bands {
        let corners = [(x.place(band.from), 0), (x.place(band.to), y.reach())];
        chart.draw_series([Rectangle::new(corners, Ink::Band.fill())])?;
    }
    chart
        .configure_mesh()
        .axis_style(Ink::Axis.stroke(1))
        .bold_line_style(Ink::Grid.stroke(1))
        .light_line_style(TRANSPARENT)
        .label_style(Ink::Text.label())
        .x_label_formatter(&|at| text_of(&x_ticks, *at))
        .y_label_formatter(&|at| text_of(&y_ticks, *at))
        .draw()?;
    for line in lines.iter().filter(|line| line.spread.len() > 1) {
        let low = line.spread.iter().map(|&(at, low, _)| (at, low));
        let high = line.spread.iter().rev().map(|&(at, _, high)| (at, high));
        let around = low
            .chain(high)
            .map(|(at, value)| (x.place(at), y.place(value)));
        let around: Vec<(i64, i64)> = around.collect();
        chart.draw_series([Polygon::new(around, line.ink.faint().fill())])?;
    }
    for (mark, row) in marks.iter().zip(0..) {
        let foot = (x.place(mark.at), 0);
        let head = (x.place(mark.at), y.reach());
        chart.draw_series([PathElement::new([foot, head], Ink::Mark.stroke(1))])?;
        let (at, top) = chart.backend_coord(&head);
        // To the side on which there is room.
        let (side, shift) = match at > size.width as i32 / 2 {
            true => (HPos::Right, -4),
            false => (HPos::Left, 4),
        };
        let style = Ink::Mark.label().pos(Pos::new(side, VPos::Top));
        // Below each other, so that close ones are read.
        let below = top + 2 + TEXT_HEIGHT * row;
        area.draw(&Text::new(clean(&mark.text), (at + shift, below), style))?;
    }
    let mut ends: Vec<End<'_>> = Vec::new();
    for (line, name) in lines.iter().zip(&names) {
        let points = line.points.iter();
        let points: Vec<(i64, i64)> = points
            .map(|&(at, value)| (x.place(at), y.place(value)))
            .collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), line.ink.stroke(2)))?;
        let places = points.iter().map(|place| chart.backend_coord(place));
        let places: Vec<(i32, i32)> = places.collect();
        if places.len() <= MARKED_MAX {
            for place in &places {
                area.draw(&marker::at(line.ink, *place))?;
            }
        }
        ends.extend(places.last().map(|&(right, middle)| End {
            ink: line.ink,
            name,
            right,
            middle,
        }));
    }
    if named {
        spread_out(&mut ends);
        for end in ends {
            let style = end.ink.label().pos(Pos::new(HPos::Left, VPos::Center));
            let place = (end.right + 9, end.middle);
            area.draw(&Text::new(end.name.to_owned(), place, style))?;
        }
    }
    Ok(())
}

/// Where a line ends, in pixels.
struct End<'a> {
    ink: Ink,
    name: &'a str,
    right: i32,
    middle: i32,
}

/// Moves the names at the ends of lines apart, so that each can be read.
fn spread_out(ends: &mut [End<'_>]) {
    let lowest = LINES_HEIGHT as i32 - 16 - X_LABELS_HEIGHT as i32;
    ends.sort_by_key(|end| end.middle);
    let mut free = 0;
    for end in ends.iter_mut() {
        end.middle = end.middle.max(free);
        free = end.middle + TEXT_HEIGHT;
    }
    // Those that were moved below the axis come back up, and move others.
    let mut free = lowest;
    for end in ends.iter_mut().rev() {
        end.middle = end.middle.min(free);
        free = end.middle - TEXT_HEIGHT;
    }
}

/// The points of lines as a table.
pub(super) fn figures(lines: &[Line], axes: &Axes) -> Html {
    let mut rows: BTreeMap<u64, Vec<Option<u64>>> = BTreeMap::new();
    for (line, column) in lines.iter().zip(0..) {
        for &(at, value) in &line.points {
            let row = rows.entry(at).or_insert_with(|| vec![None; lines.len()]);
            row[column] = Some(value);
        }
    }
    let columns = lines.iter().map(|line| Column::figure(&line.name));
    let mut table = Table::new(std::iter::once(Column::text(&axes.x_title)).chain(columns));
    for (at, values) in rows {
        let values = values.into_iter().map(|value| {
            let text = value.map(|value| axes.y.reads(value));
            Cell::plain(text.unwrap_or_else(|| NONE.to_owned()))
        });
        table.row(std::iter::once(Cell::plain(axes.x.reads(at))).chain(values));
    }
    table.html()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_ends_of_lines_are_apart_and_above_the_axis() {
        let end = |middle| End {
            ink: Ink::Series(0),
            name: "",
            right: 0,
            middle,
        };
        let mut ends = [end(230), end(100), end(231), end(103)];
        spread_out(&mut ends);
        let middles = ends.map(|end| end.middle);
        assert_eq!(middles, [100, 114, 224, 238]);
    }
}
