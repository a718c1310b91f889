//! PuzzleClone: puzzles with proved answers from specifications, and what a language model learns from them.

mod bench;
mod errata;
mod files;
mod golden;
pub mod study;

use offprint_lab::paper::{Part, Reference, Work};

/// The card of the paper, its study, cases and commands.
pub static WORK: Work = Work {
    what_it_does: "A seed puzzle is a specification: variables to draw, unknowns, constraints, clues to draw, texts, questions. \
        Draws become constraints; a solver keeps those that give each question exactly one answer. Every choice is \
        recorded, so that a puzzle is made and solved again from its record.",
    equation: "puzzle(spec, seed, i) = first draw d with |{answer(x) : x satisfies C(spec, d)}| = 1",
    parts: &[
        Part::new("structured logical specifications", "puzzles::Spec"),
        Part::new("seed puzzles (35 of our own)", "puzzles::seeds"),
        Part::new(
            "variable and constraint randomization",
            "puzzles::Generator",
        ),
        Part::new("reproduction mechanism", "puzzles::Puzzle::reproduce"),
        Part::new("satisfiability modulo theories", "puzzles::{Solver, Z3}"),
        Part::new("verifiable answers, formats", "puzzles::Puzzle::verify"),
        Part::new("83K diverse, validated puzzles", "use puzzleclone generate"),
        Part::new("spectrum of difficulty", "puzzles::difficulty"),
        Part::new("de-duplicated, split", "puzzles::split"),
        Part::new("supervised fine-tuning (SFT)", "tuning::answer_loss"),
        Part::new("reinforcement learning (RL)", "policy::Grpo"),
        Part::new("own test set", "run puzzleclone: accuracy"),
        Part::new("logical and mathematical sets", "run puzzleclone: held_out"),
    ],
    headline: &[
        "more than 83,000 validated puzzles (abstract)",
        "PuzzleClone average 14.4 -> 56.2 after SFT and RL (abstract)",
        "up to 12.5 points on 7 logic and mathematics benchmarks; AMC2023 52.5 -> 65.0 (abstract)",
    ],
    reference: Some(Reference {
        repository: "puzzleclone/PuzzleClone",
        commit: "5c21efe",
        language: "Python, Z3",
        licence: "Apache-2.0",
    }),
    errata: errata::ERRATA,
    differences: &[
        "Solver: the embedded one searches finite domains, so unknowns are whole numbers, truth values and choices, of \
            at most 65,536 values; real numbers are written in their smallest unit. --solver z3 needs the Cargo \
            feature z3 or z3-bundled.",
        "Language: formulas are a small language of their own instead of Python; specifications of the authors must be \
            rewritten.",
        "Seed puzzles and texts are our own; the paper's benchmarks (AMC, GSM8K and others) need a large language model.",
        "Post-training: a character GPT of 0.1 million parameters with random initial values on short puzzles takes the \
            place of a pretrained model of billions; held-out seed puzzles and word problems take the place of public \
            benchmarks.",
        "SFT alone takes as many steps as SFT and RL together.",
        "Contradicted, that RL after SFT is better than SFT alone: at equal steps it is worse by 0.19. Our GPT starts from \
            random values, so every step of SFT still teaches it the form of answers, while RL learns only from the answers \
            that it happens to get right, some 15 %; the paper's RL starts from a pretrained model that SFT has finished with.",
    ],
    study: &study::PuzzleStudy,
    golden: golden::METHODS,
    report: Some(include_str!("../../../../reports/puzzleclone/report.json")),
    benches: bench::benches,
    command: Some(&files::OnFiles),
    further: &[],
};
