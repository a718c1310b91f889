//! From a specification and choices to constraints, texts and answers.

use super::{
    configuration::{Configuration, Drawn},
    draw::{Draw, Manner, places},
    formula::{Formula, Scope, Table, Unsolved, UnsolvedKind, Value, Wrong},
    problem::{Domain, Problem, Unknown},
    puzzle::{Format, Question, option_letters},
    solver::{Embedded, SolveError, Solver},
    spec::{
        Clue, Condition, Part, QuestionKind, Rule, Sourced, Spec, SpecError, Statement, Symbol,
        Worded,
    },
    term::{Op, Term},
};
use serde_json::Value as Json;
use std::{collections::HashSet, sync::Arc};

/// Draws for one thing before it counts as impossible.
pub const DRAWS: usize = 1000;
/// Most unknowns of a puzzle.
const UNKNOWNS: usize = 2000;
/// Most clues of one condition.
const CLUES: usize = 500;

/// Why choices give no puzzle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Other choices may do.
    Rejected(Rejection),
    /// No draw fulfilled a formula, which other choices may make possible.
    NoDraw(SpecError),
    /// The specification is wrong.
    Spec(SpecError),
}

/// Why a draw was thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rejection {
    /// No assignment satisfies the constraints.
    NoSolution,
    /// More solutions than the specification allows.
    TooManySolutions,
    /// Solutions answer a question differently.
    Ambiguous,
    /// The clues, as many as there may be, leave more than one solution.
    NotUnique,
    /// No draw was found that fulfils a `where` or `together`.
    NoDraw,
    /// Too few right or wrong options.
    Options,
    /// The solver gave up.
    GaveUp,
}

impl Rejection {
    /// What happened, for a summary.
    pub fn about(self) -> &'static str {
        match self {
            Rejection::NoSolution => "no solution",
            Rejection::TooManySolutions => "too many solutions",
            Rejection::Ambiguous => "ambiguous answer",
            Rejection::NotUnique => "not unique with all clues",
            Rejection::NoDraw => "no draw fulfils a condition",
            Rejection::Options => "no right or no wrong option",
            Rejection::GaveUp => "solver gave up",
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Failure::Rejected(rejection)
    }
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        Failure::Spec(error)
    }
}

impl From<SolveError> for Failure {
    fn from(error: SolveError) -> Self {
        match error {
            SolveError::Problem(problem) => Failure::Spec(SpecError::whole(problem.to_string())),
            SolveError::GaveUp { .. } | SolveError::Unknown { .. } => Rejection::GaveUp.into(),
        }
    }
}

