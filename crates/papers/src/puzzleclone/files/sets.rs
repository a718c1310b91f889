//! `offprint use puzzleclone dedupe` and `split`.

use super::{lines, list, out_of, print, read_puzzles, required, whole_of, writable};
use clap::ArgMatches;
use offprint_lab::{Error, Result, store::write_atomic};
use offprint_language::puzzles::{Part, Puzzle, duplicates, is_hard, rate, split as parts_of};
use serde_json::json;
use std::collections::BTreeSet;

pub fn dedupe(matches: &ArgMatches) -> Result<()> {
    let puzzles = read_puzzles(required(matches, "puzzles"))?;
    let out = out_of(matches)?;
    let twice: BTreeSet<usize> = duplicates(&puzzles).into_iter().collect();
    let kept: Vec<Puzzle> = puzzles
        .into_iter()
        .enumerate()
        .filter(|(place, _)| !twice.contains(place))
        .map(|(_, puzzle)| puzzle)
        .collect();
    write_atomic(out, &lines(&kept))?;
    let document = json!({ "kept": kept.len(), "left_out": twice.len(), "out": out });
    let text = format!(
        "{} kept, {} left out · wrote {}\n",
        kept.len(),
        twice.len(),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

pub fn split(matches: &ArgMatches) -> Result<()> {
    let path = required(matches, "puzzles");
    let mut puzzles = read_puzzles(path)?;
    let out = required(matches, "out");
    writable(out)?;
    let held_out: BTreeSet<String> = list(matches, "hold-out").into_iter().collect();
    let known: BTreeSet<&str> = puzzles.iter().map(|puzzle| &*puzzle.seed_puzzle).collect();
    if let Some(unknown) = held_out.iter().find(|name| !known.contains(name.as_str())) {
        let list = format!(
            "{} has {}",
            path.display(),
            known.iter().copied().collect::<Vec<_>>().join(", ")
        );
        return Err(Error::unknown(
            "seed puzzle",
            unknown,
            known.iter().copied(),
            &list,
        ));
    }
    if out.exists() {
        return Err(Error::input(format!(
            "{} is there already; choose another folder",
            out.display()
        )));
    }
    rate(&mut puzzles);
    let parts = parts_of(&puzzles, &held_out, whole_of(matches, "seed"));
    // A folder that is complete or absent.
    let temporary = out.with_added_extension(format!("{}.tmp", std::process::id()));
    std::fs::create_dir_all(&temporary).map_err(|error| Error::io("make", &temporary, error))?;
    let mut written = serde_json::Map::new();
    let mut text = String::new();
    for part in [Part::Train, Part::Validation, Part::Test, Part::HeldOut] {
        for hard in [false, true] {
            let of_part = puzzles
                .iter()
                .zip(&parts)
                .filter(|(puzzle, p)| **p == part && is_hard(puzzle) == hard);
            let of_part: Vec<Puzzle> = of_part.map(|(puzzle, _)| puzzle.clone()).collect();
            if of_part.is_empty() {
                continue;
            }
            let name = format!(
                "{}-{}.jsonl",
                part.name(),
                if hard { "hard" } else { "normal" }
            );
            write_atomic(&temporary.join(&name), &lines(&of_part))?;
            text += &format!("{name}  {}\n", of_part.len());
            written.insert(name, of_part.len().into());
        }
    }
    std::fs::rename(&temporary, out).map_err(|error| Error::io("make", out, error))?;
    text += &format!("wrote {}\n", out.display());
    print(
        matches.get_flag("json"),
        &json!({ "files": written, "out": out }),
        &text,
    )
}
