//! One arm with one seed, inside its own process: what a study reports to and resumes from.

use crate::{
    checkpoint::Checkpoint,
    error::{Error, Result},
    settings::SettingsMap,
    store::{Lock, Outcome, Point, Run, TrialFolder, TrialSpec, write_atomic, write_json},
    table::Table,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    time::{Duration, Instant},
};

/// What a worker tells the program that started it, one JSON line each on standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// How far it is.
    Progress { done: u64, total: u64 },
    /// The last value of a metric; NaN and infinity are left out.
    Metric { name: String, value: f64 },
}

/// A trial before its settings are typed.
pub struct TrialContext {
    folder: TrialFolder,
    spec: TrialSpec,
    checkpoint_every: Duration,
    _lock: Lock,
}

impl TrialContext {
    /// Opens a trial that was begun in a folder, as a worker process does.
    ///
    /// # Errors
    /// There is none, or its files are damaged.
    pub fn open(folder: TrialFolder, checkpoint_every: Duration) -> Result<Self> {
        let lock = Lock::take(&folder.file("lock"), |_| {}, || false)?;
        let spec = folder.spec()?.ok_or_else(|| {
            Error::input(format!("{} holds no trial", folder.path().display()))
                .help("trials are begun by offprint run")
        })?;
        Ok(Self {
            folder,
            spec,
            checkpoint_every,
            _lock: lock,
        })
    }

    /// What the trial is.
    pub fn spec(&self) -> &TrialSpec {
        &self.spec
    }

    /// Its settings.
    pub fn settings(&self) -> &SettingsMap {
        &self.spec.settings
    }
}

/// A running trial.
pub struct Trial<S> {
    context: TrialContext,
    settings: S,
    outcome: BTreeMap<String, f64>,
    metrics: Option<File>,
    pending: Vec<u8>,
    started: Instant,
    earlier_seconds: f64,
    saved: Instant,
    shown: Option<Instant>,
}

impl<S> Trial<S> {
    pub(crate) fn new(context: TrialContext, settings: S) -> Self {
        let now = Instant::now();
        Self {
            context,
            settings,
            outcome: BTreeMap::new(),
            metrics: None,
            pending: Vec::new(),
            started: now,
            earlier_seconds: 0.0,
            saved: now,
            shown: None,
        }
    }

    /// Name of the arm.
    pub fn arm(&self) -> &str {
        &self.context.spec.arm
    }

    /// Seed of every random number of the trial.
    pub fn seed(&self) -> u64 {
        self.context.spec.run.seed()
    }

    /// Whether it is one of the random trials that choose settings: extra work for the report is then wasted.
    pub fn tuning(&self) -> bool {
        matches!(self.context.spec.run, Run::Tune(_))
    }

    /// Its settings.
    pub fn settings(&self) -> &S {
        &self.settings
    }

    /// Folder of the user's data, if one was given.
    pub fn data_dir(&self) -> Option<&Path> {
        self.context.spec.data_dir.as_deref()
    }

    /// The device to train on, its random numbers seeded by the trial's seed, gradients on.
    pub fn device(&self) -> Device {
        let device = Device::default().autodiff();
        device.seed(self.seed());
        device
    }

    /// Reports a metric at a step.
    pub fn metric(&mut self, name: &str, value: f64, step: u64) {
        let point = Point {
            name: name.to_string(),
            step,
            value,
        };
        let line = serde_json::to_string(&point).expect("a point is plain");
        self.pending.extend_from_slice(line.as_bytes());
        self.pending.push(b'\n');
        if value.is_finite() {
            let name = name.to_string();
            self.tell(&Event::Metric { name, value });
        }
    }

    /// Reports a final number.
    pub fn result(&mut self, name: &str, value: f64) {
        self.outcome.insert(name.to_string(), value);
    }

    /// Says how far the trial is; cheap enough for every step.
    pub fn progress(&mut self, done: u64, total: u64) {
        let due = self
            .shown
            .is_none_or(|shown| shown.elapsed() > Duration::from_millis(100));
        if due || done == total {
            self.shown = Some(Instant::now());
            self.tell(&Event::Progress { done, total });
        }
    }

    /// Leaves a table for the report.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn table(&mut self, name: &str, table: &Table) -> Result<()> {
        write_json(
            &self.context.folder.file(&format!("table-{name}.json")),
            table,
        )
    }

    /// Leaves a grey picture for the report: `pixels` row by row, 0 black to 255 white.
    ///
    /// # Errors
    /// The file cannot be written, or `pixels` has not `width` · `height` values.
    pub fn image(&mut self, name: &str, width: u32, height: u32, pixels: &[u8]) -> Result<()> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(pixels))
            .map_err(|error| Error::run(format!("image {name}: {error}")))?;
        write_atomic(
            &self.context.folder.file(&format!("image-{name}.png")),
            &bytes,
        )
    }

    /// Leaves a file in the trial's folder: a trained model, say.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        write_atomic(&self.context.folder.file(name), bytes)
    }

    /// The checkpoint to go on from, if there is one.
    ///
    /// # Errors
    /// The checkpoint is damaged, or the metrics cannot be cut back to it.
    pub fn resume(&mut self) -> Result<Option<Checkpoint>> {
        let path = self.context.folder.file("checkpoint.safetensors");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        let checkpoint = Checkpoint::from_bytes(&bytes)?;
        self.earlier_seconds = checkpoint.seconds;
        self.open_metrics(checkpoint.metrics_len)?;
        Ok(Some(checkpoint))
    }

    /// Whether it is time for a checkpoint; when is a matter of the clock and changes no number.
    pub fn checkpoint_due(&self) -> bool {
        self.saved.elapsed() >= self.context.checkpoint_every
    }

    /// Saves a checkpoint.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn checkpoint(&mut self, mut checkpoint: Checkpoint) -> Result<()> {
        checkpoint.metrics_len = self.flush_metrics()?;
        checkpoint.seconds = self.seconds();
        let path = self.context.folder.file("checkpoint.safetensors");
        write_atomic(&path, &checkpoint.to_bytes()?)?;
        self.saved = Instant::now();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        self.flush_metrics()?;
        let outcome = Outcome {
            seconds: self.seconds(),
            metrics: std::mem::take(&mut self.outcome),
        };
        write_json(&self.context.folder.file("outcome.json"), &outcome)?;
        self.context.folder.remove_checkpoint()
    }

    fn seconds(&self) -> f64 {
        self.earlier_seconds + self.started.elapsed().as_secs_f64()
    }

    fn open_metrics(&mut self, length: u64) -> Result<&mut File> {
        let path = self.context.folder.file("metrics.jsonl");
        let open = || {
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(|e| Error::io("write", &path, e))?;
        Ok(self.metrics.insert(file))
    }

    /// Writes what is pending and returns the length of the file.
    fn flush_metrics(&mut self) -> Result<u64> {
        if self.metrics.is_none() {
            self.open_metrics(0)?;
        }
        let file = self.metrics.as_mut().expect("opened above");
        let write = file
            .write_all(&self.pending)
            .and_then(|()| file.sync_all())
            .and_then(|()| file.stream_position());
        self.pending.clear();
        write.map_err(|e| Error::io("write", &self.context.folder.file("metrics.jsonl"), e))
    }

    fn tell(&self, event: &Event) {
        let line = serde_json::to_string(event).expect("an event is plain");
        // Nobody listening (a job scheduler, a closed pipe) is no reason to stop.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
