//! `offprint show`: a method in one screen.

use super::{list::entry, paper, print, print_json, wrap};
use clap::Args;
use offprint_lab::{
    error::{Error, Result},
    paper::{Paper, Work},
};
use serde_json::{Value, json};

#[derive(Args)]
#[command(after_help = "Example:\n  offprint show comet")]
pub struct ShowArgs {
    /// The paper.
    slug: String,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub fn show(args: &ShowArgs) -> Result<()> {
    let paper = paper(&args.slug)?;
    if args.json {
        return print_json(&document(paper)?);
    }
    let mut text = head(paper);
    match paper.work {
        Some(work) => text += &body(paper, work)?,
        None => {
            text += &item("Summary", paper.summary);
            text += "\n Status       planned: it does not run yet\n";
            text += "              papers that do: offprint list --status runs\n";
        }
    }
    print(&text);
    Ok(())
}

fn head(paper: &Paper) -> String {
    let code = paper
        .work
        .and_then(|work| work.reference)
        .map_or(String::new(), |reference| {
            format!(
                " · code {}@{} ({})",
                reference.repository, reference.commit, reference.language
            )
        });
    let arxiv = paper
        .arxiv
        .map_or("no arXiv id".into(), |id| format!("arXiv {id}"));
    let authors = match paper.authors {
        1 => "1 author".into(),
        count => format!("{count} authors"),
    };
    let facts = format!("{arxiv} · {} · {authors}{code}", paper.date);
    format!("{}\n{}\n\n", wrap(paper.title, 79, 0), wrap(&facts, 79, 0))
}

fn body(paper: &Paper, work: &Work) -> Result<String> {
    let mut lines = vec![
        item("What it does", work.what_it_does),
        item("In one line", work.equation),
    ];
    let parts = work
        .parts
        .iter()
        .map(|part| (part.promise.into(), part.item.into()));
    lines.extend(aligned("Parts", parts.collect()));
    lines.extend(side_by_side(
        "Claims",
        work.study
            .claims()
            .iter()
            .map(ToString::to_string)
            .collect(),
    ));
    lines.push(item("Verdicts", &verdicts(work)?));
    let further = work.further.iter().filter_map(|study| study.work);
    let count = work.errata.len() + further.map(|work| work.errata.len()).sum::<usize>();
    lines.push(item(
        "Errata",
        &format!(
            "{count} in the released code: offprint errata {}",
            paper.slug
        ),
    ));
    let mut calls = vec![(format!("offprint run {}", paper.slug), String::new())];
    calls.extend(work.further.iter().filter_map(|study| {
        let call = format!("offprint run {}", study.slug);
        Some((call, study.work?.study.question().into()))
    }));
    if let Some(command) = work.command {
        calls.extend(command.grammar().get_subcommands().map(|verb| {
            let about = verb.get_about().map(ToString::to_string);
            let call = format!("offprint use {} {}", paper.slug, verb.get_name());
            (call, about.unwrap_or_default())
        }));
    }
    lines.extend(aligned("Try it", calls));
    Ok(lines.join("\n") + "\n")
}

/// Pairs in two columns, behind a label; a left text wider than `width` pushes its neighbor.
fn two_columns(label: &str, width: usize, pairs: Vec<(String, String)>) -> Vec<String> {
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    let lines = labels.zip(pairs).map(|(label, (left, right))| {
        format!(" {label:<13}{left:<width$}  {right}")
            .trim_end()
            .to_string()
    });
    lines.collect()
}

/// Pairs in two columns as wide as the left texts, behind a label.
fn aligned(label: &str, pairs: Vec<(String, String)>) -> Vec<String> {
    let width = pairs.iter().map(|(left, _)| left.chars().count()).max();
    two_columns(label, width.unwrap_or(0), pairs)
}

/// Texts behind a label, two a line where both are short.
fn side_by_side(label: &str, texts: Vec<String>) -> Vec<String> {
    let half = 31;
    let fits = |text: &str| text.chars().count() <= half;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for text in texts {
        match pairs.last_mut() {
            Some((left, right)) if right.is_empty() && fits(left) && fits(&text) => *right = text,
            _ => pairs.push((text, String::new())),
        }
    }
    two_columns(label, half, pairs)
}

fn item(label: &str, value: &str) -> String {
    format!(" {label:<13}{}", wrap(value, 79, 14))
}

/// The verdicts of the committed report, in one line.
fn verdicts(work: &Work) -> Result<String> {
    let Some(report) = work.report else {
        return Ok("no full run yet".into());
    };
    let report: Value = serde_json::from_str(report)
        .map_err(|e| Error::run(format!("the committed report is damaged: {e}")))?;
    let findings = report["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let count = |verdict: &str| findings.iter().filter(|f| f["verdict"] == verdict).count();
    Ok(format!(
        "full run {}, {} seeds: {} supported · {} contradicted · {} undecided",
        report["date"].as_str().unwrap_or("undated"),
        report["seeds"].as_array().map_or(0, Vec::len),
        count("supported"),
        count("contradicted"),
        count("undecided")
    ))
}

fn document(paper: &Paper) -> Result<Value> {
    let mut value = entry(paper);
    if let Some(work) = paper.work {
        value["what_it_does"] = json!(work.what_it_does);
        value["equation"] = json!(work.equation);
        value["parts"] = json!(work.parts);
        value["headline"] = json!(work.headline);
        value["reference"] = json!(work.reference);
        value["errata"] = json!(work.errata);
        value["differences"] = json!(work.differences);
        value["arms"] = json!(work.study.arms());
        value["metrics"] = json!(work.study.metrics());
        let claims = work.study.claims().iter().map(ToString::to_string);
        value["claims"] = json!(claims.collect::<Vec<_>>());
        value["verdicts"] = json!(verdicts(work)?);
        let further = work.further.iter().map(document);
        value["further"] = json!(further.collect::<Result<Vec<_>>>()?);
    }
    Ok(value)
}
