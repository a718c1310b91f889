//! `offprint trial`: the body of a worker process.

use super::{pool, running};
use clap::Args;
use offprint_backbones::train::TRIALS;
use offprint_lab::{
    error::{Error, Result},
    run::work,
    store::TrialFolder,
    study::Budget,
};
use std::path::PathBuf;

#[derive(Args)]
pub struct TrialArgs {
    /// Folder of the trial.
    folder: PathBuf,
    /// Longest time between two checkpoints.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    checkpoint_seconds: f64,
    /// End when standard input closes.
    #[arg(long)]
    attached: bool,
}

pub fn trial(args: TrialArgs) -> Result<()> {
    if args.attached {
        // An interrupt from the keyboard reaches the whole process group; the program that started this one decides.
        ctrlc::set_handler(|| {}).map_err(|e| Error::run(e.to_string()))?;
    }
    pool(0)?;
    let every = super::launch::checkpoint_interval(args.checkpoint_seconds)?;
    let folder = TrialFolder::new(args.folder);
    work(folder, every, args.attached, |spec| match spec.budget {
        Budget::Train => Ok(&TRIALS),
        _ => Ok(running(&spec.slug)?.1.study),
    })
}
