//! Variables, unknowns, and what is drawn from lists.

use super::{Build, Built, Choices, DRAWS, Rejection, UNKNOWNS, misfit};
use crate::puzzles::{
    draw::{Draw, Manner, places},
    formula::{Formula, Scope, Table, Unsolved, UnsolvedKind, Value},
    problem::{Domain, Unknown},
    spec::{Part, Rule, Sourced, SpecError, Symbol},
    term::Term,
};
use serde_json::Value as Json;
use std::sync::Arc;

impl Build<'_> {
    /// Places of a value, or of several, in the list of a part.
    pub(crate) fn places_of(&mut self, part: &Part, value: &Value) -> Built<Option<Vec<usize>>> {
        let list = self.list(&part.from)?;
        let values = match (value, &part.amount) {
            (Value::List(items), Some(_)) => items.to_vec(),
            (single, _) => vec![single.clone()],
        };
        let place = |value: &Value| list.iter().position(|item| item == value);
        Ok(values.iter().map(place).collect())
    }

    /// Numbers of a symbol's values.
    pub(crate) fn numbers_of(&mut self, name: &str, values: &[&Json]) -> Option<Vec<i64>> {
        let unknowns = match self.scope.get(name)? {
            Value::Table(table) => table.values.clone(),
            single => vec![single.clone()],
        };
        let numbers = unknowns
            .iter()
            .zip(values)
            .map(|(unknown, value)| match unknown {
                Value::Unsolved(unsolved) => match unsolved.number(&Value::from_json(value)?)? {
                    Term::Int(number) => Some(number),
                    Term::Bool(truth) => Some(i64::from(truth)),
                    _ => None,
                },
                _ => None,
            });
        (unknowns.len() == values.len())
            .then(|| numbers.collect())
            .flatten()
    }

    pub(super) fn list(&mut self, formula: &Sourced<Formula>) -> Built<Arc<[Value]>> {
        match self.value(formula)? {
            Value::List(items) if items.iter().all(Value::is_known) => Ok(items),
            other => Err(self.wrong(
                formula,
                format!("{}, but a known list is expected", other.kind()),
            )),
        }
    }

    pub(super) fn count(&mut self, formula: &Sourced<Formula>, most: usize) -> Built<usize> {
        match self.value(formula)? {
            Value::Int(count) if (0..=most as i64).contains(&count) => Ok(count as usize),
            other => Err(self.wrong(formula, format!("{other}, but 0 to {most} is allowed"))),
        }
    }

    pub(super) fn variables(&mut self, choices: &mut Choices) -> Built<()> {
        let spec = self.spec;
        // What the names stood for before anything was drawn anew.
        let mut before = self.scope.clone();
        for variable in &spec.variables {
            let name = &variable.name;
            let recorded = match choices {
                Choices::Drawn(_) => None,
                Choices::Recorded(recorded) | Choices::Redrawn(recorded, ..) => {
                    recorded.variables.get(name).and_then(Value::from_json)
                }
            };
            let draws = match choices {
                Choices::Drawn(_) => true,
                Choices::Recorded(_) => false,
                Choices::Redrawn(_, names, _) => names.contains(name),
            };
            let filter = variable.filter.as_ref();
            let value = match (&variable.rule, &recorded) {
                (Rule::Formula(formula), _) => self.value(formula)?,
                (Rule::Draw(part), _) if draws => self.draw_variable(part, filter, choices)?,
                (Rule::Draw(part), None) => {
                    return Err(self.wrong(&part.from, format!("the configuration has no {name}")));
                }
                (Rule::Draw(part), Some(value)) => match choices {
                    Choices::Redrawn(..) => self.moved(part, filter, value, &mut before)?,
                    _ => value.clone(),
                },
            };
            if let Some(recorded) = recorded {
                before.add(name.as_str(), recorded);
            }
            if let Rule::Draw(part) = &variable.rule
                && variable.difficulty != 0.0
            {
                let place = self.place(part, &value)?;
                let scale = if variable.difficulty > 0.0 {
                    place
                } else {
                    1.0 - place
                };
                self.scales.push(scale);
            }
            self.configuration
                .variables
                .insert(name.clone(), value.to_json());
            self.scope.add(name.as_str(), value);
        }
        Ok(())
    }

    /// What now stands where a recorded value stood in its list, which may be another one since variables were drawn anew.
    fn moved(
        &mut self,
        part: &Part,
        filter: Option<&Sourced<Formula>>,
        value: &Value,
        before: &mut Scope,
    ) -> Built<Value> {
        std::mem::swap(&mut self.scope, before);
        let places = self.places_of(part, value);
        std::mem::swap(&mut self.scope, before);
        let places = places?.ok_or_else(|| misfit(&part.name))?;
        let (_, value) = self.part(part, None, Some(&places))?;
        let names = self.scope.len();
        self.scope.add(part.name.as_str(), value.clone());
        let holds = self.holds(filter)?;
        self.scope.truncate(names);
        match holds {
            true => Ok(value),
            false => Err(Rejection::NoDraw.into()),
        }
    }

    /// Where a number, or the mean of several, lies between the smallest and the largest that could be drawn.
    pub(super) fn place(&mut self, part: &Part, value: &Value) -> Built<f64> {
        let numbers = |values: &[Value]| -> Vec<f64> {
            let numbers = values.iter().filter_map(|value| match value {
                Value::Int(number) => Some(*number as f64),
                _ => None,
            });
            numbers.collect()
        };
        let range = numbers(&self.list(&part.from)?);
        let drawn = match value {
            Value::List(items) => numbers(items),
            other => numbers(std::slice::from_ref(other)),
        };
        let low = range.iter().copied().fold(f64::INFINITY, f64::min);
        let high = range.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if drawn.is_empty() || low >= high {
            return Ok(0.5);
        }
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        Ok((mean - low) / (high - low))
    }

    /// Mean of the places of the variables that have a difficulty; 0.5 without any.
    pub(crate) fn variable_scale(&self) -> f64 {
        match self.scales.len() {
            0 => 0.5,
            count => self.scales.iter().sum::<f64>() / count as f64,
        }
    }

    /// A variable's value that fulfils its `where`.
    pub(super) fn draw_variable(
        &mut self,
        part: &Part,
        filter: Option<&Sourced<Formula>>,
        choices: &mut Choices,
    ) -> Built<Value> {
        let (Choices::Drawn(draw) | Choices::Redrawn(_, _, draw)) = choices else {
            return Err(Rejection::NoDraw.into());
        };
        let before = self.scope.len();
        for _ in 0..DRAWS {
            let (_, value) = self.part(part, Some(draw), None)?;
            self.scope.add(part.name.as_str(), value.clone());
            let holds = self.holds(filter)?;
            self.scope.truncate(before);
            if holds {
                return Ok(value);
            }
        }
        let filter = filter.expect("without a filter the first draw counts");
        Err(self.wrong(
            filter,
            format!("gave up after {DRAWS} draws: none fulfils {}", filter.text),
        ))
    }

    /// Draws a part, or takes recorded places.
    pub(super) fn part(
        &mut self,
        part: &Part,
        draw: Option<&mut Draw>,
        recorded: Option<&[usize]>,
    ) -> Built<(Vec<usize>, Value)> {
        let list = self.list(&part.from)?;
        let amount = match &part.amount {
            Some(amount) => self.count(amount, 10_000)?,
            None => 1,
        };
        let manner = Manner {
            ordered: part.ordered,
            repeat: part.repeat,
        };
        let places = match (draw, recorded) {
            (Some(draw), _) => {
                places(draw, list.len(), amount, manner).ok_or_else(|| match list.len() {
                    0 => self.wrong(
                        &part.from,
                        format!("{}: the list to draw from is empty", part.name),
                    ),
                    len => {
                        let message =
                            format!("{}: {amount} different items of a list of {len}", part.name);
                        self.wrong(part.amount.as_ref().unwrap_or(&part.from), message)
                    }
                })?
            }
            (None, places) => places.unwrap_or(&[]).to_vec(),
        };
        if places.len() != amount || places.iter().any(|&place| place >= list.len()) {
            return Err(self.wrong(
                &part.from,
                format!("{}: the configuration does not fit", part.name),
            ));
        }
        let value = match part.amount {
            Some(_) => Value::list(places.iter().map(|&place| list[place].clone())),
            None => list[places[0]].clone(),
        };
        Ok((places, value))
    }

    pub(super) fn symbols(&mut self) -> Built<()> {
        let spec = self.spec;
        for symbol in &spec.symbols {
            let (keys, kind, domain) = self.symbol(symbol)?;
            let first = self.problem.unknowns.len();
            if first + keys.len() > UNKNOWNS {
                let message = format!("{}: more than {UNKNOWNS} unknowns", symbol.name);
                return Err(SpecError::whole(message).into());
            }
            for key in &keys {
                let key: Vec<String> = key.iter().filter_map(Value::show).collect();
                let name = match key.is_empty() {
                    true => symbol.name.clone(),
                    false => format!("{}[{}]", symbol.name, key.join(", ")),
                };
                self.problem.unknowns.push(Unknown { name, domain });
            }
            let values = (first..first + keys.len())
                .map(|index| Value::Unsolved(Unsolved::new(Term::Unknown(index), kind.clone())))
                .collect();
            self.bind(symbol, &symbol.name, keys, values);
        }
        Ok(())
    }

    pub(super) fn bind(
        &mut self,
        symbol: &Symbol,
        name: &str,
        keys: Vec<Vec<Value>>,
        mut values: Vec<Value>,
    ) {
        let value = match symbol.keys.is_empty() {
            true => values.remove(0),
            false => Value::Table(Arc::new(Table::new(keys, values))),
        };
        self.scope.add(name, value);
    }

    /// Keys of a symbol and what its unknowns may be.
    pub(super) fn symbol(
        &mut self,
        symbol: &Symbol,
    ) -> Built<(Vec<Vec<Value>>, UnsolvedKind, Domain)> {
        let lists: Vec<(String, Sourced<Formula>)> = symbol
            .keys
            .iter()
            .map(|source| (String::new(), source.clone()))
            .collect();
        let keys = self.combinations(&lists)?;
        let Some(from) = &symbol.from else {
            return Ok((keys, UnsolvedKind::Bool, Domain::Bool));
        };
        let values = self.list(from)?;
        if values.is_empty() {
            return Err(self.wrong(from, format!("{}: the domain is empty", symbol.name)));
        }
        let consecutive = values.windows(2).all(|pair| match (&pair[0], &pair[1]) {
            (Value::Int(a), Value::Int(b)) => a + 1 == *b,
            _ => false,
        });
        if let (true, Value::Int(min), Value::Int(max)) =
            (consecutive, &values[0], &values[values.len() - 1])
        {
            return Ok((
                keys,
                UnsolvedKind::Int,
                Domain::Int {
                    min: *min,
                    max: *max,
                },
            ));
        }
        if values
            .iter()
            .enumerate()
            .any(|(i, value)| values[..i].contains(value))
        {
            return Err(self.wrong(
                from,
                format!("{}: a value stands twice in its domain", symbol.name),
            ));
        }
        let domain = Domain::Int {
            min: 0,
            max: values.len() as i64 - 1,
        };
        Ok((keys, UnsolvedKind::Choice(values), domain))
    }

    /// Every combination of the items of some lists, the last one changing fastest.
    pub(super) fn combinations(
        &mut self,
        lists: &[(String, Sourced<Formula>)],
    ) -> Built<Vec<Vec<Value>>> {
        let mut all: Vec<Vec<Value>> = vec![Vec::new()];
        for (_, source) in lists {
            let list = self.list(source)?;
            if all.len() * list.len() > UNKNOWNS {
                return Err(self.wrong(source, format!("more than {UNKNOWNS} combinations")));
            }
            all = all
                .into_iter()
                .flat_map(|key| {
                    list.iter()
                        .map(move |item| key.iter().cloned().chain([item.clone()]).collect())
                })
                .collect();
        }
        Ok(all)
    }

    /// Keys and values of a symbol in a solution.
    pub(super) fn known(&self, name: &str, solution: &[i64]) -> (Vec<Vec<Value>>, Vec<Value>) {
        let solve = |value: &Value| match value {
            Value::Unsolved(unsolved) => match unsolved.term {
                Term::Unknown(index) => unsolved.known(solution[index]),
                _ => value.clone(),
            },
            known => known.clone(),
        };
        match self.scope.get(name) {
            Some(Value::Table(table)) => {
                (table.keys.clone(), table.values.iter().map(solve).collect())
            }
            Some(value) => (Vec::new(), vec![solve(value)]),
            None => (Vec::new(), Vec::new()),
        }
    }
}
