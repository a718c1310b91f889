//! The seed puzzles, and what every puzzle must keep.

use super::{
    Embedded, Exhaustive, Format, GenerateError, Generator, Measures, Part, Puzzle, Spec, Verdict,
    difficulty, duplicates, explain, rate, seeds, solver::Solver, split,
};
use std::collections::BTreeSet;

fn solver() -> Embedded {
    Embedded::default()
}

#[test]
fn originals_solved_by_hand_are_reproduced() {
    assert!(seeds::names().count() >= 30);
    for spec in seeds::all() {
        let (puzzle, answers) = spec
            .original(&solver())
            .unwrap_or_else(|e| panic!("{}: {e}", spec.name));
        let found: Vec<&str> = puzzle.questions.iter().map(|q| q.answer.as_str()).collect();
        assert_eq!(found, answers, "{}: {}", spec.name, puzzle.prompt());
        assert_eq!(
            puzzle.reproduce(spec, &solver()).unwrap(),
            puzzle,
            "{}",
            spec.name
        );
    }
}

#[test]
fn names_are_file_names_and_kinds_are_many() {
    let kinds: BTreeSet<&str> = seeds::all().map(|spec| spec.kind.as_str()).collect();
    assert!(kinds.len() >= 15, "{kinds:?}");
    for (name, _) in seeds::SOURCES {
        assert_eq!(seeds::get(name).unwrap().name, *name);
    }
}

#[test]
fn puzzles_are_reproduced_and_their_answers_are_right() {
    for spec in seeds::all() {
        let generator = Generator::new(spec.clone(), 11);
        for puzzle in generator
            .puzzles(0..8, &solver())
            .unwrap_or_else(|e| panic!("{}: {e}", spec.name))
        {
            // Through the file and back.
            let line = serde_json::to_string(&puzzle).unwrap();
            let read: Puzzle = serde_json::from_str(&line).unwrap();
            assert_eq!(read, puzzle);
            assert_eq!(
                read.reproduce(spec, &solver()).unwrap(),
                puzzle,
                "{}",
                spec.name
            );
            for (place, question) in puzzle.questions.iter().enumerate() {
                assert_eq!(
                    puzzle.verify(place, &question.answer),
                    Verdict::Right,
                    "{line}"
                );
                assert_ne!(puzzle.verify(place, "no such answer"), Verdict::Right);
                assert!(!question.answer.is_empty());
            }
            assert!(puzzle.measures.conditions > 0 || spec.optimize.is_some());
            assert!(puzzle.measures.symbols > 0);
            assert!((0.0..=1.0).contains(&puzzle.measures.variable_scale));
        }
    }
}

