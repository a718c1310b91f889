//! Which trials a run wants, with which settings.

use crate::{
    claim::TuningTrial,
    error::{Error, Result},
    paper::{Paper, Work},
    settings::{Overrides, SettingsMap},
    store::{Run, State, Store, TrialSpec, write_json},
    study::{Arm, Budget},
    tune::{self, Tuned},
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub budget: Budget,
    /// Names of arms; empty for all of the budget.
    pub arms: Vec<String>,
    /// Number of seeds; the budget's where absent.
    pub seeds: Option<u64>,
    pub overrides: Overrides,
    pub data_dir: Option<PathBuf>,
    /// The command that was given, for the report.
    pub command: String,
}

/// What computed a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Fingerprint of the code that a study's numbers depend on.
    pub version: String,
    /// Git revision.
    pub revision: String,
    /// Processor and system.
    pub machine: String,
}

impl Build {
    /// The build with this machine's description.
    pub fn here(version: impl Into<String>, revision: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            revision: revision.into(),
            machine: machine(),
        }
    }
}

/// The trials of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub slug: String,
    pub budget: Budget,
    pub arms: Vec<PlannedArm>,
    pub seeds: Vec<u64>,
    /// Random trials an arm that choose its settings; 0 where an earlier tuning chose them.
    pub tuning_trials: u64,
    /// Settings shared by all arms.
    pub settings: SettingsMap,
    /// Settings that the user fixed, and tuning must leave alone.
    pub fixed: SettingsMap,
    pub data_dir: Option<PathBuf>,
    pub build: Build,
    /// Day of the run, `YYYY-MM-DD`.
    pub date: String,
    pub command: String,
}

/// An arm of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedArm {
    pub name: String,
    /// Settings that tuning chose for it.
    pub tuned: SettingsMap,
}

/// The tuning trials of an arm that have finished.
pub struct TuningOutcome {
    pub trials: Vec<TuningTrial>,
    pub seconds: f64,
}

impl Plan {
    /// Checks a request against a study.
    ///
    /// # Errors
    /// An unknown arm or setting, with the nearest known one; a value out of range; zero seeds.
    pub fn new(paper: &Paper, work: &Work, request: &Request, build: Build) -> Result<Self> {
        let study = work.study;
        let budget = request.budget;
        let known: Vec<&str> = study.arms().iter().map(|arm| arm.name).collect();
        for name in &request.arms {
            if !known.contains(&name.as_str()) {
                let list = format!("all arms: {}", known.join(", "));
                return Err(Error::unknown("arm", name, known.iter().copied(), &list));
            }
        }
        let wanted = |arm: &Arm| match request.arms.is_empty() {
            true => budget == Budget::Full || arm.quick,
            false => request.arms.iter().any(|name| name == arm.name),
        };
        let seeds = request.seeds.unwrap_or_else(|| study.seeds(budget));
        if seeds == 0 || seeds > 1000 {
            return Err(Error::input(format!(
                "--seeds {seeds}, but it must be 1 to 1000"
            )));
        }
        let mut settings = study.defaults(budget);
        request.overrides.apply(&mut settings)?;
        let mut fixed = SettingsMap::new();
        for key in request.overrides.keys() {
            fixed.insert(key.to_string(), settings[key].clone());
        }
        study
            .check(&settings)
            .map_err(|e| request.overrides.explain(e))?;
        study.check_data(&settings, request.data_dir.as_deref())?;
        let tuning = study.tuning();
        tuning.space.check(&known, &settings)?;
        let chosen = match (budget, study.chosen(&settings)?) {
            (Budget::Quick, Some(text)) => Some(Tuned::parse(text, &known, &settings)?),
            _ => None,
        };
        let mut plan = Self {
            slug: paper.slug.into(),
            budget,
            arms: Vec::new(),
            seeds: (0..seeds).collect(),
            tuning_trials: if budget == Budget::Full {
                tuning.trials as u64
            } else {
                0
            },
            settings,
            fixed,
            data_dir: request.data_dir.clone(),
            build,
            date: today(),
            command: request.command.clone(),
        };
        for arm in study.arms().iter().filter(|arm| wanted(arm)) {
            let tuned = chosen.as_ref().and_then(|chosen| chosen.arms.get(arm.name));
            let planned = PlannedArm {
                name: arm.name.into(),
                tuned: plan.without_fixed(tuned.cloned().unwrap_or_default()),
            };
            study.check(&plan.spec(&planned, Run::Seed(0)).settings)?;
            plan.arms.push(planned);
        }
        Ok(plan)
    }

