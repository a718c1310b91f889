//! A small writer of SVG, and line charts with it.
//!
//! Colors, dashes and fonts are classes of `plot.css`, which the page has once and a figure that stands alone carries.

use super::chart::{Chart, Frame, shorten, spread, ticks};
use std::fmt::{Display, Write as _};

/// Looks of everything that is drawn, in light and dark.
pub const STYLE: &str = include_str!("plot.css");

/// Colors and dash patterns of `plot.css`.
const LOOKS: usize = 8;

/// A text with the characters replaced that mean something in HTML and SVG.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no place for other control characters, not even escaped.
            '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A picture being drawn.
pub struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Which side of its place a text is on.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
        }
    }

    fn push(&mut self, element: impl Display) {
        write!(self.body, "{element}").expect("a string takes everything");
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let (x1, y1, x2, y2) = (Short(from.0), Short(from.1), Short(to.0), Short(to.1));
        self.push(format_args!(
            r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{class}"/>"#
        ));
    }

    pub fn rect(&mut self, corner: (f64, f64), size: (f64, f64), class: &str) {
        let (x, y, width, height) = (
            Short(corner.0),
            Short(corner.1),
            Short(size.0),
            Short(size.1),
        );
        self.push(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" class="{class}"/>"#
        ));
    }

    /// A rectangle of one color, red, green and blue.
    pub fn cell(&mut self, corner: (f64, f64), size: (f64, f64), [red, green, blue]: [u8; 3]) {
        let (x, y, width, height) = (
            Short(corner.0),
            Short(corner.1),
            Short(size.0),
            Short(size.1),
        );
        self.push(format_args!(
            r##"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#{red:02x}{green:02x}{blue:02x}"/>"##
        ));
    }

    pub fn circle(&mut self, center: (f64, f64), radius: f64, class: &str) {
        let (x, y, r) = (Short(center.0), Short(center.1), Short(radius));
        self.push(format_args!(
            r#"<circle cx="{x}" cy="{y}" r="{r}" class="{class}"/>"#
        ));
    }

    /// A line through points; a title is shown on hover.
    pub fn path(&mut self, points: &[(f64, f64)], close: bool, class: &str, title: Option<&str>) {
        let mut d = String::new();
        for (index, &(x, y)) in points.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            write!(d, "{letter}{} {}", Short(x), Short(y)).expect("a string takes everything");
        }
        if close {
            d.push('Z');
        }
        match title {
            None => self.push(format_args!(r#"<path d="{d}" class="{class}"/>"#)),
            Some(title) => self.push(format_args!(
                r#"<path d="{d}" class="{class}"><title>{}</title></path>"#,
                escape(title)
            )),
        }
    }

    pub fn text(&mut self, place: (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.push(format_args!(
            r#"<text x="{}" y="{}" text-anchor="{anchor}" class="{class}">{}</text>"#,
            Short(place.0),
            Short(place.1),
            escape(text)
        ));
    }

    /// What `draw` draws, cut at a rectangle.
    pub fn clipped(&mut self, corner: (f64, f64), size: (f64, f64), draw: impl FnOnce(&mut Self)) {
        let (x, y, width, height) = (
            Short(corner.0),
            Short(corner.1),
            Short(size.0),
            Short(size.1),
        );
        // A nested picture clips at its own edge and needs no name that could be taken twice in a page.
        self.push(format_args!(
            r#"<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{x} {y} {width} {height}">"#
        ));
        draw(self);
        self.push("</svg>");
    }

    /// The element, to stand in a page; `label` says in words what it shows.
    pub fn element(self, label: &str) -> String {
        self.finish(label, "", "")
    }

    /// The picture as a file of its own.
    pub fn file(self, label: &str) -> String {
        // A name that makes a file SVG, not an address that anything is read from; a page needs none.
        let space = r#" xmlns="http://www.w3.org/2000/svg""#;
        let mut text = self.finish(label, space, &format!("<style>{STYLE}</style>"));
        text.push('\n');
        text
    }

    fn finish(self, label: &str, space: &str, style: &str) -> String {
        let (width, height) = (Short(self.width), Short(self.height));
        let size = format!(r#"viewBox="0 0 {width} {height}" width="{width}" height="{height}""#);
        let label = escape(label);
        format!(
            r#"<svg{space} class="plot" {size} role="img" aria-label="{label}">{style}{}</svg>"#,
            self.body
        )
    }
}

/// A coordinate with one decimal at most.
struct Short(f64);

impl Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        // −0 is 0.
        write!(f, "{}", tenths + 0.0)
    }
}