#[test]
fn the_other_solver_gives_the_same_puzzles() {
    let mut compared = 0;
    for spec in seeds::all() {
        for puzzle in Generator::new(spec.clone(), 5)
            .puzzles(0..4, &solver())
            .unwrap()
        {
            // Some are too large to try everything.
            if let Ok(again) = puzzle.reproduce(
                spec,
                &Exhaustive {
                    assignments: 20_000,
                },
            ) {
                assert_eq!(again, puzzle);
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn any_number_of_threads_gives_the_same_puzzles() {
    let spec = seeds::get("three-houses").unwrap();
    let generator = Generator::new(spec, 3);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| generator.puzzles(0..12, &solver()).unwrap())
    };
    let one = on(1);
    assert_eq!(one, on(3));
    // Each can be made alone, and seeds differ.
    assert_eq!(generator.puzzle(7, &solver()).unwrap(), one[7]);
    let other = Generator::new(generator.spec().clone(), 4);
    assert_ne!(other.puzzle(7, &solver()).unwrap(), one[7]);
}

#[test]
fn other_names_and_wordings_keep_the_puzzle() {
    let spec = seeds::get("islanders").unwrap();
    let puzzle = Generator::new(spec.clone(), 1)
        .puzzle(0, &solver())
        .unwrap();
    let mut changed = 0;
    for seed in 0..10 {
        let names = ["people".to_string()];
        let again = puzzle
            .redraw(&spec, &solver(), &names, "plain", seed)
            .unwrap();
        assert_eq!(
            again.configuration.statements,
            puzzle.configuration.statements
        );
        assert_eq!(again.questions[0].answer, puzzle.questions[0].answer);
        changed += usize::from(again.text != puzzle.text);
        // The same numbers with other names are a duplicate.
        assert_eq!(duplicates(&[puzzle.clone(), again]), [1]);
    }
    assert!(changed > 5);
    let error = puzzle
        .redraw(&spec, &solver(), &["poeple".into()], "plain", 0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown variable \"poeple\"; there are n, people"
    );
    let spec = seeds::get("two-numbers").unwrap();
    let plain = Generator::new(spec.clone(), 1)
        .puzzle(0, &solver())
        .unwrap();
    let short = Generator::new(spec.clone(), 1)
        .with_wording("short")
        .unwrap();
    let short = short.puzzle(0, &solver()).unwrap();
    assert_eq!(short.configuration, plain.configuration);
    assert!(
        short.prompt().len() < 30 && short.prompt().contains("x+y="),
        "{}",
        short.prompt()
    );
    let error = Generator::new(spec, 1)
        .with_wording("long")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "unknown wording \"long\"; two-numbers has plain, short"
    );
}

#[test]
fn a_damaged_configuration_is_refused() {
    let spec = seeds::get("seats-in-a-row").unwrap();
    let puzzle = Generator::new(spec.clone(), 2)
        .puzzle(0, &solver())
        .unwrap();
    let refused = |change: &dyn Fn(&mut Puzzle)| {
        let mut damaged = puzzle.clone();
        change(&mut damaged);
        damaged.reproduce(&spec, &solver()).unwrap_err().to_string()
    };
    assert!(refused(&|p| p.spec = "0".into()).contains("was made by specification"));
    assert!(refused(&|p| p.configuration.secret.clear()).contains("secret"));
    assert!(refused(&|p| p.configuration.secret[0] = 99).contains("secret"));
    assert!(
        refused(&|p| {
            p.configuration.variables.shift_remove("n");
        })
        .contains("has no n")
    );
    let clue = |p: &mut Puzzle, template, part| {
        let drawn = &mut p.configuration.conditions[1][0];
        drawn.template = template;
        drawn.parts = vec![vec![part]];
    };
    assert!(refused(&|p| clue(p, 77, 0)).contains("does not fit"));
    assert!(refused(&|p| clue(p, 0, 77)).contains("does not fit"));
    // Fewer clues leave several answers.
    assert!(refused(&|p| p.configuration.conditions[1].clear()).contains("no puzzle"));
}

#[test]
fn explanations_are_needed_and_enough() {
    for name in [
        "seats-in-a-row",
        "islanders",
        "safe-code",
        "backpack",
        "committee",
        "foot-race",
        "two-numbers",
    ] {
        let spec = seeds::get(name).unwrap();
        let puzzle = Generator::new(spec.clone(), 9)
            .puzzle(1, &solver())
            .unwrap();
        for explanation in explain(&puzzle, &spec, &solver()).unwrap() {
            assert!(explanation.conditions.len() <= explanation.of, "{name}");
            assert!(
                !explanation.conditions.is_empty(),
                "{name}: {explanation:?}"
            );
        }
    }
    let spec = seeds::get("seats-in-a-row").unwrap();
    let (puzzle, _) = spec.original(&solver()).unwrap();
    // Five hints and the rule of one seat each: all are needed for the whole order but not for every answer.
    let all = explain(&puzzle, &spec, &solver()).unwrap();
    assert_eq!(all[0].of, 6);
    assert!(
        all[0]
            .conditions
            .contains(&"Dario does not sit in seat 1.".to_string()),
        "{all:?}"
    );
}

#[test]
fn difficulties_are_ranked_within_a_seed_puzzle() {
    let spec = seeds::get("stamps").unwrap();
    let mut puzzles = Generator::new(spec, 3).puzzles(0..20, &solver()).unwrap();
    rate(&mut puzzles);
    let values: Vec<f64> = puzzles
        .iter()
        .filter_map(|puzzle| puzzle.difficulty)
        .collect();
    assert_eq!(values.len(), 20);
    assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
    assert!(difficulty(&[], 3).is_empty());
    assert_eq!(
        difficulty(
            &[Measures {
                variable_scale: 0.7,
                ..Measures::default()
            }],
            3
        ),
        [0.55]
    );
}

#[test]
fn a_split_is_complete_and_keeps_seeds_apart() {
    let of = |name: &str, count| {
        let spec = seeds::get(name).unwrap();
        Generator::new(spec, 3)
            .puzzles(0..count, &solver())
            .unwrap()
    };
    let mut puzzles = of("clock", 100);
    puzzles.extend(of("weekday", 30));
    rate(&mut puzzles);
    let held_out = BTreeSet::from(["weekday".to_string()]);
    let parts = split(&puzzles, &held_out, 1);
    let count = |part| parts.iter().filter(|&&p| p == part).count();
    assert_eq!(count(Part::HeldOut), 30);
    assert!(
        (78..=80).contains(&count(Part::Train)),
        "{}",
        count(Part::Train)
    );
    assert!((9..=12).contains(&count(Part::Validation)));
    assert_eq!(parts, split(&puzzles, &held_out, 1));
    assert_ne!(parts, split(&puzzles, &held_out, 2));
}

#[test]
fn answers_are_read_as_people_write_them() {
    let verify = |format, right: &str, given: &str| {
        let (ask, options, answer) = (String::new(), Vec::new(), right.into());
        super::Question {
            ask,
            format,
            options,
            answer,
        }
        .verify(given)
    };
    use Verdict::{Right, Unreadable, Wrong};
    for (format, right, given, verdict) in [
        (Format::Number, "12", " 12. ", Right),
        (Format::Number, "12", "13", Wrong),
        (Format::Number, "12", "twelve", Unreadable),
        (Format::Truth, "yes", "True", Right),
        (Format::Truth, "yes", "maybe", Unreadable),
        (Format::Text, "New Day", "new  day", Right),
        (Format::List, "a, b", "(A,B)", Right),
        (Format::List, "a, b", "b, a", Wrong),
        (Format::Set, "a, b", "{b; a}", Right),
        (Format::Options, "A, C", "c and a", Right),
        (Format::Options, "A, C", "CA", Right),
        (Format::Options, "A, C", "A", Wrong),
        (Format::Options, "none", "None.", Right),
        (Format::Options, "A", "", Unreadable),
    ] {
        assert_eq!(verify(format, right, given), verdict, "{given:?}");
    }
}

#[test]
fn draws_that_cannot_be_are_named() {
    let base = |variables: &str, conditions: &str| {
        format!(
            "name: a\nkind: b\nvariables:\n  n: {{ from: 3..3 }}\n{variables}symbols:\n  x: {{ from: 1..n }}\n{conditions}text: t\nquestions:\n  - {{ ask: q, answer: x }}\n"
        )
    };
    let error = |text: &str| {
        let spec = Spec::from_yaml(text).unwrap_or_else(|error| panic!("{error}"));
        match Generator::new(spec, 0).puzzle(0, &solver()) {
            Err(error) => error.to_string(),
            Ok(puzzle) => panic!("{puzzle:?}"),
        }
    };
    let few = error(&base("  p: { from: '[1, 2]', amount: n }\n", ""));
    assert!(few.contains("p: 3 different items of a list of 2"), "{few}");
    let empty = error(&base("  p: { from: 2..1 }\n", ""));
    assert!(
        empty.contains("p: the list to draw from is empty"),
        "{empty}"
    );
    let never = error(&base("  p: { from: 1..5, where: p > n + 2 }\n", ""));
    assert!(
        never.contains("gave up after 1000 draws: none fulfils p > n + 2"),
        "{never}"
    );
    let never = error(&base(
        "",
        "conditions:\n  - name: c\n    draw: { q: 1..5 }\n    where: q > 9\n    holds: x = q\n",
    ));
    assert!(
        never.starts_with("line 10, column 12: gave up after 1000 draws: none fulfils q > 9"),
        "{never}"
    );
    let zero = error(&base("  p: { formula: 1 div (n - 3) }\n", ""));
    assert!(
        zero.starts_with("line 5, column 17: division by 0"),
        "{zero}"
    );
    let zero = error(&base("", "conditions:\n  - holds: 6 div (x - 1) = 2\n"));
    assert!(zero.contains("division by zero or less"), "{zero}");
    let none = error(&base("", "conditions:\n  - holds: x > 5\n"));
    assert!(none.contains("2000 × no solution"), "{none}");
    let many = error(&base("", "max_solutions: 2\n"));
    assert!(many.contains("2000 × too many solutions"), "{many}");
    let ambiguous = error(&base("", "conditions:\n  - holds: x > 1\n"));
    assert!(ambiguous.contains("2000 × ambiguous answer"), "{ambiguous}");
    let domain = error(&base("", "").replace("from: 1..n }\nt", "from: 5..n }\nt"));
    assert!(domain.contains("x: the domain is empty"), "{domain}");
    let spec = Spec::from_yaml(&base("", "max_solutions: 2\n")).unwrap();
    let result = Generator::new(spec, 0).puzzles(0..3, &solver());
    assert!(matches!(result, Err(GenerateError::Rejected { .. })));
    assert_eq!(solver().name(), "embedded");
}
