//! The record of a study: everything a report shows, gathered from the store and judged.
//!
//! Every form of a report (terminal, Markdown, JSON, HTML, the workbench) is drawn from this one value.

use crate::{
    claim::{Evidence, Finding, TuningTrial, judge},
    error::{Error, Result},
    paper::{Erratum, Paper, Work},
    run::Plan,
    settings::SettingsMap,
    store::{Point, Run, State, Store, TrialFolder, number},
    study::{Arm, Better, Budget, Metric},
    table::Table,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A study as it stands in a store.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub slug: String,
    pub title: String,
    /// What is compared on what.
    pub question: String,
    pub budget: Budget,
    /// Day of the run, `YYYY-MM-DD`.
    pub date: String,
    /// The command that repeats it.
    pub command: String,
    /// Fingerprint of the code that computed it.
    pub version: String,
    /// Git revision of the program that computed it.
    pub revision: String,
    pub machine: String,
    /// Settings that all arms share, before tuning.
    pub settings: SettingsMap,
    pub seeds: Vec<u64>,
    /// How the arms' settings were chosen, in a sentence.
    pub tuning: String,
    /// By which numbers tuning chose.
    pub tuned_by: TunedBy,
    pub metrics: Vec<Metric>,
    pub arms: Vec<ArmRecord>,
    pub findings: Vec<Finding>,
    pub errata: Vec<Erratum>,
    /// What differs from the paper in scale, data or scope.
    pub differences: Vec<String>,
    /// Trials wanted and not finished, as `arm/seed`.
    pub missing: Vec<String>,
    /// Processor time of all trials, tuning included, in seconds.
    pub seconds: f64,
}

/// The numbers that tuning trials are compared by.
#[derive(Clone, Debug, Serialize)]
pub struct TunedBy {
    /// The outcome that chooses.
    pub validation: String,
    /// The outcome that a chosen trial is then worth.
    pub test: String,
    /// Which way both are better.
    pub better: Better,
}

/// What one arm left.
#[derive(Clone, Debug, Serialize)]
pub struct ArmRecord {
    pub arm: Arm,
    /// Settings in which it differs from the others.
    pub tuned: SettingsMap,
    /// Finished trials by seed.
    pub trials: Vec<TrialRecord>,
    /// Its tuning trials by index.
    pub tuning: Vec<TuningTrial>,
}

/// What one trial left.
#[derive(Clone, Debug, Serialize)]
pub struct TrialRecord {
    pub seed: u64,
    /// Final numbers by name.
    #[serde(serialize_with = "number::map::serialize")]
    pub metrics: BTreeMap<String, f64>,
    /// Metrics over steps, by name; values that are not finite are left out.
    pub curves: BTreeMap<String, Vec<(u64, f64)>>,
    pub tables: BTreeMap<String, Table>,
    /// Pictures as PNG; a page embeds them, JSON leaves them out.
    #[serde(skip)]
    pub images: BTreeMap<String, Vec<u8>>,
    pub seconds: f64,
}

impl ArmRecord {
    /// The final values of a metric, by seed.
    pub fn values(&self, metric: &str) -> Vec<(u64, f64)> {
        self.trials
            .iter()
            .filter_map(|trial| Some((trial.seed, *trial.metrics.get(metric)?)))
            .collect()
    }
}

impl Evidence for [ArmRecord] {
    fn values(&self, arm: &str, metric: &str) -> Vec<(u64, f64)> {
        let arm = self.iter().find(|record| record.arm.name == arm);
        arm.map_or(Vec::new(), |record| record.values(metric))
    }

    fn tuning(&self, arm: &str) -> Vec<TuningTrial> {
        let arm = self.iter().find(|record| record.arm.name == arm);
        arm.map_or(Vec::new(), |record| record.tuning.clone())
    }
}

