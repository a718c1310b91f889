//! A study: the arms, settings and claims of one paper, and how one trial of it runs.

use crate::{
    claim::Claim,
    error::Result,
    settings::{self, SettingsMap},
    trial::{Trial, TrialContext},
    tune::Space,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;

/// How much a run may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Budget {
    /// At most 60 s for the whole study on two cores; uses settings that an earlier tuning chose.
    Quick,
    /// At most 20 min for the whole study on two cores; tunes every arm first.
    Full,
    /// What the user's configuration says: a run of `offprint train`. No study of a paper is run so.
    Train,
}

impl Budget {
    /// Every budget.
    pub const ALL: [Self; 3] = [Budget::Quick, Budget::Full, Budget::Train];

    /// Name on the command line and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Budget::Quick => "quick",
            Budget::Full => "full",
            Budget::Train => "train",
        }
    }
}

/// What an arm is to the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The paper's own method.
    Method,
    /// What the paper compares with.
    Baseline,
    /// The method with a part taken away or exchanged.
    Ablation,
    /// One of the user's own models, of `offprint train`.
    Model,
}

/// One side of the comparison.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Arm {
    /// Name on the command line and in the store: lower case, digits, `-` and `+`.
    pub name: &'static str,
    /// What it is to the paper.
    pub role: Role,
    /// One line of description.
    pub about: &'static str,
    /// Whether the quick budget runs it too.
    pub quick: bool,
}

impl Arm {
    /// An arm of both budgets.
    pub const fn new(name: &'static str, role: Role, about: &'static str) -> Self {
        Self {
            name,
            role,
            about,
            quick: true,
        }
    }

    /// The same arm in the full budget alone.
    pub const fn only_full(self) -> Self {
        Self {
            quick: false,
            ..self
        }
    }
}

/// Which way a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Lower,
    Higher,
    /// A description rather than a score.
    Neither,
}

/// A number every trial ends with; a column of the report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Metric {
    /// Name in the store.
    pub name: &'static str,
    /// Heading in a table, about 14 characters at most.
    pub label: &'static str,
    /// What it means, for a reader.
    pub about: &'static str,
    /// Which way it is better.
    pub better: Better,
}

impl Metric {
    /// A metric by its name, heading, direction and meaning.
    pub const fn new(
        name: &'static str,
        label: &'static str,
        better: Better,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            label,
            about,
            better,
        }
    }
}

/// How the arms of a study are tuned: every arm gets the same number of random trials.
pub struct Tuning {
    /// What is drawn.
    pub space: Space,
    /// Trials an arm in the full budget.
    pub trials: usize,
    /// The outcome that chooses, measured on validation data, never on test data.
    pub validation: &'static str,
    /// The outcome that a chosen trial is then worth, for analyses of the tuning budget.
    pub test: &'static str,
    /// Which way `validation` is better.
    pub better: Better,
}

/// A setting out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The setting.
    pub key: &'static str,
    /// The value and what is allowed: `experts = 1, but COMET needs at least 2`.
    pub message: String,
}

/// Typed settings of a study; every field is a key of `--set` and of a TOML file.
pub trait Settings: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// Checks ranges before anything is allocated.
    fn validate(&self) -> std::result::Result<(), Invalid>;
}

/// The comparison that a paper makes.
pub trait Study: Sync {
    /// Everything that can be set.
    type Settings: Settings;

