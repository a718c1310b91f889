//! What a person sees while trials run: a bar an arm on a terminal, a line an event elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use offprint_lab::{
    paper::Work,
    run::Progress,
    store::{Outcome, Run, TrialSpec},
    study::Metric,
    table::number,
    trial::Event,
};
use std::{collections::BTreeMap, io::IsTerminal as _, time::Duration};

/// Shares of a trial that a bar is divided into.
const PARTS: u64 = 100;

/// Shows a run on standard error.
pub struct Watcher {
    metrics: &'static [Metric],
    terminal: bool,
    bars: MultiProgress,
    arms: BTreeMap<String, Arm>,
}

/// The bar of one arm.
struct Arm {
    bar: ProgressBar,
    trials: usize,
    finished: usize,
    /// Share done of the trials that run now.
    running: BTreeMap<Run, f64>,
    /// Values of the main metric of those that have finished.
    values: Vec<f64>,
}

impl Watcher {
    pub fn new(work: &Work) -> Self {
        Self {
            metrics: work.study.metrics(),
            terminal: std::io::stderr().is_terminal(),
            bars: MultiProgress::new(),
            arms: BTreeMap::new(),
        }
    }

    pub fn see(&mut self, progress: Progress) {
        match progress {
            Progress::Waiting { holder } => self.say(&format!(
                "this study is in use by process {holder}; waiting for it to end (Ctrl-C leaves)"
            )),
            Progress::Stage {
                name,
                trials,
                reused,
            } => self.stage(name, trials, reused),
            Progress::Started { spec, resumed } => {
                let verb = if resumed { "goes on" } else { "starts" };
                self.line(&format!("{} {verb}", label(spec)));
                self.arm(spec, |arm| {
                    arm.running.insert(spec.run, 0.0);
                });
            }
            Progress::Event {
                spec,
                event: Event::Progress { done, total },
            } => {
                let share = *done as f64 / (*total).max(1) as f64;
                self.arm(spec, |arm| {
                    arm.running.insert(spec.run, share);
                });
            }
            Progress::Event { .. } => {}
            Progress::Finished { spec, outcome } => self.finished(spec, outcome),
            Progress::Failed { spec, message } => {
                self.say(&format!("{} failed: {message}", label(spec)));
                self.arm(spec, |arm| {
                    arm.running.remove(&spec.run);
                });
            }
        }
    }

    /// Leaves the bars as they are and gives the terminal back.
    pub fn close(&mut self) {
        for arm in self.arms.values() {
            arm.bar.abandon();
        }
    }

    fn stage(&mut self, name: &str, trials: &[TrialSpec], reused: usize) {
        self.close();
        self.arms.clear();
        let kept = if reused > 0 {
            format!(", {reused} kept from before")
        } else {
            String::new()
        };
        self.say(&format!("{name}: {} trials{kept}", trials.len()));
        let width = trials
            .iter()
            .map(|spec| spec.arm.chars().count())
            .max()
            .unwrap_or(0);
        for spec in trials {
            if let Some(arm) = self.arms.get_mut(&spec.arm) {
                arm.trials += 1;
                arm.bar.set_length(PARTS * arm.trials as u64);
                continue;
            }
            let bar = match self.terminal {
                true => self.bars.add(ProgressBar::new(PARTS)),
                false => ProgressBar::hidden(),
            };
            let template = format!(" {{prefix:<{width}}} {{bar:20}} {{msg}}");
            let style = ProgressStyle::with_template(&template).expect("the template is fixed");
            bar.set_style(style.progress_chars("━╸─"));
            bar.set_prefix(spec.arm.clone());
            bar.enable_steady_tick(Duration::from_millis(500));
            let (running, values) = (BTreeMap::new(), Vec::new());
            self.arms.insert(
                spec.arm.clone(),
                Arm {
                    bar,
                    trials: 1,
                    finished: 0,
                    running,
                    values,
                },
            );
        }
        for arm in self.arms.values() {
            arm.show("waiting", self.metrics);
        }
    }

    fn finished(&mut self, spec: &TrialSpec, outcome: &Outcome) {
        let main = self.metrics.first();
        let value = main.and_then(|metric| outcome.metrics.get(metric.name));
        let words = match (main, value) {
            (Some(metric), Some(value)) => format!("{} {}", metric.label, number(*value)),
            _ => String::new(),
        };
        self.line(&format!(
            "{} done  {words}  {:.1} s",
            label(spec),
            outcome.seconds
        ));
        self.arm(spec, |arm| {
            arm.running.remove(&spec.run);
            arm.finished += 1;
            arm.values.extend(value);
        });
    }

    fn arm(&mut self, spec: &TrialSpec, change: impl FnOnce(&mut Arm)) {
        if let Some(arm) = self.arms.get_mut(&spec.arm) {
            change(arm);
            arm.show("", self.metrics);
        }
    }

    /// A line for whoever has no bars.
    fn line(&self, text: &str) {
        if !self.terminal {
            eprintln!("{text}");
        }
    }

    /// A line for everybody.
    fn say(&self, text: &str) {
        if self.terminal {
            // Failure to draw is no reason to stop a run.
            let _ = self.bars.println(text);
        } else {
            eprintln!("{text}");
        }
    }
}

impl Arm {
    fn show(&self, otherwise: &str, metrics: &[Metric]) {
        let running: f64 = self.running.values().sum();
        let done = (self.finished as f64 + running) * PARTS as f64;
        self.bar.set_position(done as u64);
        let mean = self.values.iter().sum::<f64>() / self.values.len() as f64;
        let words = match (self.values.is_empty(), metrics.first()) {
            (false, Some(metric)) => format!("{} {}", metric.label, number(mean)),
            _ => otherwise.into(),
        };
        self.bar
            .set_message(format!("{}/{}  {words}", self.finished, self.trials));
    }
}

fn label(spec: &TrialSpec) -> String {
    match spec.run {
        Run::Seed(seed) => format!("{} seed {seed}", spec.arm),
        Run::Tune(index) => format!("{} tuning trial {index}", spec.arm),
    }
}
