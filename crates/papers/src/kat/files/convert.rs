//! `offprint use kat convert`.

use super::{
    count,
    model::{self, of_checkpoint},
    out,
    pictures::{Given, noise},
    print, range, refuse, required, write_atomic,
};
use crate::arguments::number_of;
use crate::kat::study::{explain, hidden_range};
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
    let out = out(matches)?;
    let options = options(matches)?;
    let most = number_of(matches, "most");
    if !(most > 0.0 && most.is_finite()) {
        return Err(refuse("most", most, "above 0"));
    }
    let device = Device::default();
    let path = required(matches, "vit");
    let model = model::load(matches, "vit", &device)?;
    model::with_mixer(&model, path, "mlp")?;
    let given = Given::of(matches, &model)?;
    let (kat, fit) = model
        .vit
        .clone()
        .with_kans(options, &device)
        .map_err(explain)?;
    let mut config: VitConfig = model.config;
    config.blocks.channel_mixer = ChannelMixer::GrKan(options);
    // What cannot be written is said before anything is computed.
    let bytes = timm_bytes(&config, &kat).map_err(of_checkpoint)?;
    let (name, batches) = match &given {
        Some(given) => {
            let rows = &given.split.test[..COMPARED.min(given.split.test.len())];
            let batches = rows
                .chunks(BATCH)
                .map(|rows| given.batch(rows, None, &device).0);
            (format!("pictures of {}", given.name), batches.collect())
        }
        None => (
            "pictures of noise".to_string(),
            vec![noise(&model, BATCH, &device)],
        ),
    };
    let compared = compare(&model.vit, &kat, batches)?;
    let Compared {
        pictures,
        same,
        change,
        reach: [low, high],
    } = compared;
    if change > most {
        return Err(Error::run(format!(
            "a logit changes by {}, more than --most {most}; nothing is written",
            number(change)
        ))
        .help(format!(
            "the activation is given numbers from {} to {}: fit it there with --range, or with higher degrees",
            number(low),
            number(high)
        )));
    }
    write_atomic(out, &bytes)?;
    let blocks = &config.blocks;
    let activation = format!("{:?}", blocks.activation).to_lowercase();
    let [left, right] = options.range;
    let document = json!({
        "file": out,
        "blocks": blocks.layers,
        "parameters": parameters(&kat),
        "fit_error": fit,
        "pictures": pictures,
        "logit_change": change,
        "same_class": same,
        "activation_range": [low, high],
    });
    let text = format!(
        " {} MLPs became KANs of {} groups, degrees {} and {}\n \
        {activation} fitted from {left} to {right}: at most {} off; it is given {} to {}\n \
        largest change of a logit on {pictures} {name}: {}\n \
        {same} of {pictures} have the same class as before\n wrote {}\n",
        blocks.layers,
        options.groups,
        options.numerator_degree,
        options.denominator_degree,
        number(fit),
        number(low),
        number(high),
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
        range: range(matches)?,
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
    /// Least and greatest number that the activation is given.
    reach: [f64; 2],
}

fn compare(vit: &Vit, kat: &Vit, batches: Vec<Tensor<4>>) -> Result<Compared> {
    let mut all = Compared {
        pictures: 0,
        same: 0,
        change: 0.0,
        reach: [f64::INFINITY, f64::NEG_INFINITY],
    };
    for pictures in batches {
        all.pictures += pictures.dims()[0];
        let [low, high] = hidden_range(vit, pictures.clone())?;
        all.reach = [all.reach[0].min(low), all.reach[1].max(high)];
        let logits = |vit: &Vit| -> Result<Tensor<2>> {
            let output = vit.forward(pictures.clone(), Context::EVALUATION);
            Ok(output.map_err(explain)?.output)
        };
        let (before, after) = (logits(vit)?, logits(kat)?);
        let same = argmax(before.clone())
            .equal(argmax(after.clone()))
            .int()
            .sum();
        all.same += same.into_scalar::<i64>() as usize;
        let change = f64::from((after - before).abs().max().into_scalar::<f32>());
        if !change.is_finite() {
            return Err(Error::input(
                "the model's logits are not finite, so that nothing can be compared",
            ));
        }
        all.change = all.change.max(change);
    }
    Ok(all)
}