/// Class of an arm's color.
pub fn color(index: usize) -> String {
    format!("c{}", index % LOOKS)
}

/// Class of an arm's dash pattern; another one where the colors start again.
pub fn dash(index: usize) -> String {
    format!("d{}", (index + 3 * (index / LOOKS)) % LOOKS)
}

/// Draws a chart `width` by `height` pixels large; a title and a note are the caller's.
///
/// `None` without a point to draw.
pub fn line_chart(chart: &Chart, width: f64, height: f64) -> Option<Svg> {
    let frame = chart.frame()?;
    let longest = chart
        .lines
        .iter()
        .map(|line| line.name.chars().count())
        .max()
        .unwrap_or(0);
    let letters = longest.min(18);
    let (left, top, bottom) = (46.0, 10.0, 34.0);
    let right = 26.0 + 7.0 * letters as f64;
    let size = (width - left - right, height - top - bottom);
    let x = |value: f64| left + size.0 * frame.across(value);
    let y = |value: f64| top + size.1 * frame.down(value);
    let mut svg = Svg::new(width, height);
    axes(&mut svg, &frame, &chart.across, (left, top), size);
    svg.clipped((left, top), size, |svg| {
        for line in &chart.lines {
            let upper = line.knots.iter().map(|knot| (x(knot.x), y(knot.high)));
            let lower = line.knots.iter().rev().map(|knot| (x(knot.x), y(knot.low)));
            let band: Vec<_> = upper.chain(lower).collect();
            svg.path(&band, true, &format!("band {}", color(line.index)), None);
        }
        for line in &chart.lines {
            for (title, points) in &line.threads {
                let points: Vec<_> = points.iter().map(|&(a, b)| (x(a), y(b))).collect();
                svg.path(
                    &points,
                    false,
                    &format!("thread {}", color(line.index)),
                    Some(title),
                );
            }
        }
        for line in &chart.lines {
            let points: Vec<_> = line
                .knots
                .iter()
                .map(|knot| (x(knot.x), y(knot.y)))
                .collect();
            let weight = if line.strong { " strong" } else { "" };
            let class = format!("line {} {}{weight}", color(line.index), dash(line.index));
            svg.path(&points, false, &class, Some(&line.name));
        }
    });
    let ended: Vec<_> = chart
        .lines
        .iter()
        .filter_map(|line| Some((line, line.knots.last()?)))
        .collect();
    let places: Vec<f64> = ended
        .iter()
        .map(|(_, knot)| y(knot.y).clamp(top, top + size.1))
        .collect();
    let label_places = spread(&places, 13.0, top + 2.0, top + size.1);
    for (((line, knot), place), label) in ended.iter().zip(places).zip(label_places) {
        let (end, text) = (x(knot.x), left + size.0 + 20.0);
        let leader = [
            (end, place),
            (left + size.0 + 6.0, place),
            (text - 4.0, label),
        ];
        svg.path(
            &leader,
            false,
            &format!("leader {}", color(line.index)),
            None,
        );
        let class = format!(
            "label {}{}",
            color(line.index),
            if line.strong { " strong" } else { "" }
        );
        svg.text(
            (text, label + 4.0),
            Anchor::Start,
            &class,
            &shorten(&line.name, letters),
        );
    }
    Some(svg)
}

/// Grid lines, axes and ticks of a frame that fills a rectangle; `across` names the horizontal axis.
pub fn axes(svg: &mut Svg, frame: &Frame, across: &str, corner: (f64, f64), size: (f64, f64)) {
    let (left, top) = corner;
    let floor = top + size.1;
    for (value, text) in ticks(frame.bottom, frame.top, (size.1 / 45.0) as usize) {
        let y = top + size.1 * frame.down(value);
        svg.line((left, y), (left + size.0, y), "grid");
        svg.text((left - 8.0, y + 4.0), Anchor::End, "tick", &text);
    }
    svg.line((left, floor), (left + size.0, floor), "axis");
    let ticks = ticks(frame.left, frame.right, (size.0 / 80.0) as usize);
    for (value, text) in &ticks {
        let x = left + size.0 * frame.across(*value);
        svg.line((x, floor), (x, floor + 4.0), "axis");
        svg.text((x, floor + 16.0), Anchor::Middle, "tick", text);
    }
    svg.text((left + size.0, floor + 30.0), Anchor::End, "tick", across);
}
