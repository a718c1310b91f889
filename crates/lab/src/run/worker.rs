//! The worker process of one trial, from both sides.

use super::{Mail, Options};
use crate::{
    error::{Error, Result},
    store::{TrialFolder, TrialSpec},
    study::AnyStudy,
    trial::{Event, TrialContext},
};
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// What a worker's thread passes on.
pub(super) enum Message {
    Event(Event),
    /// The process has closed its output: it has ended, or is about to.
    Ended,
}

/// Why a trial failed.
pub(super) struct Failure {
    pub message: String,
    /// What to do about it, if the trial knew.
    pub help: String,
}

/// A running worker process; killed when dropped.
pub(super) struct Worker {
    child: Child,
    folder: TrialFolder,
}

impl Worker {
    pub(super) fn start(
        index: usize,
        folder: &TrialFolder,
        options: &Options,
        mail: &Mail,
    ) -> Result<Self> {
        let log = folder.file("worker.log");
        let log = File::create(&log).map_err(|e| Error::io("write", &log, e))?;
        let mut child = Command::new(&options.program)
            .arg("trial")
            .arg(folder.path())
            .arg("--attached")
            .arg("--checkpoint-seconds")
            .arg(options.checkpoint_every.as_secs_f64().to_string())
            .env("RAYON_NUM_THREADS", options.threads.to_string())
            // The worker watches this pipe: it ends when the program that started it does, however that ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| Error::io("start", &options.program, e))?;
        let output = child.stdout.take().expect("piped above");
        let mail = mail.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output)
                .lines()
                .map_while(std::io::Result::ok)
            {
                // Other output, of a library that prints, is not for us.
                if let Ok(event) = serde_json::from_str(&line)
                    && mail.send((index, Message::Event(event))).is_err()
                {
                    return;
                }
            }
            // The receiver is gone once the run was stopped.
            let _ = mail.send((index, Message::Ended));
        });
        Ok(Self {
            child,
            folder: folder.clone(),
        })
    }

    /// Waits for the end and returns why it failed, if it did.
    pub(super) fn wait(mut self) -> Option<Failure> {
        let plain = |message: String| Failure {
            message,
            help: String::new(),
        };
        match self.child.wait() {
            Ok(status) if status.success() => None,
            Ok(status) => Some(
                self.last_words()
                    .unwrap_or_else(|| plain(status.to_string())),
            ),
            Err(error) => Some(plain(error.to_string())),
        }
    }

    /// What its log says of the end: the error it printed with its help, else the message of a panic, else the last
    /// line.
    fn last_words(&self) -> Option<Failure> {
        let log = std::fs::read_to_string(self.folder.file("worker.log")).ok()?;
        let lines: Vec<&str> = log
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let error = lines.iter().rposition(|line| line.starts_with("error: "));
        if let Some(at) = error {
            return Some(Failure {
                message: lines[at]["error: ".len()..].into(),
                help: lines[at + 1..].join("\n"),
            });
        }
        let panic = lines.iter().position(|line| line.contains("panicked at"));
        let line = panic.and_then(|at| lines.get(at + 1)).or(lines.last())?;
        Some(Failure {
            message: (*line).into(),
            help: String::new(),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the trial of a folder in this process: the body of the `trial` verb.
///
/// `attached` ends the process when its standard input closes, that is, when the program that started it is gone;
/// under a job scheduler it is false.
///
/// # Errors
/// There is no trial in the folder, or it fails.
pub fn work(
    folder: TrialFolder,
    checkpoint_every: Duration,
    attached: bool,
    study: impl FnOnce(&TrialSpec) -> Result<&'static dyn AnyStudy>,
) -> Result<()> {
    if attached {
        std::thread::spawn(|| {
            let mut byte = [0];
            while std::io::stdin()
                .read(&mut byte)
                .is_ok_and(|count| count > 0)
            {}
            std::process::exit(1);
        });
    }
    let context = TrialContext::open(folder, checkpoint_every)?;
    study(context.spec())?.run_trial(context)
}
