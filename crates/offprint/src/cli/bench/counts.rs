//! Instruction counts beside the committed ones.

use crate::cli::{print, print_json};
use offprint_lab::{
    bench::{
        Suite,
        instructions::{Change, Committed, TOLERANCE, available, count, is_counted},
    },
    error::{Error, Result},
    store::write_atomic,
    table::columns,
};
use serde::Serialize;
use std::path::Path;

const NO_VALGRIND: &str = "No instructions counted: there is no valgrind here. It comes with most systems' packages \
     (apt install valgrind, dnf install valgrind).";

/// Where counts are committed, in the repository.
const FILE: &str = "bench/instructions.json";

#[derive(Serialize)]
struct Counted {
    suite: &'static str,
    name: String,
    instructions: u64,
    committed: Option<u64>,
    #[serde(skip)]
    change: Change,
}

pub fn counts(suites: &[Suite], write: bool, json: bool) -> Result<()> {
    if !available()? {
        eprintln!("{NO_VALGRIND}");
        return Ok(());
    }
    if cfg!(debug_assertions) {
        return Err(
            Error::input("the committed counts are of a release build, and this is none")
                .help("cargo run --release -- bench --instructions"),
        );
    }
    let program = std::env::current_exe()
        .map_err(|e| Error::run(format!("cannot find the program to count: {e}")))?;
    let path = Path::new(FILE);
    let mut committed = Committed::read(path)?;
    let mut all = Vec::new();
    for suite in suites {
        for bench in suite.benches.iter().filter(|bench| is_counted(bench)) {
            let name = bench.label();
            let instructions = count(&program, suite.name, bench)?;
            eprintln!("{} {name}: {instructions} instructions", suite.name);
            let before = committed.get(suite.name, &name);
            all.push(Counted {
                suite: suite.name,
                name,
                instructions,
                committed: before,
                change: Change::of(before, instructions),
            });
        }
    }
    match json {
        true => print_json(&all)?,
        false => print(&table(&all)),
    }
    if write {
        for counted in all {
            let suite = committed.0.entry(counted.suite.into()).or_default();
            suite.insert(counted.name, counted.instructions);
        }
        let text =
            serde_json::to_string_pretty(&committed).map_err(|e| Error::run(e.to_string()))?;
        write_atomic(path, (text + "\n").as_bytes())?;
        eprintln!("wrote {FILE}");
        return Ok(());
    }
    match all.iter().filter(|c| c.change == Change::More).count() {
        0 => Ok(()),
        more => Err(Error::run(format!(
            "{more} of {} take over {} % more instructions than {FILE} says",
            all.len(),
            TOLERANCE
        ))
        .help(
            "make them faster again; or where more is right, offprint bench --instructions --write",
        )),
    }
}

/// What changed; all of it is in the JSON document.
fn table(all: &[Counted]) -> String {
    let mut rows = vec![
        ["work", "now", "committed", "change"]
            .map(String::from)
            .to_vec(),
    ];
    for counted in all.iter().filter(|c| c.change != Change::Same) {
        let share = counted.committed.map_or("new".into(), |committed| {
            let change = counted.instructions as f64 / committed as f64 - 1.0;
            format!("{:+.1}%", change * 100.0)
        });
        rows.push(vec![
            format!("{} {}", counted.suite, counted.name),
            counted.instructions.to_string(),
            counted
                .committed
                .map_or("–".into(), |count| count.to_string()),
            share,
        ]);
    }
    let same = all.iter().filter(|c| c.change == Change::Same).count();
    let words = format!(
        "{same} of {} as committed, within {TOLERANCE} %\n",
        all.len()
    );
    match rows.len() {
        1 => format!(" {words}"),
        _ => format!("{}\n {words}", columns(&rows, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_what_changed_in_either_direction() {
        let counted = |name: &str, instructions, committed| Counted {
            suite: "kernels",
            name: name.into(),
            instructions,
            committed,
            change: Change::of(committed, instructions),
        };
        let all = [
            counted("linear/cached", 1100, Some(1000)),
            counted("softmax/cached", 900, Some(1000)),
            counted("gelu/cached", 1001, Some(1000)),
            counted("relu/cached", 7, None),
        ];
        let expected = " work                     now  committed  change
 kernels linear/cached   1100       1000  +10.0%
 kernels softmax/cached   900       1000  -10.0%
 kernels relu/cached        7          –     new

 1 of 4 as committed, within 5 %
";
        assert_eq!(table(&all), expected);
        assert_eq!(table(&all[2..3]), " 1 of 1 as committed, within 5 %\n");
    }
}
