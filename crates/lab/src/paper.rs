//! A paper's card: what it promises, where that stands in the library, and what is wrong with the code that came with it.

use crate::{bench::Bench, command::UserCommand, golden::Method, study::AnyStudy};
use serde::Serialize;

/// A paper of the catalogue.
///
/// Every paper has the first seven fields; only those that run have [`work`](Self::work).
#[derive(Clone, Copy)]
pub struct Paper {
    /// Name on the command line and of every folder of the paper.
    pub slug: &'static str,
    /// Title as published.
    pub title: &'static str,
    /// Date of the first version, `YYYY-MM-DD` (`YYYY-MM` where the day is not known).
    pub date: &'static str,
    /// Number of authors.
    pub authors: u16,
    /// arXiv identifier; `None` where it is not certain.
    pub arxiv: Option<&'static str>,
    /// Part of the field; also a filter of `offprint list`.
    pub field: Field,
    /// What the paper does, in our own words, two to four sentences.
    pub summary: &'static str,
    /// The running part; `None` while the paper is planned.
    pub work: Option<&'static Work>,
}

/// What stands once a paper runs.
pub struct Work {
    /// The method in two or three short lines, for a reader who knows the field.
    pub what_it_does: &'static str,
    /// The central equation, in one line.
    pub equation: &'static str,
    /// Every noun phrase of the abstract, with the item that fulfils it.
    pub parts: &'static [Part],
    /// What the paper reports, in its own units.
    pub headline: &'static [&'static str],
    /// The authors' code.
    pub reference: Option<Reference>,
    /// Where the released code departs from the paper or is wrong.
    pub errata: &'static [Erratum],
    /// What differs here from the paper in scale, data or scope.
    pub differences: &'static [&'static str],
    /// The runnable comparison.
    pub study: &'static dyn AnyStudy,
    /// Evaluates golden cases.
    pub golden: &'static [Method],
    /// The committed report of the full study, as JSON; `None` before there is one.
    pub report: Option<&'static str>,
    /// Timed work, for `offprint bench`.
    pub benches: fn() -> Vec<Bench>,
    /// `offprint use <slug> …`
    pub command: Option<&'static dyn UserCommand>,
    /// Further studies of the paper, each with a card of its own and a slug that begins with the paper's and a hyphen:
    /// `comet-language` is run and reported under that name and stands on the card of `comet`.
    pub further: &'static [Paper],
}

/// Part of the field a paper belongs to; named after the room of the library it is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    Adapt,
    Certify,
    Circuits,
    Decide,
    Experts,
    Language,
    Layers,
    Operators,
    Quantize,
    Quantum,
    Theory,
    Tune,
    Vision,
}

/// One promise of the abstract and the item that fulfils it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Part {
    /// The promise, a noun phrase.
    pub promise: &'static str,
    /// Path of the item below `offprint`, `experts::CometGate`, or the verb that does it.
    pub item: &'static str,
}

impl Part {
    /// What is promised, and the item that fulfils it.
    pub const fn new(promise: &'static str, item: &'static str) -> Self {
        Self { promise, item }
    }
}

/// The authors' released code.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reference {
    /// `owner/name` on GitHub.
    pub repository: &'static str,
    /// Abbreviated commit that was read.
    pub commit: &'static str,
    /// Framework or language.
    pub language: &'static str,
    /// Licence of the code, or that there is none.
    pub licence: &'static str,
}

/// A fault of the released code, or a place where it departs from the paper.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Erratum {
    /// What is wrong.
    pub what: &'static str,
    /// `repository@commit path`, with the function or line.
    pub place: &'static str,
    /// Which way ours goes.
    pub ours: &'static str,
}
