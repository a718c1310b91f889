//! The embedded solver against trying everything.

use super::{Direction, Embedded, Exhaustive, SolveError, Solver, optimize, options, solve};
use crate::puzzles::{
    draw::Draw,
    problem::{Domain, Problem, ProblemError, Unknown},
    term::{Op, Term},
};
use proptest::prelude::*;

fn int(name: &str, min: i64, max: i64) -> Unknown {
    let name = name.into();
    Unknown {
        name,
        domain: Domain::Int { min, max },
    }
}

fn boolean(name: &str) -> Unknown {
    let name = name.into();
    Unknown {
        name,
        domain: Domain::Bool,
    }
}

fn op(op: Op, terms: impl IntoIterator<Item = Term>) -> Term {
    Term::Apply(op, terms.into_iter().collect())
}

/// Terms over two truth values (0, 1) and three numbers (2, 3, 4).
fn number(depth: u32) -> BoxedStrategy<Term> {
    let leaf = prop_oneof![
        (2usize..5).prop_map(Term::Unknown),
        (-6i64..9).prop_map(Term::Int)
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = || number(depth - 1);
    let many = |op| prop::collection::vec(inner(), 1..4).prop_map(move |x| Term::Apply(op, x));
    let two = |op| (inner(), inner()).prop_map(move |(a, b)| Term::binary(op, a, b));
    let divided = |op| (inner(), 1i64..6).prop_map(move |(a, b)| Term::binary(op, a, Term::Int(b)));
    prop_oneof![
        leaf,
        many(Op::Add),
        many(Op::Minimum),
        many(Op::Maximum),
        two(Op::Subtract),
        two(Op::Multiply),
        divided(Op::Divide),
        divided(Op::Modulo),
        inner().prop_map(|a| Term::Apply(Op::Absolute, vec![a])),
        prop::collection::vec(truth(depth - 1), 1..4).prop_map(|x| Term::Apply(Op::Count, x)),
        (truth(depth - 1), inner(), inner())
            .prop_map(|(c, a, b)| Term::Apply(Op::If, vec![c, a, b])),
    ]
    .boxed()
}

fn truth(depth: u32) -> BoxedStrategy<Term> {
    let leaf = prop_oneof![
        (0usize..2).prop_map(Term::Unknown),
        any::<bool>().prop_map(Term::Bool)
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let compare = prop_oneof![
        Just(Op::Equal),
        Just(Op::NotEqual),
        Just(Op::Less),
        Just(Op::AtMost),
        Just(Op::Greater),
        Just(Op::AtLeast)
    ];
    let logic = prop_oneof![Just(Op::Xor), Just(Op::Implies), Just(Op::Equal)];
    let inner = || truth(depth - 1);
    prop_oneof![
        leaf,
        (compare, number(depth - 1), number(depth - 1)).prop_map(|(o, a, b)| Term::binary(o, a, b)),
        (logic, inner(), inner()).prop_map(|(o, a, b)| Term::binary(o, a, b)),
        prop::collection::vec(inner(), 0..4).prop_map(|x| Term::Apply(Op::And, x)),
        prop::collection::vec(inner(), 0..4).prop_map(|x| Term::Apply(Op::Or, x)),
        prop::collection::vec(number(depth - 1), 1..4).prop_map(|x| Term::Apply(Op::Distinct, x)),
        inner().prop_map(Term::negated),
    ]
    .boxed()
}

fn problem() -> impl Strategy<Value = Problem> {
    let domains = (-4i64..3, 0i64..7, -2i64..3, 0i64..6, -70i64..70, 0i64..4);
    (domains, prop::collection::vec(truth(3), 1..4)).prop_map(
        |((a, b, c, d, e, f), constraints)| Problem {
            unknowns: vec![
                boolean("p"),
                boolean("q"),
                int("x", a, a + b),
                int("y", c, c + d),
                int("z", e, e + f),
            ],
            constraints,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_exactly_what_trying_everything_finds(problem in problem(), objective in number(2)) {
        let (fast, slow) = (Embedded::default(), Exhaustive::default());
        let found = fast.solutions(&problem, usize::MAX).unwrap();
        prop_assert_eq!(&found, &slow.solutions(&problem, usize::MAX).unwrap());
        for direction in [Direction::Minimize, Direction::Maximize] {
            let best = optimize(&problem, &fast, &objective, direction).unwrap();
            prop_assert_eq!(best, optimize(&problem, &slow, &objective, direction).unwrap());
        }
        let drawn = fast.any_solution(&problem, &mut Draw::new(b"offprint testing", 1, 2)).unwrap();
        prop_assert_eq!(drawn.is_some(), !found.assignments.is_empty());
        prop_assert!(drawn.is_none_or(|solution| found.assignments.contains(&solution)));
        // Capped, the forced values are exact all the same.
        let (all, capped) = (solve(&problem, &slow, usize::MAX).unwrap(), solve(&problem, &fast, 2).unwrap());
        prop_assert_eq!(all.forced, capped.forced);
        prop_assert_eq!(capped.count, all.count.min(2));
    }

    #[test]
    fn a_core_is_contradictory_and_minimal(problem in problem()) {
        let solver = Embedded::default();
        let part = |core: &[usize]| {
            let constraints = core.iter().map(|&i| problem.constraints[i].clone()).collect();
            let problem = Problem { unknowns: problem.unknowns.clone(), constraints };
            !Exhaustive::default().solutions(&problem, 1).unwrap().assignments.is_empty()
        };
        match solver.core(&problem).unwrap() {
            None => prop_assert!(part(&(0..problem.constraints.len()).collect::<Vec<_>>())),
            Some(core) => {
                prop_assert!(!part(&core));
                for left_out in &core {
                    let rest: Vec<usize> = core.iter().copied().filter(|i| i != left_out).collect();
                    prop_assert!(part(&rest));
                }
            }
        }
    }
}

#[cfg(feature = "z3")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn z3_answers_as_the_others(problem in problem(), objective in number(2)) {
        let (z3, slow) = (super::Z3, Exhaustive::default());
        prop_assert_eq!(z3.solutions(&problem, usize::MAX).unwrap(), slow.solutions(&problem, usize::MAX).unwrap());
        for direction in [Direction::Minimize, Direction::Maximize] {
            let best = z3.optimum(&problem, &objective, direction).unwrap();
            prop_assert_eq!(best, slow.optimum(&problem, &objective, direction).unwrap());
        }
        prop_assert_eq!(z3.core(&problem).unwrap().is_some(), slow.core(&problem).unwrap().is_some());
    }
}

#[test]
fn wide_domains_are_halved() {
    // x² + y² = 65,000 with x < y: eight ways, by trying every x in another program.
    let x = Term::Unknown(0);
    let y = Term::Unknown(1);
    let square = |x: &Term| Term::binary(Op::Multiply, x.clone(), x.clone());
    let problem = Problem {
        unknowns: vec![int("x", 0, 60_000), int("y", 0, 60_000)],
        constraints: vec![
            Term::binary(
                Op::Equal,
                op(Op::Add, [square(&x), square(&y)]),
                Term::Int(65_000),
            ),
            Term::binary(Op::Less, x, y),
        ],
    };
    let found = Embedded::default().solutions(&problem, 100).unwrap();
    let expected: Vec<Vec<i64>> = (0i64..256)
        .filter_map(|x| {
            let rest = 65_000 - x * x;
            let y = (rest.max(0) as u64).isqrt() as i64;
            (y * y == rest && x < y).then(|| vec![x, y])
        })
        .collect();
    assert!(expected.len() > 2);
    assert_eq!(found.assignments, expected);
}

#[test]
fn options_hold_in_some_or_all_solutions() {
    let problem = Problem {
        unknowns: vec![int("x", 1, 5)],
        constraints: vec![Term::binary(Op::Less, Term::Int(2), Term::Unknown(0))],
    };
    let is = |value| Term::binary(Op::Equal, Term::Unknown(0), Term::Int(value));
    let at_least_3 = Term::binary(Op::AtLeast, Term::Unknown(0), Term::Int(3));
    let wanted = [is(4), at_least_3, is(1)];
    let found = options(&problem, &Embedded::default(), &wanted).unwrap();
    assert_eq!(found, (vec![0, 1], vec![1]));
    // Without a solution no option holds.
    let none = problem.with(Term::Bool(false));
    assert_eq!(
        options(&none, &Embedded::default(), &wanted).unwrap(),
        (vec![], vec![])
    );
}

#[test]
fn giving_up_is_no_answer() {
    let unknowns = (0..12).map(|i| int(&format!("x{i}"), 1, 11)).collect();
    let all = op(Op::Distinct, (0..12).map(Term::Unknown));
    // Pigeons: propagation alone sees it.
    let problem = Problem {
        unknowns,
        constraints: vec![all],
    };
    assert!(
        Embedded::default()
            .solutions(&problem, 1)
            .unwrap()
            .assignments
            .is_empty()
    );
    let few = Embedded { splits: 3 };
    let free = Problem::new((0..9).map(|i| boolean(&format!("b{i}"))).collect());
    let error = few.solutions(&free, usize::MAX).unwrap_err();
    assert_eq!(error, SolveError::GaveUp { splits: 3 });
    assert_eq!(error.to_string(), "the solver gave up after 3 steps");
}

#[test]
fn bad_problems_are_named() {
    let wrong = |unknowns: Vec<Unknown>, term: Term| {
        let problem = Problem {
            unknowns,
            constraints: vec![term],
        };
        let error = Embedded::default().solutions(&problem, 1).unwrap_err();
        assert_eq!(
            error,
            Exhaustive::default().solutions(&problem, 1).unwrap_err()
        );
        error.to_string()
    };
    let x = || Term::Unknown(0);
    let of = |o, a, b| Term::binary(o, a, b);
    assert_eq!(
        wrong(vec![int("x", 2, 1)], Term::Bool(true)),
        "the domain of x is 2 to 1, which is empty"
    );
    assert!(wrong(vec![int("x", 0, 1 << 20)], Term::Bool(true)).contains("at most 65536 values"));
    assert_eq!(
        wrong(
            vec![int("x", 0, 5)],
            of(Op::Equal, of(Op::Divide, Term::Int(6), x()), Term::Int(2))
        ),
        "division by zero or less: the divisor #0 may be 0"
    );
    assert_eq!(
        wrong(vec![int("x", 0, 5)], x()),
        "#0, but a constraint must be true or false"
    );
    assert_eq!(
        wrong(vec![], op(Op::Not, [])),
        "not takes 1 arguments, but was given 0"
    );
    assert_eq!(
        wrong(vec![], of(Op::And, Term::Unknown(3), Term::Bool(true))),
        "and takes truth values, but was given #3"
    );
    assert_eq!(
        wrong(vec![int("x", 0, 5)], of(Op::Equal, x(), Term::Bool(true))),
        "= takes two truth values or two numbers, but was given true"
    );
    let power = (0..8).fold(x(), |power, _| of(Op::Multiply, power, Term::Int(1000)));
    assert!(
        wrong(vec![int("x", 0, 5)], of(Op::Equal, power, Term::Int(0)))
            .contains("may be as large as")
    );
    let deep = (0..1000).fold(Term::Bool(true), |term, _| term.negated());
    assert_eq!(wrong(vec![], deep), ProblemError::Deep.to_string());
}
