//! Trains any backbone with any slots on any data set, from a configuration: what `offprint train` does.
//!
//! A run is a study without a paper: its arms are the configuration's, its trials are stored, resumed and reported like
//! any other's, below `runs/<name>/train/`.

mod data;
mod document;
mod graphs;
mod pictures;
mod run;
mod schedule;
mod scores;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod texts;
mod training;
mod typed;

pub use pictures::Pictures;
pub use schedule::warmup_cosine;
pub use settings::{FlatSettings, TrialConfig};
pub use source::{Augment, DataConfig, Set, Source, Task};
pub use training::{OptimizerKind, Schedule, TrainingConfig};

use crate::config::{Kind, Problem, Rows};
use data::Data;
use document::{Document, WrittenArm};
use offprint_lab::{
    Error, Result,
    claim::Claim,
    paper::{Field, Paper, Work},
    run::{Build, Plan, PlannedArm, today},
    settings::SettingsMap,
    study::{Arm, Better, Budget, Metric, Role, Study, Tuning},
    trial::Trial,
    tune::Space,
};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use typed::invalid;

/// What the user asked for.
pub struct Request {
    /// The configuration, TOML.
    pub text: String,
    /// The file it was read from.
    pub file: PathBuf,
    /// Settings over the configuration's, `section.key=value`.
    pub sets: Vec<String>,
    /// Names of arms; empty for all.
    pub arms: Vec<String>,
    /// Number of seeds; the configuration's where absent.
    pub seeds: Option<u64>,
    /// Folder of data sets.
    pub data_dir: Option<PathBuf>,
    /// The command that was given, for the report.
    pub command: String,
    /// What will compute the trials.
    pub build: Build,
}

/// The study of a configuration; [`TRIALS`] is enough to run trials.
pub struct TrainStudy {
    question: &'static str,
    arms: &'static [Arm],
}

/// Runs trials of any configuration, as a worker process does.
pub static TRIALS: TrainStudy = TrainStudy {
    question: "",
    arms: &[],
};

/// The trials that a configuration wants. Its data is read, so that nothing is begun that could not be finished.
///
/// # Errors
/// What is wrong with the configuration or the data: the value, and what is allowed.
pub fn plan(request: &Request) -> Result<Plan> {
    let origin = request.file.display().to_string();
    let document = Document::parse(&request.text, &origin, &request.sets)?;
    let known: Vec<&str> = document.arms.iter().map(|arm| arm.name.as_str()).collect();
    for name in &request.arms {
        if !known.contains(&name.as_str()) {
            let list = format!("all arms: {}", known.join(", "));
            return Err(Error::unknown("arm", name, known.iter().copied(), &list));
        }
    }
    let wanted = |name: &String| request.arms.is_empty() || request.arms.contains(name);
    let mut arms = Vec::new();
    let mut seeds = 1;
    for arm in document.arms.iter().filter(|arm| wanted(&arm.name)) {
        let config = self::arm(arm, request).map_err(|error| {
            let place = match arm.own.is_empty() {
                true => format!("in {origin}"),
                false => format!("in {origin}, arm {}", arm.name),
            };
            explained(error, &request.sets, place)
        })?;
        seeds = config.training.seeds;
        arms.push((arm.name.clone(), config.to_flat()));
    }
    let seeds = request.seeds.unwrap_or(seeds);
    if seeds == 0 || seeds > 1000 {
        return Err(invalid("--seeds", seeds, "it must be 1 to 1000"));
    }
    let shared = shared(&arms);
    let own = |flat: SettingsMap| {
        let own = flat
            .into_iter()
            .filter(|(key, _)| !shared.contains_key(key));
        own.collect()
    };
    Ok(Plan {
        slug: document.name.clone(),
        budget: Budget::Train,
        arms: arms
            .into_iter()
            .map(|(name, flat)| PlannedArm {
                name,
                tuned: own(flat),
            })
            .collect(),
        seeds: (0..seeds).collect(),
        tuning_trials: 0,
        settings: shared,
        fixed: SettingsMap::new(),
        data_dir: request.data_dir.clone(),
        build: request.build.clone(),
        date: today(),
        command: request.command.clone(),
    })
}

/// An arm's settings, checked against its data.
fn arm(arm: &WrittenArm, request: &Request) -> Result<TrialConfig> {
    let mut sections = arm.sections.clone();
    let mut section = |name: &str| sections.remove(name).unwrap_or_default();
    let Value::Object(mut backbone) = section("backbone") else {
        return Err(Error::input("the configuration has no [backbone]")
            .help("the least there is: [backbone], kind = \"mlp\""));
    };
    let kind = typed::kind(&backbone)?;
    let mut data: DataConfig = typed::typed("data", section("data"))?;
    let training: TrainingConfig = typed::typed("training", section("training"))?;
    data.validate()?;
    training.validate()?;
    let base = match &request.data_dir {
        Some(folder) => folder.clone(),
        None => request.file.parent().unwrap_or(Path::new("")).to_path_buf(),
    };
    data.locate(&base)?;
    let loaded = Data::load(kind, &data, request.data_dir.as_deref())?;
    complete(kind, &mut backbone, &loaded.problem, &data.name())?;
    Ok(TrialConfig {
        backbone: typed::backbone(Value::Object(backbone))?,
        data,
        training,
    })
}

