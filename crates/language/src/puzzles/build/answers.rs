//! Solutions, questions and their answers.

use super::{Build, Built, Choices, DRAWS, Rejection, misfit};
use crate::puzzles::{
    configuration::Drawn,
    formula::{Formula, Table, Unsolved, UnsolvedKind, Value},
    puzzle::{Format, Question, option_letters},
    spec::{Clue, QuestionKind, Sourced},
    term::{Op, Term},
};
use std::{collections::HashSet, sync::Arc};

/// Options that a question wants.
pub(super) struct Options<'a> {
    amount: usize,
    all: bool,
    wrong: bool,
    either: &'a [Clue],
}

impl Build<'_> {
    pub(super) fn solve(&mut self) -> Built<()> {
        let spec = self.spec;
        let mut problem = self.problem.clone();
        if let Some((direction, formula)) = &spec.optimize {
            let objective = self.objective(formula)?;
            let best = self.solver.optimum(&problem, &objective, *direction)?;
            let best = best.ok_or(Rejection::NoSolution)?;
            self.optimum = Some(best);
            self.scope.add("optimum", Value::Int(best));
            problem
                .constraints
                .push(Term::binary(Op::Equal, objective, Term::Int(best)));
        }
        let found = self.solver.solutions(&problem, spec.max_solutions)?;
        if !found.complete {
            return Err(Rejection::TooManySolutions.into());
        }
        if found.assignments.is_empty() {
            return Err(Rejection::NoSolution.into());
        }
        self.solutions = found.assignments;
        let (count, texts) = (self.solutions.len() as i64, self.texts.clone());
        self.scope.add("texts", Value::list(texts));
        self.scope.add("solutions", Value::Int(count));
        Ok(())
    }

    /// The term of the objective.
    pub(crate) fn objective(&mut self, formula: &Sourced<Formula>) -> Built<Term> {
        match self.value(formula)? {
            Value::Int(value) => Ok(Term::Int(value)),
            Value::Unsolved(Unsolved {
                term,
                kind: UnsolvedKind::Int,
            }) => Ok(term),
            other => Err(self.wrong(
                formula,
                format!("{}, but a number is expected", other.kind()),
            )),
        }
    }

    /// A formula's value in a solution.
    pub(crate) fn in_solution(
        &mut self,
        formula: &Sourced<Formula>,
        solution: &[i64],
    ) -> Built<Value> {
        let spec = self.spec;
        let before = self.scope.len();
        for symbol in &spec.symbols {
            let (keys, values) = self.known(&symbol.name, solution);
            self.bind(symbol, &symbol.name, keys, values);
        }
        for statement in &spec.statements {
            if let Some(Value::Table(table)) = self.scope.get(&statement.name).cloned() {
                let known = table.values.iter().map(|value| match value {
                    Value::Unsolved(unsolved) => {
                        unsolved.term.evaluate(solution).map(|n| unsolved.known(n))
                    }
                    known => Some(known.clone()),
                });
                if let Some(values) = known.collect() {
                    let table = Table::new(table.keys.clone(), values);
                    self.scope
                        .add(statement.name.as_str(), Value::Table(Arc::new(table)));
                }
            }
        }
        let value = self.value(formula);
        self.scope.truncate(before);
        value
    }

    /// A formula's value while the unknowns are unsolved, where it has one.
    pub(crate) fn unsolved(&mut self, formula: &Sourced<Formula>) -> Option<Value> {
        self.scope.evaluate(&formula.parsed.expression).ok()
    }

    /// The story and the questions.
    pub(crate) fn questions(&mut self, mut choices: Choices) -> Built<(String, Vec<Question>)> {
        let spec = self.spec;
        let text = self.render(&spec.text)?;
        let mut questions = Vec::new();
        for (number, question) in spec.questions.iter().enumerate() {
            let ask = self.render(&question.ask)?;
            self.configuration.options.push(Vec::new());
            questions.push(match &question.kind {
                QuestionKind::Free { answer, unordered } => self.free(ask, answer, *unordered)?,
                QuestionKind::Options {
                    amount,
                    all,
                    wrong,
                    either,
                } => {
                    let amount = self.count(amount, 26)?;
                    let options = Options {
                        amount,
                        all: *all,
                        wrong: *wrong,
                        either,
                    };
                    self.choice(ask, &options, number, &mut choices)?
                }
            });
        }
        Ok((text, questions))
    }

    pub(super) fn free(
        &mut self,
        ask: String,
        answer: &Sourced<Formula>,
        unordered: bool,
    ) -> Built<Question> {
        let mut same: Option<Value> = None;
        for number in 0..self.solutions.len() {
            let solution = self.solutions[number].clone();
            let mut value = self.in_solution(answer, &solution)?;
            if unordered && let Value::List(items) = &value {
                let mut items = items.to_vec();
                items.sort_by_key(ToString::to_string);
                value = Value::list(items);
            }
            match &same {
                Some(before) if *before != value => return Err(Rejection::Ambiguous.into()),
                _ => same = Some(value),
            }
        }
        let value = same.expect("there is a solution");
        let shown = value.show();
        let shown = shown.ok_or_else(|| {
            self.wrong(
                answer,
                format!("{}, but an answer is a value", value.kind()),
            )
        })?;
        let format = match (&value, unordered) {
            (Value::Int(_), _) => Format::Number,
            (Value::Bool(_), _) => Format::Truth,
            (Value::List(_), true) => Format::Set,
            (Value::List(_), false) => Format::List,
            _ => Format::Text,
        };
        Ok(Question {
            ask,
            format,
            options: Vec::new(),
            answer: shown,
        })
    }

    pub(super) fn choice(
        &mut self,
        ask: String,
        wanted: &Options,
        number: usize,
        choices: &mut Choices,
    ) -> Built<Question> {
        let mut options: Vec<(Drawn, String, bool)> = Vec::new();
        match choices {
            Choices::Recorded(recorded) | Choices::Redrawn(recorded, ..) => {
                let drawn = recorded.options.get(number).cloned().unwrap_or_default();
                if drawn.len() != wanted.amount {
                    return Err(misfit("the number of options"));
                }
                for drawn in drawn {
                    let option = self.option(wanted, Some(drawn), choices)?;
                    options.push(option);
                }
            }
            Choices::Drawn(_) => {
                let mut seen = HashSet::new();
                for _ in 0..DRAWS {
                    if options.len() == wanted.amount {
                        break;
                    }
                    let option = self.option(wanted, None, choices)?;
                    // The last one must leave both kinds.
                    let last = options.len() + 1 == wanted.amount;
                    let both = options.iter().any(|(_, _, right)| *right != option.2);
                    if (last && !both) || !seen.insert(option.1.clone()) {
                        continue;
                    }
                    options.push(option);
                }
                if options.len() < wanted.amount {
                    return Err(Rejection::Options.into());
                }
            }
        }
        let right = options
            .iter()
            .enumerate()
            .filter(|(_, option)| option.2 != wanted.wrong);
        let answer = option_letters(right.map(|(place, _)| place));
        let (drawn, options) = options
            .into_iter()
            .map(|(drawn, text, _)| (drawn, text))
            .unzip();
        *self
            .configuration
            .options
            .last_mut()
            .expect("pushed before") = drawn;
        Ok(Question {
            ask,
            format: Format::Options,
            options,
            answer,
        })
    }

    /// An option: what was drawn, its text and whether it holds.
    pub(super) fn option(
        &mut self,
        wanted: &Options,
        recorded: Option<Drawn>,
        choices: &mut Choices,
    ) -> Built<(Drawn, String, bool)> {
        let (drawn, value, text) = self.clue(wanted.either, recorded, choices)?;
        let mut in_each = self.solutions.iter().map(|solution| match &value {
            Value::Bool(value) => *value,
            Value::Unsolved(unsolved) => unsolved.term.evaluate(solution) == Some(1),
            _ => false,
        });
        let right = match wanted.all {
            true => in_each.all(|holds| holds),
            false => in_each.any(|holds| holds),
        };
        Ok((drawn, text.unwrap_or_default(), right))
    }
}
