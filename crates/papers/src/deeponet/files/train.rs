//! `offprint use deeponet train`.

use super::{
    arrays::{self, Matrix},
    out_of, print,
    saved::{self, Config, Scale, tensor},
};
use crate::explain::explain;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Int, Tensor},
};
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use offprint_data::{LastBatch, Shares, Split, batches};
use offprint_kernels::{Activation, AdamW};
use offprint_lab::{
    Error, Result,
    table::{columns, number},
};
use offprint_operators::{DeepONet, DeepONetConfig, check_ascending};
use serde_json::json;
use std::collections::BTreeMap;

/// Functions, points and values as the network reads them.
struct Rows {
    u: Tensor<2>,
    y: Tensor<2>,
    /// `[functions, points]`, or `[pairs, 1]`.
    s: Tensor<2>,
    /// Whether row i of the functions meets row i of the points only.
    pairs: bool,
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let (out, overwrite) = (out_of(matches)?, matches.get_flag("overwrite"));
    let options = Options::of(matches)?;
    let functions = arrays::given(matches, "functions")?;
    let points = arrays::given(matches, "points")?;
    let values = arrays::given(matches, "values")?;
    let pairs = pairs(&functions, &points, &values)?;
    let config = Config {
        model: options.network(functions.columns, points.columns),
        functions: Scale::of(&functions, 0, 1)?,
        points: (0..points.columns)
            .map(|column| Scale::of(&points, column, points.columns))
            .collect::<Result<_>>()?,
        values: Scale::of(&values, 0, 1)?,
        sensors: sensors(matches, functions.columns)?,
    };
    let groups = groups(&functions);
    let count = groups.iter().max().map_or(0, |last| last + 1);
    let shares = Shares {
        validation: options.held_out,
        test: 0.0,
    };
    let split = Split::fixed(count, shares).map_err(|error| {
        Error::input(format!(
            "{}: {count} different functions: {error}",
            functions.name
        ))
        .help("give more functions, or another --held-out")
    })?;
    let belongs = |chosen: &[usize]| -> Vec<usize> {
        let rows = 0..functions.rows;
        rows.filter(|&row| chosen.contains(&groups[row])).collect()
    };
    let (train, held_out) = (belongs(&split.train), belongs(&split.validation));
    let device = Device::default().autodiff();
    let rows = Rows {
        u: config.functions(&functions, &device)?,
        y: config.points(&points, &device)?,
        s: tensor(
            values
                .values
                .iter()
                .map(|&s| config.values.apply(s))
                .collect(),
            functions.rows,
            if pairs { 1 } else { points.rows },
            &device,
        ),
        pairs,
    };
    let model = fit(&config.model, &rows, &train, &held_out, &options, &device)?;
    let (rmse, relative) = errors(&model, &rows, &held_out, &config.values)?;
    let mean = {
        let wanted = rows.select(&held_out).s.inner();
        let square = wanted.square().mean().into_scalar::<f32>();
        f64::from(square).sqrt() * config.values.deviation
    };
    saved::save(out, &model, &config, overwrite)?;
    let layout = if pairs { "pairs" } else { "functions" };
    let document = json!({
        "folder": out,
        "functions": count,
        "points": points.rows,
        "sensors": functions.columns,
        "layout": layout,
        "parameters": config.model.parameters(),
        "held_out": { "functions": split.validation.len(), "rmse": rmse, "relative_l2": relative, "rmse_of_mean": mean },
    });
    let heading = ["held out", "rmse", "relative L2", "rmse of the mean"];
    let cells = [
        format!("{} of {count} functions", split.validation.len()),
        number(rmse),
        number(relative),
        number(mean),
    ];
    let text = format!(
        "{}\n {} sensors, {} points, {} parameters\n wrote {}\n",
        columns(&[heading.map(String::from).to_vec(), cells.to_vec()], 1),
        functions.columns,
        points.rows,
        config.model.parameters(),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

/// Whether the values are of pairs; they are of every function at every point otherwise.
fn pairs(functions: &Matrix, points: &Matrix, values: &Matrix) -> Result<bool> {
    if values.rows == functions.rows && values.columns == points.rows && values.axes == 2 {
        return Ok(false);
    }
    if values.columns == 1 && values.rows == functions.rows && points.rows == functions.rows {
        return Ok(true);
    }
    Err(Error::input(format!(
        "{} has shape {}, but [{}, {}] is expected, one row a function and one column a point",
        values.name,
        values.shape(),
        functions.rows,
        points.rows
    ))
    .help(format!(
        "functions {}, points {}; as many functions as points may also have one value each",
        functions.shape(),
        points.shape()
    )))
}

/// The places of the sensors, if they are given.
fn sensors(matches: &ArgMatches, count: usize) -> Result<Option<Vec<f64>>> {
    let Some(sensors) = arrays::matrix(matches, "sensors")? else {
        return Ok(None);
    };
    if sensors.values.len() != count {
        return Err(Error::input(format!(
            "{} has {} places, but the functions have {count} values",
            sensors.name,
            sensors.values.len()
        )));
    }
    check_ascending("sensor", &sensors.values)
        .map_err(|error| Error::input(format!("{}: {error}", sensors.name)))?;
    Ok(Some(sensors.values))
}

/// The number of the function that each row is: equal rows are one function, so that none is trained on and held out.
fn groups(functions: &Matrix) -> Vec<usize> {
    let mut known: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
    let rows = (0..functions.rows).map(|row| {
        let bits = functions.row(row).iter().map(|u| u.to_bits()).collect();
        let next = known.len();
        *known.entry(bits).or_insert(next)
    });
    rows.collect()
}

/// What the user chose.
struct Options {
    width: usize,
    hidden: usize,
    depth: usize,
    activation: Activation,
    stacked: bool,
    bias: bool,
    steps: u64,
    batch: usize,
    learning_rate: f64,
    held_out: f64,
    seed: u64,
}

/// Activations by name.
const ACTIVATIONS: [(&str, Activation); 5] = [
    ("relu", Activation::Relu),
    ("tanh", Activation::Tanh),
    ("gelu", Activation::Gelu),
    ("silu", Activation::Silu),
    ("sigmoid", Activation::Sigmoid),
];

impl Options {
    /// Checks what the grammar cannot, before a file is read.
    fn of(matches: &ArgMatches) -> Result<Self> {
        let whole = |name: &str, most: u64| {
            let value = *matches.get_one::<u64>(name).expect("it has a default");
            match (1..=most).contains(&value) {
                true => Ok(value),
                false => Err(Error::input(format!(
                    "--{name} {value}, but it must be 1 to {most}"
                ))),
            }
        };
        let real = |name: &str| *matches.get_one::<f64>(name).expect("it has a default");
        let name = matches.get_one::<String>("activation");
        let name = name.expect("it has a default");
        let known = ACTIVATIONS.map(|(known, _)| known);
        let activation = ACTIVATIONS.iter().find(|(known, _)| known == name);
        let activation = activation.ok_or_else(|| {
            let list = format!("all: {}", known.join(", "));
            Error::unknown("activation", name, known, &list)
        })?;
        let rate = real("learning-rate");
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(Error::input(format!(
                "--learning-rate {rate}, but it must be above 0"
            )));
        }
        let held_out = real("held-out");
        if !(held_out > 0.0 && held_out < 1.0) {
            return Err(Error::input(format!(
                "--held-out {held_out}, but it must be above 0 and below 1"
            )));
        }
        Ok(Self {
            width: whole("width", 4096)? as usize,
            hidden: whole("hidden", 4096)? as usize,
            depth: whole("depth", 20)? as usize,
            activation: activation.1,
            stacked: matches.get_flag("stacked"),
            bias: !matches.get_flag("no-bias"),
            steps: whole("steps", 10_000_000)?,
            batch: whole("batch", 1_000_000)? as usize,
            learning_rate: rate,
            held_out,
            seed: *matches.get_one::<u64>("seed").expect("it has a default"),
        })
    }

    fn network(&self, sensors: usize, query: usize) -> DeepONetConfig {
        DeepONetConfig {
            width: self.width,
            branch: vec![self.hidden; self.depth],
            trunk: vec![self.hidden; self.depth],
            activation: self.activation,
            stacked: self.stacked,
            bias: self.bias,
            ..DeepONetConfig::new(sensors, query)
        }
    }
}

impl Rows {
    /// Some rows of functions, with all points or each with its own.
    fn select(&self, rows: &[usize]) -> Self {
        let numbers: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let numbers = Tensor::<1, Int>::from_data(numbers.as_slice(), &self.u.device());
        let y = match self.pairs {
            true => self.y.clone().select(0, numbers.clone()),
            false => self.y.clone(),
        };
        Self {
            u: self.u.clone().select(0, numbers.clone()),
            y,
            s: self.s.clone().select(0, numbers),
            pairs: self.pairs,
        }
    }

