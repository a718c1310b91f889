//! Z3 behind the same trait (Cargo feature `z3`).

use super::{Direction, Solutions, SolveError, Solver};
use crate::puzzles::{
    problem::{Domain, Problem},
    term::{Op, Term},
};
use z3::{
    SatResult,
    ast::{Ast as _, Bool, Int},
};

/// The Z3 SMT solver (de Moura and Bjørner 2008).
///
/// The feature `z3` of this crate needs libz3 with its headers when it is built (Debian's `libz3-dev`; elsewhere
/// `Z3_SYS_Z3_HEADER` and the linker's search path say where they are) and libclang for the bindings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Z3;

/// An expression of Z3.
#[derive(Clone, Debug)]
enum Expression {
    Bool(Bool),
    Int(Int),
}

impl Expression {
    fn truth(&self) -> Bool {
        match self {
            Expression::Bool(value) => value.clone(),
            Expression::Int(value) => value.ne(Int::from_i64(0)),
        }
    }

    fn number(&self) -> Int {
        match self {
            Expression::Int(value) => value.clone(),
            Expression::Bool(value) => value.ite(&Int::from_i64(1), &Int::from_i64(0)),
        }
    }

    fn equals(&self, other: &Expression) -> Bool {
        match (self, other) {
            (Expression::Bool(a), Expression::Bool(b)) => a.iff(b),
            (a, b) => a.number().eq(b.number()),
        }
    }
}

/// Unknowns as constants of Z3, and the bounds of their domains.
fn unknowns(problem: &Problem) -> (Vec<Expression>, Vec<Bool>) {
    let mut bounds = Vec::new();
    let constants = problem.unknowns.iter().enumerate().map(|(place, unknown)| {
        let name = format!("u{place}");
        match unknown.domain {
            Domain::Bool => Expression::Bool(Bool::new_const(name)),
            Domain::Int { min, max } => {
                let constant = Int::new_const(name);
                bounds.push(constant.ge(Int::from_i64(min)));
                bounds.push(constant.le(Int::from_i64(max)));
                Expression::Int(constant)
            }
        }
    });
    (constants.collect(), bounds)
}

fn expression(term: &Term, unknowns: &[Expression]) -> Expression {
    let (op, terms) = match term {
        Term::Int(value) => return Expression::Int(Int::from_i64(*value)),
        Term::Bool(value) => return Expression::Bool(Bool::from_bool(*value)),
        Term::Unknown(index) => return unknowns[*index].clone(),
        Term::Apply(op, terms) => (*op, terms),
    };
    let x: Vec<Expression> = terms
        .iter()
        .map(|term| expression(term, unknowns))
        .collect();
    let truths = || x.iter().map(Expression::truth).collect::<Vec<Bool>>();
    let numbers = || x.iter().map(Expression::number).collect::<Vec<Int>>();
    let compare = |f: fn(&Int, Int) -> Bool| Expression::Bool(f(&x[0].number(), x[1].number()));
    let choose = |least: bool| {
        let choose = |a: Int, b: Int| {
            let first = if least {
                a.le(b.clone())
            } else {
                a.ge(b.clone())
            };
            first.ite(&a, &b)
        };
        Expression::Int(
            numbers()
                .into_iter()
                .reduce(choose)
                .expect("at least one argument"),
        )
    };
    match op {
        Op::And => Expression::Bool(Bool::and(&truths())),
        Op::Or => Expression::Bool(Bool::or(&truths())),
        Op::Not => Expression::Bool(x[0].truth().not()),
        Op::Xor => Expression::Bool(x[0].truth().xor(x[1].truth())),
        Op::Implies => Expression::Bool(x[0].truth().implies(x[1].truth())),
        Op::Equal => Expression::Bool(x[0].equals(&x[1])),
        Op::NotEqual => Expression::Bool(x[0].equals(&x[1]).not()),
        Op::Less => compare(|a, b| a.lt(b)),
        Op::AtMost => compare(|a, b| a.le(b)),
        Op::Greater => compare(|a, b| a.gt(b)),
        Op::AtLeast => compare(|a, b| a.ge(b)),
        Op::Add | Op::Count if x.is_empty() => Expression::Int(Int::from_i64(0)),
        Op::Add | Op::Count => Expression::Int(Int::add(&numbers())),
        Op::Subtract => Expression::Int(Int::sub(&numbers())),
        Op::Multiply if x.is_empty() => Expression::Int(Int::from_i64(1)),
        Op::Multiply => Expression::Int(Int::mul(&numbers())),
        // Rounded down for positive divisors, and there are no others.
        Op::Divide => Expression::Int(x[0].number().div(x[1].number())),
        Op::Modulo => Expression::Int(x[0].number().modulo(x[1].number())),
        Op::Absolute => {
            let number = x[0].number();
            let negative = number.lt(Int::from_i64(0));
            Expression::Int(negative.ite(&number.unary_minus(), &number))
        }
        Op::If => match (&x[1], &x[2]) {
            (Expression::Bool(a), Expression::Bool(b)) => Expression::Bool(x[0].truth().ite(a, b)),
            (a, b) => Expression::Int(x[0].truth().ite(&a.number(), &b.number())),
        },
        Op::Distinct if x.len() < 2 => Expression::Bool(Bool::from_bool(true)),
        Op::Distinct => Expression::Bool(Int::distinct(&numbers())),
        Op::Minimum => choose(true),
        Op::Maximum => choose(false),
    }
}