/// Where choices come from.
pub(crate) enum Choices<'a> {
    Drawn(&'a mut Draw),
    Recorded(&'a Configuration),
    /// Variables of these names are drawn anew, everything else is recorded.
    Redrawn(&'a Configuration, &'a [String], &'a mut Draw),
}

/// A puzzle while it is made.
pub(crate) struct Build<'a> {
    spec: &'a Spec,
    solver: &'a dyn Solver,
    wording: &'a str,
    scope: Scope,
    pub problem: Problem,
    /// Of each constraint, how it is said.
    pub labels: Vec<String>,
    texts: Vec<Value>,
    pub configuration: Configuration,
    pub solutions: Vec<Vec<i64>>,
    pub optimum: Option<i64>,
    /// Places of variables in their ranges, 0 to 1, the harder the larger.
    scales: Vec<f64>,
}

type Built<T> = Result<T, Failure>;

impl<'a> Build<'a> {
    /// Makes everything up to the questions.
    pub fn new(
        spec: &'a Spec,
        solver: &'a dyn Solver,
        wording: &'a str,
        choices: Choices,
    ) -> Built<Self> {
        let mut build = Self::partial(spec, solver, wording, choices, usize::MAX)?;
        build.solve()?;
        Ok(build)
    }

    /// Makes everything before the condition of a number.
    pub fn partial(
        spec: &'a Spec,
        solver: &'a dyn Solver,
        wording: &'a str,
        mut choices: Choices,
        conditions: usize,
    ) -> Built<Self> {
        let mut build = Self {
            spec,
            solver,
            wording,
            scope: spec.scope(),
            problem: Problem::default(),
            labels: Vec::new(),
            texts: Vec::new(),
            configuration: Configuration::default(),
            solutions: Vec::new(),
            optimum: None,
            scales: Vec::new(),
        };
        build.variables(&mut choices)?;
        build.symbols()?;
        build.statements(&mut choices)?;
        let count = spec.conditions.len();
        for (number, condition) in spec.conditions.iter().enumerate().take(conditions) {
            build.condition(condition, number, &mut choices)?;
        }
        if spec.secret && conditions > count {
            build.secret(&mut choices)?;
        }
        let clues = spec
            .clues
            .iter()
            .enumerate()
            .map(|(number, clue)| (count + number, clue));
        for (number, condition) in clues.take_while(|(number, _)| *number < conditions) {
            build.condition(condition, number, &mut choices)?;
        }
        Ok(build)
    }

    /// Binds the keys of a statement of a number.
    pub fn bind_statement(&mut self, statement: &Statement, number: usize) -> Built<()> {
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
    pub fn names(&self) -> usize {
        self.scope.len()
    }

    /// Forgets the names bound after there were so many.
    pub fn forget(&mut self, names: usize) {
        self.scope.truncate(names);
    }

    /// Binds a part.
    pub fn bind_part(&mut self, name: &str, value: Value) {
        self.scope.add(name, value);
    }

    /// Places of a value, or of several, in the list of a part.
    pub fn places_of(&mut self, part: &Part, value: &Value) -> Built<Option<Vec<usize>>> {
        let list = self.list(&part.from)?;
        let values = match (value, &part.amount) {
            (Value::List(items), Some(_)) => items.to_vec(),
            (single, _) => vec![single.clone()],
        };
        let place = |value: &Value| list.iter().position(|item| item == value);
        Ok(values.iter().map(place).collect())
    }

    /// Numbers of a symbol's values.
    pub fn numbers_of(&mut self, name: &str, values: &[&Json]) -> Option<Vec<i64>> {
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

    fn value(&mut self, formula: &Sourced<Formula>) -> Built<Value> {
        let value = self.scope.evaluate(&formula.parsed.expression);
        Ok(value.map_err(|wrong| self.spec.explain(formula, &wrong))?)
    }

    fn wrong(&self, formula: &Sourced<Formula>, message: impl Into<String>) -> Failure {
        let at = formula.parsed.expression.at;
        self.spec.explain(formula, &Wrong::new(at, message)).into()
    }

    fn list(&mut self, formula: &Sourced<Formula>) -> Built<Arc<[Value]>> {
        match self.value(formula)? {
            Value::List(items) if items.iter().all(Value::is_known) => Ok(items),
            other => Err(self.wrong(
                formula,
                format!("{}, but a known list is expected", other.kind()),
            )),
        }
    }

    fn count(&mut self, formula: &Sourced<Formula>, most: usize) -> Built<usize> {
        match self.value(formula)? {
            Value::Int(count) if (0..=most as i64).contains(&count) => Ok(count as usize),
            other => Err(self.wrong(formula, format!("{other}, but 0 to {most} is allowed"))),
        }
    }

    fn holds(&mut self, filter: Option<&Sourced<Formula>>) -> Built<bool> {
        let Some(filter) = filter else {
            return Ok(true);
        };
        match self.value(filter)? {
            Value::Bool(value) => Ok(value),
            other => Err(self.wrong(
                filter,
                format!("{}, but a known truth value is expected", other.kind()),
            )),
        }
    }

    fn render(&mut self, worded: &Worded) -> Built<String> {
        let template = worded.of(self.wording);
        let text = template.parsed.render(&mut self.scope);
        Ok(text.map_err(|wrong| self.spec.explain(template, &wrong))?)
    }

    fn variables(&mut self, choices: &mut Choices) -> Built<()> {
        let spec = self.spec;
        for variable in &spec.variables {
            let name = &variable.name;
            let recorded = match choices {
                Choices::Drawn(_) => None,
                Choices::Recorded(configuration) => Some(configuration),
                Choices::Redrawn(_, names, _) if names.contains(name) => None,
                Choices::Redrawn(configuration, ..) => Some(configuration),
            };
            let value = match (&variable.rule, recorded) {
                (Rule::Formula(formula), _) => self.value(formula)?,
                (Rule::Draw(part), Some(configuration)) => {
                    let value = configuration.variables.get(name).and_then(Value::from_json);
                    value.ok_or_else(|| {
                        self.wrong(&part.from, format!("the configuration has no {name}"))
                    })?
                }
                (Rule::Draw(part), None) => {
                    self.draw_variable(part, variable.filter.as_ref(), choices)?
                }
            };
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

    /// Where a number, or the mean of several, lies between the smallest and the largest that could be drawn.
    fn place(&mut self, part: &Part, value: &Value) -> Built<f64> {
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
    pub fn variable_scale(&self) -> f64 {
        match self.scales.len() {
            0 => 0.5,
            count => self.scales.iter().sum::<f64>() / count as f64,
        }
    }

    /// A variable's value that fulfils its `where`.
    fn draw_variable(
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
    fn part(
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

    fn symbols(&mut self) -> Built<()> {
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

    fn bind(&mut self, symbol: &Symbol, name: &str, keys: Vec<Vec<Value>>, mut values: Vec<Value>) {
        let value = match symbol.keys.is_empty() {
            true => values.remove(0),
            false => Value::Table(Arc::new(Table::new(keys, values))),
        };
        self.scope.add(name, value);
    }

    /// Keys of a symbol and what its unknowns may be.
    fn symbol(&mut self, symbol: &Symbol) -> Built<(Vec<Vec<Value>>, UnsolvedKind, Domain)> {
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

    fn statements(&mut self, choices: &mut Choices) -> Built<()> {
        let spec = self.spec;
        for statement in &spec.statements {
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
    fn clue(
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
    fn no_draw(&self, formula: Option<&Sourced<Formula>>) -> Failure {
        let Some(formula) = formula else {
            return Rejection::NoDraw.into();
        };
        let message = format!("gave up after {DRAWS} draws: none fulfils {}", formula.text);
        match self.wrong(formula, message) {
            Failure::Spec(error) => Failure::NoDraw(error),
            other => other,
        }
    }

    fn finish(
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
    fn constrain(&mut self, value: &Value, label: String, formula: &Sourced<Formula>) -> Built<()> {
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

    fn condition(
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
    fn each(&mut self, condition: &Condition) -> Built<()> {
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

    /// Every combination of the items of some lists, the last one changing fastest.
    fn combinations(&mut self, lists: &[(String, Sourced<Formula>)]) -> Built<Vec<Vec<Value>>> {
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

    /// How many clues a condition has, or may have.
    fn repeat(&mut self, condition: &Condition, choices: &mut Choices) -> Built<usize> {
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
    fn together(
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
    fn parts_of(&mut self, clue: &Clue, drawn: &Drawn) -> Built<Value> {
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
    fn another(
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
    fn until_unique(
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

    /// Chooses a solution of the conditions so far, which clues may then use.
    fn secret(&mut self, choices: &mut Choices) -> Built<()> {
        let spec = self.spec;
        let secret = match choices {
            Choices::Drawn(draw) => {
                let found = Embedded::default().any_solution(&self.problem, draw)?;
                found.ok_or(Rejection::NoSolution)?
            }
            Choices::Recorded(recorded) | Choices::Redrawn(recorded, ..) => recorded.secret.clone(),
        };
        let inside = |(unknown, value): (&Unknown, &i64)| {
            let (low, high) = unknown.domain.bounds();
            (low..=high).contains(value)
        };
        let holds = |term: &Term| term.evaluate(&secret) == Some(1);
        if secret.len() != self.problem.unknowns.len()
            || !self.problem.unknowns.iter().zip(&secret).all(inside)
            || !self.problem.constraints.iter().all(holds)
        {
            return Err(misfit("the secret solution"));
        }
        for symbol in &spec.symbols {
            let (keys, values) = self.known(&symbol.name, &secret);
            self.bind(symbol, &format!("secret.{}", symbol.name), keys, values);
        }
        self.configuration.secret = secret;
        Ok(())
    }

    /// Keys and values of a symbol in a solution.
    fn known(&self, name: &str, solution: &[i64]) -> (Vec<Vec<Value>>, Vec<Value>) {
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

    fn solve(&mut self) -> Built<()> {
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
        Ok(())
    }

    /// The term of the objective.
    pub fn objective(&mut self, formula: &Sourced<Formula>) -> Built<Term> {
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
    pub fn in_solution(&mut self, formula: &Sourced<Formula>, solution: &[i64]) -> Built<Value> {
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
    pub fn unsolved(&mut self, formula: &Sourced<Formula>) -> Option<Value> {
        self.scope.evaluate(&formula.parsed.expression).ok()
    }

    /// The story and the questions.
    pub fn questions(&mut self, mut choices: Choices) -> Built<(String, Vec<Question>)> {
        let spec = self.spec;
        self.scope.add("texts", Value::list(self.texts.clone()));
        self.scope
            .add("solutions", Value::Int(self.solutions.len() as i64));
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

    fn free(&mut self, ask: String, answer: &Sourced<Formula>, unordered: bool) -> Built<Question> {
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

    fn choice(
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
    fn option(
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

/// Options that a question wants.
struct Options<'a> {
    amount: usize,
    all: bool,
    wrong: bool,
    either: &'a [Clue],
}

fn misfit(what: &str) -> Failure {
    SpecError::whole(format!(
        "the configuration does not fit this specification: {what}"
    ))
    .into()
}
