//! Tables that trials left, cut to a terminal.

use super::{arms::headed, style::Style};
use crate::{
    record::{ArmRecord, Record},
    report::{
        chart::shorten,
        summary::{cells, plural},
    },
    study::Role,
    table::{Cell, Table, wrap},
};

/// Rows of a table that a trial left, at most.
const ROWS: usize = 12;

/// Tables that the method's first trials left.
pub(super) fn tables(record: &Record, style: &Style) -> String {
    let with_tables = || {
        record.arms.iter().filter_map(|arm| {
            let trial = arm.trials.first()?;
            (!trial.tables.is_empty()).then_some((arm, trial))
        })
    };
    let is_method = |arm: &ArmRecord| arm.arm.role == Role::Method;
    let methods = with_tables().any(|(arm, _)| is_method(arm));
    let mut text = String::new();
    let mut left_out = 0;
    for (index, (arm, trial)) in with_tables().enumerate() {
        if methods && !is_method(arm) || !methods && index > 0 {
            left_out += trial.tables.len();
            continue;
        }
        for table in trial.tables.values() {
            let heading = wrap(&table.title, style.width, 1);
            text.push_str(&format!("\n{}", style.bold(heading.trim_end_matches('\n'))));
            text.push_str(&style.dim(&format!("\n {}, seed {}\n", arm.arm.name, trial.seed)));
            text.push_str(&artefact(table, style));
        }
    }
    if left_out > 0 {
        let note = format!(
            " {} of other arms: on the page\n",
            plural(left_out, "table")
        );
        text.push_str(&style.dim(&note));
    }
    text
}

/// A table cut to the terminal.
fn artefact(table: &Table, style: &Style) -> String {
    let mut rows = vec![table.columns.clone()];
    rows.extend(cells(table).into_iter().take(ROWS));
    let wide = |rows: &[Vec<String>], column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let mut used = 0;
    let fitting = (0..table.columns.len())
        .take_while(|&column| {
            used += wide(&rows, column) + 2;
            used < style.width
        })
        .count()
        .max(1);
    for row in &mut rows {
        row.truncate(fitting);
        for cell in row {
            *cell = shorten(cell, style.width - 2);
        }
    }
    // Words begin at the left, numbers end at the right.
    let words = |column: usize| {
        table
            .rows
            .iter()
            .any(|row| matches!(row.get(column), Some(Cell::Text(_))))
    };
    let left = (0..fitting).take_while(|&column| words(column)).count();
    let mut text = headed(&rows, left, style);
    let (more_rows, more_columns) = (
        table.rows.len().saturating_sub(ROWS),
        table.columns.len() - fitting,
    );
    let cut: Vec<String> = [(more_rows, "row"), (more_columns, "column")]
        .into_iter()
        .filter(|&(count, _)| count > 0)
        .map(|(count, what)| plural(count, what))
        .collect();
    if !cut.is_empty() {
        text.push_str(&style.dim(&format!(" … and {} more\n", cut.join(", "))));
    }
    text
}
