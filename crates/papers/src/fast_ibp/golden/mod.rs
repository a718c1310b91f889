//! Fast-IBP's golden cases: which library calls compute what a file holds.

mod bounds;
mod network;
mod training;

use offprint_lab::{
    Result,
    golden::{Case, Method, Outputs},
};

/// The kinds.
pub const METHODS: &[Method] = &[
    method("interval", bounds::interval),
    method("crown-ibp", bounds::crown),
    method("graph", bounds::graph),
    method("pgd", bounds::attack),
    method("regularizers", training::regularizers),
    method("init", training::init),
    method("schedule", training::schedule),
];

const fn method(kind: &'static str, evaluate: fn(&Case) -> Result<Outputs>) -> Method {
    Method { kind, evaluate }
}
