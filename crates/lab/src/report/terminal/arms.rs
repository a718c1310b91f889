//! The arms in a terminal: their numbers, and what each is.

use super::style::Style;
use crate::table::wrap;
use crate::{
    record::{ArmRecord, Record},
    report::{
        chart::shorten,
        summary::{heading, incomplete, mean_text, role, seconds_text},
    },
    table::columns,
};

/// Arms by metrics; as many tables as the width asks for.
pub(super) fn arms(record: &Record, style: &Style) -> String {
    let mut names = vec!["arm".to_string()];
    for arm in &record.arms {
        let short = shorten(arm.arm.name, style.width / 3);
        names.push(match incomplete(record, arm) {
            Some(seeds) => format!("{short} ({seeds})"),
            None => short,
        });
    }
    let column = |head: String, cell: &dyn Fn(&ArmRecord) -> String| -> Vec<String> {
        std::iter::once(head)
            .chain(record.arms.iter().map(cell))
            .collect()
    };
    let mut all: Vec<Vec<String>> = record
        .metrics
        .iter()
        .map(|metric| column(heading(metric), &|arm| mean_text(arm, metric.name)))
        .collect();
    all.push(column("s/trial".into(), &|arm| seconds_text(arm)));
    let tables = side_by_side(&names, &all, style.width);
    let mut text = String::new();
    for (index, table) in tables.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&headed(table, 1, style));
    }
    if record.seeds.len() > 1 && record.arms.iter().any(|arm| !arm.trials.is_empty()) {
        let note = "mean over seeds ± half of the 95 % t interval; the arrow points to better";
        text.push_str(&style.dim(&wrap(note, style.width, 1)));
    }
    text
}

/// Puts columns beside a first one, in as few tables as the width allows, and as equal ones.
fn side_by_side(first: &[String], columns: &[Vec<String>], width: usize) -> Vec<Vec<Vec<String>>> {
    let wide = |column: &[String]| {
        column
            .iter()
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = columns.iter().map(|column| 2 + wide(column)).collect();
    let cut = |width: usize| -> Vec<usize> {
        let mut starts = Vec::new();
        let mut used = usize::MAX;
        for (index, more) in widths.iter().enumerate() {
            used = used.saturating_add(*more);
            if used > width {
                starts.push(index);
                used = 1 + wide(first) + more;
            }
        }
        starts
    };
    let fewest = cut(width).len();
    let narrowest = (1..width)
        .find(|&width| cut(width).len() == fewest)
        .unwrap_or(width);
    let starts = cut(narrowest);
    let ends = starts.iter().skip(1).copied().chain([columns.len()]);
    let groups = starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| &columns[start..end]);
    let rows = |group: &[Vec<String>]| {
        let row = |row: usize| {
            let cells = group.iter().map(|column| column[row].clone());
            std::iter::once(first[row].clone()).chain(cells).collect()
        };
        (0..first.len()).map(row).collect()
    };
    groups.map(rows).collect()
}

/// [`columns`] with a dimmed heading.
pub(super) fn headed(rows: &[Vec<String>], left: usize, style: &Style) -> String {
    let text = columns(rows, left);
    match text.split_once('\n') {
        Some((head, rest)) => format!("{}\n{rest}", style.dim(head)),
        None => text,
    }
}

/// What each arm is, in a line.
pub(super) fn abouts(record: &Record, style: &Style) -> String {
    let short = |arm: &ArmRecord| shorten(arm.arm.name, style.width / 3);
    let width = record
        .arms
        .iter()
        .map(|arm| short(arm).chars().count())
        .max()
        .unwrap_or(0);
    let lines = record.arms.iter().map(|arm| {
        let head = format!(" {:<width$}  {:<8}  ", short(arm), role(arm));
        let indent = head.chars().count();
        let about = wrap(arm.arm.about, style.width, indent);
        format!("{head}{}", about.trim_start())
    });
    let lines: String = lines.collect();
    if lines.is_empty() {
        lines
    } else {
        format!("\n{lines}")
    }
}