/// The unknowns as constants, and a solver that holds their bounds and the constraints.
fn posed(problem: &Problem) -> (Vec<Expression>, z3::Solver) {
    let (constants, bounds) = unknowns(problem);
    let solver = z3::Solver::new();
    bounds.iter().for_each(|bound| solver.assert(bound));
    for constraint in &problem.constraints {
        solver.assert(expression(constraint, &constants).truth());
    }
    (constants, solver)
}

/// A number in a model. An unknown that may have any value has one all the same.
fn value(model: &z3::Model, number: &Int) -> Result<i64, SolveError> {
    let value = model.eval(number, true).and_then(|value| value.as_i64());
    value.ok_or_else(|| unknown(None))
}

fn unknown(reason: Option<String>) -> SolveError {
    let reason = reason.unwrap_or_else(|| "no reason given".into());
    SolveError::Unknown {
        solver: "z3",
        reason,
    }
}

impl Solver for Z3 {
    fn name(&self) -> &'static str {
        "z3"
    }

    fn solutions(&self, problem: &Problem, most: usize) -> Result<Solutions, SolveError> {
        problem.validate()?;
        let (constants, solver) = posed(problem);
        let mut found = Solutions::default();
        loop {
            match solver.check() {
                SatResult::Unsat => {
                    found.complete = true;
                    break;
                }
                SatResult::Unknown => return Err(unknown(solver.get_reason_unknown())),
                SatResult::Sat if found.assignments.len() == most => break,
                SatResult::Sat => {}
            }
            let model = solver.get_model().ok_or_else(|| unknown(None))?;
            let mut values = Vec::new();
            let mut differs = Vec::new();
            for constant in &constants {
                let value = value(&model, &constant.number())?;
                differs.push(constant.number().ne(Int::from_i64(value)));
                values.push(value);
            }
            found.assignments.push(values);
            solver.assert(Bool::or(&differs));
        }
        found.assignments.sort_unstable();
        Ok(found)
    }

    fn optimum(
        &self,
        problem: &Problem,
        objective: &Term,
        direction: Direction,
    ) -> Result<Option<i64>, SolveError> {
        problem.validate()?;
        problem.bounds(objective)?;
        let (constants, solver) = posed(problem);
        let objective = expression(objective, &constants).number();
        // Z3's own optimizer takes 9 for the largest x² - (x mod 1) over -4 ≤ x ≤ -3, so the solver is asked for something
        // better until there is none.
        let mut best = None;
        loop {
            match solver.check() {
                SatResult::Unsat => return Ok(best),
                SatResult::Unknown => return Err(unknown(solver.get_reason_unknown())),
                SatResult::Sat => {}
            }
            let model = solver.get_model().ok_or_else(|| unknown(None))?;
            let value = value(&model, &objective)?;
            best = Some(value);
            solver.assert(match direction {
                Direction::Minimize => objective.lt(Int::from_i64(value)),
                Direction::Maximize => objective.gt(Int::from_i64(value)),
            });
        }
    }

    /// Z3's own core, made minimal by taking constraints away.
    fn core(&self, problem: &Problem) -> Result<Option<Vec<usize>>, SolveError> {
        problem.validate()?;
        let (constants, bounds) = unknowns(problem);
        let solver = z3::Solver::new();
        bounds.iter().for_each(|bound| solver.assert(bound));
        let marks: Vec<Bool> = (0..problem.constraints.len())
            .map(|place| Bool::new_const(format!("c{place}")))
            .collect();
        for (constraint, mark) in problem.constraints.iter().zip(&marks) {
            solver.assert(mark.implies(expression(constraint, &constants).truth()));
        }
        let contradictory = |core: &[usize]| {
            let assumed: Vec<Bool> = core.iter().map(|&place| marks[place].clone()).collect();
            match solver.check_assumptions(&assumed) {
                SatResult::Unsat => {
                    let names: Vec<String> = solver
                        .get_unsat_core()
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    let inside = |place: &usize| names.contains(&format!("c{place}"));
                    Ok(Some(
                        core.iter().copied().filter(inside).collect::<Vec<usize>>(),
                    ))
                }
                SatResult::Sat => Ok(None),
                SatResult::Unknown => Err(unknown(solver.get_reason_unknown())),
            }
        };
        let all: Vec<usize> = (0..problem.constraints.len()).collect();
        let Some(mut core) = contradictory(&all)? else {
            return Ok(None);
        };
        let mut place = 0;
        while place < core.len() {
            let mut rest = core.clone();
            rest.remove(place);
            match contradictory(&rest)? {
                // What is before the place is needed by all that follows.
                Some(smaller) => core = smaller,
                None => place += 1,
            }
        }
        Ok(Some(core))
    }
}