/// Fills in the sizes that the data decides.
fn complete(
    kind: Kind,
    backbone: &mut Map<String, Value>,
    problem: &Problem,
    data: &str,
) -> Result<()> {
    for (key, size) in kind.sizes(problem) {
        let Some(given) = backbone.get(&key) else {
            backbone.insert(key, size);
            continue;
        };
        // A model may know more positions than the rows have.
        let enough = key == "context" && given.as_u64() >= size.as_u64();
        if *given != size && !enough {
            let allowed = format!("{data} has {size}; leave it out and the data decides");
            return Err(invalid(&format!("backbone.{key}"), given, &allowed));
        }
    }
    if let (Kind::Encoder, Some(classes)) = (kind, backbone.get("classes")) {
        let allowed = "a text has no classes: an encoder guesses hidden bytes";
        return Err(invalid("backbone.classes", classes, allowed));
    }
    if kind == Kind::Gnn {
        let graphs = matches!(problem.rows, Rows::Graphs { .. });
        let readout = if graphs { "mean" } else { "nodes" };
        let given = backbone.entry("readout").or_insert_with(|| readout.into());
        if (given == "nodes") == graphs {
            let allowed = match graphs {
                true => "pictures are whole graphs: mean or sum",
                false => "the rows of a table are nodes: nodes",
            };
            return Err(invalid("backbone.readout", &*given, allowed));
        }
    }
    Ok(())
}

/// Adds where a value was written to an error that says nothing else.
fn explained(error: Error, sets: &[String], place: String) -> Error {
    if error.help_text().is_some() {
        return error;
    }
    let message = error.to_string();
    let names = |key: &str| {
        let last = key.rsplit('.').next().unwrap_or(key);
        message.starts_with(&format!("{key} =")) || message.contains(&format!(": {last} ="))
    };
    let set = sets.iter().rev().find(|set| {
        let key = set.split('=').next().unwrap_or_default();
        names(key.trim())
    });
    match set {
        Some(set) => error.help(format!("from --set {set}")),
        None => error.help(place),
    }
}

/// The settings that all arms have in common.
fn shared(arms: &[(String, SettingsMap)]) -> SettingsMap {
    let Some(((_, first), others)) = arms.split_first() else {
        return SettingsMap::new();
    };
    let common = first
        .iter()
        .filter(|(key, value)| others.iter().all(|(_, flat)| flat.get(*key) == Some(value)));
    common
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// A run as the lab reports it: a paper whose study is the configuration.
///
/// Names and descriptions of studies live as long as the program; those of this one are made once and never freed.
///
/// # Errors
/// The plan's settings are damaged.
pub fn study(plan: &Plan) -> Result<(&'static Paper, &'static Work)> {
    let mut kinds = Vec::new();
    let mut sets = Vec::new();
    let mut arms = Vec::new();
    for arm in &plan.arms {
        let mut flat = plan.settings.clone();
        flat.extend(arm.tuned.clone());
        let config = TrialConfig::from_flat(&flat)?;
        kinds.push(config.backbone.kind().name());
        sets.push(config.data.name());
        let about = leaked(about(&config, &arm.tuned));
        arms.push(Arm::new(leaked(arm.name.clone()), Role::Model, about));
    }
    sets.dedup();
    kinds.dedup();
    let question = format!("{} on {}", kinds.join(", "), sets.join(", "));
    let study = Box::leak(Box::new(TrainStudy {
        question: leaked(question),
        arms: arms.leak(),
    }));
    let work = Box::leak(Box::new(Work {
        what_it_does: "",
        equation: "",
        parts: &[],
        headline: &[],
        reference: None,
        errata: &[],
        differences: &[],
        study,
        golden: &[],
        report: None,
        benches: Vec::new,
        command: None,
        further: &[],
    }));
    let paper = Box::leak(Box::new(Paper {
        slug: leaked(plan.slug.clone()),
        title: leaked(format!("Training run {}", plan.slug)),
        date: leaked(plan.date.clone()),
        authors: 0,
        arxiv: None,
        field: Field::Layers,
        summary: "",
        work: Some(work),
    }));
    Ok((paper, work))
}

/// An arm in one line: what it has of its own, or what it is.
fn about(config: &TrialConfig, own: &SettingsMap) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let own: Vec<String> = own
        .iter()
        .filter(|(_, value)| !value.is_array())
        .map(|(key, value)| format!("{} {}", key.rsplit('.').next().unwrap_or(key), plain(value)))
        .collect();
    match own.is_empty() {
        true => format!("{} as configured", config.backbone.kind().name()),
        false => own.join(", "),
    }
}

fn leaked(text: String) -> &'static str {
    text.leak()
}

impl Study for TrainStudy {
    type Settings = FlatSettings;

    fn question(&self) -> &'static str {
        self.question
    }

    fn arms(&self) -> &'static [Arm] {
        self.arms
    }

    fn metrics(&self) -> &'static [Metric] {
        scores::METRICS
    }

    fn claims(&self) -> &'static [Claim] {
        &[]
    }

    fn settings(&self, _: Budget) -> FlatSettings {
        FlatSettings(SettingsMap::new())
    }

    fn seeds(&self, _: Budget) -> u64 {
        1
    }

    fn tuning(&self) -> Tuning {
        Tuning {
            space: Space::new(Vec::new()),
            trials: 0,
            validation: "validation",
            test: "loss",
            better: Better::Lower,
        }
    }

    fn run(&self, trial: &mut Trial<FlatSettings>) -> Result<()> {
        run::run(trial)
    }
}
