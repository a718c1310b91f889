//! From a document to a specification: every formula parsed, every name and type checked.

use super::{
    LARGEST, Original, Part, Rule, Sourced, Spec, SpecError, Symbol, Variable, Worded,
    document::{self, Document, Text, Wording},
    error::Place,
};
use crate::puzzles::{
    formula::{Definition, Formula, Names, Template, Type, Wrong},
    solver::Direction,
};
use serde_saphyr::Spanned;
use std::{collections::HashMap, sync::Arc};

/// Most solutions of a puzzle where the specification does not say.
const MAX_SOLUTIONS: usize = 200;
/// Most that it may say.
const MOST_SOLUTIONS: usize = 100_000;

pub(super) fn compile(source: &str) -> Result<Spec, SpecError> {
    if source.len() > LARGEST {
        let message = format!(
            "{} bytes, but a specification has at most {LARGEST}",
            source.len()
        );
        return Err(SpecError::whole(message));
    }
    let document: Document = serde_saphyr::from_str(source).map_err(|error| {
        let message = error.without_snippet().to_string();
        match error.location() {
            Some(at) => SpecError::at(
                source,
                at.line() as usize,
                at.column() as usize,
                strip_place(&message),
            ),
            None => SpecError::whole(message),
        }
    })?;
    let mut compiler = Compiler {
        source,
        names: Names::default(),
    };
    compiler.spec(document)
}

/// Without the place that the reader adds at the end, as the error has one of its own.
fn strip_place(message: &str) -> &str {
    let first = message.lines().next().unwrap_or(message);
    first.split(" at line ").next().unwrap_or(first)
}

pub(super) struct Compiler<'a> {
    pub(super) source: &'a str,
    pub(super) names: Names,
}

/// Where something stands in the file.
pub(super) fn place<T>(spanned: &Spanned<T>) -> Place {
    Place {
        line: spanned.referenced.line() as usize,
        column: spanned.referenced.column() as usize,
    }
}

pub(super) type Compiled<T> = Result<T, SpecError>;

