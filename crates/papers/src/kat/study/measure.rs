//! What is told of a model before it is trained: variances by depth; time, memory and size of its channel mixers.

use super::settings::KatSettings;
use crate::explain::explain;
use burn::tensor::{Device, Distribution, Tensor};
use offprint_backbones::{AnyChannelMixer, ChannelMixer, Vit, VitConfig, parameters};
use offprint_kernels::allocations;
use offprint_lab::{
    Result,
    table::{Cell, Table},
    trial::Trial,
};
use offprint_layers::{
    Attend, Context, FeedForwardConfig,
    kan::{BSplineNetworkConfig, GroupRationalKanConfig},
};
use std::time::Instant;

/// What goes into each block's channel mixer and what comes out, for some pictures.
fn mixed(vit: &Vit, pictures: Tensor<4>) -> Result<Vec<[Tensor<3>; 2]>> {
    let mut x = vit.tokens(pictures, Context::EVALUATION).map_err(explain)?;
    let mut mixed = Vec::new();
    for block in &vit.blocks.blocks {
        let normed = block.norm1.forward(x.clone(), Context::EVALUATION);
        x = x + block.token_mixer.forward(normed, Attend::default());
        let input = block.norm2.forward(x.clone(), Context::EVALUATION);
        let (output, _) = block
            .channel_mixer
            .forward(input.clone())
            .map_err(explain)?;
        x = x + output.clone();
        mixed.push([input, output]);
    }
    Ok(mixed)
}

/// `ln(var_out / var_in)` of each block's channel mixer, for some pictures.
///
/// # Errors
/// The model refuses the pictures.
pub fn drifts(vit: &Vit, pictures: Tensor<4>) -> Result<Vec<f64>> {
    let mixed = mixed(vit, pictures)?;
    let drift = |[input, output]: &[Tensor<3>; 2]| (variance(output) / variance(input)).ln();
    Ok(mixed.iter().map(drift).collect())
}

/// The least and the greatest number that the activation of an MLP is given, for some pictures.
///
/// # Errors
/// The model refuses the pictures.
pub fn hidden_range(vit: &Vit, pictures: Tensor<4>) -> Result<[f64; 2]> {
    let mut range = [f64::INFINITY, f64::NEG_INFINITY];
    for ([input, _], block) in mixed(vit, pictures)?.into_iter().zip(&vit.blocks.blocks) {
        if let AnyChannelMixer::Mlp(network) = &block.channel_mixer {
            let hidden = network.up.forward(input);
            let number = |x: Tensor<1>| f64::from(x.into_scalar::<f32>());
            let [low, high] = [hidden.clone().min(), hidden.max()].map(number);
            range = [range[0].min(low), range[1].max(high)];
        }
    }
    Ok(range)
}

fn variance(x: &Tensor<3>) -> f64 {
    let values: Vec<f64> = x.clone().into_data().iter::<f64>().collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count
}

/// How far beyond the numbers that an activation is given it is fitted.
const BEYOND: f64 = 1.25;

/// Where an activation is fitted that is given such numbers: a little beyond, for learning moves them.
pub fn around([low, high]: [f64; 2]) -> [f64; 2] {
    [BEYOND * low.min(-1.0), BEYOND * high.max(1.0)]
}

/// Milliseconds of one channel mixer forward and backward on a batch, and the largest memory in MB that its kernels
/// held meanwhile. To be called before anything else computes.
///
/// # Errors
/// A setting does not suit the mixer.
pub fn time(
    config: &VitConfig,
    mixer: ChannelMixer,
    settings: &KatSettings,
    device: &Device,
) -> Result<(f64, f64)> {
    let blocks = &config.blocks;
    let place = FeedForwardConfig::new(blocks.width, blocks.hidden(), blocks.activation);
    let mixer = mixer.init(&place, device).map_err(explain)?;
    let shape = [settings.batch, 1 + config.patches(), blocks.width];
    let x = Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), device).require_grad();
    let run = || -> Result<f64> {
        let started = Instant::now();
        let (y, _) = mixer.forward(x.clone()).map_err(explain)?;
        let _ = y.sum().backward();
        Ok(1000.0 * started.elapsed().as_secs_f64())
    };
    let mut shortest = run()?;
    // Others use the machine too: the shortest of some runs is nearest to the work itself.
    for _ in 0..9 {
        shortest = shortest.min(run()?);
    }
    Ok((shortest, allocations().most_bytes as f64 / 1e6))
}

/// Leaves the table of the challenges of the abstract: functions, parameters and multiplications of one channel mixer of
/// equal width.
///
/// # Errors
/// A setting does not suit a mixer, or the table cannot be written.
pub fn sizes(trial: &mut Trial<KatSettings>) -> Result<()> {
    let (width, groups) = (trial.settings().width, trial.settings().groups);
    let hidden = 4 * width;
    let device = Device::default().autodiff();
    let mut table = Table::new(
        format!("A channel mixer of width {width}, {hidden} inside"),
        [
            "mixer",
            "functions",
            "parameters",
            "multiply-adds a position",
        ],
    );
    let edges = 2 * width * hidden;
    let mlp = FeedForwardConfig::new(width, hidden, offprint_layers::Activation::Gelu);
    let mut kan = GroupRationalKanConfig::new(width, hidden, mlp.activation);
    kan.options.groups = groups;
    let spline = BSplineNetworkConfig::new(width, hidden);
    let count = spline.spline_order + 1;
    for (name, functions, parameters, work) in [
        (
            "MLP",
            1,
            parameters(&mlp.init(&device).map_err(explain)?),
            edges,
        ),
        (
            "group-rational KAN",
            2 * groups,
            parameters(&kan.init(&device).map_err(explain)?),
            // Degrees 5 and 4 and a division.
            edges + 10 * (width + hidden),
        ),
        (
            "B-spline KAN",
            edges,
            parameters(&spline.init(&device).map_err(explain)?),
            // The base, and as many bases as are not zero.
            edges * (1 + count),
        ),
    ] {
        table.row([
            Cell::from(name),
            Cell::from(functions.to_string()),
            Cell::from(parameters.to_string()),
            Cell::from(work.to_string()),
        ]);
    }
    trial.table("sizes", &table)
}
