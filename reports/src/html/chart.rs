//! Charts as SVG: stacked bars and lines.
//!
//! plotters lays them out and draws them; what it draws with is [`svg::Svg`],
//! which writes classes of the page's style sheet instead of colours, so that a
//! chart has the theme of its page, and text as text. A chart is drawn twice, for
//! a wide page and for a phone, since text that shrinks with its picture is not
//! read; the style sheet shows one of the two. Its figures stand in a table beside
//! it, which is what a screen reader is given to read.

mod lines;
mod marker;
mod scale;
mod svg;

pub(super) use scale::Scale;
pub(super) use svg::Ink;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;
use std::convert::Infallible;
use svg::Svg;

use crate::figures::{duration, percent};
use crate::layout::{clean, fit, width};
use crate::table::Html;

/// A chart, drawn.
#[derive(Serialize)]
pub(super) struct Chart {
    /// What it shows, in a phrase.
    title: String,
    /// What stands above it, where the title says more than there is to see.
    caption: Option<String>,
    /// Both drawings, as SVG elements.
    svg: String,
    legend: Vec<Entry>,
    /// What it is drawn from, where no table beside it has that.
    figures: Option<Html>,
}

/// One of the things that a chart tells apart.
#[derive(Serialize)]
struct Entry {
    class: String,
    name: String,
    /// A piece of the line, as an SVG element; empty for a surface.
    key: String,
}

/// A stacked bar.
pub(super) struct Bar {
    /// What it stands for.
    pub(super) name: String,
    /// Its parts, from the left.
    pub(super) parts: Vec<(Ink, u64)>,
    /// What is written at its end.
    pub(super) total: String,
}

/// A line.
pub(super) struct Line {
    pub(super) ink: Ink,
    pub(super) name: String,
    /// Its points, from the left.
    pub(super) points: Vec<(u64, u64)>,
    /// The least and the greatest value at each place; empty for none.
    pub(super) spread: Vec<(u64, u64, u64)>,
}

/// A place on the horizontal axis that is worth a word.
pub(super) struct Mark {
    pub(super) at: u64,
    pub(super) text: String,
}

