//! `offprint use puzzleclone check`.

use super::{print, read, read_puzzles, required, writable};
use clap::ArgMatches;
use offprint_lab::{Error, Result, store::write_atomic, table::columns};
use offprint_language::puzzles::{Puzzle, Verdict};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

/// Right, wrong and unreadable answers.
#[derive(Clone, Copy, Default)]
struct Score([u64; 3]);

impl Score {
    fn add(&mut self, verdict: Verdict) {
        self.0[match verdict {
            Verdict::Right => 0,
            Verdict::Wrong => 1,
            Verdict::Unreadable => 2,
        }] += 1;
    }

    fn share(&self) -> f64 {
        self.0[0] as f64 / self.0.iter().sum::<u64>().max(1) as f64
    }
}

pub fn check(matches: &ArgMatches) -> Result<()> {
    let puzzles = read_puzzles(required(matches, "puzzles"))?;
    let answers = read_answers(required(matches, "answers"), &puzzles)?;
    let out = matches.get_one::<std::path::PathBuf>("out");
    if let Some(out) = out {
        writable(out)?;
    }
    let mut kinds: BTreeMap<&str, Score> = BTreeMap::new();
    let mut all = Score::default();
    let mut details = Vec::new();
    for (puzzle, answers) in puzzles.iter().zip(&answers) {
        let verdicts: Vec<Verdict> = answers
            .iter()
            .enumerate()
            .map(|(place, answer)| puzzle.verify(place, answer))
            .collect();
        for verdict in &verdicts {
            kinds.entry(&puzzle.kind).or_default().add(*verdict);
            all.add(*verdict);
        }
        let expected: Vec<&str> = puzzle
            .questions
            .iter()
            .map(|question| &*question.answer)
            .collect();
        let line = json!({
            "seed_puzzle": puzzle.seed_puzzle, "index": puzzle.index, "answers": answers, "expected": expected,
            "verdicts": verdicts,
        });
        details.extend_from_slice(line.to_string().as_bytes());
        details.push(b'\n');
    }
    if let Some(out) = out {
        write_atomic(out, &details)?;
    }
    let mut rows = vec![
        ["kind", "right", "wrong", "unreadable", "share"]
            .map(String::from)
            .to_vec(),
    ];
    for (name, score) in kinds
        .iter()
        .map(|(name, score)| (*name, score))
        .chain([("all", &all)])
    {
        let [right, wrong, unreadable] = score.0.map(|count| count.to_string());
        rows.push(vec![
            name.into(),
            right,
            wrong,
            unreadable,
            format!("{:.3}", score.share()),
        ]);
    }
    let by_kind: serde_json::Map<String, Value> = kinds
        .iter()
        .map(|(name, score)| ((*name).to_string(), json!(score.share())))
        .collect();
    let [right, wrong, unreadable] = all.0;
    let document = json!({
        "right": right, "wrong": wrong, "unreadable": unreadable, "share": all.share(), "kinds": by_kind,
    });
    print(matches.get_flag("json"), &document, &columns(&rows, 1))
}

/// The answers of each puzzle, in the order of its questions.
fn read_answers(path: &Path, puzzles: &[Puzzle]) -> Result<Vec<Vec<String>>> {
    let text = read(path)?;
    let lines: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    if lines.len() != puzzles.len() {
        let message = format!(
            "{} has answers to {} puzzles, but there are {}",
            path.display(),
            lines.len(),
            puzzles.len()
        );
        return Err(Error::input(message).help("one line a puzzle, in the same order"));
    }
    let parse = |(number, line): &(usize, &str), puzzle: &Puzzle| {
        let wrong = |message: String| {
            Error::input(format!("{} line {}: {message}", path.display(), number + 1))
        };
        let value: Value = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        let answers = answers(&value).ok_or_else(|| {
            wrong(format!(
                "{line}, but a text, a list of texts or {{\"answers\": [...]}} is expected"
            ))
        })?;
        if answers.len() != puzzle.questions.len() {
            let message = format!(
                "{} answers, but the puzzle asks {} questions",
                answers.len(),
                puzzle.questions.len()
            );
            return Err(wrong(message));
        }
        Ok(answers)
    };
    lines
        .iter()
        .zip(puzzles)
        .map(|(line, puzzle)| parse(line, puzzle))
        .collect()
}

fn answers(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Object(fields) => answers(fields.get("answers")?),
        single => Some(vec![text(single)?]),
    }
}
