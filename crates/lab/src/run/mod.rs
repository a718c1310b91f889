//! Runs the trials of a plan, one worker process each.

mod plan;
mod worker;

pub use plan::{Build, Plan, PlannedArm, Request, TuningOutcome, today};
pub use worker::work;

use crate::{
    error::{Error, Result},
    paper::Work,
    store::{Outcome, State, Store, TrialFolder, TrialSpec},
    trial::Event,
};
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};
use worker::{Failure, Message, Worker};

/// How the trials of a plan are run.
pub struct Options {
    /// Worker processes at a time.
    pub jobs: usize,
    /// Threads of each worker.
    pub threads: usize,
    /// Run every trial again.
    pub fresh: bool,
    /// Longest time between two checkpoints of a trial.
    pub checkpoint_every: Duration,
    /// The program that is started for each trial; it must understand `trial FOLDER`.
    pub program: PathBuf,
}

/// What a run tells whoever watches it.
#[derive(Debug)]
pub enum Progress<'a> {
    /// Another program (its process number) holds the study; this one waits.
    Waiting { holder: &'a str },
    /// A stage begins: these trials are wanted, of which some are in the store already.
    Stage {
        name: &'a str,
        trials: &'a [TrialSpec],
        reused: usize,
    },
    /// A trial starts, or goes on from its checkpoint.
    Started { spec: &'a TrialSpec, resumed: bool },
    /// A trial says how far it is, or reports a metric.
    Event {
        spec: &'a TrialSpec,
        event: &'a Event,
    },
    /// A trial has finished, now or earlier.
    Finished {
        spec: &'a TrialSpec,
        outcome: &'a Outcome,
    },
    /// A trial has failed.
    Failed {
        spec: &'a TrialSpec,
        message: &'a str,
    },
}

/// Runs what a plan wants and the store lacks: first the tuning trials, then, with the settings they chose, the seeds.
///
/// # Errors
/// The store cannot be written; some trials failed (the others are kept); the user set `stop`.
pub fn run(
    work: &Work,
    plan: &mut Plan,
    store: &Store,
    options: &Options,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Progress),
) -> Result<()> {
    let _lock = store.lock(
        &plan.slug,
        plan.budget,
        |holder| watch(Progress::Waiting { holder }),
        || stop.load(Ordering::Relaxed),
    )?;
    plan.save(store)?;
    let mut failed = Vec::new();
    if plan.tuning_trials > 0 {
        let specs = plan.tuning_specs(work)?;
        failed = stage("tuning", specs, store, options, stop, watch)?;
        plan.choose(work, store)?;
        plan.save(store)?;
    }
    failed.extend(stage("seeds", plan.specs(), store, options, stop, watch)?);
    match failed.first() {
        None => Ok(()),
        Some(Failure { message, help }) => {
            let kept = "the others are kept; the same command tries the failed ones again";
            let help = [help.as_str(), kept].join("\n");
            Err(
                Error::run(format!("{} of the trials failed: {message}", failed.len()))
                    .help(help.trim()),
            )
        }
    }
}

/// Runs some trials and returns those that failed.
fn stage(
    name: &str,
    specs: Vec<TrialSpec>,
    store: &Store,
    options: &Options,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Progress),
) -> Result<Vec<Failure>> {
    let folder = |spec: &TrialSpec| store.trial(&spec.slug, spec.budget, &spec.arm, spec.run);
    let mut waiting = VecDeque::new();
    let mut finished = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let folder = folder(spec);
        match folder.state(spec) {
            State::Finished if !options.fresh => finished.push((index, folder)),
            _ => waiting.push_back(index),
        }
    }
    let reused = finished.len();
    watch(Progress::Stage {
        name,
        trials: &specs,
        reused,
    });
    for (index, folder) in &finished {
        // A trial that was killed between its outcome and its end left one.
        folder.remove_checkpoint()?;
        if let Some(outcome) = folder.outcome()? {
            watch(Progress::Finished {
                spec: &specs[*index],
                outcome: &outcome,
            });
        }
    }
    let mut done = reused;
    let mut failed = Vec::new();
    let (sender, receiver) = channel();
    let mut workers: Vec<(usize, Worker)> = Vec::new();
    loop {
        if stop.load(Ordering::Relaxed) {
            // Dropping a worker kills its process; its checkpoint stays.
            drop(workers);
            return Err(Error::stopped(format!(
                "Stopped. {done} of {} trials are kept; the same command goes on.",
                specs.len()
            )));
        }
        while workers.len() < options.jobs.max(1)
            && let Some(index) = waiting.pop_front()
        {
            let spec = &specs[index];
            let folder = folder(spec);
            let resumed = start(spec, &folder, options)?;
            workers.push((index, Worker::start(index, &folder, options, &sender)?));
            watch(Progress::Started { spec, resumed });
        }
        if workers.is_empty() {
            return Ok(failed);
        }
        let Some((index, message)) = next(&receiver) else {
            continue;
        };
        let spec = &specs[index];
        match message {
            Message::Event(event) => watch(Progress::Event {
                spec,
                event: &event,
            }),
            Message::Ended => {
                let place = workers.iter().position(|(other, _)| *other == index);
                let (_, worker) = workers.remove(place.expect("only running workers speak"));
                let failure = worker.wait();
                match folder(spec).outcome()? {
                    Some(outcome) if failure.is_none() => {
                        done += 1;
                        watch(Progress::Finished {
                            spec,
                            outcome: &outcome,
                        });
                    }
                    _ => {
                        let Failure { message, help } = failure.unwrap_or_else(|| Failure {
                            message: "it left no outcome".into(),
                            help: String::new(),
                        });
                        watch(Progress::Failed {
                            spec,
                            message: &message,
                        });
                        let message = format!("{}/{}: {message}", spec.arm, spec.run.folder());
                        failed.push(Failure { message, help });
                    }
                }
            }
        }
    }
}

/// Prepares a trial's folder; whether the trial goes on from an earlier start.
fn start(spec: &TrialSpec, folder: &TrialFolder, options: &Options) -> Result<bool> {
    if folder.state(spec) == State::Begun && !options.fresh {
        return Ok(folder.file("checkpoint.safetensors").exists());
    }
    folder.begin(spec)?;
    Ok(false)
}

/// The next message of any worker, or nothing for a moment.
fn next(receiver: &Receiver<(usize, Message)>) -> Option<(usize, Message)> {
    match receiver.recv_timeout(Duration::from_millis(50)) {
        Ok(message) => Some(message),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is kept here"),
    }
}

type Mail = Sender<(usize, Message)>;
