//! From a document to a specification: every formula parsed, every name and type checked.

use super::{
    Clue, Condition, LARGEST, Original, Part, Question, QuestionKind, Rule, Sourced, Spec,
    SpecError, Statement, Symbol, Variable, Worded,
    document::{self, Document, Text, Wording},
    error::Place,
};
use crate::puzzles::{
    formula::{Definition, Formula, Names, Template, Type, Wrong},
    solver::Direction,
};
use serde_saphyr::{Location, Spanned};
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

struct Compiler<'a> {
    source: &'a str,
    names: Names,
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    let Location { .. } = spanned.referenced;
    Place {
        line: spanned.referenced.line() as usize,
        column: spanned.referenced.column() as usize,
    }
}

type Compiled<T> = Result<T, SpecError>;

impl Compiler<'_> {
    fn spec(&mut self, document: Document) -> Compiled<Spec> {
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

    fn wrong(&self, at: Place, message: impl Into<String>) -> SpecError {
        SpecError::at(self.source, at.line, at.column, message)
    }

    fn locate(&self, text: &str, at: &Place, wrong: Wrong) -> SpecError {
        let (line, column) = at.of(self.source, text, wrong.at);
        SpecError::at(self.source, line, column, wrong.message)
    }

    /// A name of a file: letters, digits, `-`.
    fn name(&self, name: &Text) -> Compiled<String> {
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
    fn identifier(&self, name: &Text) -> Compiled<String> {
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

    fn parse(&self, text: &Text) -> Compiled<Sourced<Formula>> {
        self.parse_at(&text.value, place(text))
    }

    fn parse_at(&self, text: &str, at: Place) -> Compiled<Sourced<Formula>> {
        let parsed = Formula::parse(text).map_err(|wrong| self.locate(text, &at, wrong))?;
        Ok(Sourced {
            parsed,
            text: text.into(),
            place: at,
        })
    }

    fn formula(&mut self, text: &Text, expected: &Type) -> Compiled<(Sourced<Formula>, Type)> {
        self.formula_at(&text.value, place(text), expected)
    }

    fn formula_at(
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

    fn optional(
        &mut self,
        text: Option<&Text>,
        expected: &Type,
    ) -> Compiled<Option<Sourced<Formula>>> {
        let formula = text.map(|text| self.formula(text, expected));
        Ok(formula.transpose()?.map(|(formula, _)| formula))
    }

    fn worded(&mut self, wording: &Spanned<Wording>) -> Compiled<Worded> {
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

    fn template(&mut self, text: &str, at: Place) -> Compiled<Sourced<Template>> {
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
    fn definitions(&mut self, document: &Document) -> Compiled<Arc<HashMap<String, Definition>>> {
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
            let mut called = Vec::new();
            body.calls(&mut called);
            let missing = called.iter().find(|called| {
                !crate::puzzles::formula::is_function(called) && !definitions.contains_key(**called)
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

    fn variable(&mut self, name: &Text, variable: &document::Variable) -> Compiled<Variable> {
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
                return Err(self.wrong(place(name), format!("{identifier}: either from or formula")));
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

    fn items(&mut self, name: &str, items: &document::PartItems) -> Compiled<(Part, Type)> {
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

    fn symbol(&mut self, name: &Text, symbol: &document::Symbol) -> Compiled<Symbol> {
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

    fn clue(&mut self, template: &document::Template) -> Compiled<Clue> {
        let before = self.names.len();
        let mut parts = Vec::new();
        for (name, part) in &template.draw.0 {
            let identifier = self.identifier(name)?;
            let (part, kind) = match &part.value {
                document::Part::Item(from) => {
                    let from = Spanned::new(from.clone(), part.referenced, part.defined);
                    let items = document::PartItems {
                        from,
                        amount: None,
                        ordered: false,
                        repeat: false,
                    };
                    self.items(&identifier, &items)?
                }
                document::Part::Items(items) => self.items(&identifier, items)?,
            };
            self.names.add(identifier, kind);
            parts.push(part);
        }
        let clue = Clue {
            parts,
            filter: self.optional(template.filter.as_ref(), &Type::Bool)?,
            holds: self.formula(&template.holds, &Type::Bool)?.0,
            text: template
                .text
                .as_ref()
                .map(|text| self.worded(text))
                .transpose()?,
        };
        self.names.truncate(before);
        Ok(clue)
    }

    fn statement(&mut self, name: &Text, statement: &document::Statement) -> Compiled<Statement> {
        let identifier = self.identifier(name)?;
        let before = self.names.len();
        let keys = self.keys(&statement.keys)?;
        if keys.is_empty() || statement.either.is_empty() {
            return Err(self.wrong(
                place(name),
                format!("{identifier}: for and either must not be empty"),
            ));
        }
        let either = statement
            .either
            .iter()
            .map(|clue| self.clue(clue))
            .collect::<Compiled<_>>()?;
        self.names.truncate(before);
        self.names.add(
            identifier.clone(),
            Type::Table(keys.len(), Box::new(Type::Bool)),
        );
        self.names.add(
            format!("{identifier}.text"),
            Type::Table(keys.len(), Box::new(Type::Text)),
        );
        Ok(Statement {
            name: identifier,
            keys,
            either,
        })
    }

    /// Names that run through lists.
    fn keys(
        &mut self,
        keys: &document::Ordered<Text>,
    ) -> Compiled<Vec<(String, Sourced<Formula>)>> {
        let mut compiled = Vec::new();
        for (key, list) in &keys.0 {
            let (list, kind) = self.formula(list, &Type::list(Type::Any))?;
            let key = self.identifier(key)?;
            let item = match kind {
                Type::List(item) => *item,
                _ => Type::Any,
            };
            self.names.add(key.clone(), item);
            compiled.push((key, list));
        }
        Ok(compiled)
    }

    /// The templates of a condition or question: `either`, or one written in place.
    fn either(
        &mut self,
        either: Option<&Vec<document::Template>>,
        alone: document::Template,
        whole: &str,
    ) -> Compiled<Vec<Clue>> {
        match either {
            None => Ok(vec![self.clue(&alone)?]),
            Some(_) if !alone.holds.value.is_empty() || !alone.draw.0.is_empty() => {
                Err(SpecError::whole(format!(
                    "{whole}: either a list under either, or draw and holds"
                )))
            }
            Some(either) if either.is_empty() => {
                Err(SpecError::whole(format!("{whole}: either is empty")))
            }
            Some(either) => either.iter().map(|clue| self.clue(clue)).collect(),
        }
    }

    fn condition(
        &mut self,
        condition: &document::Condition,
        texts: &mut Vec<String>,
    ) -> Compiled<Condition> {
        let whole = condition
            .name
            .as_ref()
            .map_or("a condition", |name| &name.value)
            .to_string();
        if condition.either.is_none() && condition.holds.is_none() {
            return Err(SpecError::whole(format!("{whole}: holds is missing")));
        }
        let alone = document::Template {
            draw: condition.draw.clone(),
            filter: condition.filter.clone(),
            holds: condition.holds.clone().unwrap_or_else(nothing),
            text: condition.text.clone(),
        };
        let before = self.names.len();
        let each = self.keys(&condition.each)?;
        let either = self.either(condition.either.as_ref(), alone, &whole)?;
        self.names.truncate(before);
        let fixed = either.len() == 1 && either[0].parts.is_empty() && condition.repeat.is_none();
        if !each.is_empty() && !fixed {
            return Err(SpecError::whole(format!(
                "{whole}: with each, nothing is drawn or repeated"
            )));
        }
        let repeat = match &condition.repeat {
            None => None,
            Some(repeat) => {
                let (formula, kind) = self.formula(repeat, &Type::Any)?;
                if !kind.fits(&Type::Int) && !kind.fits(&Type::list(Type::Int)) {
                    let message = format!("{kind}, but a number or a range of numbers is expected");
                    return Err(self.wrong(place(repeat), message));
                }
                Some(formula)
            }
        };
        if condition.until_unique && repeat.is_none() {
            return Err(SpecError::whole(format!(
                "{whole}: until_unique needs repeat, the most clues"
            )));
        }
        let before = self.names.len();
        self.names.add("items", Type::list(Type::list(Type::Any)));
        let together = self.optional(condition.together.as_ref(), &Type::Bool)?;
        self.names.truncate(before);
        let name = match &condition.name {
            None => None,
            Some(name) => {
                let identifier = self.identifier(name)?;
                if texts.contains(&identifier) {
                    return Err(self.wrong(
                        place(name),
                        format!("two conditions are called {identifier}"),
                    ));
                }
                texts.push(identifier.clone());
                Some(identifier)
            }
        };
        Ok(Condition {
            name,
            each,
            repeat,
            until_unique: condition.until_unique,
            alike: condition.alike,
            together,
            either,
        })
    }

    fn question(&mut self, question: &document::Question) -> Compiled<Question> {
        let ask = self.worded(&question.ask)?;
        let kind = match (&question.answer, &question.options) {
            (Some(answer), None) => QuestionKind::Free {
                answer: self.formula(answer, &Type::Any)?.0,
                unordered: question.unordered,
            },
            (None, Some(amount)) => {
                let all = match question.when.as_ref().map(|when| when.value.as_str()) {
                    None | Some("all") => true,
                    Some("any") => false,
                    Some(other) => {
                        let when = question.when.as_ref().map(place).unwrap_or_default();
                        return Err(
                            self.wrong(when, format!("when: {other}, but it must be all or any"))
                        );
                    }
                };
                if question.either.is_none() && question.holds.is_none() {
                    return Err(self.wrong(place(amount), "options need holds and text, or either"));
                }
                let alone = document::Template {
                    draw: question.draw.clone(),
                    filter: question.filter.clone(),
                    holds: question.holds.clone().unwrap_or_else(nothing),
                    text: question.text.clone(),
                };
                let either = self.either(question.either.as_ref(), alone, "options")?;
                if either.iter().any(|clue| clue.text.is_none()) {
                    return Err(self.wrong(place(amount), "every option needs a text"));
                }
                let (amount, _) = self.formula(amount, &Type::Int)?;
                QuestionKind::Options {
                    amount,
                    all,
                    wrong: question.wrong,
                    either,
                }
            }
            _ => {
                return Err(self.wrong(
                    place(&question.ask),
                    "a question has either an answer or options",
                ));
            }
        };
        Ok(Question { ask, kind })
    }

    /// The wordings of the specification's text; every other text has all of them, or one for all.
    fn wordings(&self, spec: &Spec) -> Compiled<Vec<String>> {
        let named = |worded: &Worded| -> Vec<String> {
            worded
                .0
                .iter()
                .filter_map(|(name, _)| name.clone())
                .collect()
        };
        let mut wordings = named(&spec.text);
        if wordings.is_empty() {
            wordings.push("plain".into());
        }
        let conditions = spec
            .conditions
            .iter()
            .chain(&spec.clues)
            .flat_map(|condition| &condition.either);
        let clues = conditions.chain(
            spec.statements
                .iter()
                .flat_map(|statement| &statement.either),
        );
        let options = spec
            .questions
            .iter()
            .flat_map(|question| match &question.kind {
                QuestionKind::Options { either, .. } => &either[..],
                QuestionKind::Free { .. } => &[],
            });
        let texts = clues.chain(options).filter_map(|clue| clue.text.as_ref());
        for worded in texts.chain(spec.questions.iter().map(|question| &question.ask)) {
            let own = named(worded);
            if own.is_empty() {
                continue;
            }
            let at = || worded.0[0].1.place.clone();
            if let Some(missing) = wordings.iter().find(|wording| !own.contains(wording)) {
                return Err(self.wrong(at(), format!("the wording \"{missing}\" is missing here")));
            }
            if let Some(more) = own.iter().find(|wording| !wordings.contains(wording)) {
                return Err(self.wrong(at(), format!("the wording \"{more}\" is missing in text")));
            }
        }
        Ok(wordings)
    }
}

fn nothing() -> Text {
    Spanned::new(String::new(), Location::UNKNOWN, Location::UNKNOWN)
}
