//! `offprint runs`.

use super::{StoreArgs, paper, print, print_json};
use clap::Args;
use offprint_lab::{
    error::{Error, Result},
    store::Store,
    study::Budget,
    table::columns,
};
use serde::Serialize;
use std::path::Path;

#[derive(Args)]
#[command(after_help = "Examples:\n  offprint runs\n  offprint runs --delete comet/quick")]
pub struct RunsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Delete the runs of a paper, of one of its budgets, or of a configuration.
    #[arg(long, value_name = "NAME[/BUDGET]")]
    delete: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// A study in the store.
#[derive(Serialize)]
struct Entry {
    slug: String,
    budget: Budget,
    finished: usize,
    begun: usize,
    bytes: u64,
    folder: String,
}

pub fn runs(args: &RunsArgs) -> Result<()> {
    let store = args.store.store();
    if let Some(what) = &args.delete {
        return delete(&store, what);
    }
    let mut entries = Vec::new();
    for (slug, budget) in store.studies()? {
        let trials = store.trials(&slug, budget)?;
        let mut finished = 0;
        for (.., folder) in &trials {
            finished += usize::from(matches!(folder.outcome(), Ok(Some(_))));
        }
        let folder = store.study(&slug, budget);
        entries.push(Entry {
            budget,
            finished,
            begun: trials.len() - finished,
            bytes: size(&folder),
            folder: folder.display().to_string(),
            slug,
        });
    }
    if args.json {
        return print_json(&entries);
    }
    if entries.is_empty() {
        print(&format!(
            "No runs in {}. Start one: offprint run comet\n",
            store.root().display()
        ));
        return Ok(());
    }
    let mut rows = vec![
        ["run", "budget", "finished", "begun", "MB", "folder"]
            .map(String::from)
            .to_vec(),
    ];
    for entry in &entries {
        rows.push(vec![
            entry.slug.clone(),
            entry.budget.name().into(),
            entry.finished.to_string(),
            entry.begun.to_string(),
            format!("{:.1}", entry.bytes as f64 / 1e6),
            entry.folder.clone(),
        ]);
    }
    print(&columns(&rows, 2));
    Ok(())
}

fn delete(store: &Store, what: &str) -> Result<()> {
    let (slug, budgets) = match what.split_once('/') {
        Some((slug, "quick")) => (slug, vec![Budget::Quick]),
        Some((slug, "full")) => (slug, vec![Budget::Full]),
        Some((slug, "train")) => (slug, vec![Budget::Train]),
        Some((_, budget)) => {
            return Err(Error::unknown(
                "budget",
                budget,
                ["quick", "full", "train"],
                "quick, full or train",
            ));
        }
        None => (what, Budget::ALL.to_vec()),
    };
    // A name is a folder's: nothing outside the store may be meant.
    if !store.studies()?.iter().any(|(known, _)| known == slug) {
        paper(slug)?;
    }
    let mut deleted = 0;
    for budget in budgets {
        let folder = store.study(slug, budget);
        if !folder.is_dir() {
            continue;
        }
        // Held until the folder is gone: no run may be writing into it.
        let waiting = |holder: &str| {
            eprintln!(
                "{} is in use by process {holder}; waiting for it to end",
                folder.display()
            );
        };
        let _lock = store.lock(slug, budget, waiting, || false)?;
        std::fs::remove_dir_all(&folder).map_err(|e| Error::io("remove", &folder, e))?;
        print(&format!("deleted {}\n", folder.display()));
        deleted += 1;
    }
    match deleted {
        0 => Err(
            Error::input(format!("no runs of {what} in {}", store.root().display()))
                .help("what there is: offprint runs"),
        ),
        _ => Ok(()),
    }
}

/// Bytes of all files below a folder; what cannot be read counts as nothing.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => size(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}