    /// The plan of the last run of a study in a store.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn load(store: &Store, slug: &str, budget: Budget) -> Result<Option<Self>> {
        crate::store::read_json(&store.study(slug, budget).join("plan.json"))
    }

    pub(super) fn save(&self, store: &Store) -> Result<()> {
        write_json(
            &store.study(&self.slug, self.budget).join("plan.json"),
            self,
        )
    }

    /// What one trial of an arm is.
    pub fn spec(&self, arm: &PlannedArm, run: Run) -> TrialSpec {
        let mut settings = self.settings.clone();
        settings.extend(arm.tuned.clone());
        self.spec_with(&arm.name, run, settings)
    }

    fn spec_with(&self, arm: &str, run: Run, settings: SettingsMap) -> TrialSpec {
        TrialSpec {
            slug: self.slug.clone(),
            budget: self.budget,
            arm: arm.into(),
            run,
            settings,
            data_dir: self.data_dir.clone(),
            version: self.build.version.clone(),
            revision: self.build.revision.clone(),
            machine: self.build.machine.clone(),
        }
    }

    /// The trials that the report compares.
    pub fn specs(&self) -> Vec<TrialSpec> {
        let seeds = |arm| {
            self.seeds
                .iter()
                .map(move |&seed| self.spec(arm, Run::Seed(seed)))
        };
        self.arms.iter().flat_map(seeds).collect()
    }

    /// The random trials that choose settings.
    ///
    /// # Errors
    /// The space draws a setting that the study refuses.
    pub fn tuning_specs(&self, work: &Work) -> Result<Vec<TrialSpec>> {
        let mut specs = Vec::new();
        for arm in &self.arms {
            for index in 0..self.tuning_trials {
                specs.push(self.tuning_spec(work, arm, index)?);
            }
        }
        Ok(specs)
    }

    fn tuning_spec(&self, work: &Work, arm: &PlannedArm, index: u64) -> Result<TrialSpec> {
        let mut settings = self.settings.clone();
        settings.extend(self.drawn(work, arm, index));
        work.study.check(&settings)?;
        Ok(self.spec_with(&arm.name, Run::Tune(index), settings))
    }

    fn drawn(&self, work: &Work, arm: &PlannedArm, index: u64) -> SettingsMap {
        let space = work.study.tuning().space;
        self.without_fixed(space.draw(&self.slug, &arm.name, index))
    }

    fn without_fixed(&self, mut map: SettingsMap) -> SettingsMap {
        map.retain(|key, _| !self.fixed.contains_key(key));
        map
    }

    /// The tuning trials of an arm that have finished.
    ///
    /// # Errors
    /// A file of the store is damaged.
    pub fn tuning_trials(
        &self,
        work: &Work,
        arm: &PlannedArm,
        store: &Store,
    ) -> Result<TuningOutcome> {
        let tuning = work.study.tuning();
        let mut outcome = TuningOutcome {
            trials: Vec::new(),
            seconds: 0.0,
        };
        for index in 0..self.tuning_trials {
            let spec = self.tuning_spec(work, arm, index)?;
            let folder = store.trial(&spec.slug, spec.budget, &spec.arm, spec.run);
            if folder.state(&spec) != State::Finished {
                continue;
            }
            if let Some(found) = folder.outcome()? {
                let value = |name| found.metrics.get(name).copied().unwrap_or(f64::NAN);
                outcome.seconds += found.seconds;
                outcome.trials.push(TuningTrial {
                    index,
                    seed: spec.run.seed(),
                    settings: self.drawn(work, arm, index),
                    validation: value(tuning.validation),
                    test: value(tuning.test),
                });
            }
        }
        Ok(outcome)
    }

    /// Gives every arm the settings of its best tuning trial on validation data.
    ///
    /// # Errors
    /// A file of the store is damaged.
    pub fn choose(&mut self, work: &Work, store: &Store) -> Result<()> {
        let tuning = work.study.tuning();
        let mut arms = self.arms.clone();
        for arm in &mut arms {
            let trials = self.tuning_trials(work, arm, store)?.trials;
            if let Some(best) = tune::choose(&trials, tuning.better) {
                arm.tuned = trials[best].settings.clone();
            }
        }
        self.arms = arms;
        Ok(())
    }

    /// The settings that tuning chose, as they are committed beside a report.
    pub fn tuned(&self) -> Tuned {
        let arms = self
            .arms
            .iter()
            .map(|arm| (arm.name.clone(), arm.tuned.clone()));
        Tuned {
            revision: self.build.revision.clone(),
            trials: self.tuning_trials,
            arms: arms.collect(),
        }
    }

    /// How the settings of the arms were chosen, in a sentence.
    pub fn tuning_note(&self, work: &Work) -> String {
        if self.tuning_trials > 0 {
            return format!(
                "Settings of each arm chosen by {} random trials on validation data ({}).",
                self.tuning_trials,
                work.study.tuning().validation
            );
        }
        match self.arms.iter().any(|arm| !arm.tuned.is_empty()) {
            _ if self.budget == Budget::Train => {
                "Settings as configured; nothing was tuned.".into()
            }
            true => format!(
                "Settings of each arm as chosen by the full budget's tuning: reports/{}/tuned.toml.",
                self.slug
            ),
            false => "Default settings, not tuned: the full budget tunes every arm.".into(),
        }
    }
}

/// Today's date in UTC, `YYYY-MM-DD`.
pub fn today() -> String {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    now.chars().take_while(|&c| c != 'T').collect()
}

/// The processor and system, in words.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
    let processor = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_string())
        });
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.into());
    format!("{processor}, {cores} cores, {}", std::env::consts::OS)
}
