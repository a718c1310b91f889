//! What `run` and `train` share: running the trials of a plan and reporting them.

use super::{StoreArgs, color, print};
use crate::progress::Watcher;
use clap::Args;
use offprint_lab::{
    error::{Error, Fault, Result},
    paper::{Paper, Work},
    record::Record,
    report::{self, Style},
    run::{self, Options, Plan},
    tensorboard,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How trials are run.
#[derive(Args)]
pub struct LaunchArgs {
    /// Trials at a time; one a core where absent.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    #[command(flatten)]
    store: StoreArgs,
    /// Run every trial again, also the finished ones.
    #[arg(long)]
    fresh: bool,
    /// Longest time between two checkpoints of a trial.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    checkpoint_seconds: f64,
    /// Write the metrics as TensorBoard event files too.
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// Print one JSON document at the end, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Runs what a plan wants and the store lacks, and prints the outcome.
pub fn launch(paper: &Paper, work: &Work, plan: &mut Plan, args: &LaunchArgs) -> Result<()> {
    let store = args.store.store();
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
    let jobs = match args.jobs {
        Some(0) => return Err(Error::input("--jobs 0, but it must be at least 1")),
        Some(jobs) => jobs,
        None => cores,
    };
    let trials = plan.arms.len() * plan.seeds.len();
    let program = std::env::current_exe().map_err(|e| {
        Error::run(format!(
            "cannot find the program to start workers with: {e}"
        ))
    })?;
    let options = Options {
        jobs,
        // Trials side by side keep cores busier than threads inside one; a trial alone may have them all.
        threads: (cores / jobs.min(trials).max(1)).max(1),
        fresh: args.fresh,
        checkpoint_every: checkpoint_interval(args.checkpoint_seconds)?,
        program,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if handler.swap(true, Ordering::Relaxed) {
            // Asked twice: the user is in a hurry, and the store stands a kill.
            std::process::exit(130);
        }
    })
    .map_err(|e| Error::run(e.to_string()))?;
    eprintln!(
        "{} · {} · {} arms, {} seeds · {jobs} workers · {}",
        paper.slug,
        work.study.question(),
        plan.arms.len(),
        plan.seeds.len(),
        store.study(paper.slug, plan.budget).display()
    );
    let mut watcher = Watcher::new(work);
    let ran = run::run(work, plan, &store, &options, &stop, &mut |progress| {
        watcher.see(progress);
    });
    watcher.close();
    if ran.as_ref().is_err_and(|error| error.fault() != Fault::Run) {
        return ran;
    }
    // Where trials failed, the others are reported all the same.
    let record = Record::gather(paper, work, plan, &store)?;
    if ran.is_err() && record.arms.iter().all(|arm| arm.trials.is_empty()) {
        return ran;
    }
    if let Some(folder) = &args.tensorboard {
        tensorboard::export(&record, folder)?;
    }
    let text = match args.json {
        true => report::json(&record)? + "\n",
        false => report::outcome(&record, &Style::new(color())),
    };
    print(&text);
    ran
}

/// The time between checkpoints.
pub fn checkpoint_interval(seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        Error::input(format!(
            "--checkpoint-seconds {seconds}, but it must be 0 or more"
        ))
    })
}

/// A worker has the folder of its own trial, so a path must not depend on where it runs.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .map_err(|e| Error::input(format!("--data-dir {}: {e}", path.display())))
}

/// The command as it was given, with the program's plain name and without the folder of the runs, which changes nothing.
pub fn command_line() -> String {
    let quoted = |argument: String| match argument.contains(char::is_whitespace) {
        true => format!("'{argument}'"),
        false => argument,
    };
    let mut given = std::env::args().skip(1);
    let mut arguments = Vec::new();
    while let Some(argument) = given.next() {
        if argument == "--runs" {
            given.next();
        } else if !argument.starts_with("--runs=") {
            arguments.push(quoted(argument));
        }
    }
    format!("offprint {}", arguments.join(" "))
}
