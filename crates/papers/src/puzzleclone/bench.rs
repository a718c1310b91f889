//! Solving and generating, timed.

use offprint_lab::bench::{Bars, Bench, Group};
use offprint_language::puzzles::{
    Domain, Embedded, Generator, Op, Problem, Term, Unknown, seeds, solver::Solver,
};

const PUZZLES: Group = Group::new("puzzleclone");

/// The benches; sizes as the peer script names them.
pub fn benches() -> Vec<Bench> {
    let half = Bars::ratio(0.5);
    vec![
        Bench {
            sizes: &[("n", 8)],
            bars: half,
            ..Bench::new("queens", PUZZLES, queens)
        },
        Bench {
            sizes: &[("n", 3)],
            bars: half,
            ..Bench::new("sudoku", PUZZLES, sudoku)
        },
        Bench {
            sizes: &[("n", 14)],
            bars: half,
            ..Bench::new("knapsack", PUZZLES, knapsack)
        },
        Bench {
            sizes: &[("n", 5)],
            bars: half,
            ..Bench::new("islanders", PUZZLES, islanders)
        },
        // Drawing, solving and writing; the peer draws the same kind and solves with Z3, as the authors do.
        Bench {
            sizes: &[("puzzles", 16)],
            bars: half,
            ..Bench::new("generate", PUZZLES, generate)
        },
    ]
}

fn op(op: Op, terms: impl IntoIterator<Item = Term>) -> Term {
    Term::Apply(op, terms.into_iter().collect())
}

fn ints(count: usize, min: i64, max: i64) -> Vec<Unknown> {
    let unknown = |i| Unknown {
        name: format!("x{i}"),
        domain: Domain::Int { min, max },
    };
    (0..count).map(unknown).collect()
}

/// All solutions of `n` queens.
fn queens(bench: &Bench) -> Box<dyn FnMut()> {
    let n = bench.size("n");
    let shifted = |sign: i64| {
        let row = move |i: usize| op(Op::Add, [Term::Unknown(i), Term::Int(sign * i as i64)]);
        op(Op::Distinct, (0..n).map(row))
    };
    let columns = op(Op::Distinct, (0..n).map(Term::Unknown));
    let problem = Problem {
        unknowns: ints(n, 1, n as i64),
        constraints: vec![columns, shifted(1), shifted(-1)],
    };
    Box::new(move || {
        let found = Embedded::default()
            .solutions(&problem, usize::MAX)
            .expect("a valid problem");
        assert!(found.complete);
    })
}

/// A Sudoku of n² rows with few givens, and the proof that its solution is the only one.
fn sudoku(bench: &Bench) -> Box<dyn FnMut()> {
    const GIVEN: &str =
        "530070000600195000098000060800060003400803001700020006060000280000419005000080079";
    let n = bench.size("n");
    let side = n * n;
    let cell = |row: usize, column: usize| Term::Unknown(row * side + column);
    let mut constraints = Vec::new();
    for i in 0..side {
        constraints.push(op(Op::Distinct, (0..side).map(|j| cell(i, j))));
        constraints.push(op(Op::Distinct, (0..side).map(|j| cell(j, i))));
        let (row, column) = (i / n * n, i % n * n);
        constraints.push(op(
            Op::Distinct,
            (0..side).map(|j| cell(row + j / n, column + j % n)),
        ));
    }
    for (place, given) in GIVEN
        .bytes()
        .enumerate()
        .filter(|(_, given)| *given != b'0')
    {
        let given = Term::Int(i64::from(given - b'0'));
        constraints.push(Term::binary(Op::Equal, Term::Unknown(place), given));
    }
    let problem = Problem {
        unknowns: ints(side * side, 1, side as i64),
        constraints,
    };
    Box::new(move || {
        let found = Embedded::default()
            .solutions(&problem, 2)
            .expect("a valid problem");
        assert_eq!(found.assignments.len(), 1);
    })
}

/// The best of a knapsack of `n` things.
fn knapsack(bench: &Bench) -> Box<dyn FnMut()> {
    let n = bench.size("n");
    let (weight, worth) = (
        |i: usize| (7 * i + 3) as i64 % 11 + 1,
        |i: usize| (5 * i + 4) as i64 % 13 + 1,
    );
    let total = |of: &dyn Fn(usize) -> i64| {
        let term = |i: usize| op(Op::If, [Term::Unknown(i), Term::Int(of(i)), Term::Int(0)]);
        op(Op::Add, (0..n).map(term))
    };
    let limit = (0..n).map(weight).sum::<i64>() / 2;
    let unknown = |i| Unknown {
        name: format!("b{i}"),
        domain: Domain::Bool,
    };
    let problem = Problem {
        unknowns: (0..n).map(unknown).collect(),
        constraints: vec![Term::binary(Op::AtMost, total(&weight), Term::Int(limit))],
    };
    let objective = total(&worth);
    Box::new(move || {
        let direction = offprint_language::puzzles::Direction::Maximize;
        let best = Embedded::default()
            .optimum(&problem, &objective, direction)
            .expect("a valid problem");
        assert!(best.is_some());
    })
}

/// A puzzle of truth-tellers, its uniqueness proved.
fn islanders(bench: &Bench) -> Box<dyn FnMut()> {
    let n = bench.size("n");
    let unknown = |i| Unknown {
        name: format!("k{i}"),
        domain: Domain::Bool,
    };
    // Each says of the next that he is a knave, but the last, who says that exactly two are knights.
    let says = |i: usize| {
        if i + 1 < n {
            Term::Unknown(i + 1).negated()
        } else {
            Term::binary(
                Op::Equal,
                op(Op::Count, (0..n).map(Term::Unknown)),
                Term::Int(2),
            )
        }
    };
    let constraints = (0..n)
        .map(|i| Term::binary(Op::Equal, Term::Unknown(i), says(i)))
        .collect();
    let problem = Problem {
        unknowns: (0..n).map(unknown).collect(),
        constraints,
    };
    Box::new(move || {
        let found = Embedded::default()
            .solutions(&problem, 2)
            .expect("a valid problem");
        assert!(found.complete);
    })
}

/// Islanders puzzles from their specification, one thread.
fn generate(bench: &Bench) -> Box<dyn FnMut()> {
    let count = bench.size("puzzles") as u64;
    let generator = Generator::new(seeds::get("islanders").expect("it is inside"), 1);
    Box::new(move || {
        for index in 0..count {
            let puzzle = generator
                .puzzle(index, &Embedded::default())
                .expect("a good specification");
            assert!(!puzzle.text.is_empty());
        }
    })
}
