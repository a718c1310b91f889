//! `offprint use puzzleclone reproduce` and `explain`.

use super::{lines, list, print, read_puzzles, required, solver, spec, whole_of, writable};
use clap::ArgMatches;
use offprint_lab::{Error, Result, store::write_atomic, table::wrap};
use offprint_language::puzzles::{Puzzle, Solver, Spec, explain as explain_puzzle};
use serde_json::json;
use std::collections::BTreeMap;

/// The specification of each puzzle: one for all, or the library's by name.
struct Specs {
    one: Option<Spec>,
    known: BTreeMap<String, Spec>,
}

impl Specs {
    fn new(matches: &ArgMatches) -> Result<Self> {
        let one = matches
            .get_one::<String>("spec")
            .map(|name| spec(name))
            .transpose()?;
        Ok(Self {
            one,
            known: BTreeMap::new(),
        })
    }

    fn of(&mut self, puzzle: &Puzzle) -> Result<&Spec> {
        if let Some(one) = &self.one {
            return Ok(one);
        }
        let name = &puzzle.seed_puzzle;
        if !self.known.contains_key(name) {
            let found = offprint_language::puzzles::seeds::get(name).ok_or_else(|| {
                Error::input(format!("no seed puzzle of the library is called {name}"))
                    .help("give its file with --spec SPEC.yaml")
            })?;
            self.known.insert(name.clone(), found);
        }
        Ok(&self.known[name])
    }
}

pub fn reproduce(matches: &ArgMatches) -> Result<()> {
    let path = required(matches, "puzzles");
    let puzzles = read_puzzles(path)?;
    let (mut specs, solver) = (Specs::new(matches)?, solver(matches)?);
    if let Some(out) = matches.get_one::<std::path::PathBuf>("out") {
        writable(out)?;
        return change(matches, &*solver, &puzzles, &mut specs, out);
    }
    let mut different = Vec::new();
    for (number, puzzle) in puzzles.iter().enumerate() {
        let reason = match puzzle.reproduce(specs.of(puzzle)?, &*solver) {
            Ok(again) if again == *puzzle => continue,
            Ok(again) if again.text != puzzle.text => "another text".to_string(),
            Ok(_) => "another answer".to_string(),
            Err(error) => error.to_string(),
        };
        different.push(json!({ "line": number + 1, "why": reason }));
    }
    let same = puzzles.len() - different.len();
    let document = json!({ "puzzles": puzzles.len(), "reproduced": same, "different": different });
    let text = format!(
        "{same} of {} puzzles reproduced, text and answers\n",
        puzzles.len()
    );
    match different.first() {
        None => print(matches.get_flag("json"), &document, &text),
        Some(first) => {
            print(matches.get_flag("json"), &document, &text)?;
            let why = first["why"].as_str().unwrap_or("");
            Err(Error::run(format!(
                "{} line {}: {why}",
                path.display(),
                first["line"]
            )))
        }
    }
}

/// Puzzles with other values of some variables, or in another wording.
fn change(
    matches: &ArgMatches,
    solver: &dyn Solver,
    puzzles: &[Puzzle],
    specs: &mut Specs,
    out: &std::path::Path,
) -> Result<()> {
    let (variables, seed) = (list(matches, "redraw"), whole_of(matches, "seed"));
    let mut changed = Vec::new();
    let mut failed = 0;
    for (number, puzzle) in puzzles.iter().enumerate() {
        let wording = matches
            .get_one::<String>("wording")
            .unwrap_or(&puzzle.wording);
        let spec = specs.of(puzzle)?;
        match puzzle.redraw(spec, solver, &variables, wording, seed) {
            Ok(again) => changed.push(again),
            // Unknown names are wrong for every puzzle; new values may be wrong for one.
            Err(error) if error.message.starts_with("unknown") => {
                return Err(Error::input(format!("line {}: {error}", number + 1)));
            }
            Err(_) => failed += 1,
        }
    }
    write_atomic(out, &lines(&changed))?;
    let document = json!({ "puzzles": changed.len(), "left_out": failed, "out": out });
    let left = match failed {
        0 => String::new(),
        many => format!(", {many} left out that are no puzzle with the new values"),
    };
    print(
        matches.get_flag("json"),
        &document,
        &format!(
            "{} puzzles{left} · wrote {}\n",
            changed.len(),
            out.display()
        ),
    )
}

pub fn explain(matches: &ArgMatches) -> Result<()> {
    let path = required(matches, "puzzles");
    let puzzles = read_puzzles(path)?;
    let line = whole_of(matches, "line");
    let puzzle = usize::try_from(line)
        .ok()
        .and_then(|line| puzzles.get(line.checked_sub(1)?));
    let puzzle = puzzle.ok_or_else(|| {
        Error::input(format!(
            "--line {line}, but {} has {} puzzles",
            path.display(),
            puzzles.len()
        ))
    })?;
    let (mut specs, solver) = (Specs::new(matches)?, solver(matches)?);
    let spec = specs.of(puzzle)?;
    // Its own record must still be the puzzle: an explanation of another one would mislead.
    let again = puzzle
        .reproduce(spec, &*solver)
        .map_err(crate::explain::explain)?;
    if again != *puzzle {
        return Err(Error::run(format!(
            "{} line {line} is not reproduced from its configuration",
            path.display()
        )));
    }
    let explained =
        explain_puzzle(puzzle, spec, &*solver).map_err(|error| Error::run(error.to_string()))?;
    let mut text = wrapped(&puzzle.text);
    let mut document = Vec::new();
    for one in &explained {
        text += &format!("\n{}", wrapped(&format!("{} {}", one.question, one.answer)));
        text += &format!(
            "rests on {} of {} conditions:\n",
            one.conditions.len(),
            one.of
        );
        for condition in &one.conditions {
            text += &wrap(&format!("- {condition}"), 80, 2);
            text.push('\n');
        }
        document.push(json!({
            "question": one.question, "answer": one.answer, "conditions": one.conditions, "of": one.of,
        }));
    }
    print(matches.get_flag("json"), &json!(document), &text)
}

fn wrapped(text: &str) -> String {
    text.lines().map(|line| wrap(line, 80, 2) + "\n").collect()
}
