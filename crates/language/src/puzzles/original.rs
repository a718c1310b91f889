//! The configuration that a specification's author solved by hand.

use super::{
    build::{Build, Choices},
    configuration::{Configuration, Drawn},
    formula::Value,
    puzzle::{Puzzle, Source, assemble, explain},
    solver::Solver,
    spec::{Clue, Original, QuestionKind, Spec, SpecError},
};
use serde_json::{Map, Value as Json};

impl Spec {
    /// The puzzle of the configuration that was solved by hand, and the answers that were found.
    ///
    /// # Errors
    /// There is none, it does not fit the specification, or it is no puzzle.
    pub fn original(&self, solver: &dyn Solver) -> Result<(Puzzle, Vec<String>), SpecError> {
        let original = self.original.as_ref();
        let original =
            original.ok_or_else(|| SpecError::whole("the specification has no original"))?;
        let configuration = Recorder {
            spec: self,
            solver,
            original,
        }
        .configuration()?;
        let puzzle = assemble(
            self,
            solver,
            &self.wordings[0],
            Source::Recorded(&configuration),
        );
        Ok((puzzle.map_err(explain)?, original.answers.clone()))
    }
}

/// Turns values into places.
struct Recorder<'a> {
    spec: &'a Spec,
    solver: &'a dyn Solver,
    original: &'a Original,
}

fn misfit(what: impl Into<String>) -> SpecError {
    SpecError::whole(format!("original: {}", what.into()))
}

impl Recorder<'_> {
    fn configuration(&self) -> Result<Configuration, SpecError> {
        let mut configuration = Configuration {
            variables: self.original.variables.clone(),
            ..Configuration::default()
        };
        let known =
            |names: &mut dyn Iterator<Item = &str>, given: &Map<String, Json>, what: &str| {
                let names: Vec<&str> = names.collect();
                match given.keys().find(|name| !names.contains(&name.as_str())) {
                    Some(name) => Err(misfit(format!("no {what} is called {name}"))),
                    None => Ok(()),
                }
            };
        let spec = self.spec;
        known(
            &mut spec.variables.iter().map(|v| &*v.name),
            &self.original.variables,
            "variable",
        )?;
        known(
            &mut spec.statements.iter().map(|s| &*s.name),
            &self.original.statements,
            "statement",
        )?;
        known(
            &mut spec.symbols.iter().map(|s| &*s.name),
            &self.original.secret,
            "symbol",
        )?;
        let conditions = || spec.conditions.iter().chain(&spec.clues);
        known(
            &mut conditions().filter_map(|c| c.name.as_deref()),
            &self.original.conditions,
            "condition",
        )?;
        // What is drawn from may depend on everything above it, so that each is looked up in what is built so far.
        for (place, statement) in spec.statements.iter().enumerate() {
            let given = list(
                self.original.statements.get(&statement.name),
                &statement.name,
            )?;
            let mut drawn = Vec::new();
            for (number, given) in given.iter().enumerate() {
                let mut build = self.partial(&configuration, [place, 0])?;
                build.bind_statement(statement, number).map_err(explain)?;
                drawn.push(self.drawn(&mut build, &statement.either, given, &statement.name)?);
            }
            configuration
                .statements
                .insert(statement.name.clone(), drawn);
        }
        let first = spec.conditions.len();
        for (number, condition) in conditions().enumerate() {
            if number == first {
                configuration.secret = self.secret(&configuration)?;
            }
            let drawn = match &condition.name {
                _ if !condition.each.is_empty() => Vec::new(),
                Some(name) if self.original.conditions.contains_key(name) => {
                    let given = list(self.original.conditions.get(name), name)?;
                    let mut build = self.partial(&configuration, [usize::MAX, number])?;
                    let drawn = given
                        .iter()
                        .map(|given| self.drawn(&mut build, &condition.either, given, name));
                    drawn.collect::<Result<_, _>>()?
                }
                _ if condition.repeat.is_none() && condition.either[0].parts.is_empty() => {
                    vec![Drawn::default()]
                }
                name => {
                    let name = name.as_deref().unwrap_or("a condition without a name");
                    return Err(misfit(format!("{name} is drawn, but not given")));
                }
            };
            configuration.conditions.push(drawn);
        }
        if spec.secret && configuration.secret.is_empty() {
            configuration.secret = self.secret(&configuration)?;
        }
        let mut given = self.original.options.iter();
        for question in &spec.questions {
            let mut drawn = Vec::new();
            if let QuestionKind::Options { either, .. } = &question.kind {
                let options = list(given.next(), "options")?;
                let mut build = self.partial(&configuration, [usize::MAX; 2])?;
                for option in options {
                    drawn.push(self.drawn(&mut build, either, option, "options")?);
                }
            }
            configuration.options.push(drawn);
        }
        Ok(configuration)
    }

    /// A build of everything before a statement and a condition.
    fn partial(
        &self,
        configuration: &Configuration,
        before: [usize; 2],
    ) -> Result<Build<'_>, SpecError> {
        let wording = &self.spec.wordings[0];
        let choices = Choices::Recorded(configuration);
        Build::partial(self.spec, self.solver, wording, choices, before).map_err(explain)
    }

    fn secret(&self, configuration: &Configuration) -> Result<Vec<i64>, SpecError> {
        let mut build = self.partial(configuration, [usize::MAX, self.spec.conditions.len()])?;
        let mut secret = Vec::new();
        for symbol in &self.spec.symbols {
            let given = self.original.secret.get(&symbol.name);
            let given = given.ok_or_else(|| misfit(format!("secret has no {}", symbol.name)))?;
            let values: Vec<&Json> = match given {
                Json::Array(items) => items.iter().collect(),
                single => vec![single],
            };
            let numbers = build.numbers_of(&symbol.name, &values);
            let numbers =
                numbers.ok_or_else(|| misfit(format!("secret.{} does not fit", symbol.name)))?;
            secret.extend(numbers);
        }
        Ok(secret)
    }

    /// The places of given values: `{part: value}`, with `template` where there are several.
    fn drawn(
        &self,
        build: &mut Build,
        either: &[Clue],
        given: &Json,
        name: &str,
    ) -> Result<Drawn, SpecError> {
        let Json::Object(given) = given else {
            return Err(misfit(format!(
                "{name}: {given}, but parts with their values are expected"
            )));
        };
        let template = given.get("template").map_or(Some(0), Json::as_u64);
        let template = template
            .map(|place| place as usize)
            .filter(|place| *place < either.len());
        let template =
            template.ok_or_else(|| misfit(format!("{name}: there is no such template")))?;
        let clue = &either[template];
        let before = build.names();
        let mut parts = Vec::new();
        for part in &clue.parts {
            let value = given.get(&part.name).and_then(Value::from_json);
            let value = value.ok_or_else(|| misfit(format!("{name}: {} is missing", part.name)))?;
            let places = build.places_of(part, &value).map_err(explain)?;
            parts.push(places.ok_or_else(|| {
                misfit(format!(
                    "{name}: {value} is not in the list of {}",
                    part.name
                ))
            })?);
            build.bind_part(&part.name, value);
        }
        build.forget(before);
        Ok(Drawn { template, parts })
    }
}

fn list<'a>(given: Option<&'a Json>, name: &str) -> Result<&'a [Json], SpecError> {
    match given {
        Some(Json::Array(items)) => Ok(items),
        _ => Err(misfit(format!(
            "{name}: a list of what was drawn is expected"
        ))),
    }
}
