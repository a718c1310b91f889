//! `offprint use kat convert`.

use super::{
    count,
    model::{self, of_checkpoint},
    out_of,
    pictures::{Given, noise},
    print, range, refuse, required, write_atomic,
};
use crate::arguments::number_of;
use crate::explain::explain;
use crate::kat::study::{around, hidden_range};
use burn::tensor::{Device, Tensor};
use clap::ArgMatches;
use offprint_backbones::{ChannelMixer, Vit, VitConfig, checkpoint::timm_bytes, parameters};
use offprint_kernels::argmax;
use offprint_lab::{Error, Result, table::number};
use offprint_layers::{Context, kan::GroupRationalOptions, rational::MOST_DEGREE};
use serde_json::json;

/// Pictures that logits are compared on.
const COMPARED: usize = 256;

/// Pictures at a time.
const BATCH: usize = 32;

pub fn run(matches: &ArgMatches) -> Result<()> {
    let out = out_of(matches)?;
    let (mut options, range) = (options(matches)?, range(matches)?);
    let most = number_of(matches, "most");
    if !(most > 0.0 && most.is_finite()) {
        return Err(refuse("most", most, "a finite number above 0"));
    }
    let device = Device::default();
    let path = required(matches, "vit");
    let model = model::load(matches, "vit", &device)?;
    model::with_mixer(&model, path, "mlp")?;
    let given = Given::of(matches, &model)?;
    let (name, batches) = match &given {
        Some(given) => {
            let rows = &given.split.test[..COMPARED.min(given.split.test.len())];
            let batch = |rows| given.batch(rows, None, &device).0;
            let name = format!("pictures of {}", given.name);
            (name, rows.chunks(BATCH).map(batch).collect())
        }
        None => {
            let noise = vec![noise(&model, BATCH, &device)];
            ("pictures of noise".to_string(), noise)
        }
    };
    let [low, high] = reach(&model.vit, &batches)?;
    options.range = match (range, &given) {
        (Some(range), _) => range,
        (None, Some(_)) => around([low, high]),
        (None, None) => options.range,
    };
    let kat = model.vit.clone().with_kans(options, &device);
    let (kat, fit) = kat.map_err(explain)?;
    let mut config: VitConfig = model.config;
    config.blocks.channel_mixer = ChannelMixer::GrKan(options);
    let bytes = timm_bytes(&config, &kat).map_err(of_checkpoint)?;
    let Compared {
        pictures,
        same,
        change,
    } = compare(&model.vit, &kat, &batches)?;
    let given_to = format!(
        "the activation is given {} to {}",
        number(low),
        number(high)
    );
    if change > most {
        return Err(Error::run(format!(
            "a logit changes by {}, more than --most {most}; nothing is written",
            number(change)
        ))
        .help(format!(
            "{given_to}: fit it there with --range, or with higher degrees"
        )));
    }
    write_atomic(out, &bytes)?;
    let blocks = &config.blocks;
    let activation = serde_json::to_value(blocks.activation).unwrap_or_default();
    let [left, right] = options.range;
    let document = json!({
        "file": out,
        "blocks": blocks.layers,
        "parameters": parameters(&kat),
        "activation": activation,
        "range": options.range,
        "fit_error": fit,
        "pictures": pictures,
        "logit_change": change,
        "same_class": same,
        "activation_range": [low, high],
    });
    let text = format!(
        " {} MLPs became KANs of {} groups, degrees {} and {}\n {given_to}\n \
        {} fitted from {} to {}: at most {} off\n \
        largest change of a logit on {pictures} {name}: {}\n \
        {same} of {pictures} have the same class as before\n wrote {}\n",
        blocks.layers,
        options.groups,
        options.numerator_degree,
        options.denominator_degree,
        activation.as_str().unwrap_or_default(),
        number(left),
        number(right),
        number(fit),
        number(change),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

fn options(matches: &ArgMatches) -> Result<GroupRationalOptions> {
    let degree = |name: &'static str| -> Result<usize> {
        let degree = count(matches, name)?;
        match degree <= MOST_DEGREE {
            true => Ok(degree),
            false => Err(refuse(name, degree, &format!("1 to {MOST_DEGREE}"))),
        }
    };
    Ok(GroupRationalOptions {
        groups: count(matches, "groups")?,
        numerator_degree: degree("numerator-degree")?,
        denominator_degree: degree("denominator-degree")?,
        shared_numerator: !matches.get_flag("own-numerators"),
        ..GroupRationalOptions::default()
    })
}

/// How two models differ on some pictures.
struct Compared {
    pictures: usize,
    /// Pictures that both give the same class.
    same: usize,
    /// Largest change of a logit.
    change: f64,
}

/// The least and the greatest number that an activation is given.
fn reach(vit: &Vit, batches: &[Tensor<4>]) -> Result<[f64; 2]> {
    let mut reach = [f64::INFINITY, f64::NEG_INFINITY];
    for pictures in batches {
        let [low, high] = hidden_range(vit, pictures.clone())?;
        if !(low.is_finite() && high.is_finite()) {
            return Err(Error::input(
                "the model computes numbers that are not finite, so that nothing can be compared",
            ));
        }
        reach = [reach[0].min(low), reach[1].max(high)];
    }
    Ok(reach)
}

fn compare(vit: &Vit, kat: &Vit, batches: &[Tensor<4>]) -> Result<Compared> {
    let mut all = Compared {
        pictures: 0,
        same: 0,
        change: 0.0,
    };
    for pictures in batches {
        let logits = |vit: &Vit| -> Result<Tensor<2>> {
            let output = vit.forward(pictures.clone(), Context::EVALUATION);
            Ok(output.map_err(explain)?.output)
        };
        let (before, after) = (logits(vit)?, logits(kat)?);
        let same = argmax(before.clone()).equal(argmax(after.clone()));
        all.pictures += pictures.dims()[0];
        all.same += same.int().sum().into_scalar::<i64>() as usize;
        // A change that is no number is larger than any.
        let change = f64::from((after - before).abs().max().into_scalar::<f32>());
        all.change = all.change.max(if change.is_nan() {
            f64::INFINITY
        } else {
            change
        });
    }
    Ok(all)
}
