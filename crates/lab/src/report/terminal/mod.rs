//! The report for a terminal, and its shorter form at the end of a run.

mod arms;
mod left;
mod style;

pub use style::Style;

use super::{
    braille, curves,
    summary::{facts, missing, report_command, score},
};
use crate::{
    record::Record,
    study::Budget,
    table::{columns, wrap},
};
use arms::{abouts, arms};
use left::tables;

/// Learning curves that are drawn, at most; the page has all.
const CHARTS: usize = 2;

/// The whole report in lines of [`Style::width`].
pub fn terminal(record: &Record, style: &Style) -> String {
    let style = &style.wide_enough();
    let mut text = String::new();
    text.push_str(&style.bold(&wrap(&record.question, style.width, 0)));
    text.push_str(&wrap(&record.title, style.width, 0));
    text.push_str(&style.dim(&wrap(&facts(record), style.width, 0)));
    text.push('\n');
    text.push_str(&arms(record, style));
    text.push_str(&abouts(record, style));
    text.push_str(&claims(record, style));
    for chart in curves::learning_curves(record).iter().take(CHARTS) {
        if let Some(drawn) = braille::draw(chart, style) {
            let cut = if chart.frame().is_some_and(|frame| frame.cut) {
                ", beginning cut off"
            } else {
                ""
            };
            let note = format!("{}{cut}; named where the lines end", chart.note);
            let one_line = chart.title.chars().count() + 3 + note.chars().count() <= style.width;
            text.push_str(&match one_line {
                true => format!("\n {}, {}\n", style.bold(&chart.title), style.dim(&note)),
                false => {
                    let (title, note) = (
                        wrap(&chart.title, style.width, 1),
                        wrap(&note, style.width, 1),
                    );
                    format!("\n{}{}", style.bold(&title), style.dim(&note))
                }
            });
            text.push_str(&drawn);
        }
    }
    text.push_str(&tables(record, style));
    text.push_str(&closing(record, style));
    text.push_str(&more(&[
        (
            "Page with all plots",
            report_command(record, &format!("--html {}.html", record.slug)),
        ),
        ("As Markdown", report_command(record, "--md")),
        ("Repeat it", record.command.clone()),
    ]));
    text
}

/// What `offprint run` prints at its end: numbers, verdicts, what next.
pub fn outcome(record: &Record, style: &Style) -> String {
    let style = &style.wide_enough();
    let mut text = arms(record, style);
    text.push_str(&claims(record, style));
    text.push_str(&closing(record, style));
    let mut next = vec![
        (
            "Curves and tables",
            report_command(record, "").trim_end().to_string(),
        ),
        (
            "One page with plots",
            report_command(record, &format!("--html {}.html", record.slug)),
        ),
    ];
    if record.budget == Budget::Quick {
        next.push((
            "Full study",
            format!("offprint run {} --budget full", record.slug),
        ));
    }
    text.push_str(&more(&next));
    text
}

fn claims(record: &Record, style: &Style) -> String {
    if record.findings.is_empty() {
        return String::new();
    }
    let mut text = format!("\n {}  {}\n", style.bold("Claims"), score(&record.findings));
    let statements = record
        .findings
        .iter()
        .map(|finding| finding.claim.statement().chars().count());
    let statement = statements.max().unwrap_or(0);
    let evidence = record
        .findings
        .iter()
        .map(|finding| finding.evidence().chars().count())
        .max();
    // Mark, verdict and the spaces around them take 18 characters.
    let one_line = 18 + statement + evidence.unwrap_or(0) <= style.width;
    for finding in &record.findings {
        let verdict = format!("{} {:<12}", finding.verdict.mark(), finding.verdict.word());
        text.push_str(&format!(" {} ", style.verdict(finding.verdict, &verdict)));
        let claim = finding.claim.statement();
        if one_line {
            text.push_str(&format!("{claim:<statement$}  {}\n", finding.evidence()));
        } else {
            text.push_str(wrap(&claim, style.width, 16).trim_start());
            text.push_str(&wrap(
                &finding.evidence().replace("  ", " · "),
                style.width,
                16,
            ));
        }
        if finding.interval.is_some()
            && let Some(note) = &finding.reason
        {
            text.push_str(&style.dim(&wrap(note, style.width, 16)));
        }
    }
    text
}

/// How it was tuned and what is missing.
fn closing(record: &Record, style: &Style) -> String {
    let mut text = String::from("\n");
    text.push_str(&wrap(&record.tuning, style.width, 1));
    if let Some(missing) = missing(record) {
        text.push_str(&wrap(
            &format!("{missing} To run what is missing:"),
            style.width,
            1,
        ));
        text.push_str(&format!("   {}\n", record.command));
    }
    text
}

/// What to do next: words and commands.
fn more(commands: &[(&str, String)]) -> String {
    let rows: Vec<Vec<String>> = commands
        .iter()
        .map(|(words, command)| vec![words.to_string(), command.clone()])
        .collect();
    format!("\n{}", columns(&rows, 2))
}
