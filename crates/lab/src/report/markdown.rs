//! The report as GitHub's Markdown, to be committed beside the code.

use super::{
    chart::{Chart, Knot},
    curves, figures,
    summary::{
        NOTHING, best, cells, direction, facts, heading, incomplete, mean_text, missing, role,
        score, seconds_text, seeds, setting, tuned_keys,
    },
};
use crate::{record::Record, study::Role, table::number};
use std::collections::BTreeSet;

/// The record as Markdown, curves as tables of a few steps.
pub fn markdown(record: &Record) -> String {
    write(record, None)
}

/// The record as Markdown, curves as the pictures of [`figures`](super::figures()) in a folder, whose path is relative
/// to the report's own.
pub fn markdown_with_figures(record: &Record, folder: &str) -> String {
    write(record, Some(folder))
}

fn write(record: &Record, pictures: Option<&str>) -> String {
    let mut text = format!(
        "# {}\n\n{}\n\n{}.\n",
        escape(&record.question),
        escape(&record.title),
        facts(record)
    );
    if !record.findings.is_empty() {
        claims(&mut text, record, pictures);
    }
    arms(&mut text, record);
    charts(&mut text, record, pictures);
    artefacts(&mut text, record);
    tuning(&mut text, record, pictures);
    repeat(&mut text, record);
    list(
        &mut text,
        "Differences from the paper",
        record.differences.iter().map(|text| escape(text)),
    );
    let errata = record.errata.iter().map(|erratum| {
        let (what, place, ours) = (
            escape(erratum.what),
            escape(erratum.place),
            escape(erratum.ours),
        );
        format!("{what} ({place})  \n  Here: {ours}")
    });
    list(&mut text, "Errata of the released code", errata);
    let metrics = record.metrics.iter().map(|metric| {
        format!(
            "**{}** – {} ({})",
            escape(metric.label),
            escape(metric.about),
            direction(metric)
        )
    });
    list(&mut text, "Metrics", metrics);
    text
}

fn claims(text: &mut String, record: &Record, pictures: Option<&str>) {
    text.push_str(&format!("\n## Claims\n\n{}.\n\n", score(&record.findings)));
    let mut rows = Vec::new();
    for finding in &record.findings {
        let note = finding
            .reason
            .as_ref()
            .filter(|_| finding.interval.is_some());
        rows.push(vec![
            format!("{} {}", finding.verdict.mark(), finding.verdict.word()),
            format!("`{}`", finding.claim.statement().replace('|', "\\|")),
            escape(finding.claim.says),
            escape(&finding.evidence())
                + &note.map_or(String::new(), |note| format!("; {}", escape(note))),
        ]);
    }
    table(
        text,
        &["verdict", "claim", "in words", "left − right"].map(String::from),
        4,
        rows,
    );
    text.push_str(
        "\nIntervals are at the level that Holm's correction over all claims gives each one.\n",
    );
    if let Some(folder) = pictures {
        picture(
            text,
            folder,
            figures::CLAIMS,
            "Effects of the claims with their intervals",
        );
    }
}

fn arms(text: &mut String, record: &Record) {
    text.push_str("\n## Arms\n\n");
    let mut heads = vec!["arm".to_string()];
    heads.extend(record.metrics.iter().map(|metric| escape(&heading(metric))));
    heads.push("s/trial".into());
    let best: Vec<Vec<usize>> = record
        .metrics
        .iter()
        .map(|metric| best(record, metric))
        .collect();
    let rows = record.arms.iter().enumerate().map(|(index, arm)| {
        let seeds = incomplete(record, arm).map_or(String::new(), |seeds| format!(" ({seeds})"));
        let mut row = vec![format!("{}{seeds}", escape(arm.arm.name))];
        for (metric, best) in record.metrics.iter().zip(&best) {
            let mean = mean_text(arm, metric.name);
            row.push(if best.contains(&index) {
                format!("**{mean}**")
            } else {
                mean
            });
        }
        row.push(seconds_text(arm));
        row
    });
    table(text, &heads, 1, rows.collect());
    if record.seeds.len() > 1 {
        text.push_str("\nMean over seeds ± half of the 95 % t interval. Bold: best mean, which is no verdict.\n");
    }
    if let Some(missing) = missing(record) {
        text.push_str(&format!("\n{}\n", escape(&missing)));
    }
    text.push('\n');
    for arm in &record.arms {
        let (name, about) = (escape(arm.arm.name), escape(arm.arm.about));
        text.push_str(&format!("- **{name}** ({}): {about}\n", role(arm)));
    }
}

fn charts(text: &mut String, record: &Record, pictures: Option<&str>) {
    let charts = curves::learning_curves(record);
    if charts.is_empty() {
        return;
    }
    text.push_str("\n## Learning curves\n");
    if let Some(folder) = pictures {
        for chart in &charts {
            picture(text, folder, &figures::curve_file(chart), &chart.title);
        }
        return;
    }
    for chart in charts {
        text.push_str(&format!(
            "\n{}, {}, at the nearest step\n\n",
            escape(&chart.title),
            chart.note
        ));
        let last = chart
            .lines
            .iter()
            .filter_map(|line| line.knots.last())
            .map(|knot| knot.x);
        let last = last.fold(0.0, f64::max);
        let steps = [0.0, 0.125, 0.25, 0.5, 1.0].map(|share| (share * last).round());
        knots(text, &chart, &steps, "step");
    }
}