impl Compiler<'_> {
    pub(super) fn spec(&mut self, document: Document) -> Compiled<Spec> {
        let name = self.name(&document.name)?;
        let kind = self.name(&document.kind)?;
        let definitions = self.definitions(&document)?;
        self.names.definitions = definitions.clone();
        self.names.later = document
            .variables
            .0
            .iter()
            .map(|(name, _)| name.value.clone())
            .collect();
        let mut variables = Vec::new();
        for (name, variable) in &document.variables.0 {
            variables.push(self.variable(name, variable)?);
        }
        self.names.later.clear();
        if document.symbols.0.is_empty() {
            return Err(SpecError::whole(
                "symbols: none, but a puzzle has at least one unknown",
            ));
        }
        let mut symbols = Vec::new();
        for (name, symbol) in &document.symbols.0 {
            symbols.push(self.symbol(name, symbol)?);
        }
        let mut statements = Vec::new();
        for (name, statement) in &document.statements.0 {
            statements.push(self.statement(name, statement)?);
        }
        let mut texts = Vec::new();
        let mut conditions = Vec::new();
        for condition in &document.conditions {
            conditions.push(self.condition(condition, &mut texts)?);
        }
        if document.secret {
            for symbol in &symbols {
                let kind = self.names.get(&symbol.name);
                self.names.add(format!("secret.{}", symbol.name), kind);
            }
        } else if !document.clues.is_empty() {
            return Err(SpecError::whole(
                "clues: only after secret: true, the solution that they may use",
            ));
        }
        let mut clues = Vec::new();
        for condition in &document.clues {
            clues.push(self.condition(condition, &mut texts)?);
        }
        let optimize = match &document.optimize {
            None => None,
            Some(document::Optimize {
                minimize: Some(formula),
                maximize: None,
            }) => Some((Direction::Minimize, self.formula(formula, &Type::Int)?.0)),
            Some(document::Optimize {
                minimize: None,
                maximize: Some(formula),
            }) => Some((Direction::Maximize, self.formula(formula, &Type::Int)?.0)),
            Some(_) => return Err(SpecError::whole("optimize: either minimize or maximize")),
        };
        let max_solutions = document.max_solutions.unwrap_or(MAX_SOLUTIONS);
        if max_solutions == 0 || max_solutions > MOST_SOLUTIONS {
            let message =
                format!("max_solutions: {max_solutions}, but it must be 1 to {MOST_SOLUTIONS}");
            return Err(SpecError::whole(message));
        }
        // Texts of conditions and statements.
        for name in texts {
            self.names.add(name, Type::list(Type::Text));
        }
        self.names.add("texts", Type::list(Type::Text));
        self.names.add("solutions", Type::Int);
        if optimize.is_some() {
            self.names.add("optimum", Type::Int);
        }
        let text = self.worded(&document.text)?;
        if document.questions.is_empty() {
            return Err(SpecError::whole(
                "questions: none, but a puzzle asks at least one",
            ));
        }
        let mut questions = Vec::new();
        for question in &document.questions {
            questions.push(self.question(question)?);
        }
        let mut spec = Spec {
            name,
            kind,
            about: document.about.unwrap_or_default(),
            wordings: Vec::new(),
            variables,
            symbols,
            statements,
            conditions,
            secret: document.secret,
            clues,
            optimize,
            max_solutions,
            text,
            questions,
            original: document.original.map(|original| Original {
                variables: original.variables,
                statements: original.statements,
                conditions: original.conditions,
                secret: original.secret,
                options: original.options,
                answers: original.answers,
            }),
            definitions,
            source: self.source.into(),
        };
        spec.wordings = self.wordings(&spec)?;
        Ok(spec)
    }

    pub(super) fn wrong(&self, at: Place, message: impl Into<String>) -> SpecError {
        SpecError::at(self.source, at.line, at.column, message)
    }

    pub(super) fn locate(&self, text: &str, at: &Place, wrong: Wrong) -> SpecError {
        let (line, column) = at.of(self.source, text, wrong.at);
        SpecError::at(self.source, line, column, wrong.message)
    }

    /// A name of a file: letters, digits, `-`.
    pub(super) fn name(&self, name: &Text) -> Compiled<String> {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.value.is_empty() || name.value.len() > 60 || !name.value.chars().all(fine) {
            let message = format!(
                "\"{}\", but a name has 1 to 60 letters, digits and hyphens",
                name.value
            );
            return Err(self.wrong(place(name), message));
        }
        Ok(name.value.clone())
    }

    /// A name in formulas, not taken yet.
    pub(super) fn identifier(&self, name: &Text) -> Compiled<String> {
        let parsed = Formula::parse(&name.value)
            .ok()
            .map(|formula| formula.expression.kind);
        let plain = matches!(&parsed, Some(crate::puzzles::formula::Kind::Name(parsed)) if *parsed == name.value);
        if !plain
            || name.value.contains('.')
            || ["texts", "optimum", "items", "secret", "solutions"].contains(&&*name.value)
        {
            let message = format!(
                "\"{}\", but a name has letters, digits and _, begins with a letter and is no word of the language",
                name.value
            );
            return Err(self.wrong(place(name), message));
        }
        if self.names.has(&name.value) {
            return Err(self.wrong(
                place(name),
                format!("two entries are called {}", name.value),
            ));
        }
        Ok(name.value.clone())
    }

    pub(super) fn parse(&self, text: &Text) -> Compiled<Sourced<Formula>> {
        self.parse_at(&text.value, place(text))
    }

    pub(super) fn parse_at(&self, text: &str, at: Place) -> Compiled<Sourced<Formula>> {
        let parsed = Formula::parse(text).map_err(|wrong| self.locate(text, &at, wrong))?;
        Ok(Sourced {
            parsed,
            text: text.into(),
            place: at,
        })
    }

    pub(super) fn formula(
        &mut self,
        text: &Text,
        expected: &Type,
    ) -> Compiled<(Sourced<Formula>, Type)> {
        self.formula_at(&text.value, place(text), expected)
    }

    pub(super) fn formula_at(
        &mut self,
        text: &str,
        at: Place,
        expected: &Type,
    ) -> Compiled<(Sourced<Formula>, Type)> {
        let formula = self.parse_at(text, at)?;
        let kind = self.names.expect(&formula.parsed.expression, expected);
        let kind = kind.map_err(|wrong| self.locate(text, &formula.place, wrong))?;
        Ok((formula, kind))
    }

    pub(super) fn optional(
        &mut self,
        text: Option<&Text>,
        expected: &Type,
    ) -> Compiled<Option<Sourced<Formula>>> {
        let formula = text.map(|text| self.formula(text, expected));
        Ok(formula.transpose()?.map(|(formula, _)| formula))
    }

    pub(super) fn worded(&mut self, wording: &Spanned<Wording>) -> Compiled<Worded> {
        let mut texts = Vec::new();
        match &wording.value {
            Wording::One(text) => texts.push((None, self.template(text, place(wording))?)),
            Wording::Many(entries) if entries.is_empty() => {
                return Err(self.wrong(place(wording), "no text"));
            }
            Wording::Many(entries) => {
                for (name, text) in entries {
                    texts.push((
                        Some(self.name(name)?),
                        self.template(&text.value, place(text))?,
                    ));
                }
            }
        }
        Ok(Worded(texts))
    }

    pub(super) fn template(&mut self, text: &str, at: Place) -> Compiled<Sourced<Template>> {
        let parsed = Template::parse(text).map_err(|wrong| self.locate(text, &at, wrong))?;
        self.names
            .template(&parsed)
            .map_err(|wrong| self.locate(text, &at, wrong))?;
        Ok(Sourced {
            parsed,
            text: text.into(),
            place: at,
        })
    }

    /// Operators that the specification defines; each may use those above it.
    pub(super) fn definitions(
        &mut self,
        document: &Document,
    ) -> Compiled<Arc<HashMap<String, Definition>>> {
        let mut definitions = HashMap::new();
        for (head, body) in &document.define.0 {
            let shape = || {
                self.wrong(
                    place(head),
                    format!("\"{}\", but an operator is written name(a, b)", head.value),
                )
            };
            let crate::puzzles::formula::Kind::Call(name, parameters) = Formula::parse(&head.value)
                .map_err(|_| shape())?
                .expression
                .kind
            else {
                return Err(shape());
            };
            let parameters: Option<Vec<String>> = parameters
                .into_iter()
                .map(|parameter| match parameter.kind {
                    crate::puzzles::formula::Kind::Name(name) => Some(name),
                    _ => None,
                })
                .collect();
            let parameters = parameters
                .filter(|parameters| !parameters.is_empty())
                .ok_or_else(shape)?;
            if crate::puzzles::formula::is_function(&name) || definitions.contains_key(&name) {
                return Err(self.wrong(place(head), format!("there is a function {name} already")));
            }
            let body = self.parse(body)?.parsed.expression;
            let missing = body.calls().into_iter().find(|called| {
                !crate::puzzles::formula::is_function(called) && !definitions.contains_key(*called)
            });
            if let Some(missing) = missing {
                let message =
                    format!("unknown function \"{missing}\"; an operator may use those above it");
                return Err(self.wrong(place(head), message));
            }
            definitions.insert(name, Definition { parameters, body });
        }
        Ok(Arc::new(definitions))
    }

    pub(super) fn variable(
        &mut self,
        name: &Text,
        variable: &document::Variable,
    ) -> Compiled<Variable> {
        let identifier = self.identifier(name)?;
        self.names.later.retain(|later| *later != identifier);
        let (rule, kind) = match (&variable.formula, &variable.from) {
            (Some(formula), None) => {
                let (formula, kind) = self.formula(formula, &Type::Any)?;
                (Rule::Formula(formula), kind)
            }
            (None, Some(from)) => {
                let items = document::PartItems {
                    from: from.clone(),
                    amount: variable.amount.clone(),
                    ordered: variable.ordered,
                    repeat: variable.repeat,
                };
                let (part, kind) = self.items(&identifier, &items)?;
                (Rule::Draw(part), kind)
            }
            _ => {
                return Err(
                    self.wrong(place(name), format!("{identifier}: either from or formula"))
                );
            }
        };
        if !variable.difficulty.is_finite() {
            return Err(self.wrong(
                place(name),
                format!("{identifier}: difficulty must be a finite number"),
            ));
        }
        if variable.formula.is_some() && variable.filter.is_some() {
            return Err(self.wrong(place(name), format!("{identifier}: where goes with from")));
        }
        self.names.add(identifier.clone(), kind);
        Ok(Variable {
            filter: self.optional(variable.filter.as_ref(), &Type::Bool)?,
            name: identifier,
            rule,
            difficulty: variable.difficulty,
        })
    }

    pub(super) fn items(
        &mut self,
        name: &str,
        items: &document::PartItems,
    ) -> Compiled<(Part, Type)> {
        let (from, kind) = self.formula(&items.from, &Type::list(Type::Any))?;
        let amount = self.optional(items.amount.as_ref(), &Type::Int)?;
        let item = match kind {
            Type::List(item) => *item,
            _ => Type::Any,
        };
        let kind = if amount.is_some() {
            Type::list(item)
        } else {
            item
        };
        let part = Part {
            name: name.into(),
            from,
            amount,
            ordered: items.ordered,
            repeat: items.repeat,
        };
        Ok((part, kind))
    }

    pub(super) fn symbol(&mut self, name: &Text, symbol: &document::Symbol) -> Compiled<Symbol> {
        let identifier = self.identifier(name)?;
        let mut keys = Vec::new();
        for key in &symbol.keys {
            keys.push(self.formula(key, &Type::list(Type::Any))?.0);
        }
        let (from, kind) = match (&symbol.from, symbol.bool) {
            (None, true) => (None, Type::Bool),
            (Some(from), false) => {
                let (from, kind) = self.formula(from, &Type::list(Type::Any))?;
                let item = match kind {
                    Type::List(item) => *item,
                    _ => Type::Any,
                };
                (Some(from), item)
            }
            _ => {
                return Err(self.wrong(
                    place(name),
                    format!("{identifier}: either from or bool: true"),
                ));
            }
        };
        let kind = match keys.len() {
            0 => kind,
            count => Type::Table(count, Box::new(kind)),
        };
        self.names.add(identifier.clone(), kind);
        Ok(Symbol {
            name: identifier,
            keys,
            from,
        })
    }
}
