//! The arm without a model: what the generator makes of every seed puzzle.

use super::PuzzleSettings;
use offprint_lab::{Error, Result, table::Table, trial::Trial};
use offprint_language::puzzles::{
    Embedded, Exhaustive, Generator, Puzzle, duplicates, is_hard, rate, seeds,
};
use std::collections::BTreeMap;

/// Assignments that are tried to confirm a puzzle; larger ones are not confirmed this way.
const TRIED: u64 = 5000;

/// What was counted of a kind of puzzle.
#[derive(Default)]
struct Count {
    puzzles: u64,
    rejected: u64,
    reproduced: u64,
    tried: u64,
    confirmed: u64,
    duplicates: u64,
    hard: u64,
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.puzzles += other.puzzles;
        self.rejected += other.rejected;
        self.reproduced += other.reproduced;
        self.tried += other.tried;
        self.confirmed += other.confirmed;
        self.duplicates += other.duplicates;
        self.hard += other.hard;
    }
}

pub(super) fn run(trial: &mut Trial<PuzzleSettings>) -> Result<()> {
    if trial.tuning() {
        // Nothing is to be chosen.
        trial.result("validation", 0.0);
        trial.result("accuracy", 0.0);
        return Ok(());
    }
    let (measured, seed) = (trial.settings().measured, trial.seed());
    let total = seeds::names().count() as u64;
    let mut kinds: BTreeMap<String, Count> = BTreeMap::new();
    let mut histogram = [0u64; 10];
    for (done, spec) in seeds::all().enumerate() {
        let generator = Generator::new(spec.clone(), seed);
        let solver = Embedded::default();
        let mut puzzles = generator
            .puzzles(0..measured, &solver)
            .map_err(|error| Error::run(format!("{}: {error}", spec.name)))?;
        rate(&mut puzzles);
        let again = |puzzle: &Puzzle| puzzle.reproduce(spec, &solver).as_ref() == Ok(puzzle);
        let slow = Exhaustive { assignments: TRIED };
        let tried: Vec<_> = puzzles
            .iter()
            .filter_map(|p| Some((p, p.reproduce(spec, &slow).ok()?)))
            .collect();
        let count = Count {
            puzzles: measured,
            rejected: puzzles.iter().map(|puzzle| puzzle.rejected).sum(),
            reproduced: puzzles.iter().filter(|puzzle| again(puzzle)).count() as u64,
            tried: tried.len() as u64,
            confirmed: tried
                .iter()
                .filter(|(puzzle, again)| *puzzle == again)
                .count() as u64,
            duplicates: duplicates(&puzzles).len() as u64,
            hard: puzzles.iter().filter(|puzzle| is_hard(puzzle)).count() as u64,
        };
        for value in puzzles.iter().filter_map(|puzzle| puzzle.difficulty) {
            histogram[((value * 10.0) as usize).min(9)] += 1;
        }
        kinds.entry(spec.kind.clone()).or_default().add(&count);
        trial.progress(done as u64 + 1, total);
    }
    report(trial, &kinds, &histogram)
}

fn report(
    trial: &mut Trial<PuzzleSettings>,
    kinds: &BTreeMap<String, Count>,
    histogram: &[u64; 10],
) -> Result<()> {
    let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
    let columns = [
        "kind",
        "puzzles",
        "rejected a puzzle",
        "reproduced",
        "confirmed of tried",
        "duplicates",
        "hard",
    ];
    let mut table = Table::new("Generated puzzles by kind", columns);
    let mut all = Count::default();
    for (kind, count) in kinds {
        all.add(count);
        table.row([
            kind.as_str().into(),
            (count.puzzles as f64).into(),
            share(count.rejected, count.puzzles).into(),
            share(count.reproduced, count.puzzles).into(),
            share(count.confirmed, count.tried).into(),
            share(count.duplicates, count.puzzles).into(),
            offprint_lab::table::Cell::from(share(count.hard, count.puzzles)),
        ]);
    }
    trial.table("kinds", &table)?;
    let mut table = Table::new(
        "Difficulty within each seed puzzle",
        ["difficulty", "puzzles"],
    );
    for (tenth, count) in histogram.iter().enumerate() {
        let from = tenth as f64 / 10.0;
        table.row([
            format!("{from:.1} to {:.1}", from + 0.1).into(),
            offprint_lab::table::Cell::from(*count as f64),
        ]);
    }
    trial.table("difficulty", &table)?;
    trial.result("reproduced", share(all.reproduced, all.puzzles));
    trial.result("confirmed", share(all.confirmed, all.tried));
    trial.result("rejected", share(all.rejected, all.puzzles));
    trial.result("duplicates", share(all.duplicates, all.puzzles));
    trial.result("hard", share(all.hard, all.puzzles));
    Ok(())
}
