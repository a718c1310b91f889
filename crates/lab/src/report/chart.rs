//! A line chart before it is drawn: lines with bands, a frame that fits them, ticks, places for labels.
//!
//! The terminal and the page draw the same value.

/// Lines over one horizontal axis.
#[derive(Clone, Debug)]
pub struct Chart {
    pub title: String,
    /// What the horizontal axis counts.
    pub across: String,
    /// What a line is.
    pub note: String,
    /// What its band is; empty where it has none.
    pub band: String,
    pub lines: Vec<Line>,
}

/// One arm's line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Place of the arm in the record: decides color and dash, so that an arm looks alike in every chart.
    pub index: usize,
    pub name: String,
    /// Whether it is the paper's own method, drawn heavier.
    pub strong: bool,
    pub knots: Vec<Knot>,
    /// Finer lines behind it, one a seed, with what each is.
    pub threads: Vec<(String, Vec<(f64, f64)>)>,
}

/// A point of a line and its band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knot {
    pub x: f64,
    pub y: f64,
    pub low: f64,
    pub high: f64,
}

/// The part of the plane that is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    pub left: f64,
    pub right: f64,
    pub bottom: f64,
    pub top: f64,
    /// Whether lines leave it at their beginning.
    pub cut: bool,
}

/// Part of the horizontal axis that may leave the frame: a first descent from chance level would press all that
/// matters into a thin strip.
const HEAD: f64 = 0.1;

impl Chart {
    /// The frame that shows all knots, or all but the first tenth where that makes the rest half as large again.
    ///
    /// `None` without knots.
    pub fn frame(&self) -> Option<Frame> {
        let knots = || self.lines.iter().flat_map(|line| &line.knots);
        let (left, right) = range(knots().map(|knot| knot.x))?;
        let ends = |knots: &mut dyn Iterator<Item = &Knot>| {
            range(knots.flat_map(|knot| [knot.low, knot.y, knot.high]))
        };
        let all = ends(&mut knots())?;
        let late = ends(&mut knots().filter(|knot| knot.x >= left + HEAD * (right - left)))?;
        let cut = (late.1 - late.0) * 1.5 < all.1 - all.0 && late.1 > late.0;
        let (bottom, top) = if cut { late } else { all };
        // A level line is drawn in the middle of a frame of some height.
        let margin = match top - bottom {
            0.0 if top == 0.0 => 1.0,
            0.0 => top.abs() * 0.1,
            height => height * 0.04,
        };
        Some(Frame {
            left,
            right: if right > left { right } else { left + 1.0 },
            bottom: bottom - margin,
            top: top + margin,
            cut,
        })
    }
}

impl Frame {
    /// Place along the horizontal axis, 0 left to 1 right.
    pub fn across(&self, x: f64) -> f64 {
        (x - self.left) / (self.right - self.left)
    }

    /// Place along the vertical axis, 0 top to 1 bottom.
    pub fn down(&self, y: f64) -> f64 {
        (self.top - y) / (self.top - self.bottom)
    }
}

/// Smallest and largest of the finite values.
pub fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| value.is_finite())
        .fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((value.min(low), value.max(high))),
        })
}

/// Round values between `low` and `high`, about `count` of them, with their texts.
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / count.max(1) as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return Vec::new();
    }
    let power = 10_f64.powf(rough.log10().floor());
    // The nearest of 1, 2, 5 and 10 by ratio.
    let step = match rough / power {
        ..1.4 => power,
        ..3.2 => 2.0 * power,
        ..7.1 => 5.0 * power,
        _ => 10.0 * power,
    };
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last)
        .map(|index| {
            let value = index as f64 * step;
            let text = match value {
                _ if value.abs() >= 1e6 || decimals > 6 => format!("{value:.1e}"),
                _ => format!("{value:.decimals$}"),
            };
            (value, text.replace('-', "−"))
        })
        .collect()
}

/// Moves places that are nearer than `gap` apart, keeping their order and staying within `low..=high`.
///
/// If there is no room for all, the last ones lie on each other at `high`.
pub fn spread(places: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    let mut moved = vec![0.0; places.len()];
    let mut floor = low;
    for &index in &order {
        moved[index] = places[index].clamp(floor.min(high), high);
        floor = moved[index] + gap;
    }
    // What was pushed against the end pushes back.
    let mut ceiling = high;
    for &index in order.iter().rev() {
        moved[index] = moved[index].min(ceiling).max(low);
        ceiling = moved[index] - gap;
    }
    moved
}

/// A text cut to a number of characters.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> Chart {
        let knots = values.iter().enumerate().map(|(x, &y)| Knot {
            x: x as f64,
            y,
            low: y,
            high: y,
        });
        Chart {
            title: String::new(),
            across: String::new(),
            note: String::new(),
            band: String::new(),
            lines: vec![Line {
                index: 0,
                name: String::new(),
                strong: true,
                knots: knots.collect(),
                threads: Vec::new(),
            }],
        }
    }

    #[test]
    fn a_first_descent_leaves_the_frame() {
        let mut values = vec![0.5; 21];
        values[0] = 9.0;
        values[20] = 0.3;
        let frame = chart(&values).frame().unwrap();
        assert!(frame.cut && frame.top < 0.6, "{frame:?}");
        values[0] = 0.55;
        assert!(!chart(&values).frame().unwrap().cut);
    }

    #[test]
    fn frames_of_nothing_a_point_and_a_level_line() {
        assert_eq!(chart(&[]).frame(), None);
        assert_eq!(chart(&[f64::NAN]).frame(), None);
        for values in [&[0.0][..], &[-2.0, -2.0]] {
            let frame = chart(values).frame().unwrap();
            assert!(
                frame.right > frame.left && frame.top > frame.bottom,
                "{frame:?}"
            );
            assert!((frame.down(values[0]) - 0.5).abs() < 1e-12);
        }
    }

    #[test]
    fn ticks_are_round() {
        let texts = |low, high, count| -> Vec<String> {
            ticks(low, high, count)
                .into_iter()
                .map(|(_, text)| text)
                .collect()
        };
        assert_eq!(texts(0.31, 0.58, 3), ["0.4", "0.5"]);
        assert_eq!(
            texts(0.31, 0.58, 5),
            ["0.35", "0.40", "0.45", "0.50", "0.55"]
        );
        assert_eq!(texts(0.0, 0.9, 3), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(
            texts(-0.07, 0.05, 4),
            ["−0.06", "−0.04", "−0.02", "0.00", "0.02", "0.04"]
        );
        assert_eq!(texts(0.0, 960.0, 4), ["0", "200", "400", "600", "800"]);
        assert!(texts(1.0, 1.0, 4).is_empty());
        assert!(texts(0.0, f64::INFINITY, 4).is_empty());
    }

    #[test]
    fn labels_keep_order_and_distance() {
        assert_eq!(spread(&[5.0, 4.8, 0.0], 1.0, 0.0, 9.0), [5.8, 4.8, 0.0]);
        assert_eq!(spread(&[9.0, 9.0, 9.0], 2.0, 0.0, 9.0), [5.0, 7.0, 9.0]);
        let crowded = spread(&[1.0; 5], 1.0, 0.0, 2.0);
        assert!(
            crowded.iter().all(|place| (0.0..=2.0).contains(place)),
            "{crowded:?}"
        );
    }
}
