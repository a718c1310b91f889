//! Conditions, statements, clues and questions, checked.

use super::{
    Clue, Condition, Question, QuestionKind, Sourced, Spec, SpecError, Statement, Worded,
    compile::{Compiled, Compiler, place},
    document::{self, Text},
};
use crate::puzzles::formula::{Formula, Type};
use serde_saphyr::{Location, Spanned};

impl Compiler<'_> {
    pub(super) fn clue(&mut self, template: &document::Template) -> Compiled<Clue> {
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

    pub(super) fn statement(
        &mut self,
        name: &Text,
        statement: &document::Statement,
    ) -> Compiled<Statement> {
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
    pub(super) fn keys(
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
    pub(super) fn either(
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

    pub(super) fn condition(
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

    pub(super) fn question(&mut self, question: &document::Question) -> Compiled<Question> {
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
    pub(super) fn wordings(&self, spec: &Spec) -> Compiled<Vec<String>> {
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