    /// What is compared on what, in one line.
    fn question(&self) -> &'static str;
    /// The arms in the order of the report.
    fn arms(&self) -> &'static [Arm];
    /// What every trial reports at its end, the first being the main one.
    fn metrics(&self) -> &'static [Metric];
    /// The paper's claims, written before the runs.
    fn claims(&self) -> &'static [Claim];
    /// Settings of a budget.
    fn settings(&self, budget: Budget) -> Self::Settings;
    /// Number of seeds of a budget.
    fn seeds(&self, budget: Budget) -> u64 {
        match budget {
            Budget::Quick | Budget::Train => 3,
            Budget::Full => 5,
        }
    }
    /// How arms are tuned.
    fn tuning(&self) -> Tuning;
    /// What the tuning of a full run chose for such settings, as TOML, committed beside its report; `None` for settings
    /// (another data set, say) that no committed run tuned. The quick budget uses it.
    fn chosen(&self, _settings: &Self::Settings) -> Option<&'static str> {
        None
    }
    /// Checks that the data the settings ask for is there, before any trial starts.
    ///
    /// # Errors
    /// Says what was looked for, and where.
    fn check_data(&self, _settings: &Self::Settings, _data_dir: Option<&Path>) -> Result<()> {
        Ok(())
    }
    /// Runs one arm with one seed.
    ///
    /// # Errors
    /// What makes the trial useless: missing data, an impossible setting. A loss that diverges is not an error but a
    /// result.
    fn run(&self, trial: &mut Trial<Self::Settings>) -> Result<()>;
}

/// A [`Study`] without its type of settings, as the lab keeps it.
pub trait AnyStudy: Sync {
    /// See [`Study::question`].
    fn question(&self) -> &'static str;
    /// See [`Study::arms`].
    fn arms(&self) -> &'static [Arm];
    /// See [`Study::metrics`].
    fn metrics(&self) -> &'static [Metric];
    /// See [`Study::claims`].
    fn claims(&self) -> &'static [Claim];
    /// See [`Study::seeds`].
    fn seeds(&self, budget: Budget) -> u64;
    /// See [`Study::tuning`].
    fn tuning(&self) -> Tuning;
    /// See [`Study::chosen`].
    ///
    /// # Errors
    /// The map is not a valid set of settings.
    fn chosen(&self, settings: &SettingsMap) -> Result<Option<&'static str>>;
    /// The settings of a budget as a map.
    fn defaults(&self, budget: Budget) -> SettingsMap;
    /// Whether a map is a valid set of settings.
    ///
    /// # Errors
    /// Names the setting, its value and what is allowed.
    fn check(&self, settings: &SettingsMap) -> Result<()>;
    /// See [`Study::check_data`].
    ///
    /// # Errors
    /// See [`Study::check_data`].
    fn check_data(&self, settings: &SettingsMap, data_dir: Option<&Path>) -> Result<()>;
    /// Runs one trial, inside its worker process.
    ///
    /// # Errors
    /// See [`Study::run`].
    fn run_trial(&self, context: TrialContext) -> Result<()>;
}

impl<S: Study> AnyStudy for S {
    fn question(&self) -> &'static str {
        Study::question(self)
    }
    fn arms(&self) -> &'static [Arm] {
        Study::arms(self)
    }
    fn metrics(&self) -> &'static [Metric] {
        Study::metrics(self)
    }
    fn claims(&self) -> &'static [Claim] {
        Study::claims(self)
    }
    fn seeds(&self, budget: Budget) -> u64 {
        Study::seeds(self, budget)
    }
    fn tuning(&self) -> Tuning {
        Study::tuning(self)
    }
    fn chosen(&self, settings: &SettingsMap) -> Result<Option<&'static str>> {
        Ok(Study::chosen(self, &settings::typed(settings)?))
    }
    fn defaults(&self, budget: Budget) -> SettingsMap {
        settings::to_map(&self.settings(budget))
    }
    fn check(&self, settings: &SettingsMap) -> Result<()> {
        settings::typed::<S::Settings>(settings).map(drop)
    }
    fn check_data(&self, settings: &SettingsMap, data_dir: Option<&Path>) -> Result<()> {
        Study::check_data(self, &settings::typed(settings)?, data_dir)
    }
    fn run_trial(&self, context: TrialContext) -> Result<()> {
        let settings = settings::typed(context.settings())?;
        let mut trial = Trial::new(context, settings);
        self.run(&mut trial)?;
        trial.finish()
    }
}
