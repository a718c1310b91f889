//! Tables and pictures that the first trial of each arm left.

use super::page::Page;
use crate::{
    record::{ArmRecord, Record, TrialRecord},
    report::{chart::range, summary::cells},
    study::Role,
    table::{Cell, Table},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::collections::BTreeSet;

/// One section for each name of a table or picture: the method's arms open, the others behind a click.
pub fn sections(page: &mut Page, record: &Record) {
    let firsts: Vec<First> = record
        .arms
        .iter()
        .filter_map(|arm| {
            Some(First {
                arm,
                trial: arm.trials.first()?,
            })
        })
        .collect();
    let names: BTreeSet<&String> = firsts
        .iter()
        .flat_map(|first| first.trial.tables.keys())
        .collect();
    for name in names {
        let with: Vec<&First> = firsts
            .iter()
            .filter(|first| first.trial.tables.contains_key(name))
            .collect();
        page.section(&with[0].trial.tables[name].title, |page| {
            method_first(page, "sets", &with, |page, first| {
                page.leaf("h3", &first.heading());
                table(page, &first.trial.tables[name]);
            });
        });
    }
    let names: BTreeSet<&String> = firsts
        .iter()
        .flat_map(|first| first.trial.images.keys())
        .collect();
    for name in names {
        let with: Vec<&First> = firsts
            .iter()
            .filter(|first| first.trial.images.contains_key(name))
            .collect();
        page.section(&format!("Picture: {name}"), |page| {
            method_first(page, "pictures", &with, |page, first| {
                page.tag("figure", |page| {
                    let data = STANDARD.encode(&first.trial.images[name]);
                    page.raw(&format!(
                        "<img alt=\"\" src=\"data:image/png;base64,{data}\">"
                    ));
                    page.leaf("figcaption", &format!("{name}: {}", first.heading()));
                });
            });
        });
    }
}

/// The first finished trial of an arm.
struct First<'a> {
    arm: &'a ArmRecord,
    trial: &'a TrialRecord,
}

impl First<'_> {
    fn heading(&self) -> String {
        format!("{}, seed {}", self.arm.arm.name, self.trial.seed)
    }
}

fn method_first(page: &mut Page, class: &str, all: &[&First], draw: impl Fn(&mut Page, &First)) {
    let (shown, folded): (Vec<&First>, Vec<&First>) = all
        .iter()
        .copied()
        .partition(|first| first.arm.arm.role == Role::Method);
    let (shown, folded) = if shown.is_empty() {
        (folded, Vec::new())
    } else {
        (shown, folded)
    };
    let group = |page: &mut Page, firsts: &[&First]| {
        page.tag(&format!("div class=\"{class}\""), |page| {
            for first in firsts {
                page.tag("div", |page| draw(page, first));
            }
        });
    };
    group(page, &shown);
    if !folded.is_empty() {
        page.tag("details", |page| {
            let names: Vec<&str> = folded.iter().map(|first| first.arm.arm.name).collect();
            page.leaf("summary", &format!("Other arms: {}", names.join(", ")));
            group(page, &folded);
        });
    }
}

fn table(page: &mut Page, table: &Table) {
    let heat = heat(table);
    let class = if heat.is_some() { "heat" } else { "" };
    page.table(class, &table.columns, |page| {
        for (row, texts) in table.rows.iter().zip(cells(table)) {
            page.tag("tr", |page| {
                for (column, (cell, text)) in row.iter().zip(&texts).enumerate() {
                    match (&heat, cell) {
                        (Some(_), _) if column == 0 => page.leaf("th scope=\"row\"", text),
                        (Some((low, high)), Cell::Number(value)) => {
                            let share = (value - low) / (high - low);
                            page.leaf(&format!("td style=\"--h:{share:.2}\""), text);
                        }
                        (_, Cell::Number(_)) => page.leaf("td class=\"number\"", text),
                        _ => page.leaf("td", text),
                    }
                }
            });
        }
    });
}

/// The range of a matrix of numbers of one kind, to be shaded; `None` for any other table.
///
/// That is: a first column of names, then three numbers a row or more, all within −1 to 1 or under headings that are
/// numbered alike (`e0`, `e1`, …).
fn heat(table: &Table) -> Option<(f64, f64)> {
    let heads = table.columns.get(1..).filter(|heads| heads.len() >= 3)?;
    let numbered = |head: &String| {
        head.trim_end_matches(|letter: char| letter.is_ascii_digit())
            .len()
    };
    let stem = |head: &String| head[..numbered(head)].to_string();
    let alike = heads
        .iter()
        .all(|head| numbered(head) < head.len() && stem(head) == stem(&heads[0]));
    let cells = || table.rows.iter().flat_map(|row| row.iter().skip(1));
    if table.rows.len() < 2 || cells().any(|cell| matches!(cell, Cell::Text(_))) {
        return None;
    }
    let (low, high) = range(cells().filter_map(|cell| match cell {
        Cell::Number(value) => Some(*value),
        _ => None,
    }))?;
    // Of numbers that are all positive, no shade is nothing at all.
    let low = low.min(0.0);
    ((alike || low >= -1.0 && high <= 1.0) && low < high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_of(columns: [&str; 4], rows: &[[f64; 3]]) -> Table {
        let mut table = Table::new("", columns);
        for row in rows {
            table.row([Cell::from("x")].into_iter().chain(row.map(Cell::from)));
        }
        table
    }

    #[test]
    fn only_matrices_of_one_kind_are_shaded() {
        let rows = [[0.2, 0.3, 0.9], [0.1, 0.0, 0.5]];
        assert_eq!(
            heat(&table_of(["", "a", "b", "c"], &rows)),
            Some((0.0, 0.9))
        );
        let large = [[20.0, 30.0, 90.0], [10.0, 0.0, 50.0]];
        assert_eq!(
            heat(&table_of(["", "e0", "e1", "e10"], &large)),
            Some((0.0, 90.0))
        );
        assert_eq!(
            heat(&table_of(["", "epoch", "loss", "seconds"], &large)),
            None
        );
        let mut words = table_of(["", "a", "b", "c"], &rows);
        words.rows[1][2] = Cell::from(f64::NAN);
        assert_eq!(heat(&words), None);
        words.rows[1][2] = Cell::Empty;
        assert!(heat(&words).is_some());
        assert_eq!(heat(&table_of(["", "a", "b", "c"], &[[0.0; 3]; 2])), None);
    }
}
