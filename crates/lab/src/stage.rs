//! Trials that train one model after another, or one model twice: what is known between the stages, and where a trial that
//! was interrupted goes on.

use crate::{checkpoint::Checkpoint, error::Result, store::number, trial::Trial};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Final numbers by name; infinite ones are kept, too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores(#[serde(with = "number::map")] pub BTreeMap<String, f64>);

/// One training of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Which it is, from 0.
    pub number: u64,
    /// Name of its curve.
    pub curve: &'a str,
    /// Its steps.
    pub steps: u64,
    /// Steps of the stages before.
    pub before: u64,
    /// Steps of all stages.
    pub of: u64,
}

/// What a trial did before it was interrupted: nothing, of one that begins.
#[derive(Debug)]
pub struct Resumed {
    /// The stage it was in.
    pub stage: u64,
    /// The scores of the stages before.
    pub scores: Scores,
    /// What the stage goes on from.
    pub checkpoint: Option<Checkpoint>,
}

impl Stage<'_> {
    /// Reports the loss of a step, a hundred times or so in all, and how far the trial is.
    pub fn report<S>(&self, trial: &mut Trial<S>, step: u64, loss: f64) {
        if step.is_multiple_of((self.steps / 100).max(1)) || step == self.steps {
            trial.metric(self.curve, loss, step);
        }
        trial.progress(self.before + step, self.of);
    }

    /// A checkpoint after a step: the stage and the scores so far, to which the model and its optimizer are added.
    ///
    /// # Errors
    /// The scores cannot be serialized.
    pub fn checkpoint(&self, step: u64, scores: &Scores) -> Result<Checkpoint> {
        Checkpoint::new(step + 1)
            .with_value("stage", &self.number)?
            .with_value("scores", scores)
    }
}

impl Resumed {
    /// What the checkpoint of a trial says, if there is one.
    ///
    /// # Errors
    /// It is damaged.
    pub fn of<S>(trial: &mut Trial<S>) -> Result<Self> {
        Self::from(trial.resume()?)
    }

    fn from(checkpoint: Option<Checkpoint>) -> Result<Self> {
        let (stage, scores) = match &checkpoint {
            Some(checkpoint) => (checkpoint.value("stage")?, checkpoint.value("scores")?),
            None => (0, Scores::default()),
        };
        Ok(Self {
            stage,
            scores,
            checkpoint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_goes_on_with_the_next_step_and_all_scores() {
        let stage = Stage {
            number: 1,
            curve: "loss",
            steps: 10,
            before: 5,
            of: 15,
        };
        let values = [("loss", 0.25), ("diverged", f64::INFINITY)];
        let scores = Scores(values.map(|(name, value)| (name.into(), value)).into());
        let checkpoint = stage.checkpoint(3, &scores).unwrap();
        let bytes = checkpoint.to_bytes().unwrap();
        let resumed = Resumed::from(Some(Checkpoint::from_bytes(&bytes).unwrap())).unwrap();
        assert_eq!((resumed.stage, resumed.scores), (1, scores));
        assert_eq!(resumed.checkpoint.unwrap().step, 4);

        let fresh = Resumed::from(None).unwrap();
        assert_eq!((fresh.stage, fresh.scores), (0, Scores::default()));
        assert!(Resumed::from(Some(Checkpoint::new(1))).is_err());
    }
}