impl Record {
    /// Gathers a plan's trials from the store: the finished ones that the plan would reuse.
    ///
    /// # Errors
    /// A file of the store is damaged.
    pub fn gather(paper: &Paper, work: &Work, plan: &Plan, store: &Store) -> Result<Self> {
        let mut missing = Vec::new();
        let mut seconds = 0.0;
        let mut arms = Vec::new();
        for planned in &plan.arms {
            let mut trials = Vec::new();
            for &seed in &plan.seeds {
                let spec = plan.spec(planned, Run::Seed(seed));
                let folder = store.trial(&spec.slug, spec.budget, &spec.arm, spec.run);
                if folder.state(&spec) == State::Finished {
                    trials.push(trial(seed, &folder)?);
                } else {
                    missing.push(format!("{}/{seed}", planned.name));
                }
            }
            let tuning = plan.tuning_trials(work, planned, store)?;
            seconds += trials.iter().map(|trial| trial.seconds).sum::<f64>();
            seconds += tuning.seconds;
            arms.push(ArmRecord {
                arm: known_arm(work, &planned.name)?,
                tuned: planned.tuned.clone(),
                trials,
                tuning: tuning.trials,
            });
        }
        let nothing_yet = missing.len() == plan.arms.len() * plan.seeds.len();
        let known = |metric: &str| nothing_yet || has(&arms, metric);
        let metrics = work
            .study
            .metrics()
            .iter()
            .filter(|metric| known(metric.name))
            .copied();
        let metrics: Vec<Metric> = metrics.collect();
        let present: Vec<&str> = arms.iter().map(|record| record.arm.name).collect();
        // Claims of other data than this run's, whose metric no trial has, and claims on tuning where nothing was tuned
        // are left out before anything is judged. Claims on arms that were not asked for are judged (undecided) and then
        // hidden: fewer arms must not make the correction for many claims milder.
        let judged: Vec<_> = work
            .study
            .claims()
            .iter()
            .filter(|claim| plan.tuning_trials > 0 || !claim.needs_tuning())
            .filter(|claim| known(claim.metric))
            .copied()
            .collect();
        let tuning = work.study.tuning();
        let mut findings = judge(&judged, arms.as_slice(), tuning.better);
        findings.retain(|finding| finding.claim.arms().all(|arm| present.contains(&arm)));
        Ok(Self {
            slug: paper.slug.into(),
            title: paper.title.into(),
            question: work.study.question().into(),
            budget: plan.budget,
            date: plan.date.clone(),
            command: plan.command.clone(),
            version: plan.build.version.clone(),
            revision: plan.build.revision.clone(),
            machine: plan.build.machine.clone(),
            settings: plan.settings.clone(),
            seeds: plan.seeds.clone(),
            tuning: plan.tuning_note(work),
            tuned_by: TunedBy {
                validation: tuning.validation.into(),
                test: tuning.test.into(),
                better: tuning.better,
            },
            metrics,
            findings,
            arms,
            errata: work.errata.to_vec(),
            differences: work.differences.iter().map(|&text| text.into()).collect(),
            missing,
            seconds,
        })
    }
}

/// Whether any trial has a metric.
fn has(arms: &[ArmRecord], metric: &str) -> bool {
    arms.iter().any(|arm| !arm.values(metric).is_empty())
}

fn known_arm(work: &Work, name: &str) -> Result<Arm> {
    let arm = work.study.arms().iter().find(|arm| arm.name == name);
    arm.copied().ok_or_else(|| {
        Error::run(format!(
            "the store holds an arm \"{name}\" that the study no longer has"
        ))
        .help("run the study again")
    })
}

fn trial(seed: u64, folder: &TrialFolder) -> Result<TrialRecord> {
    let outcome = folder
        .outcome()?
        .unwrap_or_else(|| unreachable!("finished"));
    let mut curves: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
    for Point { name, step, value } in folder.metrics()? {
        if value.is_finite() {
            curves.entry(name).or_default().push((step, value));
        }
    }
    Ok(TrialRecord {
        seed,
        metrics: outcome.metrics,
        curves,
        tables: folder.tables()?,
        images: folder.images()?,
        seconds: outcome.seconds,
    })
}
