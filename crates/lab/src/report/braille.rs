//! A line chart in the terminal: braille dots, two by four a character; each line named at its end.

use super::{
    chart::{Chart, Frame, Knot, shorten, spread, ticks},
    terminal::Style,
};
use crate::table::number;

/// Rows of a chart; more where there are more lines, so that each has a place for its name.
const ROWS: usize = 8;

/// Characters of a name.
const NAME: usize = 18;

/// Draws a chart in the width of the style.
///
/// `None` without a point to draw, or where there is no room.
pub fn draw(chart: &Chart, style: &Style) -> Option<String> {
    let frame = chart.frame()?;
    let name = chart
        .lines
        .iter()
        .map(|line| line.name.chars().count())
        .max()?
        .min(NAME);
    let rows = ROWS.max(chart.lines.len());
    let left = ticks(frame.bottom, frame.top, 3);
    let gutter = left
        .iter()
        .map(|(_, text)| text.chars().count())
        .max()
        .unwrap_or(0)
        + 1;
    let columns = style
        .width
        .checked_sub(gutter + 2 + 2 + name + 2 + 9)?
        .min(60);
    if columns < 10 {
        return None;
    }
    let mut canvas = Canvas::new(columns, rows);
    for line in &chart.lines {
        canvas.trace(&line.knots, &frame, line.index);
    }
    let row_of = |y: f64| (frame.down(y) * rows as f64 - 0.5).clamp(0.0, rows as f64 - 1.0);
    let ended: Vec<_> = chart
        .lines
        .iter()
        .filter_map(|line| Some((line, line.knots.last()?)))
        .collect();
    let ends: Vec<f64> = ended.iter().map(|(_, knot)| row_of(knot.y)).collect();
    let places = spread(&ends, 1.0, 0.0, rows as f64 - 1.0);
    let mut order: Vec<usize> = (0..ended.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    let mut labels = vec![None; rows];
    let mut next = 0;
    for (rank, &index) in order.iter().enumerate() {
        // One a row, and room left below for those that come.
        let row = (places[index].round() as usize)
            .max(next)
            .min(rows - (order.len() - rank));
        labels[row] = Some(ended[index]);
        next = row + 1;
    }
    let mut text = String::new();
    for (row, label) in labels.iter().enumerate() {
        let tick = left
            .iter()
            .find(|(value, _)| row_of(*value).round() as usize == row);
        let (tick, edge) = tick.map_or(("", '│'), |(_, text)| (text, '┤'));
        let mut line = format!(" {tick:>gutter$} {edge}{}", canvas.row(row, style));
        if let Some((arm, knot)) = label {
            let words = format!("{:<name$}  {}", shorten(&arm.name, name), number(knot.y));
            line.push_str("  ");
            line.push_str(&style.arm(arm.index, arm.strong, &words));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&axis(&frame, columns, gutter, &chart.across));
    Some(text)
}

/// The horizontal axis with its numbers.
fn axis(frame: &Frame, columns: usize, gutter: usize, across: &str) -> String {
    let mut rule = vec!['─'; columns];
    let mut numbers: Vec<char> = Vec::new();
    for (value, text) in ticks(frame.left, frame.right, columns / 12) {
        let column = (frame.across(value) * (columns - 1) as f64).round() as usize;
        rule[column] = '┴';
        let start = (column + 1).saturating_sub(text.chars().count().div_ceil(2));
        if numbers.is_empty() || numbers.len() < start {
            numbers.resize(start, ' ');
            numbers.extend(text.chars());
        }
    }
    let blank = " ".repeat(gutter + 3);
    format!(
        " {}└{}\n{blank}{}  {across}\n",
        " ".repeat(gutter + 1),
        String::from_iter(rule),
        String::from_iter(numbers)
    )
}

/// Dots, and which line set each character last.
struct Canvas {
    columns: usize,
    rows: usize,
    dots: Vec<u8>,
    owners: Vec<usize>,
}

impl Canvas {
    fn new(columns: usize, rows: usize) -> Self {
        Self {
            columns,
            rows,
            dots: vec![0; columns * rows],
            owners: vec![0; columns * rows],
        }
    }

    /// Sets a dot; `x` and `y` count dots from the upper left.
    fn set(&mut self, x: usize, y: usize, owner: usize) {
        // Unicode numbers the dots of a braille character down the columns, the lowest row added later.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let place = y / 4 * self.columns + x / 2;
        self.dots[place] |= BITS[y % 4][x % 2];
        self.owners[place] = owner;
    }

    fn trace(&mut self, knots: &[Knot], frame: &Frame, owner: usize) {
        let (across, down) = (self.columns * 2, self.rows * 4);
        let mut before: Option<f64> = None;
        for column in 0..across {
            let share = column as f64 / (across - 1) as f64;
            let x = frame.left + share * (frame.right - frame.left);
            let half = (frame.right - frame.left) / (across - 1) as f64 / 2.0;
            let Some(y) = at(knots, x, half) else {
                before = None;
                continue;
            };
            let y = frame.down(y) * (down - 1) as f64;
            // Joined with the column before: each takes half of the way between.
            let from = before.map_or(y, |before| (before + y) / 2.0);
            let (low, high) = if from < y { (from, y) } else { (y, from) };
            for dot in low.round().max(0.0) as usize..=high.round().max(0.0) as usize {
                if dot < down && high >= 0.0 {
                    self.set(column, dot, owner);
                }
            }
            before = Some(y);
        }
    }

    fn row(&self, row: usize, style: &Style) -> String {
        let places = row * self.columns..(row + 1) * self.columns;
        places
            .map(|place| match self.dots[place] {
                0 => " ".to_string(),
                dots => {
                    let character = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
                    style.arm(self.owners[place], false, &character.to_string())
                }
            })
            .collect()
    }
}

/// Height of a line at `x`, between its knots; a line of one knot is a dot `slack` wide to either side.
fn at(knots: &[Knot], x: f64, slack: f64) -> Option<f64> {
    let after = knots.partition_point(|knot| knot.x < x);
    match (
        after.checked_sub(1).map(|before| knots[before]),
        knots.get(after),
    ) {
        (Some(a), Some(b)) => Some(a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x)),
        (None, Some(b)) => (b.x - x <= slack).then_some(b.y),
        (Some(a), None) => (x - a.x <= slack).then_some(a.y),
        (None, None) => None,
    }
}
