//! Terms over unknowns: what a solver reads.

use std::fmt;

/// An operator of a [`Term`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    And,
    Or,
    Not,
    Xor,
    Implies,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Add,
    Subtract,
    Multiply,
    /// Quotient rounded down; the divisor is positive.
    Divide,
    /// What [`Op::Divide`] leaves over: 0 to divisor − 1.
    Modulo,
    Absolute,
    /// Condition, then, else.
    If,
    /// All arguments differ.
    Distinct,
    /// Number of true arguments.
    Count,
    Minimum,
    Maximum,
}

impl Op {
    /// Every operator with its name in a golden case and in messages.
    pub const NAMES: [(Op, &'static str); 22] = [
        (Op::And, "and"),
        (Op::Or, "or"),
        (Op::Not, "not"),
        (Op::Xor, "xor"),
        (Op::Implies, "implies"),
        (Op::Equal, "="),
        (Op::NotEqual, "!="),
        (Op::Less, "<"),
        (Op::AtMost, "<="),
        (Op::Greater, ">"),
        (Op::AtLeast, ">="),
        (Op::Add, "+"),
        (Op::Subtract, "-"),
        (Op::Multiply, "*"),
        (Op::Divide, "div"),
        (Op::Modulo, "mod"),
        (Op::Absolute, "abs"),
        (Op::If, "if"),
        (Op::Distinct, "distinct"),
        (Op::Count, "count"),
        (Op::Minimum, "min"),
        (Op::Maximum, "max"),
    ];

    /// The operator of a name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(_, known)| *known == name);
        found.map(|(op, _)| *op)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(op, _)| *op == self);
        found.map_or("", |(_, name)| name)
    }

    /// Fewest and most arguments.
    pub fn arity(self) -> (usize, usize) {
        match self {
            Op::Not | Op::Absolute => (1, 1),
            Op::If => (3, 3),
            Op::And | Op::Or | Op::Distinct | Op::Count | Op::Add | Op::Multiply => (0, usize::MAX),
            Op::Minimum | Op::Maximum => (1, usize::MAX),
            _ => (2, 2),
        }
    }

    /// Whether its value is true or false.
    pub fn is_boolean(self) -> bool {
        use Op::{
            And, AtLeast, AtMost, Distinct, Equal, Greater, Implies, Less, Not, NotEqual, Or, Xor,
        };
        matches!(
            self,
            And | Or
                | Not
                | Xor
                | Implies
                | Equal
                | NotEqual
                | Less
                | AtMost
                | Greater
                | AtLeast
                | Distinct
        )
    }
}

/// An expression over the unknowns of a [`Problem`](super::Problem); false is 0 and true is 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    Int(i64),
    Bool(bool),
    /// The unknown of that number.
    Unknown(usize),
    Apply(Op, Vec<Term>),
}

impl Term {
    /// An operator of two arguments.
    pub fn binary(op: Op, left: Term, right: Term) -> Self {
        Term::Apply(op, vec![left, right])
    }

    /// `not term`
    pub fn negated(self) -> Self {
        Term::Apply(Op::Not, vec![self])
    }

    /// Its value where every unknown has one, `None` if it overflows or divides by 0 or less.
    pub fn evaluate(&self, values: &[i64]) -> Option<i64> {
        Some(match self {
            Term::Int(value) => *value,
            Term::Bool(value) => i64::from(*value),
            Term::Unknown(index) => *values.get(*index)?,
            Term::Apply(Op::If, terms) => {
                let [condition, yes, no] = &terms[..] else {
                    return None;
                };
                let chosen = if condition.evaluate(values)? != 0 {
                    yes
                } else {
                    no
                };
                chosen.evaluate(values)?
            }
            Term::Apply(op, terms) => {
                let numbers = terms.iter().map(|term| term.evaluate(values));
                apply(*op, &numbers.collect::<Option<Vec<i64>>>()?)?
            }
        })
    }

    /// Number of operators on the longest way down, plus one.
    pub fn depth(&self) -> usize {
        match self {
            Term::Apply(_, terms) => 1 + terms.iter().map(Term::depth).max().unwrap_or(0),
            _ => 1,
        }
    }
}

/// The value of an operator on numbers, `None` if it overflows, divides by 0 or less, or has too few arguments.
pub fn apply(op: Op, x: &[i64]) -> Option<i64> {
    let (fewest, most) = op.arity();
    if x.len() < fewest || x.len() > most {
        return None;
    }
    let truth = i64::from;
    Some(match op {
        Op::And => truth(x.iter().all(|&v| v != 0)),
        Op::Or => truth(x.iter().any(|&v| v != 0)),
        Op::Not => truth(x[0] == 0),
        Op::Xor => truth((x[0] != 0) != (x[1] != 0)),
        Op::Implies => truth(x[0] == 0 || x[1] != 0),
        Op::Equal => truth(x[0] == x[1]),
        Op::NotEqual => truth(x[0] != x[1]),
        Op::Less => truth(x[0] < x[1]),
        Op::AtMost => truth(x[0] <= x[1]),
        Op::Greater => truth(x[0] > x[1]),
        Op::AtLeast => truth(x[0] >= x[1]),
        Op::Add => x.iter().try_fold(0i64, |sum, &v| sum.checked_add(v))?,
        Op::Subtract => x[0].checked_sub(x[1])?,
        Op::Multiply => x
            .iter()
            .try_fold(1i64, |product, &v| product.checked_mul(v))?,
        Op::Divide | Op::Modulo if x[1] <= 0 => return None,
        Op::Divide => x[0].div_euclid(x[1]),
        Op::Modulo => x[0].rem_euclid(x[1]),
        Op::Absolute => x[0].checked_abs()?,
        Op::If => x[if x[0] != 0 { 1 } else { 2 }],
        Op::Distinct => {
            let mut sorted = x.to_vec();
            sorted.sort_unstable();
            truth(sorted.windows(2).all(|pair| pair[0] != pair[1]))
        }
        Op::Count => x.iter().filter(|&&v| v != 0).count() as i64,
        Op::Minimum => *x.iter().min()?,
        Op::Maximum => *x.iter().max()?,
    })
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Int(value) => write!(f, "{value}"),
            Term::Bool(value) => write!(f, "{value}"),
            Term::Unknown(index) => write!(f, "#{index}"),
            Term::Apply(op, terms) => {
                write!(f, "({}", op.name())?;
                terms.iter().try_for_each(|term| write!(f, " {term}"))?;
                f.write_str(")")
            }
        }
    }
}
