//! What bounds say of each ReLU: how wide they are, and which units are active, inactive or neither.

use super::sets::Part;
use crate::explain::explain;
use burn::tensor::Device;
use offprint_certify::{
    bounds::{Interval, Rounding, interval_forward},
    graph::Network,
    training::{ReluStates, relu_states},
};
use offprint_lab::{
    Result,
    table::{Cell, Table},
};

/// Pictures that are looked at, the first of the validation part.
const LOOKED_AT: usize = 100;

/// The states of the ReLUs in boxes of this radius, batch norms with the statistics of the clean pictures, as training
/// has them.
pub fn states(
    network: &Network,
    part: &Part,
    eps: f64,
    device: &Device,
) -> Result<Vec<ReluStates>> {
    let rows: Vec<usize> = (0..LOOKED_AT.min(part.len())).collect();
    let (x, _) = part.select(&rows, device);
    let (_, statistics) = network.forward_training(x.clone()).map_err(explain)?;
    let input = Interval::around(x, eps, Some([0.0, 1.0])).map_err(explain)?;
    let bounds =
        interval_forward(network, &input, Some(&statistics), Rounding::Nearest).map_err(explain)?;
    Ok(relu_states(network, &bounds))
}

/// Mean over the layers.
pub fn imbalance(states: &[ReluStates]) -> f64 {
    states.iter().map(ReluStates::imbalance).sum::<f64>() / states.len() as f64
}

/// Mean over the layers of the logarithm of how many times wider a box is there than at the input.
pub fn width(states: &[ReluStates], eps: f64) -> f64 {
    let ratios = states.iter().map(|layer| (layer.width / eps).ln());
    ratios.sum::<f64>() / states.len() as f64
}

/// Mean growth of the logarithm of the width from one layer to the next.
pub fn growth(states: &[ReluStates], eps: f64) -> f64 {
    let last = states.last().map_or(eps, |layer| layer.width);
    (last / eps).ln() / states.len() as f64
}

/// An empty table of states by layer.
pub fn table() -> Table {
    let columns = [
        "when",
        "layer",
        "half width / radius",
        "active",
        "inactive",
        "unstable",
    ];
    Table::new("Bounds of the ReLUs' inputs at the whole radius", columns)
}

/// Adds a row a layer.
pub fn add(table: &mut Table, when: &str, states: &[ReluStates], eps: f64) {
    for layer in states {
        let numbers = [
            layer.width / eps,
            layer.active,
            layer.inactive,
            layer.unstable,
        ];
        let names = [Cell::from(when), Cell::from(layer.name.as_str())];
        let row = names.into_iter().chain(numbers.map(Cell::from));
        table.rows.push(row.collect());
    }
}
