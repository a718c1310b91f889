//! A puzzle: its texts, answers, and the choices that made it.

use super::{
    build::{Build, Choices, Failure},
    configuration::Configuration,
    draw::stream,
    solver::Solver,
    spec::{Spec, SpecError},
};
use serde::{Deserialize, Serialize};

/// A puzzle with its answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Puzzle {
    /// Name of the specification.
    pub seed_puzzle: String,
    /// Kind of puzzle.
    pub kind: String,
    /// [`Spec::fingerprint`] of the specification that made it.
    pub spec: String,
    /// Seed and index of the draw.
    pub seed: u64,
    pub index: u64,
    /// Which of the specification's wordings.
    pub wording: String,
    /// The story.
    pub text: String,
    pub questions: Vec<Question>,
    pub measures: Measures,
    /// Every choice, by which it is made again.
    pub configuration: Configuration,
    /// Draws thrown away before this one.
    pub rejected: u64,
    /// Difficulty among the puzzles of a file; see [`difficulty`](super::difficulty).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<f64>,
}

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub ask: String,
    pub format: Format,
    /// Texts of the options; the first is A.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    pub answer: String,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A whole number.
    Number,
    /// `yes` or `no`.
    Truth,
    /// A word or words.
    Text,
    /// Several values in order, with commas between: a tuple, an ordering.
    List,
    /// Several values in any order, with commas between.
    Set,
    /// Letters of all right options, in any order; `none` where no option is right.
    Options,
}

/// What its difficulty is measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Characters of story and questions.
    pub text_length: usize,
    /// Number of constraints.
    pub conditions: usize,
    /// Number of unknowns.
    pub symbols: usize,
    /// Mean place of the variables with a difficulty between their smallest and largest value, 0 to 1; 0.5 without any.
    pub variable_scale: f64,
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Right,
    Wrong,
    /// It is not written as the format asks.
    Unreadable,
}

impl Puzzle {
    /// Story and questions as one text, with the options and how to answer.
    pub fn prompt(&self) -> String {
        let mut text = self.text.trim_end().to_string();
        for (number, question) in self.questions.iter().enumerate() {
            text.push_str(if number == 0 { "\n\n" } else { "\n" });
            if self.questions.len() > 1 {
                text.push_str(&format!("{}. ", number + 1));
            }
            text.push_str(&question.ask);
            for (place, option) in question.options.iter().enumerate() {
                text.push_str(&format!("\n{}. {option}", letter(place)));
            }
        }
        text
    }

    /// Makes the puzzle again from its configuration and solves it again.
    ///
    /// # Errors
    /// The specification is another one, or the configuration does not fit it.
    pub fn reproduce(&self, spec: &Spec, solver: &dyn Solver) -> Result<Puzzle, SpecError> {
        if self.spec != spec.fingerprint() {
            return Err(SpecError::whole(format!(
                "the puzzle was made by specification {} ({}), but this is {} ({})",
                self.seed_puzzle,
                self.spec,
                spec.name,
                spec.fingerprint()
            )));
        }
        let again = assemble(
            spec,
            solver,
            &self.wording,
            Source::Recorded(&self.configuration),
        );
        let mut again = again.map_err(explain)?;
        again.seed = self.seed;
        again.index = self.index;
        again.rejected = self.rejected;
        again.difficulty = self.difficulty;
        Ok(again)
    }

    /// The puzzle with some variables drawn anew and every other choice kept: other names, another theme, or with another
    /// wording another language.
    ///
    /// # Errors
    /// A variable is unknown, the wording is, or the other choices do not fit the new values.
    pub fn redraw(
        &self,
        spec: &Spec,
        solver: &dyn Solver,
        variables: &[String],
        wording: &str,
        seed: u64,
    ) -> Result<Puzzle, SpecError> {
        let known = |name: &String| spec.variables.iter().any(|variable| variable.name == *name);
        if let Some(unknown) = variables.iter().find(|name| !known(name)) {
            let names: Vec<&str> = spec
                .variables
                .iter()
                .map(|variable| &*variable.name)
                .collect();
            let message = format!(
                "unknown variable \"{unknown}\"; there are {}",
                names.join(", ")
            );
            return Err(SpecError::whole(message));
        }
        check_wording(spec, wording)?;
        let source = Source::Redrawn(&self.configuration, variables, seed, self.index);
        let mut again = assemble(spec, solver, wording, source).map_err(explain)?;
        again.seed = seed;
        again.index = self.index;
        Ok(again)
    }

    /// What an answer to a question (from 0) is worth.
    pub fn verify(&self, question: usize, answer: &str) -> Verdict {
        match self.questions.get(question) {
            Some(question) => question.verify(answer),
            None => Verdict::Unreadable,
        }
    }
}

