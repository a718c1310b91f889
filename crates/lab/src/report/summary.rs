//! What every form of a report says in the same words: numbers of arms, verdicts, counts.

use crate::{
    claim::{Finding, Verdict},
    record::{ArmRecord, Record},
    stats::Interval,
    study::{Better, Budget, Metric, Role},
    table::{Cell, Table, number},
};

/// Confidence of the intervals in tables of arms.
pub const LEVEL: f64 = 0.95;

/// What stands where there is no number.
pub const NOTHING: &str = "–";

/// Mean over seeds of a metric of an arm, with its interval; `None` if no trial reported it.
pub fn mean(arm: &ArmRecord, metric: &str) -> Option<Interval> {
    let values: Vec<f64> = arm
        .values(metric)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    Interval::of_mean(&values, LEVEL)
}

/// [`mean`] as text.
pub fn mean_text(arm: &ArmRecord, metric: &str) -> String {
    mean(arm, metric).map_or(NOTHING.into(), |interval| interval.plus_minus())
}

/// Mean seconds of an arm's trials as text.
pub fn seconds_text(arm: &ArmRecord) -> String {
    let seconds: Vec<f64> = arm.trials.iter().map(|trial| trial.seconds).collect();
    match Interval::of_mean(&seconds, LEVEL) {
        Some(interval) if interval.mean < 99.95 => format!("{:.1}", interval.mean),
        Some(interval) => format!("{:.0}", interval.mean),
        None => NOTHING.into(),
    }
}

/// Heading of a metric, with an arrow to where it is better.
pub fn heading(metric: &Metric) -> String {
    match metric.better {
        Better::Lower => format!("{} ↓", metric.label),
        Better::Higher => format!("{} ↑", metric.label),
        Better::Neither => metric.label.to_string(),
    }
}

/// What the arrow of a heading says, in words.
pub fn direction(metric: &Metric) -> &'static str {
    match metric.better {
        Better::Lower => "lower is better",
        Better::Higher => "higher is better",
        Better::Neither => "a description, not a score",
    }
}

/// Places of the arms with the best mean of a metric; none where neither way is better.
pub fn best(record: &Record, metric: &Metric) -> Vec<usize> {
    let means = record
        .arms
        .iter()
        .map(|arm| mean(arm, metric.name).map(|interval| interval.mean));
    let better = |a: f64, b: f64| match metric.better {
        Better::Lower => a < b,
        Better::Higher => a > b,
        Better::Neither => false,
    };
    let finite: Vec<(usize, f64)> = means
        .enumerate()
        .filter_map(|(index, mean)| Some((index, mean.filter(|mean| mean.is_finite())?)))
        .collect();
    if finite.len() < 2 || metric.better == Better::Neither {
        return Vec::new();
    }
    let beaten = |value: f64| finite.iter().any(|&(_, other)| better(other, value));
    finite
        .iter()
        .filter(|&&(_, value)| !beaten(value))
        .map(|&(index, _)| index)
        .collect()
}

/// Seeds of an arm that are missing, as `2 of 3 seeds`; empty where all are there.
pub fn incomplete(record: &Record, arm: &ArmRecord) -> Option<String> {
    let (there, wanted) = (arm.trials.len(), record.seeds.len());
    (there < wanted).then(|| format!("{there} of {wanted} seeds"))
}

/// `4 supported · 1 contradicted · 1 undecided`, without the verdicts that did not occur.
pub fn score(findings: &[Finding]) -> String {
    let counts = counts(findings).into_iter();
    let parts: Vec<String> = counts
        .map(|(verdict, count)| format!("{count} {}", verdict.word()))
        .collect();
    parts.join(" · ")
}