/// A stretch of the horizontal axis that is different, such as a fault.
pub(super) struct Band {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The axes of a line chart.
pub(super) struct Axes {
    pub(super) x: Scale,
    pub(super) y: Scale,
    /// What is measured along each.
    pub(super) x_title: String,
    pub(super) y_title: String,
    /// Whether each line has its name at its end, where there is room.
    pub(super) names_at_end: bool,
}

/// A drawing area, and what is left of plotters' errors: those of layout, which
/// depend on nothing but the sizes below.
type Area<'a> = DrawingArea<Svg<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<Infallible>>;

/// How wide a drawing is, in pixels, and how many columns its names may take.
#[derive(Clone, Copy)]
struct Size {
    class: &'static str,
    width: u32,
    name_columns: usize,
    /// Marks along an axis, at most.
    ticks: usize,
}

const ROOMY: Size = Size {
    class: "roomy",
    width: 760,
    name_columns: 24,
    ticks: 8,
};
/// Two of them stand side by side.
const ROOMY_LINES: Size = Size {
    width: 572,
    name_columns: 16,
    ..ROOMY
};
const TIGHT: Size = Size {
    class: "tight",
    width: 360,
    name_columns: 12,
    ticks: 4,
};

/// Width of a character of a label, in pixels, on the safe side.
const CHARACTER: u32 = 8;
const BAR_HEIGHT: u32 = 30;
const LINES_HEIGHT: u32 = 280;
const X_LABELS_HEIGHT: u32 = 26;
/// Lines of more points than this have no marker at each.
const MARKED_MAX: usize = 12;

impl Chart {
    fn new(
        title: &str,
        description: &str,
        legend: Vec<Entry>,
        (roomy, height): (Size, u32),
        draw: impl Fn(Size, &Area<'_>) -> Drawn,
    ) -> Self {
        let mut all = String::new();
        for size in [roomy, TIGHT] {
            let mut body = String::new();
            let area = Svg::new(&mut body, (size.width, height)).into_drawing_area();
            if let Err(error) = draw(size, &area).and_then(|()| area.present()) {
                panic!("a chart has room for its axes: {error}");
            }
            drop(area);
            all.push_str(&svg::element(
                &format!("chart {}", size.class),
                (size.width, height),
                title,
                description,
                &body,
            ));
        }
        Self {
            title: clean(title),
            caption: None,
            svg: all,
            legend,
            figures: None,
        }
    }

    /// With a caption that leaves out what its surroundings say.
    pub(super) fn captioned(self, caption: &str) -> Self {
        Self {
            caption: Some(clean(caption)),
            ..self
        }
    }

    /// Bars, one below the other, to one scale. The legend names the inks.
    pub(super) fn bars(
        title: &str,
        description: &str,
        bars: &[Bar],
        legend: impl Iterator<Item = (Ink, String)>,
        tick: fn(u64) -> String,
    ) -> Self {
        let sum = |bar: &Bar| bar.parts.iter().map(|(_, value)| value).sum();
        let longest: u64 = bars.iter().map(sum).max().unwrap_or(0);
        let scale = Scale::linear(longest, tick);
        let height = BAR_HEIGHT * bars.len() as u32 + X_LABELS_HEIGHT + 8;
        let legend = legend.map(|(ink, name)| Entry {
            class: ink.class(),
            name: clean(&name),
            key: String::new(),
        });
        let size = (ROOMY, height);
        Self::new(title, description, legend.collect(), size, |size, area| {
            draw_bars(size, area, bars, &scale)
        })
    }

    /// Lines over one axis.
    pub(super) fn lines(
        title: &str,
        description: &str,
        lines: &[Line],
        (bands, marks): (&[Band], &[Mark]),
        axes: &Axes,
    ) -> Self {
        let legend = lines.iter().map(|line| Entry {
            class: line.ink.class(),
            name: clean(&line.name),
            key: marker::key(line),
        });
        let size = (ROOMY_LINES, LINES_HEIGHT);
        let chart = Self::new(title, description, legend.collect(), size, |size, area| {
            lines::draw(size, area, lines, (bands, marks), axes)
        });
        Self {
            figures: Some(lines::figures(lines, axes)),
            ..chart
        }
    }
}

impl Chart {
    /// How durations are distributed: points of a duration in nanoseconds, and
    /// how many of 1,000 were no longer. `None` without any.
    pub(super) fn distribution(lines: &[Line], description: &str) -> Option<Self> {
        let durations = || {
            lines
                .iter()
                .flat_map(|line| &line.points)
                .map(|(at, _)| *at)
        };
        let axes = Axes {
            x: Scale::durations(durations().min()?, durations().max()?).reading(duration),
            y: Scale::linear(1_000, |per_mille| percent(per_mille, 1_000)),
            x_title: "latency".to_owned(),
            y_title: "deliveries no slower".to_owned(),
            names_at_end: false,
        };
        let title = "How many deliveries were no slower";
        let mut chart = Self::lines(title, description, lines, (&[], &[]), &axes);
        // A share stands for itself, and the latency is what is looked up.
        let turned = lines.iter().map(|line| Line {
            ink: line.ink,
            name: line.name.clone(),
            points: line.points.iter().map(|&(at, share)| (share, at)).collect(),
            spread: Vec::new(),
        });
        let turned: Vec<Line> = turned.collect();
        let axes = Axes {
            x: axes.y,
            y: axes.x,
            x_title: axes.y_title,
            y_title: axes.x_title,
            names_at_end: false,
        };
        chart.figures = Some(lines::figures(&turned, &axes));
        Some(chart)
    }
}

fn draw_bars(size: Size, area: &Area<'_>, bars: &[Bar], scale: &Scale) -> Drawn {
    let names: Vec<String> = bars
        .iter()
        .map(|bar| fit(&clean(&bar.name), size.name_columns))
        .collect();
    let rows = 2 * bars.len().max(1) as i64;
    let totals = bars.iter().map(|bar| width(&bar.total)).max().unwrap_or(0);
    let label_width = CHARACTER * names.iter().map(|name| width(name)).max().unwrap_or(0) as u32;
    // Room for what is written behind the longest bar.
    let plot = size.width.saturating_sub(label_width + 24).max(1);
    let behind = (CHARACTER * totals as u32 + 8).min(plot / 2);
    let reach = scale.reach() * i64::from(plot) / i64::from(plot - behind).max(1);
    let ticks = scale.ticks(size.ticks);
    let mut chart = ChartBuilder::on(area)
        .margin(4)
        .margin_right(12)
        .x_label_area_size(X_LABELS_HEIGHT)
        .y_label_area_size(label_width + 8)
        .build_cartesian_2d(
            (0..reach).with_key_points(ticks.iter().map(|(at, _)| *at).collect()),
            (rows..0).with_key_points((0..bars.len() as i64).map(|row| 2 * row + 1).collect()),
        )?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .axis_style(Ink::Axis.stroke(1))
        .bold_line_style(Ink::Grid.stroke(1))
        .light_line_style(TRANSPARENT)
        .label_style(Ink::Text.label())
        .x_label_formatter(&|at| text_of(&ticks, *at))
        .y_label_formatter(&|row| names.get((*row / 2) as usize).cloned().unwrap_or_default())
        .draw()?;
    for (bar, row) in bars.iter().zip(0..) {
        let mut from = 0u64;
        for (ink, value) in bar.parts.iter().filter(|(_, value)| *value > 0) {
            let to = from + value;
            let corners = [
                (scale.place(from), 2 * row + 1),
                (scale.place(to), 2 * row + 1),
            ];
            let [(left, middle), (right, _)] = corners.map(|at| chart.backend_coord(&at));
            let half = BAR_HEIGHT as i32 / 2 - 5;
            // In pixels, so that bars do not touch whatever their number.
            area.draw(&Rectangle::new(
                [(left, middle - half), (right.max(left + 1), middle + half)],
                ink.fill(),
            ))?;
            from = to;
        }
        let end = chart.backend_coord(&(scale.place(from), 2 * row + 1));
        let style = Ink::Text.label().pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(clean(&bar.total), (end.0 + 5, end.1), style))?;
    }
    Ok(())
}

fn text_of(ticks: &[(i64, String)], at: i64) -> String {
    let found = ticks.iter().find(|(place, _)| *place == at);
    found.map_or_else(String::new, |(_, text)| text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bytes::Layer, figures};

    #[test]
    fn a_stacked_bar_has_its_parts_to_scale() {
        let bar = |name: &str, parts: &[u64]| Bar {
            name: name.to_owned(),
            parts: parts
                .iter()
                .map(|value| (Ink::Layer(Layer::Payload), *value))
                .collect(),
            total: figures::bytes(parts.iter().sum()),
        };
        let bars = [bar("up", &[300, 100, 0]), bar("down <b>", &[200])];
        let legend = [(Ink::Layer(Layer::Payload), "payload".to_owned())].into_iter();
        let chart = Chart::bars("Bytes", "how many", &bars, legend, figures::bytes);
        insta::assert_snapshot!(chart.svg);
    }

    #[test]
    fn lines_have_their_axes_marks_and_spread() {
        let line = |index, points: &[(u64, u64)]| Line {
            ink: Ink::Series(index),
            name: format!("line {index}"),
            points: points.to_vec(),
            spread: points
                .iter()
                .map(|&(at, value)| (at, value / 2, value))
                .collect(),
        };
        let lines = [line(0, &[(0, 10), (5, 20)]), line(1, &[(0, 20), (5, 10)])];
        let marks = [Mark {
            at: 2,
            text: "here & now".to_owned(),
        }];
        let axes = Axes {
            x: Scale::linear(5, figures::count),
            y: Scale::linear(20, figures::bytes),
            x_title: "readings".to_owned(),
            y_title: "bytes".to_owned(),
            names_at_end: true,
        };
        let bands = [Band { from: 1, to: 2 }];
        let chart = Chart::lines("Lines", "how they go", &lines, (&bands, &marks), &axes);
        insta::assert_snapshot!(chart.svg);
    }
}
