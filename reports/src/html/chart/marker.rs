//! The markers of a line's points: a shape for each series, so that lines are told
//! apart without their colours.

use plotters::element::{DynElement, IntoDynElement as _};
use plotters::prelude::*;

use super::Line;
use super::svg::{self, Ink, Svg};

/// Size of the piece of a line that stands in a legend, in pixels.
const KEY: (u32, u32) = (26, 12);

/// The marker of a series, around a place in pixels.
pub(super) fn at<'a>(ink: Ink, (x, y): (i32, i32)) -> DynElement<'a, Svg<'a>, (i32, i32)> {
    let around = |corners: &[(i32, i32)]| {
        let corners = corners.iter().map(|(right, down)| (x + right, y + down));
        Polygon::new(corners.collect::<Vec<_>>(), ink.fill()).into_dyn()
    };
    let index = match ink {
        Ink::Series(index) => index,
        _ => 0,
    };
    match index % 5 {
        0 => Circle::new((x, y), 3, ink.fill()).into_dyn(),
        1 => around(&[(-3, -3), (3, -3), (3, 3), (-3, 3)]),
        2 => around(&[(0, -4), (4, 3), (-4, 3)]),
        3 => around(&[(0, -5), (5, 0), (0, 5), (-5, 0)]),
        _ => around(&[(0, 4), (4, -3), (-4, -3)]),
    }
}

/// A piece of the line with its marker, as an SVG element.
pub(super) fn key(line: &Line) -> String {
    let mut body = String::new();
    let area = Svg::new(&mut body, KEY).into_drawing_area();
    let middle = KEY.1 as i32 / 2;
    let piece = PathElement::new([(0, middle), (KEY.0 as i32, middle)], line.ink.stroke(2));
    let drawn = area.draw(&piece).and_then(|()| {
        let marked = line.points.len() <= super::MARKED_MAX;
        match marked {
            true => area.draw(&at(line.ink, (KEY.0 as i32 / 2, middle))),
            false => Ok(()),
        }
    });
    if let Err(error) = drawn.and_then(|()| area.present()) {
        panic!("a line and a marker are within their drawing: {error}");
    }
    drop(area);
    svg::hidden("key", KEY, &body)
}
