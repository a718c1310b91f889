//! `offprint use puzzleclone generate`, `lint` and `seeds`.

use super::{failed, lines, out_of, print, solver, spec, whole_of};
use crate::explain::explain;
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use offprint_lab::{Error, Result, store::write_atomic, table::columns};
use offprint_language::puzzles::{Generator, Puzzle, Solver, SpecError, is_hard, rate, seeds};
use serde_json::json;
use std::{collections::HashSet, time::Instant};

/// Most puzzles of one call: they are held in memory.
const MOST: u64 = 1_000_000;
/// Puzzles between two movements of the bar.
const CHUNK: u64 = 200;

pub fn generate(matches: &ArgMatches) -> Result<()> {
    let (count, seed) = (whole_of(matches, "count"), whole_of(matches, "seed"));
    if count == 0 || count > MOST {
        return Err(Error::input(format!(
            "-n {count}, but it must be 1 to {MOST}"
        )));
    }
    let out = out_of(matches)?;
    let wording = matches.get_one::<String>("wording");
    let solver = solver(matches)?;
    let started = Instant::now();
    let bar = ProgressBar::new(count);
    let style =
        ProgressStyle::with_template(" {bar:20} {pos}/{len} puzzles  {per_sec}  {eta} left");
    bar.set_style(style.expect("a valid template"));
    let made = match matches.get_one::<String>("spec") {
        Some(name) => {
            let generator = worded(Generator::new(spec(name)?, seed), wording).map_err(explain)?;
            one(&generator, &*solver, name, count, &bar)
        }
        None => every(seed, &*solver, wording, count, &bar),
    };
    bar.finish_and_clear();
    let (mut puzzles, duplicates) = made?;
    rate(&mut puzzles);
    write_atomic(out, &lines(&puzzles))?;
    let seconds = started.elapsed().as_secs_f64();
    let hard = puzzles.iter().filter(|puzzle| is_hard(puzzle)).count();
    let rejected: u64 = puzzles.iter().map(|puzzle| puzzle.rejected).sum();
    let seed_puzzles: HashSet<&str> = puzzles.iter().map(|puzzle| &*puzzle.seed_puzzle).collect();
    let document = json!({
        "puzzles": puzzles.len(), "seed_puzzles": seed_puzzles.len(), "hard": hard, "rejected_draws": rejected,
        "duplicates_left_out": duplicates, "seconds": seconds, "out": out,
    });
    let text = format!(
        "{} puzzles of {}, {hard} hard · {rejected} draws thrown away{} · {:.0} a second\nwrote {}\n",
        puzzles.len(),
        match seed_puzzles.len() {
            1 => "1 seed puzzle".into(),
            many => format!("{many} seed puzzles"),
        },
        if duplicates > 0 {
            format!(", {duplicates} duplicates")
        } else {
            String::new()
        },
        puzzles.len() as f64 / seconds,
        out.display(),
    );
    print(matches.get_flag("json"), &document, &text)
}

fn worded(
    generator: Generator,
    wording: Option<&String>,
) -> std::result::Result<Generator, SpecError> {
    match wording {
        Some(wording) => generator.with_wording(wording),
        None => Ok(generator),
    }
}

/// Puzzles 0 to `count` of one specification.
fn one(
    generator: &Generator,
    solver: &dyn Solver,
    name: &str,
    count: u64,
    bar: &ProgressBar,
) -> Result<(Vec<Puzzle>, u64)> {
    let mut puzzles = Vec::new();
    for first in (0..count).step_by(CHUNK as usize) {
        let indices = first..(first + CHUNK).min(count);
        puzzles.extend(
            generator
                .puzzles(indices, solver)
                .map_err(|error| failed(name, error))?,
        );
        bar.set_position(puzzles.len() as u64);
    }
    Ok((puzzles, 0))
}

