//! `offprint report`.

use super::{BudgetArg, StoreArgs, color, print, running};
use clap::Args;
use offprint_backbones::train;
use offprint_lab::{
    error::{Error, Result},
    paper::{Paper, Work},
    record::Record,
    report::{self, Style},
    run::Plan,
    store::{Store, write_atomic},
    study::Budget,
};
use offprint_papers::catalogue::{find, slugs};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint report comet\n  offprint report comet --html comet.html"
)]
pub struct ReportArgs {
    /// The paper, or the name of a training run.
    slug: String,
    /// Which run of a paper; the full one where there is one.
    #[arg(long, value_enum)]
    budget: Option<BudgetArg>,
    #[command(flatten)]
    store: StoreArgs,
    /// Write a page that opens without a network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print Markdown.
    #[arg(long, conflicts_with = "json")]
    md: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Write all forms into a folder: report.html, .md, .json, its figures, and tuned.toml.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn report(args: &ReportArgs) -> Result<()> {
    let store = args.store.store();
    let (paper, work, plan) = match find(&args.slug) {
        Some(_) => {
            let (paper, work) = running(&args.slug)?;
            let plan = find_plan(&store, paper.slug, args.budget.map(Budget::from))?;
            (paper, work, plan)
        }
        None => trained(&store, &args.slug)?,
    };
    let record = Record::gather(paper, work, &plan, &store)?;
    if let Some(path) = &args.html {
        write_atomic(path, report::html(&record).as_bytes())?;
        eprintln!("wrote {}", path.display());
    }
    if let Some(folder) = &args.out {
        write_all(&record, &plan, folder)?;
    }
    match (args.json, args.md) {
        (true, _) => print(&(report::json(&record)? + "\n")),
        (_, true) => print(&report::markdown(&record)),
        _ if args.html.is_some() || args.out.is_some() => {}
        _ => print(&report::terminal(&record, &Style::new(color()))),
    }
    Ok(())
}

/// The last run of a configuration of that name.
fn trained(store: &Store, name: &str) -> Result<(&'static Paper, &'static Work, Plan)> {
    match Plan::load(store, name, Budget::Train)? {
        Some(plan) => {
            let (run, work) = train::study(&plan)?;
            Ok((run, work, plan))
        }
        None => {
            let studies = store.studies()?;
            let runs = studies.iter().map(|(slug, _)| slug.as_str());
            let mut known: Vec<&str> = slugs();
            known.extend(runs);
            let list = "all papers: offprint list   all runs: offprint runs";
            Err(Error::unknown("paper or run", name, known, list))
        }
    }
}

/// The plan of the last run of a budget, or of the costlier budget that ran.
fn find_plan(store: &Store, slug: &str, budget: Option<Budget>) -> Result<Plan> {
    let budgets = budget.map_or(vec![Budget::Full, Budget::Quick], |budget| vec![budget]);
    for &budget in &budgets {
        if let Some(plan) = Plan::load(store, slug, budget)? {
            return Ok(plan);
        }
    }
    let words: Vec<_> = budgets.iter().map(|budget| budget.name()).collect();
    Err(Error::input(format!(
        "no {} run of {slug} in {}",
        words.join(" or "),
        store.root().display()
    ))
    .help(format!("start one: offprint run {slug}")))
}

fn write_all(record: &Record, plan: &Plan, folder: &Path) -> Result<()> {
    let figures = folder.join("figures");
    std::fs::create_dir_all(&figures).map_err(|e| Error::io("make the folder", &figures, e))?;
    let markdown = report::markdown_with_figures(record, "figures");
    let mut files = vec![
        ("report.html".to_string(), report::html(record)),
        ("report.md".into(), markdown),
        ("report.json".into(), report::json(record)? + "\n"),
    ];
    if plan.tuning_trials > 0 {
        files.push(("tuned.toml".into(), plan.tuned().to_toml()?));
    }
    let drawn = report::figures(record).into_iter();
    files.extend(drawn.map(|figure| (format!("figures/{}", figure.file), figure.content)));
    for (name, text) in files {
        let path = folder.join(name);
        write_atomic(&path, text.as_bytes())?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}
