//! `offprint use comet train`.

use super::{
    list, print, required,
    saved::{self, Config, matrix},
    table,
};
use crate::comet::study::{
    model::{ExpertBody, GateKind, Model, ModelConfig, Rows, SearchConfig},
    task::{self, Target},
};
use crate::explain::{explain, explain_data};
use crate::model_folder::taken;
use burn::{
    module::Module,
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Tensor},
};
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use offprint_data::{
    LastBatch, Shares, Split, batches,
    table::{self as tables, ColumnKind, Standardizer, TableOptions, TargetCoder, Unseen},
};
use offprint_lab::{
    Error, Result,
    table::{columns, number},
};
use serde_json::json;

/// A table's rows as the model reads them.
struct Rowset {
    features: Tensor<2>,
    targets: Vec<Target>,
}

impl Rowset {
    fn select(&self, rows: &[usize]) -> (Rows, Vec<Target>) {
        let numbers: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let numbers = Tensor::from_data(numbers.as_slice(), &self.features.device());
        let features = self.features.clone().select(0, numbers);
        let targets = self
            .targets
            .iter()
            .map(|target| target.select(rows))
            .collect();
        (Rows::features(features, Vec::new()), targets)
    }
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let (path, out) = (required(matches, "table"), required(matches, "out"));
    let overwrite = matches.get_flag("overwrite");
    if out.exists() && !overwrite {
        // Said before the minutes of training, not after.
        return Err(taken(out));
    }
    let whole = |name: &str| *matches.get_one::<u64>(name).expect("it has a default");
    let real = |name: &str| *matches.get_one::<f64>(name).expect("it has a default");
    check_sizes(&whole, &real)?;
    let target_names = list(matches, "targets");
    let mut kinds: Vec<(String, ColumnKind)> = Vec::new();
    kinds.extend(
        list(matches, "classes")
            .into_iter()
            .map(|n| (n, ColumnKind::Categorical)),
    );
    kinds.extend(
        list(matches, "ignore")
            .into_iter()
            .map(|n| (n, ColumnKind::Ignored)),
    );
    let options = TableOptions {
        missing: list(matches, "missing"),
        kinds: kinds.into_iter().collect(),
        ..TableOptions::default()
    };
    let table = table(path, &options)?;
    let split = Split::fixed(
        table.rows(),
        Shares {
            validation: 0.2,
            test: 0.0,
        },
    )
    .map_err(explain_data)?;
    let features: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| !target_names.iter().any(|target| target == name))
        .collect();
    let all: Vec<usize> = (0..table.rows()).collect();
    let coders = target_names
        .iter()
        // Over all rows, so that a class that is only in the held-out rows has an output too.
        .map(|name| TargetCoder::fit(&table, &all, name))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(explain_data)?;
    let standardizer =
        Standardizer::fit(&table, &split.train, &features, Unseen::Other).map_err(explain_data)?;
    let device = Device::default().autodiff();
    let rows = Rowset {
        features: matrix(
            &standardizer.transform(&table).map_err(explain_data)?,
            &device,
        ),
        targets: coders
            .iter()
            .map(|coder| Ok(target(coder.encode(&table).map_err(explain_data)?)))
            .collect::<Result<_>>()?,
    };
    let hidden = whole("hidden") as usize;
    let steps = whole("epochs") as usize * split.train.len().div_ceil(whole("batch") as usize);
    let share = real("search-share");
    let config = Config {
        model: ModelConfig {
            gate: GateKind::Comet,
            experts: whole("experts") as usize,
            k: whole("k") as usize,
            gamma: real("gamma"),
            entropy_reg: real("entropy-reg"),
            zeta: 0.0,
            noisy: false,
            search: (share > 0.0).then(|| SearchConfig {
                steps: ((share * steps as f64) as usize).max(2),
                noise: 0.0,
                entropy_reg: 1e-4,
                permutations: 1,
            }),
            ids: 0,
            hash_seed: 0,
            embedding: None,
            input: standardizer.width(),
            body: ExpertBody::Mlp(vec![hidden, hidden]),
            dropout: 0.0,
            heads: coders
                .iter()
                .map(|coder| vec![hidden, outputs(coder)])
                .collect(),
        },
        features: standardizer,
        targets: coders,
    };
    let model = fit(
        &config.model,
        &rows,
        &split,
        &whole,
        real("learning-rate"),
        &device,
    )?;
    let (held_out, targets) = rows.select(&split.validation);
    let output = model
        .predict(&held_out.without_gradients())
        .map_err(explain)?;
    let scores = scores(&config.targets, &output.tasks, &targets);
    saved::save(out, &model, &config, overwrite)?;
    let document = json!({
        "folder": out,
        "rows": table.rows(),
        "features": config.model.input,
        "active_experts": output.active(),
        "targets": scores.iter().map(|s| json!({
            "name": s.name, "score": s.score, "value": s.value, "baseline": s.baseline,
        })).collect::<Vec<_>>(),
    });
    let mut cells = vec![
        ["target", "score", "held out", "baseline"]
            .map(String::from)
            .to_vec(),
    ];
    cells.extend(scores.iter().map(|s| {
        vec![
            s.name.clone(),
            s.score.into(),
            number(s.value),
            number(s.baseline),
        ]
    }));
    let text = format!(
        "{}\n {} of {} rows held out; {} experts active of {} a row\n wrote {}\n",
        columns(&cells, 2),
        split.validation.len(),
        table.rows(),
        number(output.active()),
        config.model.experts,
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

/// Checks what the grammar cannot, before a file is read.
fn check_sizes(whole: &impl Fn(&str) -> u64, real: &impl Fn(&str) -> f64) -> Result<()> {
    let refuse = |name: &str, value: String, allowed: &str| {
        Err(Error::input(format!(
            "--{name} {value}, but it must be {allowed}"
        )))
    };
    for (name, most) in [("hidden", 4096), ("epochs", 100_000), ("batch", 1_000_000)] {
        if whole(name) == 0 || whole(name) > most {
            return refuse(name, whole(name).to_string(), &format!("1 to {most}"));
        }
    }
    let (experts, k) = (whole("experts"), whole("k"));
    if !(2..=256).contains(&experts) {
        return refuse("experts", experts.to_string(), "2 to 256");
    }
    if k == 0 || k > experts {
        return refuse(
            "k",
            k.to_string(),
            &format!("1 to {experts}, the number of experts"),
        );
    }
    for name in ["gamma", "learning-rate"] {
        if !(real(name) > 0.0 && real(name).is_finite()) {
            return refuse(name, real(name).to_string(), "above 0");
        }
    }
    if !(real("entropy-reg") >= 0.0 && real("entropy-reg").is_finite()) {
        return refuse("entropy-reg", real("entropy-reg").to_string(), "0 or more");
    }
    if !(0.0..=1.0).contains(&real("search-share")) {
        return refuse("search-share", real("search-share").to_string(), "0 to 1");
    }
    Ok(())
}

/// Trains and returns the model of the epoch with the least loss on held-out rows.
fn fit(
    config: &ModelConfig,
    rows: &Rowset,
    split: &Split,
    whole: &impl Fn(&str) -> u64,
    learning_rate: f64,
    device: &Device,
) -> Result<Model> {
    let (epochs, batch, seed) = (whole("epochs"), whole("batch") as usize, whole("seed"));
    device.seed(seed);
    let mut model = config.init(device).map_err(explain)?;
    let mut optimizer = AdamConfig::new().with_epsilon(1e-7).init();
    let (held_out, held_targets) = rows.select(&split.validation);
    let held_out = held_out.without_gradients();
    let weights = vec![1.0; rows.targets.len()];
    let bar = ProgressBar::new(epochs);
    let style = ProgressStyle::with_template(" {bar:20} epoch {pos}/{len}  {msg}  {eta} left");
    bar.set_style(style.expect("the template is fixed").progress_chars("━╸─"));
    let mut best: Option<(f32, Model)> = None;
    let mut step = 0;
    for epoch in 0..epochs {
        let order = batches(split.train.len(), batch, seed, epoch, LastBatch::Keep);
        for chosen in order.map_err(explain_data)? {
            step += 1;
            let chosen: Vec<usize> = chosen.into_iter().map(|i| split.train[i]).collect();
            let (input, targets) = rows.select(&chosen);
            let (loss, _) = model
                .training_loss(&input, &targets, &weights, step)
                .map_err(explain)?;
            if !loss.clone().into_scalar::<f32>().is_finite() {
                return Err(
                    Error::run(format!("the loss diverged in epoch {}", epoch + 1))
                        .help("try a smaller --learning-rate"),
                );
            }
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(learning_rate, model, gradients);
        }
        let candidate = model.valid();
        let output = candidate.predict(&held_out).map_err(explain)?;
        let loss: f32 = held_targets
            .iter()
            .zip(output.tasks)
            .map(|(target, output)| target.loss(output).into_scalar::<f32>())
            .sum();
        if best.as_ref().is_none_or(|(least, _)| loss < *least) {
            best = Some((loss, candidate));
        }
        bar.set_message(format!("held-out loss {}", number(f64::from(loss))));
        bar.inc(1);
    }
    bar.finish_and_clear();
    best.map(|(_, model)| model)
        .ok_or_else(|| Error::run("no epoch was trained"))
}

fn outputs(coder: &TargetCoder) -> usize {
    match coder {
        TargetCoder::Regression { .. } => 1,
        TargetCoder::Classification { classes, .. } => classes.len(),
    }
}

fn target(target: tables::Target) -> Target {
    match target {
        tables::Target::Values(values) => Target::Values(values.into_iter().map(Some).collect()),
        tables::Target::Classes(classes) => {
            Target::Classes(classes.into_iter().map(|class| class as usize).collect())
        }
    }
}

/// How well a target is predicted on held-out rows.
struct Score {
    name: String,
    score: &'static str,
    value: f64,
    /// The same for the mean, or the commonest class.
    baseline: f64,
}

fn scores(coders: &[TargetCoder], outputs: &[Tensor<2>], targets: &[Target]) -> Vec<Score> {
    let each = coders.iter().zip(outputs).zip(targets);
    each.map(|((coder, output), target)| {
        let width = output.dims()[1];
        let values: Vec<f32> = output.to_data().iter::<f32>().collect();
        let (score, value, baseline) = match (coder, target) {
            (TargetCoder::Regression { deviation, .. }, Target::Values(wanted)) => {
                let rmse = |predicted: &dyn Fn(usize) -> f32| {
                    let errors = wanted.iter().enumerate().map(|(row, wanted)| {
                        f64::from(predicted(row) - wanted.unwrap_or(0.0)).powi(2)
                    });
                    (errors.sum::<f64>() / wanted.len() as f64).sqrt() * deviation
                };
                ("rmse", rmse(&|row| values[row]), rmse(&|_| 0.0))
            }
            (_, Target::Classes(classes)) => {
                let most = (0..width)
                    .map(|c| classes.iter().filter(|&&k| k == c).count())
                    .max();
                let share = most.unwrap_or(0) as f64 / classes.len() as f64;
                ("accuracy", task::accuracy(&values, width, classes), share)
            }
            _ => unreachable!("a coder encodes its own kind"),
        };
        Score {
            name: coder.name().into(),
            score,
            value,
            baseline,
        }
    })
    .collect()
}