/// A table of lines at some places.
fn knots(text: &mut String, chart: &Chart, places: &[f64], across: &str) {
    let mut heads = vec!["arm".to_string()];
    heads.extend(places.iter().map(|place| format!("{across} {place}")));
    let rows = chart.lines.iter().map(|line| {
        let mut row = vec![escape(&line.name)];
        row.extend(places.iter().map(|&place| {
            nearest(&line.knots, place).map_or(NOTHING.into(), |knot| number(knot.y))
        }));
        row
    });
    table(text, &heads, 1, rows.collect());
}

fn nearest(knots: &[Knot], place: f64) -> Option<&Knot> {
    knots
        .iter()
        .min_by(|a, b| (a.x - place).abs().total_cmp(&(b.x - place).abs()))
}

/// Tables of the method's first trials, those of one name together.
fn artefacts(text: &mut String, record: &Record) {
    let methods = record
        .arms
        .iter()
        .filter(|arm| arm.arm.role == Role::Method);
    let trials: Vec<_> = methods
        .filter_map(|arm| Some((arm.arm.name, arm.trials.first()?)))
        .collect();
    let names: BTreeSet<&String> = trials
        .iter()
        .flat_map(|(_, trial)| trial.tables.keys())
        .collect();
    for name in names {
        let mut title = None;
        for (arm, trial) in &trials {
            let Some(left) = trial.tables.get(name) else {
                continue;
            };
            if title.replace(&left.title) != Some(&left.title) {
                text.push_str(&format!("\n## {}\n", escape(&left.title)));
            }
            text.push_str(&format!("\n{}, seed {}\n\n", escape(arm), trial.seed));
            let heads: Vec<String> = left.columns.iter().map(|column| escape(column)).collect();
            let rows = cells(left)
                .into_iter()
                .map(|row| row.iter().map(|text| escape(text)).collect());
            table(text, &heads, 1, rows.collect());
        }
    }
}

fn tuning(text: &mut String, record: &Record, pictures: Option<&str>) {
    text.push_str(&format!("\n## Tuning\n\n{}\n", escape(&record.tuning)));
    if let Some(chart) = curves::tuning_curve(record) {
        if let Some(folder) = pictures {
            picture(text, folder, figures::TUNING, &chart.title);
        }
        let most = record
            .arms
            .iter()
            .map(|arm| arm.tuning.len())
            .max()
            .unwrap_or(0);
        let sizes = std::iter::successors(Some(1), |of| Some(of * 2)).take_while(|&of| of < most);
        let sizes: Vec<f64> = sizes.chain([most]).map(|of| of as f64).collect();
        text.push_str(&format!(
            "\n{}, {}:\n\n",
            escape(&chart.title),
            escape(&chart.note)
        ));
        knots(text, &chart, &sizes, "m =");
    }
    let keys = tuned_keys(record);
    if keys.is_empty() {
        return;
    }
    text.push_str("\nSettings in which the arms differ:\n\n");
    let mut heads = vec!["arm".to_string()];
    heads.extend(keys.iter().map(|key| escape(key)));
    let rows = record.arms.iter().map(|arm| {
        let mut row = vec![escape(arm.arm.name)];
        row.extend(keys.iter().map(|&key| match arm.tuned.get(key) {
            Some(value) => escape(&setting(value)),
            None => NOTHING.into(),
        }));
        row
    });
    table(text, &heads, 1, rows.collect());
}

fn repeat(text: &mut String, record: &Record) {
    text.push_str(&format!(
        "\n## How to repeat it\n\n```sh\n{}\n```\n\n",
        record.command.replace("```", "")
    ));
    let settings = record.settings.iter();
    let settings: Vec<String> = settings
        .map(|(key, value)| format!("{key} = {}", setting(value)))
        .collect();
    let rows = [
        ("seeds", seeds(record)),
        ("settings", settings.join(", ")),
        ("revision", record.revision.clone()),
        ("code version", record.version.clone()),
        ("machine", record.machine.clone()),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_string(), escape(&value)]);
    table(text, &["", ""].map(String::from), 2, rows.into());
}

fn list(text: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.map(|item| format!("- {item}\n")).collect();
    if !items.is_empty() {
        text.push_str(&format!("\n## {title}\n\n{}", items.concat()));
    }
}

fn picture(text: &mut String, folder: &str, file: &str, title: &str) {
    text.push_str(&format!("\n![{}]({folder}/{file})\n", escape(title)));
}

/// Rows below headings, the first `left` columns flush left, the others flush right; cells are Markdown.
fn table(text: &mut String, heads: &[String], left: usize, rows: Vec<Vec<String>>) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    text.push_str(&line(heads));
    let rule = (0..heads.len()).map(|column| if column < left { "---" } else { "---:" });
    text.push_str(&format!("| {} |\n", rule.collect::<Vec<_>>().join(" | ")));
    for row in rows {
        text.push_str(&line(&row));
    }
}

/// A text with the characters escaped that mean something in Markdown, on one line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                escaped.extend(['\\', character])
            }
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}
