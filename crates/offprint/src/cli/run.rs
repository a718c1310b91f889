//! `offprint run`.

use super::{BudgetArg, StoreArgs, color, print, running};
use crate::progress::Watcher;
use clap::Args;
use offprint_lab::{
    error::{Error, Result},
    record::Record,
    report::{self, Style},
    run::{self, Options, Plan, Request},
    settings::Overrides,
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

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint run comet\n  offprint run comet --budget full\n  \
    offprint run comet --arms comet+,topk --seeds 5 --set batch=256"
)]
pub struct RunArgs {
    /// The paper.
    slug: String,
    /// How much it may cost.
    #[arg(long, value_enum, default_value = "quick")]
    budget: BudgetArg,
    /// Only these arms.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    arms: Vec<String>,
    /// Number of seeds.
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// A setting of the study, over a file's.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Settings of the study from a TOML file.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Folder of your data sets.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
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

pub fn run(args: &RunArgs) -> Result<()> {
    let (paper, work) = running(&args.slug)?;
    let mut overrides = Overrides::default();
    if let Some(path) = &args.config {
        overrides.file(path)?;
    }
    for assignment in &args.sets {
        overrides.set(assignment)?;
    }
    let request = Request {
        budget: args.budget.into(),
        arms: args.arms.clone(),
        seeds: args.seeds,
        overrides,
        data_dir: args.data_dir.as_deref().map(absolute).transpose()?,
        command: command_line(),
    };
    let mut plan = Plan::new(paper, work, &request, offprint_papers::build(paper.slug))?;
    let store = args.store.store();
    let jobs = match args.jobs {
        Some(0) => return Err(Error::input("--jobs 0, but it must be at least 1")),
        Some(jobs) => jobs,
        None => std::thread::available_parallelism().map_or(1, |count| count.get()),
    };
    let program = std::env::current_exe().map_err(|e| {
        Error::run(format!(
            "cannot find the program to start workers with: {e}"
        ))
    })?;
    let options = Options {
        jobs,
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
    let ran = run::run(work, &mut plan, &store, &options, &stop, &mut |progress| {
        watcher.see(progress);
    });
    watcher.close();
    if ran
        .as_ref()
        .is_err_and(|error| error.fault() != offprint_lab::error::Fault::Run)
    {
        return ran;
    }
    // Where trials failed, the others are reported all the same.
    let record = Record::gather(paper, work, &plan, &store)?;
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
fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .map_err(|e| Error::input(format!("--data-dir {}: {e}", path.display())))
}

/// The command as it was given, with the program's plain name.
fn command_line() -> String {
    let quoted = |argument: String| match argument.contains(char::is_whitespace) {
        true => format!("'{argument}'"),
        false => argument,
    };
    let arguments: Vec<String> = std::env::args().skip(1).map(quoted).collect();
    format!("offprint {}", arguments.join(" "))
}
