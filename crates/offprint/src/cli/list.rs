//! `offprint list` and `offprint search`.

use super::{print, print_json};
use clap::{Args, ValueEnum};
use offprint_lab::{
    error::{Error, Result},
    paper::{Field, Paper},
    table::columns,
};
use offprint_papers::catalogue::{self, catalogue};
use serde_json::{Value, json};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint list --field experts\n  offprint list --status runs --json"
)]
pub struct ListArgs {
    /// Order of the list.
    #[arg(long, value_enum, default_value = "title")]
    sort: Sort,
    /// Only papers of a field.
    #[arg(long)]
    field: Option<String>,
    /// Only papers that run, or that are planned.
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Date,
    Title,
    Field,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Status {
    Runs,
    Planned,
}

#[derive(Args)]
#[command(after_help = "Example:\n  offprint search sparse gate trees")]
pub struct SearchArgs {
    /// Words to look for; papers with all of them come first.
    #[arg(required = true)]
    words: Vec<String>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub fn list(args: &ListArgs) -> Result<()> {
    let mut fields: Vec<String> = catalogue().iter().map(|paper| field(paper.field)).collect();
    fields.sort();
    fields.dedup();
    if let Some(wanted) = &args.field
        && !fields.contains(wanted)
    {
        let list = format!("all fields: {}", fields.join(", "));
        return Err(Error::unknown(
            "field",
            wanted,
            fields.iter().map(String::as_str),
            &list,
        ));
    }
    let mut papers: Vec<&Paper> = catalogue()
        .iter()
        .filter(|paper| {
            args.field
                .as_ref()
                .is_none_or(|wanted| *wanted == field(paper.field))
        })
        .filter(|paper| args.status.is_none_or(|wanted| wanted == status(paper)))
        .collect();
    match args.sort {
        Sort::Date => papers.sort_by_key(|paper| paper.date),
        Sort::Title => papers.sort_by_key(|paper| paper.title.to_lowercase()),
        Sort::Field => papers.sort_by_key(|paper| field(paper.field)),
    }
    show(&papers, args.json)?;
    if !args.json {
        let example = papers.first().map_or("comet", |paper| paper.slug);
        print(&format!(
            "{} of {} papers. Read one: offprint show {example}\n",
            papers.len(),
            catalogue().len()
        ));
    }
    Ok(())
}

pub fn search(args: &SearchArgs) -> Result<()> {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let papers: Vec<&Paper> = catalogue::search(&words)
        .iter()
        .map(|hit| hit.paper)
        .collect();
    if papers.is_empty() && !args.json {
        print(&format!(
            "No paper has {}. All papers: offprint list\n",
            args.words.join(", ")
        ));
        return Ok(());
    }
    show(&papers, args.json)
}

fn show(papers: &[&Paper], json: bool) -> Result<()> {
    if json {
        return print_json(&papers.iter().map(|paper| entry(paper)).collect::<Vec<_>>());
    }
    let mut rows = vec![["slug", "title", "year", "runs"].map(String::from).to_vec()];
    let width = papers
        .iter()
        .map(|paper| paper.slug.len())
        .max()
        .unwrap_or(0);
    for paper in papers {
        let state = match paper.work {
            Some(work) => format!("✓ {} claims", work.study.claims().len()),
            None => "planned".into(),
        };
        rows.push(vec![
            paper.slug.into(),
            shorten(paper.title, 54 - width.min(30)),
            paper.date[..4].into(),
            state,
        ]);
    }
    print(&columns(&rows, 4));
    Ok(())
}

/// A paper as a program reads it.
pub fn entry(paper: &Paper) -> Value {
    json!({
        "slug": paper.slug,
        "title": paper.title,
        "date": paper.date,
        "authors": paper.authors,
        "arxiv": paper.arxiv,
        "field": paper.field,
        "summary": paper.summary,
        "status": if paper.work.is_some() { "runs" } else { "planned" },
    })
}

fn status(paper: &Paper) -> Status {
    match paper.work {
        Some(_) => Status::Runs,
        None => Status::Planned,
    }
}

/// A field as it is written on the command line.
fn field(field: Field) -> String {
    serde_json::to_value(field)
        .ok()
        .and_then(|v| v.as_str().map(String::from))
        .unwrap_or_default()
}

fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let cut: String = text.chars().take(width - 1).collect();
    cut.trim_end().to_string() + "…"
}