    fn without_gradients(self) -> Self {
        Self {
            u: self.u.inner(),
            y: self.y.inner(),
            s: self.s.inner(),
            ..self
        }
    }

    /// What a network says, in the shape of the values.
    fn predict(&self, model: &DeepONet) -> Result<Tensor<2>> {
        let (u, y) = (self.u.clone(), self.y.clone());
        match self.pairs {
            true => Ok(model.forward(u, y).map_err(explain)?.unsqueeze_dim(1)),
            false => model.forward_cartesian(u, y).map_err(explain),
        }
    }
}

/// Rows that are scored at a time.
const CHUNK: usize = 1000;

/// Root of the mean squared error in the values' own unit, and the norm of the error over that of the values.
fn errors(model: &DeepONet, rows: &Rows, chosen: &[usize], scale: &Scale) -> Result<(f64, f64)> {
    let (mut error, mut power, mut count) = (0.0, 0.0, 0);
    for chunk in chosen.chunks(CHUNK) {
        let part = rows.select(chunk).without_gradients();
        let found = part.predict(model)?.into_data();
        let wanted = part.s.into_data();
        for (found, wanted) in found.iter::<f32>().zip(wanted.iter::<f32>()) {
            let (found, wanted) = (scale.undo(found), scale.undo(wanted));
            error += (found - wanted).powi(2);
            power += wanted * wanted;
            count += 1;
        }
    }
    Ok(((error / f64::from(count)).sqrt(), (error / power).sqrt()))
}

/// Looks at the held-out functions, whose best network is kept.
const LOOKS: u64 = 40;

/// Trains and returns the network with the least error on held-out functions.
fn fit(
    config: &DeepONetConfig,
    rows: &Rows,
    train: &[usize],
    held_out: &[usize],
    options: &Options,
    device: &Device,
) -> Result<DeepONet> {
    device.seed(options.seed);
    let mut model = config.init(device).map_err(explain)?;
    let mut optimizer = ModuleOptimizer::from(AdamW {
        weight_decay: 0.0,
        ..AdamW::default()
    });
    let batch = options.batch.min(train.len());
    let per_epoch = train.len().div_ceil(batch) as u64;
    let look = (options.steps / LOOKS).max(1);
    let one = Scale {
        mean: 0.0,
        deviation: 1.0,
        low: 0.0,
        high: 0.0,
    };
    let bar = ProgressBar::new(options.steps);
    let style = ProgressStyle::with_template(" {bar:20} step {pos}/{len}  {msg}  {eta} left");
    bar.set_style(style.expect("the template is fixed").progress_chars("━╸─"));
    let mut best: Option<(f64, DeepONet)> = None;
    let mut order = Vec::new();
    for step in 1..=options.steps {
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        if within == 0 {
            order = batches(train.len(), batch, options.seed, epoch, LastBatch::Keep)
                .map_err(explain)?;
        }
        let chosen: Vec<usize> = order[within as usize].iter().map(|&i| train[i]).collect();
        let part = rows.select(&chosen);
        let loss = (part.predict(&model)? - part.s).square().mean();
        if !loss.clone().into_scalar::<f32>().is_finite() {
            bar.finish_and_clear();
            return Err(Error::run(format!("the loss diverged in step {step}"))
                .help("try a smaller --learning-rate"));
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(options.learning_rate, model, gradients);
        if step % look == 0 || step == options.steps {
            let candidate = model.valid();
            let (error, _) = errors(&candidate, rows, held_out, &one)?;
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, candidate));
            }
            bar.set_message(format!("held-out error {}", number(error)));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    best.map(|(_, model)| model)
        .ok_or_else(|| Error::run("no step was taken"))
}
