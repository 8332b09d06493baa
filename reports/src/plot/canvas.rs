//! Drawing with plotters into inline SVG.

use plotters::coord::Shift;
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, RGBAColor, SVGBackend, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, IntoTextStyle, RGBColor};

use crate::plain;

/// Backend units of one unit here: plotters places on whole numbers, a hairline is a quarter of a unit.
const FINE: f64 = 4.0;

/// Colours by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Text,
    Muted,
    Rule,
    Paper,
    /// One of [`SERIES`] colours, taken modulo their number.
    Series(usize),
}

/// Number of colours for series, `--series-1` and on.
pub(crate) const SERIES: usize = 6;

/// Custom property of each ink, in the order of [`Ink::slot`].
const PROPERTIES: [&str; 4 + SERIES] = [
    "ink", "muted", "rule", "paper", "series-1", "series-2", "series-3", "series-4", "series-5", "series-6",
];

impl Ink {
    fn slot(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Muted => 1,
            Self::Rule => 2,
            Self::Paper => 3,
            Self::Series(index) => 4 + (index % SERIES) as u8,
        }
    }

    /// plotters knows no custom properties: each ink is drawn in a colour of its own, exchanged at the end.
    fn stand_in(self, alpha: f64) -> RGBAColor {
        RGBColor(0x0A, 0x0B, self.slot()).mix(alpha)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// An `svg` element of `width` by `height`; `label` is what a screen reader says in its place.
pub(crate) fn draw(width: f64, height: f64, label: &str, paint: impl FnOnce(&Canvas<'_>)) -> String {
    let mut svg = String::new();
    let size = ((width * FINE) as u32, (height * FINE) as u32);
    paint(&Canvas {
        area: SVGBackend::with_string(&mut svg, size).into_drawing_area(),
    });
    inline(&svg, size, label)
}

/// The document as an element of a page: no namespace, no fixed size, no fonts, the page's colours.
fn inline(svg: &str, (width, height): (u32, u32), label: &str) -> String {
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let label = plain::html(label);
    let mut out =
        format!(r#"<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">"#);
    // Text is escaped by plotters, so no stranger's text holds a quote or an angle bracket that these could meet.
    out += &body
        .replace(r#" opacity="1""#, "")
        .replace(r#" stroke="none""#, "")
        .replace(r#" font-family="sans-serif""#, "")
        .replace(">\n", ">")
        .replace("\n</text>", "</text>");
    for (slot, property) in PROPERTIES.iter().enumerate() {
        out = out.replace(
            &format!("=\"#0A0B{slot:02X}\""),
            &format!("=\"var(--{property})\""),
        );
    }
    out
}

impl Canvas<'_> {
    pub(crate) fn line(&self, points: &[(f64, f64)], width: f64, ink: Ink) {
        let points: Vec<_> = points.iter().copied().map(place).collect();
        self.put(&PathElement::new(points, stroke(ink, 1.0, width)));
    }

    pub(crate) fn fill(&self, corner: (f64, f64), opposite: (f64, f64), ink: Ink, alpha: f64) {
        let style = ink.stand_in(alpha).filled();
        self.put(&Rectangle::new([place(corner), place(opposite)], style));
    }

    /// An outlined, empty rectangle.
    pub(crate) fn outline(&self, (x0, y0): (f64, f64), (x1, y1): (f64, f64), width: f64, ink: Ink) {
        self.line(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], width, ink);
    }

    pub(crate) fn dot(&self, centre: (f64, f64), radius: f64, ink: Ink, alpha: f64) {
        let style = ink.stand_in(alpha).filled();
        self.put(&Circle::new(place(centre), (radius * FINE) as i32, style));
    }

    pub(crate) fn ring(&self, centre: (f64, f64), radius: f64, ink: Ink) {
        self.dot(centre, radius, Ink::Paper, 1.0);
        self.put(&Circle::new(
            place(centre),
            (radius * FINE) as i32,
            stroke(ink, 1.0, 1.5),
        ));
    }

    /// One line of text whose middle is at the height of `at`.
    pub(crate) fn text(&self, text: &str, at: (f64, f64), size: f64, align: Align, ink: Ink) {
        let h_pos = match align {
            Align::Left => HPos::Left,
            Align::Centre => HPos::Center,
            Align::Right => HPos::Right,
        };
        let colour = ink.stand_in(1.0);
        // The SVG backend divides sizes by 1.24.
        let style = ("sans-serif", size * FINE * 1.24)
            .into_font()
            .into_text_style(&self.area)
            .color(&colour)
            .pos(Pos::new(h_pos, VPos::Center));
        self.put(&Text::new(text, place(at), style));
    }

    fn put<'e, E>(&self, element: &'e E)
    where
        E: for<'b> Drawable<SVGBackend<'b>>,
        &'e E: PointCollection<'e, (i32, i32)>,
    {
        self.area
            .draw(element)
            .expect("a string takes everything written to it");
    }
}

fn stroke(ink: Ink, alpha: f64, width: f64) -> ShapeStyle {
    ink.stand_in(alpha).stroke_width(((width * FINE) as u32).max(1))
}

/// Far outside is as good as infinity; `as` saturates NaN to 0.
fn place((x, y): (f64, f64)) -> (i32, i32) {
    let [x, y] = [x, y].map(|at| (at.clamp(-10_000.0, 10_000.0) * FINE).round() as i32);
    (x, y)
}

/// `text` cut to what fits into `width` at `size`; letters are taken as 0.55 of their size wide.
pub(crate) fn fitted(text: &str, width: f64, size: f64) -> String {
    plain::visible(text, ((width / (0.55 * size)) as usize).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_names_no_address_no_font_and_no_stand_in_colour() {
        let svg = draw(10.0, 10.0, "two \"marks\"", |canvas| {
            canvas.line(&[(0.0, 0.0), (f64::NAN, f64::INFINITY)], 1.0, Ink::Rule);
            canvas.dot((1.0, 1.0), 1.0, Ink::Series(7), 0.5);
            canvas.text("</text><script>", (1.0, 1.0), 8.0, Align::Left, Ink::Text);
        });
        assert!(svg.starts_with(
            "<svg class=\"plot\" viewBox=\"0 0 40 40\" role=\"img\" aria-label=\"two &quot;marks&quot;\">"
        ));
        assert!(svg.contains("var(--series-2)") && svg.contains("&lt;/text&gt;&lt;script&gt;"));
        for absent in ["http", "font-family", "#0A0B"] {
            assert!(!svg.contains(absent), "{absent} in {svg}");
        }
    }
}