/// That the specification has a wording.
pub(crate) fn check_wording(spec: &Spec, wording: &str) -> Result<(), SpecError> {
    match spec.wordings.iter().any(|known| known == wording) {
        true => Ok(()),
        false => Err(SpecError::whole(format!(
            "unknown wording \"{wording}\"; {} has {}",
            spec.name,
            spec.wordings.join(", ")
        ))),
    }
}

pub(crate) fn explain(failure: Failure) -> SpecError {
    match failure {
        Failure::Spec(error) | Failure::NoDraw(error) => error,
        Failure::Rejected(rejection) => {
            SpecError::whole(format!("no puzzle: {}", rejection.about()))
        }
    }
}

/// Where the choices of a puzzle come from.
pub(crate) enum Source<'a> {
    Drawn(&'a mut super::draw::Draw),
    Recorded(&'a Configuration),
    Redrawn(&'a Configuration, &'a [String], u64, u64),
}

/// Makes a puzzle.
pub(crate) fn assemble(
    spec: &Spec,
    solver: &dyn Solver,
    wording: &str,
    mut source: Source,
) -> Result<Puzzle, Failure> {
    let (mut build, text, questions);
    match &mut source {
        Source::Drawn(draw) => {
            build = Build::new(spec, solver, wording, Choices::Drawn(draw))?;
            (text, questions) = build.questions(Choices::Drawn(draw))?;
        }
        Source::Recorded(recorded) => {
            build = Build::new(spec, solver, wording, Choices::Recorded(recorded))?;
            (text, questions) = build.questions(Choices::Recorded(recorded))?;
        }
        Source::Redrawn(recorded, names, seed, index) => {
            let draw = &mut stream(*seed, *index);
            build = Build::new(
                spec,
                solver,
                wording,
                Choices::Redrawn(recorded, names, draw),
            )?;
            (text, questions) = build.questions(Choices::Recorded(recorded))?;
        }
    }
    let mut puzzle = Puzzle {
        seed_puzzle: spec.name.clone(),
        kind: spec.kind.clone(),
        spec: spec.fingerprint(),
        seed: 0,
        index: 0,
        wording: wording.into(),
        text,
        questions,
        measures: Measures {
            text_length: 0,
            conditions: build.problem.constraints.len(),
            symbols: build.problem.unknowns.len(),
            variable_scale: build.variable_scale(),
        },
        configuration: build.configuration,
        rejected: 0,
        difficulty: None,
    };
    puzzle.measures.text_length = puzzle.prompt().chars().count();
    Ok(puzzle)
}

impl Question {
    /// What an answer is worth.
    pub fn verify(&self, answer: &str) -> Verdict {
        let (Some(given), Some(right)) =
            (read(answer, self.format), read(&self.answer, self.format))
        else {
            return Verdict::Unreadable;
        };
        if given == right {
            Verdict::Right
        } else {
            Verdict::Wrong
        }
    }
}

/// An answer without what does not count: case, space, brackets, a final period; order where it does not matter.
fn read(answer: &str, format: Format) -> Option<Vec<String>> {
    let answer = answer.trim().trim_end_matches('.').trim().to_lowercase();
    if answer.is_empty() && !matches!(format, Format::List | Format::Set) {
        return None;
    }
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let items = || -> Vec<String> {
        let inner = answer.trim_matches(['(', ')', '[', ']', '{', '}']);
        let items = inner.split([',', ';']).map(words);
        items.filter(|item| !item.is_empty()).collect()
    };
    Some(match format {
        Format::Number => vec![
            answer
                .replace(['\u{a0}', ' '], "")
                .parse::<i64>()
                .ok()?
                .to_string(),
        ],
        Format::Truth => match answer.as_str() {
            "yes" | "true" => vec!["yes".into()],
            "no" | "false" => vec!["no".into()],
            _ => return None,
        },
        Format::Text => vec![words(&answer)],
        Format::List => items(),
        Format::Set => {
            let mut items = items();
            items.sort_unstable();
            items
        }
        Format::Options if answer == "none" => Vec::new(),
        Format::Options => {
            let letters = answer
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|part| !matches!(*part, "" | "and"));
            let mut letters: Vec<String> = letters
                .flat_map(|part| part.chars().map(String::from))
                .collect();
            if letters.is_empty()
                || letters
                    .iter()
                    .any(|letter| !letter.as_bytes()[0].is_ascii_lowercase())
            {
                return None;
            }
            letters.sort_unstable();
            letters.dedup();
            letters
        }
    })
}

fn letter(place: usize) -> char {
    char::from(b'A' + (place % 26) as u8)
}

/// The answer of a question with options.
pub(crate) fn option_letters(right: impl Iterator<Item = usize>) -> String {
    let letters: Vec<String> = right.map(|place| letter(place).to_string()).collect();
    if letters.is_empty() {
        "none".into()
    } else {
        letters.join(", ")
    }
}
