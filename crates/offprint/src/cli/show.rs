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
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        text += &item(label, value);
        text.push('\n');
    };
    line("What it does", work.what_it_does);
    line("In one line", work.equation);
    let wide = work
        .parts
        .iter()
        .map(|part| part.promise.chars().count())
        .max()
        .unwrap_or(0);
    for (index, part) in work.parts.iter().enumerate() {
        let label = if index == 0 { "Parts" } else { "" };
        // Aligned by hand: the promises in one column, the items in the next.
        text += &format!(" {label:<13}{:<wide$}  {}\n", part.promise, part.item);
    }
    let mut line = |label: &str, value: &str| {
        text += &item(label, value);
        text.push('\n');
    };
    let claims: Vec<String> = work
        .study
        .claims()
        .iter()
        .map(ToString::to_string)
        .collect();
    let wide = claims
        .iter()
        .map(|claim| claim.chars().count())
        .filter(|&w| w < 34)
        .max();
    let wide = wide.unwrap_or(0);
    // Two claims a line where both are short.
    let mut rest = claims.as_slice();
    let mut label = "Claims";
    while let [first, others @ ..] = rest {
        rest = others;
        let mut text = first.clone();
        if let [second, others @ ..] = rest
            && first.chars().count() <= wide
            && second.chars().count() <= wide
        {
            text = format!("{first:<wide$} \u{a0}{second}");
            rest = others;
        }
        line(label, &text.replace(' ', "\u{a0}"));
        label = "";
    }
    line("Verdicts", &verdicts(work)?);
    let errata = format!(
        "{} in the released code: offprint errata {}",
        work.errata.len(),
        paper.slug
    );
    line("Errata", &errata);
    line("Try it", &format!("offprint run {}", paper.slug));
    if let Some(command) = work.command {
        for verb in command.grammar().get_subcommands() {
            let about = verb
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            line(
                "",
                &format!("offprint use {} {:<8} {about}", paper.slug, verb.get_name())
                    .replace("  ", "\u{a0}\u{a0}"),
            );
        }
    }
    Ok(text)
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
    }
    Ok(value)
}
