//! What can be set in COMET's study.

use offprint_lab::study::{Invalid, Settings};
use serde::{Deserialize, Serialize};

/// Data of the study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSet {
    /// Two overlaid digits, two classifications; from the MNIST sample inside.
    MultiMnist,
    /// Watch and rating of user-movie pairs, from files below `--data-dir`.
    Movielens,
}

/// Experts of the study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpertKind {
    /// Dense layers.
    Mlp,
    /// The paper's convolutional experts; only for pictures.
    Cnn,
}

/// How two digits become a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipeKind {
    /// The larger pixel, digits of different classes.
    Published,
    /// The authors' released generator: the sum of the pixels, any classes.
    Released,
}

/// Settings of COMET's study.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CometSettings {
    /// `multi-mnist` or `movielens`.
    pub data: DataSet,
    /// `published` or `released`: how pictures are made.
    pub recipe: RecipeKind,
    /// Training pictures.
    pub pictures: usize,
    /// Validation pictures; test pictures are twice as many.
    pub held_out: usize,
    /// `mlp` or `cnn`.
    pub expert: ExpertKind,
    /// Number of experts.
    pub experts: usize,
    /// Experts a row at most, for the sparse gates.
    pub k: usize,
    /// Passes over the training data.
    pub epochs: usize,
    /// Rows of a step.
    pub batch: usize,
    /// Step size of Adam.
    pub learning_rate: f64,
    /// Width of the smooth-step (COMET, DSelect-k).
    pub gamma: f64,
    /// Coefficient of the gates' entropy penalty (COMET, DSelect-k).
    pub entropy_reg: f64,
    /// Coefficient of DSelect-k's penalty on codes without an expert.
    pub zeta: f64,
    /// Whether Top-k learns noise.
    pub noisy: bool,
    /// Share of the steps in which local search learns its permutation.
    pub search_share: f64,
    /// Factor of local search's Gumbel noise.
    pub search_noise: f64,
    /// Coefficient of local search's entropy penalty.
    pub search_reg: f64,
    /// Whether each tree or selector has a permutation of its own.
    pub search_per_tree: bool,
    /// Further initializations that a trial trains to find the worst one (Top-k and COMET, with and without search).
    pub restarts: usize,
    /// Width of the user and movie embeddings.
    pub embedding: usize,
    /// Dropout after the experts (MovieLens).
    pub dropout: f64,
    /// Weight of the watch task; the rating task has the rest.
    pub watch_weight: f64,
}

impl Settings for CometSettings {
    fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key: &'static str, value: String, allowed: String| {
            Err(Invalid {
                key,
                message: format!("{key} = {value}, but {allowed}"),
            })
        };
        if self.experts < 2 || self.experts > 256 {
            let allowed = "COMET needs 2 to 256".into();
            return invalid("experts", self.experts.to_string(), allowed);
        }
        if self.k == 0 || self.k > self.experts {
            let allowed = format!("it must be 1 to {}, the number of experts", self.experts);
            return invalid("k", self.k.to_string(), allowed);
        }
        for (key, value, most) in [
            ("pictures", self.pictures, 1_000_000),
            ("held_out", self.held_out, 100_000),
            ("epochs", self.epochs, 10_000),
            ("batch", self.batch, 100_000),
            ("embedding", self.embedding, 4096),
        ] {
            if value == 0 || value > most {
                return invalid(key, value.to_string(), format!("it must be 1 to {most}"));
            }
        }
        if self.restarts > 100 {
            return invalid(
                "restarts",
                self.restarts.to_string(),
                "it must be 0 to 100".into(),
            );
        }
        for (key, value) in [("learning_rate", self.learning_rate), ("gamma", self.gamma)] {
            if !(value > 0.0 && value.is_finite()) {
                return invalid(key, value.to_string(), "it must be above 0".into());
            }
        }
        for (key, value) in [
            ("entropy_reg", self.entropy_reg),
            ("zeta", self.zeta),
            ("search_noise", self.search_noise),
            ("search_reg", self.search_reg),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return invalid(key, value.to_string(), "it must be 0 or more".into());
            }
        }
        for (key, value) in [
            ("search_share", self.search_share),
            ("watch_weight", self.watch_weight),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return invalid(key, value.to_string(), "it must be 0 to 1".into());
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let allowed = "it must be 0 or more and below 1".into();
            return invalid("dropout", self.dropout.to_string(), allowed);
        }
        if self.data == DataSet::Movielens && self.expert == ExpertKind::Cnn {
            let allowed = "convolutional experts need pictures: data = multi-mnist".into();
            return invalid("expert", "cnn".into(), allowed);
        }
        Ok(())
    }
}