/// Puzzles of all seed puzzles, as evenly as each has different ones, none twice.
fn every(
    seed: u64,
    solver: &dyn Solver,
    wording: Option<&String>,
    count: u64,
    bar: &ProgressBar,
) -> Result<(Vec<Puzzle>, u64)> {
    let generators = seeds::all().map(|spec| worded(Generator::new(spec.clone(), seed), wording));
    let mut active: Vec<(Generator, u64, HashSet<String>)> = generators
        .filter_map(|generator| Some((generator.ok()?, 0, HashSet::new())))
        .collect();
    if active.is_empty() {
        let wording = wording.map_or("", String::as_str);
        return Err(Error::input(format!(
            "no seed puzzle has the wording \"{wording}\""
        )));
    }
    let (mut puzzles, mut duplicates) = (Vec::new(), 0);
    while (puzzles.len() as u64) < count && !active.is_empty() {
        let share = (count - puzzles.len() as u64)
            .div_ceil(active.len() as u64)
            .clamp(1, CHUNK);
        for (generator, next, seen) in &mut active {
            let share = share.min(count - puzzles.len() as u64);
            let name = &generator.spec().name;
            let made = generator
                .puzzles(*next..*next + share, solver)
                .map_err(|error| failed(name, error))?;
            *next += share;
            let before = puzzles.len() as u64;
            puzzles.extend(
                made.into_iter()
                    .filter(|puzzle| seen.insert(puzzle.configuration.signature())),
            );
            let kept = puzzles.len() as u64 - before;
            duplicates += share - kept;
            // Few new ones are left: marked by an index that no call reaches.
            if 4 * kept < share {
                *next = u64::MAX;
            }
            bar.set_position(puzzles.len() as u64);
        }
        active.retain(|(_, next, _)| *next != u64::MAX);
    }
    Ok((puzzles, duplicates))
}

pub fn lint(matches: &ArgMatches) -> Result<()> {
    let name = matches
        .get_one::<String>("spec")
        .expect("the grammar requires it");
    let count = whole_of(matches, "count");
    if count == 0 || count > MOST {
        return Err(Error::input(format!(
            "-n {count}, but it must be 1 to {MOST}"
        )));
    }
    let (spec, solver) = (spec(name)?, solver(matches)?);
    let original = match spec.has_original() {
        true => {
            let (puzzle, answers) = spec
                .original(&*solver)
                .map_err(|error| Error::input(format!("{name} {error}")))?;
            let found: Vec<String> = puzzle
                .questions
                .iter()
                .map(|question| question.answer.clone())
                .collect();
            if found != answers {
                let message = format!(
                    "{name}: the original's answers are {answers:?}, but the solver finds {found:?}"
                );
                return Err(Error::run(message));
            }
            "solved as written"
        }
        false => "none",
    };
    let bar = ProgressBar::hidden();
    let started = Instant::now();
    let generator = Generator::new(spec.clone(), 0);
    let (puzzles, _) = one(&generator, &*solver, name, count, &bar)?;
    let seconds = started.elapsed().as_secs_f64();
    let rejected: u64 = puzzles.iter().map(|puzzle| puzzle.rejected).sum();
    let again = puzzles
        .iter()
        .all(|puzzle| puzzle.reproduce(&spec, &*solver).as_ref() == Ok(puzzle));
    if !again {
        return Err(Error::run(format!(
            "{name}: a puzzle is not reproduced from its configuration"
        )));
    }
    let document = json!({
        "name": spec.name, "kind": spec.kind, "wordings": spec.wordings, "original": original, "puzzles": count,
        "rejected_draws": rejected, "reproduced": again, "seconds": seconds, "example": puzzles[0].prompt(),
    });
    let text = format!(
        "{} ({}): wordings {}; original {original}\n{count} puzzles, all reproduced; {:.1} draws thrown away for each; \
        {:.0} a second\n\n{}\n\nAnswer: {}\n",
        spec.name,
        spec.kind,
        spec.wordings.join(", "),
        rejected as f64 / count as f64,
        count as f64 / seconds,
        puzzles[0].prompt(),
        puzzles[0]
            .questions
            .iter()
            .map(|question| &*question.answer)
            .collect::<Vec<_>>()
            .join(" | "),
    );
    print(matches.get_flag("json"), &document, &text)
}

pub fn seeds(matches: &ArgMatches) -> Result<()> {
    if let Some(name) = matches.get_one::<String>("name") {
        let source = seeds::SOURCES.iter().find(|(known, _)| known == name);
        let list = "all: offprint use puzzleclone seeds";
        let (_, text) =
            source.ok_or_else(|| Error::unknown("seed puzzle", name, seeds::names(), list))?;
        return print(
            matches.get_flag("json"),
            &json!({ "name": name, "yaml": text }),
            text,
        );
    }
    let mut rows = vec![["name", "kind", "about"].map(String::from).to_vec()];
    let mut document = Vec::new();
    for spec in seeds::all() {
        rows.push(vec![
            spec.name.clone(),
            spec.kind.clone(),
            spec.about.clone(),
        ]);
        document.push(json!({ "name": spec.name, "kind": spec.kind, "about": spec.about, "wordings": spec.wordings }));
    }
    print(
        matches.get_flag("json"),
        &json!(document),
        &columns(&rows, 3),
    )
}
