//! DeepONet's golden cases: which library calls compute what a file holds.

mod functions;
mod networks;
mod systems;

use crate::explain::explain;
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Method, Outputs},
};
use offprint_operators::spaces::Functions;

/// The kinds.
pub const METHODS: &[Method] = &[
    method("forward", networks::forward),
    method("seq2seq", networks::seq2seq),
    method("residual-mlp", networks::residual_mlp),
    method("random-field", functions::random_field),
    method("chebyshev", functions::chebyshev),
    method("power-series", functions::power_series),
    method("dynamic-system", systems::dynamic_system),
    method("diffusion-reaction", systems::diffusion_reaction),
    method("advection", systems::advection),
    method("advection-diffusion", systems::advection_diffusion),
    method("legendre", systems::legendre),
    method("caputo", systems::caputo),
];

const fn method(kind: &'static str, evaluate: fn(&Case) -> Result<Outputs>) -> Method {
    Method { kind, evaluate }
}

/// The coefficients of a case as functions.
fn coefficients(case: &Case) -> Result<Functions> {
    let array = case.array("in.coefficients")?;
    let [_, terms] = array.shape[..] else {
        let shape = &array.shape;
        return Err(Error::input(format!(
            "in.coefficients has shape {shape:?}, expected [functions, terms]"
        )));
    };
    Functions::new(terms, array.values.clone()).map_err(explain)
}

/// One output of `rows` rows.
fn output(name: &str, rows: usize, values: Vec<f64>) -> Outputs {
    let mut outputs = Outputs::default();
    let columns = values.len() / rows.max(1);
    outputs.put(name, Array::new([rows, columns], values));
    outputs
}
