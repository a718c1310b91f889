//! Unknowns with their domains and the constraints between them.

use super::term::{Op, Term};

/// Most values of one unknown.
pub const MOST_VALUES: i64 = 1 << 16;
/// Largest absolute value of any term: sums and products of such numbers are checked against it.
pub const LARGEST: i64 = 1 << 40;
/// Most operators in one another.
pub const DEEPEST: usize = 400;

/// The values that an unknown may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// True or false.
    Bool,
    /// Every whole number from the first to the second.
    Int { min: i64, max: i64 },
}

impl Domain {
    /// Its smallest and largest value.
    pub fn bounds(self) -> (i64, i64) {
        match self {
            Domain::Bool => (0, 1),
            Domain::Int { min, max } => (min, max),
        }
    }
}

/// An unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    pub name: String,
    pub domain: Domain,
}

/// What a solver solves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    pub unknowns: Vec<Unknown>,
    /// All of them hold in a solution.
    pub constraints: Vec<Term>,
}

/// Why a problem cannot be given to a solver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    #[error("the domain of {name} is {min} to {max}, which is empty")]
    Empty { name: String, min: i64, max: i64 },
    #[error(
        "{name} may be {min} to {max}, but an unknown has at most {MOST_VALUES} values of absolute value at most {LARGEST}"
    )]
    Domain { name: String, min: i64, max: i64 },
    #[error("a term names unknown {index}, but there are {count}")]
    Unknown { index: usize, count: usize },
    #[error("{op} takes {allowed} arguments, but was given {given}")]
    Arity {
        op: &'static str,
        allowed: String,
        given: usize,
    },
    #[error("{op} takes {expected}, but was given {term}")]
    Type {
        op: &'static str,
        expected: &'static str,
        term: String,
    },
    #[error("{term} may be as large as {largest}, but at most {LARGEST} is allowed")]
    Overflow { term: String, largest: i64 },
    #[error("division by zero or less: the divisor {term} may be {least}")]
    Divisor { term: String, least: i64 },
    #[error("terms are nested more than {DEEPEST} deep")]
    Deep,
    #[error("{0}, but a constraint must be true or false")]
    Constraint(String),
}

impl Problem {
    /// A problem without constraints.
    pub fn new(unknowns: Vec<Unknown>) -> Self {
        Self {
            unknowns,
            constraints: Vec::new(),
        }
    }

    /// The same problem with one more constraint.
    pub fn with(&self, constraint: Term) -> Self {
        let mut problem = self.clone();
        problem.constraints.push(constraint);
        problem
    }

    /// Checks domains, types, arities, divisors and sizes.
    ///
    /// # Errors
    /// Which term is wrong, and what is allowed.
    pub fn validate(&self) -> Result<(), ProblemError> {
        for Unknown { name, domain } in &self.unknowns {
            let ((min, max), name) = (domain.bounds(), || name.clone());
            if min > max {
                return Err(ProblemError::Empty {
                    name: name(),
                    min,
                    max,
                });
            }
            let wide = max
                .checked_sub(min)
                .is_none_or(|width| width >= MOST_VALUES);
            if wide || min < -LARGEST || max > LARGEST {
                return Err(ProblemError::Domain {
                    name: name(),
                    min,
                    max,
                });
            }
        }
        for constraint in &self.constraints {
            if !self.is_boolean(constraint) {
                return Err(ProblemError::Constraint(constraint.to_string()));
            }
            self.check(constraint, 0)?;
        }
        Ok(())
    }

    /// Checks one term and returns its smallest and largest possible value.
    ///
    /// # Errors
    /// As [`Problem::validate`].
    pub fn bounds(&self, term: &Term) -> Result<(i64, i64), ProblemError> {
        self.check(term, 0)
    }

    /// Whether a term's value is true or false.
    pub fn is_boolean(&self, term: &Term) -> bool {
        match term {
            Term::Int(_) => false,
            Term::Bool(_) => true,
            Term::Unknown(index) => {
                let unknown = self.unknowns.get(*index);
                unknown.is_some_and(|unknown| unknown.domain == Domain::Bool)
            }
            Term::Apply(Op::If, terms) => terms.get(1).is_some_and(|term| self.is_boolean(term)),
            Term::Apply(op, _) => op.is_boolean(),
        }
    }