/// How often each verdict occurred, without those that did not.
pub fn counts(findings: &[Finding]) -> Vec<(Verdict, usize)> {
    [
        Verdict::Supported,
        Verdict::Contradicted,
        Verdict::Undecided,
    ]
    .into_iter()
    .map(|verdict| {
        (
            verdict,
            findings
                .iter()
                .filter(|finding| finding.verdict == verdict)
                .count(),
        )
    })
    .filter(|&(_, count)| count > 0)
    .collect()
}

/// `2026-12-01 · quick budget · 3 seeds · 7 arms · 21 trials · 4 min 12 s of processor time`
pub fn facts(record: &Record) -> String {
    let finished: usize = record.arms.iter().map(|arm| arm.trials.len()).sum();
    let tuning: usize = record.arms.iter().map(|arm| arm.tuning.len()).sum();
    let mut facts = vec![record.date.clone()];
    if record.budget != Budget::Train {
        facts.push(format!("{} budget", record.budget.name()));
    }
    facts.extend([
        plural(record.seeds.len(), "seed"),
        plural(record.arms.len(), "arm"),
        plural(finished, "trial"),
    ]);
    if tuning > 0 {
        facts.push(plural(tuning, "tuning trial"));
    }
    facts.push(format!("{} of processor time", duration(record.seconds)));
    facts.join(" · ")
}

/// `1 seed`, `3 seeds`
pub fn plural(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// `4.2 s`, `4 min 12 s`, `2 h 5 min`
pub fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        ..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Seeds as a person writes them: `0 to 4`, or one by one.
pub fn seeds(record: &Record) -> String {
    match record.seeds.as_slice() {
        [first, .., last] if record.seeds.windows(2).all(|pair| pair[0] + 1 == pair[1]) => {
            format!("{first} to {last}")
        }
        seeds => seeds
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// A value of a setting as `--set` takes it.
pub fn setting(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The trials that are missing, in a sentence that names the first few; `None` where there is none.
pub fn missing(record: &Record) -> Option<String> {
    const NAMED: usize = 8;
    let named = record
        .missing
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match record.missing.len() {
        0 => None,
        count @ ..=NAMED => Some(format!("{} missing: {named}.", plural(count, "trial"))),
        count => Some(format!(
            "{count} trials missing: {named} and {} more.",
            count - NAMED
        )),
    }
}

/// What an arm is to the paper.
pub fn role(arm: &ArmRecord) -> &'static str {
    match arm.arm.role {
        Role::Method => "method",
        Role::Baseline => "baseline",
        Role::Ablation => "ablation",
        Role::Model => "model",
    }
}

/// The cells of a table as text; a column of whole numbers has no decimals.
pub fn cells(table: &Table) -> Vec<Vec<String>> {
    let whole = |column: usize| {
        table.rows.iter().all(|row| match row.get(column) {
            Some(Cell::Number(value)) => value.fract() == 0.0 && value.abs() < 1e9,
            _ => true,
        })
    };
    let whole: Vec<bool> = (0..table.columns.len()).map(whole).collect();
    let text = |(column, cell): (usize, &Cell)| match cell {
        Cell::Number(value) if whole.get(column) == Some(&true) => format!("{value:.0}"),
        Cell::Number(value) => number(*value),
        Cell::Text(text) => text.clone(),
        Cell::Empty => NOTHING.into(),
    };
    table
        .rows
        .iter()
        .map(|row| row.iter().enumerate().map(text).collect())
        .collect()
}

/// Keys of the settings in which arms differ, in order.
pub fn tuned_keys(record: &Record) -> Vec<&str> {
    let mut keys: Vec<&str> = record
        .arms
        .iter()
        .flat_map(|arm| arm.tuned.keys())
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Command line that prints this record's report in another form.
pub fn report_command(record: &Record, form: &str) -> String {
    let budget = match record.budget {
        Budget::Quick => " --budget quick",
        // The full run is what is reported where there is one; `offprint train` has no budgets.
        Budget::Full | Budget::Train => "",
    };
    format!("offprint report {}{budget} {form}", record.slug)
}
