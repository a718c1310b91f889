//! Statements, conditions and clues.

use super::{Build, Built, Choices, DRAWS, Failure, Rejection, misfit};
use crate::puzzles::{
    configuration::Drawn,
    formula::{Formula, Table, Unsolved, UnsolvedKind, Value},
    spec::{Clue, Condition, Sourced, Statement},
    term::Term,
};
use std::{collections::HashSet, sync::Arc};

/// Most clues of one condition.
const CLUES: usize = 500;

impl Build<'_> {
    /// Binds the keys of a statement of a number.
    pub(crate) fn bind_statement(&mut self, statement: &Statement, number: usize) -> Built<()> {
        let mut rest = number;
        for (name, source) in statement.keys.iter().rev() {
            let list = self.list(source)?;
            if list.is_empty() {
                return Err(misfit("a statement"));
            }
            self.scope
                .add(name.as_str(), list[rest % list.len()].clone());
            rest /= list.len();
        }
        Ok(())
    }

    /// Number of names that are bound.
    pub(crate) fn names(&self) -> usize {
        self.scope.len()
    }

    /// Forgets the names bound after there were so many.
    pub(crate) fn forget(&mut self, names: usize) {
        self.scope.truncate(names);
    }

    /// Binds a part.
    pub(crate) fn bind_part(&mut self, name: &str, value: Value) {
        self.scope.add(name, value);
    }

    pub(super) fn statements(&mut self, choices: &mut Choices, count: usize) -> Built<()> {
        let spec = self.spec;
        for statement in spec.statements.iter().take(count) {
            let keys = self.combinations(&statement.keys)?;
            let before = self.scope.len();
            let (mut values, mut texts, mut all) = (Vec::new(), Vec::new(), Vec::new());
            for (number, key) in keys.iter().enumerate() {
                for ((name, _), item) in statement.keys.iter().zip(key) {
                    self.scope.add(name.as_str(), item.clone());
                }
                let recorded = match choices {
                    Choices::Recorded(recorded) | Choices::Redrawn(recorded, ..) => {
                        let drawn = recorded.statements.get(&statement.name);
                        Some(
                            drawn
                                .and_then(|drawn| drawn.get(number))
                                .cloned()
                                .unwrap_or_default(),
                        )
                    }
                    Choices::Drawn(_) => None,
                };
                let (drawn, value, text) = self.clue(&statement.either, recorded, choices)?;
                self.scope.truncate(before);
                all.push(drawn);
                values.push(value);
                texts.push(Value::text(text.unwrap_or_default()));
            }
            self.configuration
                .statements
                .insert(statement.name.clone(), all);
            let texts = Table::new(keys.clone(), texts);
            let values = Table::new(keys, values);
            self.scope
                .add(statement.name.as_str(), Value::Table(Arc::new(values)));
            self.scope.add(
                format!("{}.text", statement.name),
                Value::Table(Arc::new(texts)),
            );
        }
        Ok(())
    }

    /// A clue: what was drawn, what holds, and its text.
    pub(super) fn clue(
        &mut self,
        either: &[Clue],
        recorded: Option<Drawn>,
        choices: &mut Choices,
    ) -> Built<(Drawn, Value, Option<String>)> {
        let before = self.scope.len();
        if let Some(drawn) = recorded {
            let clue = either.get(drawn.template);
            let clue = clue.ok_or_else(|| misfit("a template"))?;
            for (number, part) in clue.parts.iter().enumerate() {
                let recorded = drawn.parts.get(number).map(Vec::as_slice);
                let (_, value) = self.part(part, None, recorded)?;
                self.scope.add(part.name.as_str(), value);
            }
            if !self.holds(clue.filter.as_ref())? {
                return Err(misfit("where"));
            }
            return self.finish(clue, drawn, before);
        }
        for _ in 0..DRAWS {
            let Choices::Drawn(draw) = choices else { break };
            let template = if either.len() > 1 {
                draw.below(either.len())
            } else {
                0
            };
            let clue = &either[template];
            let mut drawn = Drawn {
                template,
                parts: Vec::new(),
            };
            for part in &clue.parts {
                let (places, value) = self.part(part, Some(draw), None)?;
                self.scope.add(part.name.as_str(), value);
                drawn.parts.push(places);
            }
            if self.holds(clue.filter.as_ref())? {
                return self.finish(clue, drawn, before);
            }
            self.scope.truncate(before);
        }
        Err(self.no_draw(either.iter().find_map(|clue| clue.filter.as_ref())))
    }

    /// That a formula was false in all draws.
    pub(super) fn no_draw(&self, formula: Option<&Sourced<Formula>>) -> Failure {
        let Some(formula) = formula else {
            return Rejection::NoDraw.into();
        };
        let message = format!("gave up after {DRAWS} draws: none fulfils {}", formula.text);
        match self.wrong(formula, message) {
            Failure::Spec(error) => Failure::NoDraw(error),
            other => other,
        }
    }

    pub(super) fn finish(
        &mut self,
        clue: &Clue,
        drawn: Drawn,
        before: usize,
    ) -> Built<(Drawn, Value, Option<String>)> {
        let value = self.value(&clue.holds)?;
        let text = clue
            .text
            .as_ref()
            .map(|text| self.render(text))
            .transpose()?;
        self.scope.truncate(before);
        Ok((drawn, value, text))
    }

    /// Adds a constraint and what it says.
    pub(super) fn constrain(
        &mut self,
        value: &Value,
        label: String,
        formula: &Sourced<Formula>,
    ) -> Built<()> {
        let term = match value {
            Value::Bool(value) => Term::Bool(*value),
            Value::Unsolved(Unsolved {
                term,
                kind: UnsolvedKind::Bool,
            }) => term.clone(),
            other => {
                return Err(self.wrong(
                    formula,
                    format!("{}, but a truth value is expected", other.kind()),
                ));
            }
        };
        self.problem.constraints.push(term);
        self.labels.push(label);
        Ok(())
    }

    pub(super) fn condition(
        &mut self,
        condition: &Condition,
        number: usize,
        choices: &mut Choices,
    ) -> Built<()> {
        if !condition.each.is_empty() {
            return self.each(condition);
        }
        let most = self.repeat(condition, choices)?;
        let mut clues: Vec<(Drawn, Value, Option<String>)> = Vec::new();
        match choices {
            Choices::Recorded(recorded) | Choices::Redrawn(recorded, ..) => {
                let drawn = recorded.conditions.get(number).cloned().unwrap_or_default();
                if drawn.len() > CLUES {
                    return Err(misfit("the number of clues"));
                }
                for drawn in drawn {
                    clues.push(self.clue(&condition.either, Some(drawn), choices)?);
                }
            }
            Choices::Drawn(_) if condition.until_unique => {
                clues = self.until_unique(condition, most, choices)?;
            }
            Choices::Drawn(_) => clues = self.together(condition, most, choices)?,
        }
        let mut drawn = Vec::new();
        let mut texts = Vec::new();
        for (choice, value, text) in clues {
            let formula = &condition.either[choice.template].holds;
            let label = text.clone().unwrap_or_else(|| formula.text.clone());
            self.constrain(&value, label, formula)?;
            texts.extend(text.map(Value::text));
            drawn.push(choice);
        }
        self.configuration.conditions.push(drawn);
        self.texts.extend(texts.iter().cloned());
        if let Some(name) = &condition.name {
            self.scope.add(name.as_str(), Value::list(texts));
        }
        Ok(())
    }

    /// A condition for each combination of its keys.
    pub(super) fn each(&mut self, condition: &Condition) -> Built<()> {
        let before = self.scope.len();
        let clue = &condition.either[0];
        let mut texts = Vec::new();
        for key in self.combinations(&condition.each)? {
            for ((name, _), item) in condition.each.iter().zip(key) {
                self.scope.add(name.as_str(), item);
            }
            if self.holds(clue.filter.as_ref())? {
                let (_, value, text) = self.finish(clue, Drawn::default(), before)?;
                let label = text.clone().unwrap_or_else(|| clue.holds.text.clone());
                self.constrain(&value, label, &clue.holds)?;
                texts.extend(text.map(Value::text));
            }
            self.scope.truncate(before);
        }
        self.configuration.conditions.push(Vec::new());
        self.texts.extend(texts.iter().cloned());
        if let Some(name) = &condition.name {
            self.scope.add(name.as_str(), Value::list(texts));
        }
        Ok(())
    }

    /// How many clues a condition has, or may have.
    pub(super) fn repeat(&mut self, condition: &Condition, choices: &mut Choices) -> Built<usize> {
        let Some(repeat) = &condition.repeat else {
            return Ok(1);
        };
        let count = match self.value(repeat)? {
            Value::Int(count) => count,
            Value::List(items) => {
                let Choices::Drawn(draw) = choices else {
                    return Ok(0);
                };
                let numbers: Vec<i64> = items
                    .iter()
                    .filter_map(|item| match item {
                        Value::Int(number) => Some(*number),
                        _ => None,
                    })
                    .collect();
                match (numbers.is_empty(), condition.until_unique) {
                    (true, _) => return Err(self.wrong(repeat, "an empty range")),
                    (false, true) => numbers.iter().copied().max().unwrap_or(0),
                    (false, false) => numbers[draw.below(numbers.len())],
                }
            }
            other => {
                return Err(self.wrong(
                    repeat,
                    format!("{}, but a known number is expected", other.kind()),
                ));
            }
        };
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= CLUES)
            .ok_or_else(|| {
                self.wrong(
                    repeat,
                    format!("{count} clues, but 0 to {CLUES} are allowed"),
                )
            })
    }

    /// Clues that differ and fulfil `together`.
    pub(super) fn together(
        &mut self,
        condition: &Condition,
        count: usize,
        choices: &mut Choices,
    ) -> Built<Vec<(Drawn, Value, Option<String>)>> {
        let rounds = if condition.together.is_some() {
            DRAWS
        } else {
            1
        };
        for _ in 0..rounds {
            let mut seen = HashSet::new();
            let mut clues = Vec::new();
            for _ in 0..count {
                let clue = self
                    .another(condition, &mut seen, choices)?
                    .ok_or(Rejection::NoDraw)?;
                clues.push(clue);
            }
            let before = self.scope.len();
            if let Some(together) = &condition.together {
                let mut items = Vec::new();
                for (drawn, ..) in &clues {
                    items.push(self.parts_of(&condition.either[drawn.template], drawn)?);
                }
                self.scope.add("items", Value::list(items));
                let holds = self.holds(Some(together))?;
                self.scope.truncate(before);
                if !holds {
                    continue;
                }
            }
            return Ok(clues);
        }
        Err(self.no_draw(condition.together.as_ref()))
    }

    /// The values of a drawn clue's parts, as a list.
    pub(super) fn parts_of(&mut self, clue: &Clue, drawn: &Drawn) -> Built<Value> {
        let before = self.scope.len();
        let mut values = Vec::new();
        for (part, places) in clue.parts.iter().zip(&drawn.parts) {
            let (_, value) = self.part(part, None, Some(places))?;
            self.scope.add(part.name.as_str(), value.clone());
            values.push(value);
        }
        self.scope.truncate(before);
        Ok(Value::list(values))
    }

    /// A clue that was not drawn yet; `None` if none is found.
    pub(super) fn another(
        &mut self,
        condition: &Condition,
        seen: &mut HashSet<Drawn>,
        choices: &mut Choices,
    ) -> Built<Option<(Drawn, Value, Option<String>)>> {
        for _ in 0..DRAWS {
            let clue = self.clue(&condition.either, None, choices)?;
            if condition.alike || seen.insert(clue.0.clone()) {
                return Ok(Some(clue));
            }
        }
        Ok(None)
    }

    /// Clues until one solution is left; those that it does not need are taken away again.
    pub(super) fn until_unique(
        &mut self,
        condition: &Condition,
        most: usize,
        choices: &mut Choices,
    ) -> Built<Vec<(Drawn, Value, Option<String>)>> {
        let mut seen = HashSet::new();
        let mut clues: Vec<(Drawn, Value, Option<String>)> = Vec::new();
        let start = self.problem.constraints.len();
        loop {
            let found = self.solver.solutions(&self.problem, 1)?;
            if found.assignments.is_empty() {
                self.problem.constraints.truncate(start);
                return Err(Rejection::NoSolution.into());
            }
            if found.complete {
                break;
            }
            let clue = if clues.len() < most {
                self.another(condition, &mut seen, choices)?
            } else {
                None
            };
            let Some((drawn, value, text)) = clue else {
                self.problem.constraints.truncate(start);
                return Err(Rejection::NotUnique.into());
            };
            let formula = &condition.either[drawn.template].holds;
            self.constrain(&value, String::new(), formula)?;
            self.labels.pop();
            clues.push((drawn, value, text));
        }
        let mut place = clues.len();
        while place > 0 {
            place -= 1;
            let term = self.problem.constraints.remove(start + place);
            let found = self.solver.solutions(&self.problem, 1)?;
            if found.complete {
                clues.remove(place);
            } else {
                self.problem.constraints.insert(start + place, term);
            }
        }
        self.problem.constraints.truncate(start);
        Ok(clues)
    }
}