    fn check(&self, term: &Term, depth: usize) -> Result<(i64, i64), ProblemError> {
        let (op, terms) = match term {
            _ if depth > DEEPEST => return Err(ProblemError::Deep),
            Term::Int(value) => return self.sized(term, *value, *value),
            Term::Bool(value) => return Ok((i64::from(*value), i64::from(*value))),
            Term::Unknown(index) => {
                let unknown = self.unknowns.get(*index);
                let count = self.unknowns.len();
                let unknown = unknown.ok_or(ProblemError::Unknown {
                    index: *index,
                    count,
                })?;
                return Ok(unknown.domain.bounds());
            }
            Term::Apply(op, terms) => (*op, terms),
        };
        let (fewest, most) = op.arity();
        if terms.len() < fewest || terms.len() > most {
            let allowed = if most == usize::MAX {
                format!("at least {fewest}")
            } else {
                fewest.to_string()
            };
            let (op, given) = (op.name(), terms.len());
            return Err(ProblemError::Arity { op, allowed, given });
        }
        self.check_types(op, terms)?;
        let bounds: Vec<(i64, i64)> = terms
            .iter()
            .map(|term| self.check(term, depth + 1))
            .collect::<Result<_, _>>()?;
        let (low, high) = interval(op, &bounds, || terms[1].to_string())?;
        self.sized(term, low, high)
    }

    fn sized(&self, term: &Term, low: i64, high: i64) -> Result<(i64, i64), ProblemError> {
        let largest = low.saturating_abs().max(high.saturating_abs());
        if largest > LARGEST {
            let term = term.to_string();
            return Err(ProblemError::Overflow { term, largest });
        }
        Ok((low, high))
    }

    fn check_types(&self, op: Op, terms: &[Term]) -> Result<(), ProblemError> {
        let wrong = |expected, term: &Term| {
            let (op, term) = (op.name(), term.to_string());
            Err(ProblemError::Type { op, expected, term })
        };
        let all = |boolean: bool, terms: &[Term], expected| match terms
            .iter()
            .find(|term| self.is_boolean(term) != boolean)
        {
            Some(term) => wrong(expected, term),
            None => Ok(()),
        };
        match op {
            Op::And | Op::Or | Op::Not | Op::Xor | Op::Implies | Op::Count => {
                all(true, terms, "truth values")
            }
            Op::Equal | Op::NotEqual => {
                let first = self.is_boolean(&terms[0]);
                all(first, terms, "two truth values or two numbers")
            }
            Op::If => {
                all(true, &terms[..1], "a truth value as its condition")?;
                let first = self.is_boolean(&terms[1]);
                all(first, &terms[1..], "two truth values or two numbers")
            }
            _ => all(false, terms, "numbers"),
        }
    }
}

/// Smallest and largest value of an operator whose arguments are in these intervals.
fn interval(
    op: Op,
    x: &[(i64, i64)],
    divisor: impl Fn() -> String,
) -> Result<(i64, i64), ProblemError> {
    let fold = |start: i64, side: fn(&(i64, i64)) -> i64, join: fn(i64, i64) -> i64| {
        x.iter().map(side).fold(start, join)
    };
    Ok(match op {
        Op::Add => (
            fold(0, |v| v.0, i64::saturating_add),
            fold(0, |v| v.1, i64::saturating_add),
        ),
        Op::Subtract => (x[0].0.saturating_sub(x[1].1), x[0].1.saturating_sub(x[1].0)),
        Op::Multiply => x.iter().fold((1, 1), |a, b| product(a, *b)),
        Op::Divide | Op::Modulo if x[1].0 <= 0 => {
            let (term, least) = (divisor(), x[1].0);
            return Err(ProblemError::Divisor { term, least });
        }
        Op::Divide => quotient(x[0], x[1]),
        Op::Modulo => (0, x[1].1 - 1),
        Op::Absolute => absolute(x[0]),
        Op::If => (x[1].0.min(x[2].0), x[1].1.max(x[2].1)),
        Op::Count => (0, x.len() as i64),
        Op::Minimum => (
            fold(i64::MAX, |v| v.0, i64::min),
            fold(i64::MAX, |v| v.1, i64::min),
        ),
        Op::Maximum => (
            fold(i64::MIN, |v| v.0, i64::max),
            fold(i64::MIN, |v| v.1, i64::max),
        ),
        _ => (0, 1),
    })
}

/// Interval of a product.
pub(super) fn product(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    let corners = [
        a.0.saturating_mul(b.0),
        a.0.saturating_mul(b.1),
        a.1.saturating_mul(b.0),
        a.1.saturating_mul(b.1),
    ];
    let [first, rest @ ..] = corners;
    rest.into_iter()
        .fold((first, first), |(low, high), v| (low.min(v), high.max(v)))
}

/// Interval of a quotient rounded down by a positive divisor.
pub(super) fn quotient(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    let low = if a.0 >= 0 { b.1 } else { b.0 };
    let high = if a.1 >= 0 { b.0 } else { b.1 };
    (a.0.div_euclid(low), a.1.div_euclid(high))
}

/// Interval of an absolute value.
pub(super) fn absolute((low, high): (i64, i64)) -> (i64, i64) {
    let largest = low.saturating_abs().max(high.saturating_abs());
    if low <= 0 && high >= 0 {
        (0, largest)
    } else {
        (low.saturating_abs().min(high.saturating_abs()), largest)
    }
}
