//! What keeps bounds tight and ReLUs balanced while the radius grows.

use crate::bounds::{Bounds, Interval};
use crate::graph::Network;
use burn::tensor::{Tensor, activation};

/// `mean over layers of max(0, τ − t_0 / t) / τ`, with the mean half width `t` of a ReLU's input and `t_0` of the network's:
/// 0 where bounds grow by no more than `1/τ`.
///
/// # Shapes
/// * `input`: the box of the network's input
/// * `layers`: the boxes of the ReLUs' inputs
/// * result: `[1]`
///
/// # Panics
/// If there are no layers.
///
/// Source: Shi et al., "Fast Certified Robust Training with Short Warmup", NeurIPS 2021, section 4.3.
pub fn tightness(input: &Interval, layers: &[Interval], tolerance: f64) -> Tensor<1> {
    let width = input.radius().mean();
    mean_over(layers, |layer| {
        let ratio = width.clone() / layer.radius().mean().clamp_min(1e-12);
        Some(below(ratio, tolerance))
    })
}

/// `mean over layers of (max(0, τ − r_m) + max(0, τ − r_v)) / τ`.
///
/// With the center `c` of a ReLU's input, `r_m` is the sum of `c` over active units (lower bound above 0) over that of `−c`
/// over inactive ones (upper bound below 0), `r_v` the same of `(c − mean c)²`; each counts as `min(r, 1/r)`. A layer whose
/// term is not finite, because it has no inactive unit say, adds 0.
///
/// Shapes, panics and source as of [`tightness`].
pub fn relu_balance(layers: &[Interval], tolerance: f64) -> Tensor<1> {
    mean_over(layers, |layer| {
        let (lower, upper, center) = (layer.lower(), layer.upper(), layer.center());
        let active = lower.greater_elem(0.0);
        let inactive = upper.lower_elem(0.0);
        let only = |x: &Tensor<2>, mask: &Tensor<2, burn::tensor::Bool>| {
            x.clone().mask_fill(mask.clone().bool_not(), 0.0).sum()
        };
        let mean = only(&center, &active) / -only(&center, &inactive);
        let deviation = (center.clone() - center.mean().reshape([1, 1])).square();
        let variance = only(&deviation, &active) / only(&deviation, &inactive);
        let balanced = |ratio: Tensor<1>| {
            let inverse = ratio.clone().clamp_min(1e-12).recip();
            below(ratio.min_pair(inverse), tolerance)
        };
        let term = balanced(mean) + balanced(variance);
        term.clone()
            .into_scalar::<f64>()
            .is_finite()
            .then_some(term)
    })
}

/// `max(0, τ − x) / τ`.
fn below(x: Tensor<1>, tolerance: f64) -> Tensor<1> {
    activation::relu(-x + tolerance) / tolerance
}

/// The mean of a term over layers, in which an absent one counts as 0.
fn mean_over(layers: &[Interval], term: impl Fn(&Interval) -> Option<Tensor<1>>) -> Tensor<1> {
    let first = layers.first().expect("a layer at least");
    let center = first.center();
    let nothing = Tensor::<1>::zeros([1], (&center.device(), center.dtype()));
    let sum = layers
        .iter()
        .filter_map(term)
        .fold(nothing, |sum, term| sum + term);
    sum / layers.len() as f64
}

/// What the bounds say of a ReLU's units, as shares of all over a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct ReluStates {
    /// The ReLU's name.
    pub name: String,
    /// Lower bound above 0: linear in the box.
    pub active: f64,
    /// Upper bound below 0: constantly 0 in the box.
    pub inactive: f64,
    /// The rest.
    pub unstable: f64,
    /// Mean half width of the input.
    pub width: f64,
}

impl ReluStates {
    /// How unequal active and inactive units are: `|active − inactive| / (active + inactive)`, 0 if there are none.
    pub fn imbalance(&self) -> f64 {
        let decided = self.active + self.inactive;
        match decided > 0.0 {
            true => (self.active - self.inactive).abs() / decided,
            false => 0.0,
        }
    }
}

/// The states of each ReLU of a network, in order.
pub fn relu_states(network: &Network, bounds: &Bounds) -> Vec<ReluStates> {
    let states = network.relu_inputs().into_iter().map(|(value, name)| {
        let layer = &bounds.values[value];
        let share = |mask: Tensor<2, burn::tensor::Bool>| {
            let count = mask.float().mean();
            f64::from(count.into_scalar::<f32>())
        };
        let active = share(layer.lower().inner().greater_elem(0.0));
        let inactive = share(layer.upper().inner().lower_elem(0.0));
        ReluStates {
            name: name.into(),
            active,
            inactive,
            unstable: 1.0 - active - inactive,
            width: layer.radius().inner().mean().into_scalar::<f64>(),
        }
    });
    states.collect()
}
