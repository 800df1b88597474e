//! A backend of plotters that writes SVG for a page with a style sheet: each
//! element has a class, and no colour, font or size of its own.

use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, IntoFont as _, RGBColor, ShapeStyle, TextStyle};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};
use std::convert::Infallible;
use std::fmt::Write as _;

use crate::bytes::Layer;

/// What something is drawn with: a class of the style sheet. plotters knows
/// colours only, so it is handed the class as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::html) enum Ink {
    /// Lines behind the data.
    Grid,
    /// The lines at the edge.
    Axis,
    /// Labels.
    Text,
    /// A place that is worth a word.
    Mark,
    /// A stretch that is different.
    Band,
    /// One of several things of one kind, by number.
    Series(u8),
    /// How far the values of a series spread.
    Spread(u8),
    /// A layer of bytes.
    Layer(Layer),
}

impl Ink {
    /// The classes of the style sheet that it stands for.
    pub(in crate::html) fn class(self) -> String {
        match self {
            Self::Grid => "grid".to_owned(),
            Self::Axis => "axis".to_owned(),
            Self::Text => "label".to_owned(),
            Self::Mark => "mark".to_owned(),
            Self::Band => "band".to_owned(),
            Self::Series(index) => format!("series-{}", index % SERIES),
            Self::Spread(index) => format!("spread series-{}", index % SERIES),
            Self::Layer(layer) => format!("layer-{}", layer.key()),
        }
    }

    /// The ink for what is behind a series.
    pub(super) fn faint(self) -> Self {
        match self {
            Self::Series(index) => Self::Spread(index),
            ink => ink,
        }
    }

    /// As a line of so many pixels.
    pub(super) fn stroke(self, width: u32) -> ShapeStyle {
        ShapeStyle {
            color: self.color().to_rgba(),
            filled: false,
            stroke_width: width,
        }
    }

    /// As a surface.
    pub(super) fn fill(self) -> ShapeStyle {
        self.color().filled()
    }

    /// As text. Its size is for plotters' layout only.
    pub(super) fn label(self) -> TextStyle<'static> {
        let mut style = TextStyle::from(("sans-serif", 12).into_font());
        style.color = self.color().to_backend_color();
        style
    }

    fn color(self) -> RGBColor {
        match self {
            Self::Grid => RGBColor(0, 0, 0),
            Self::Axis => RGBColor(1, 0, 0),
            Self::Text => RGBColor(2, 0, 0),
            Self::Mark => RGBColor(3, 0, 0),
            Self::Series(index) => RGBColor(4, index, 0),
            Self::Spread(index) => RGBColor(5, index, 0),
            Self::Layer(layer) => RGBColor(6, layer as u8, 0),
            Self::Band => RGBColor(7, 0, 0),
        }
    }

    fn of(color: BackendColor) -> Self {
        match color.rgb {
            (0, ..) => Self::Grid,
            (1, ..) => Self::Axis,
            (3, ..) => Self::Mark,
            (4, index, _) => Self::Series(index),
            (5, index, _) => Self::Spread(index),
            (6, index, _) => {
                let layer = Layer::ALL.get(usize::from(index)).copied();
                Self::Layer(layer.unwrap_or(Layer::Other))
            }
            (7, ..) => Self::Band,
            _ => Self::Text,
        }
    }
}

/// Series that the style sheet tells apart.
const SERIES: u8 = 10;

/// Writes what plotters draws.
pub(super) struct Svg<'a> {
    body: &'a mut String,
    size: (u32, u32),
}

impl<'a> Svg<'a> {
    /// Draws into `body`, on so many pixels.
    pub(super) fn new(body: &'a mut String, size: (u32, u32)) -> Self {
        Self { body, size }
    }

    fn element(&mut self, color: BackendColor, element: std::fmt::Arguments<'_>) -> Drawn {
        if color.alpha > 0.0 {
            // Writing to a String cannot fail.
            let _ = self.body.write_fmt(element);
        }
        Ok(())
    }
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// The `<svg>` element of this class, size in pixels, and content.
pub(super) fn element(
    class: &str,
    (width, height): (u32, u32),
    title: &str,
    description: &str,
    body: &str,
) -> String {
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\"><title>{}</title><desc>{}</desc>\n{body}</svg>\n",
        escaped(title),
        escaped(description)
    )
}

/// The same of a drawing that repeats what stands beside it.
pub(super) fn hidden(class: &str, (width, height): (u32, u32), body: &str) -> String {
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" aria-hidden=\"true\">{}</svg>",
        body.trim_end()
    )
}

fn class_of(color: BackendColor) -> String {
    Ink::of(color).class()
}

fn points(path: impl IntoIterator<Item = BackendCoord>) -> String {
    let points = path.into_iter().map(|(x, y)| format!("{x},{y}"));
    points.collect::<Vec<_>>().join(" ")
}

/// Text as it stands in a page.
fn escaped(text: &str) -> String {
    minijinja::HtmlEscape(text).to_string()
}

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let class = class_of(color);
        self.element(
            color,
            format_args!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\"/>\n"
            ),
        )
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let class = class_of(style.color());
        let kind = if fill { "area" } else { "line" };
        let (width, height) = (right - left, bottom - top);
        self.element(
            style.color(),
            format_args!(
                "<rect class=\"{kind} {class}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" \
                 height=\"{height}\"/>\n"
            ),
        )
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let (class, points) = (class_of(style.color()), points(path));
        self.element(
            style.color(),
            format_args!("<polyline class=\"line {class}\" points=\"{points}\"/>\n"),
        )
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let class = class_of(style.color());
        let kind = if fill { "area" } else { "line" };
        self.element(
            style.color(),
            format_args!(
                "<circle class=\"{kind} {class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>\n"
            ),
        )
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let (class, points) = (class_of(style.color()), points(path));
        self.element(
            style.color(),
            format_args!("<polygon class=\"area {class}\" points=\"{points}\"/>\n"),
        )
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        let shift = match style.anchor().v_pos {
            VPos::Top => "0.8em",
            VPos::Center => "0.35em",
            VPos::Bottom => "-0.2em",
        };
        let turned = match style.transform() {
            FontTransform::Rotate90 => format!(" transform=\"rotate(90 {x} {y})\""),
            FontTransform::Rotate180 => format!(" transform=\"rotate(180 {x} {y})\""),
            FontTransform::Rotate270 => format!(" transform=\"rotate(270 {x} {y})\""),
            FontTransform::None => String::new(),
        };
        let (class, text) = (class_of(style.color()), escaped(text));
        self.element(
            style.color(),
            format_args!(
                "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" dy=\"{shift}\" \
                 text-anchor=\"{anchor}\"{turned}>{text}</text>\n"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_knows_every_ink() {
        let style = include_str!("../style.css");
        let layers = Layer::ALL.into_iter().map(Ink::Layer);
        let series = (0..SERIES).map(Ink::Series);
        for ink in layers.chain(series) {
            let rule = format!(".{} {{ color: ", ink.class());
            assert!(style.contains(&rule), "no rule for {}", ink.class());
        }
    }

    #[test]
    fn an_ink_survives_being_a_colour() {
        let inks = [
            Ink::Grid,
            Ink::Axis,
            Ink::Text,
            Ink::Mark,
            Ink::Band,
            Ink::Series(3),
            Ink::Spread(3),
            Ink::Layer(Layer::Retransmitted),
        ];
        for ink in inks {
            let RGBColor(red, green, blue) = ink.color();
            let color = BackendColor {
                alpha: 1.0,
                rgb: (red, green, blue),
            };
            assert_eq!(Ink::of(color), ink);
        }
    }
}
