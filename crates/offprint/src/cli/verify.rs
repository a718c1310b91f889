//! `offprint verify`.

use super::{print, print_json};
use clap::Args;
use offprint_lab::{
    error::{Error, Result},
    golden::{self, Owner, Verification},
    table::columns,
};
use offprint_papers::catalogue::catalogue;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint verify comet\n  offprint verify backbones\n  offprint verify --golden ../cases --json"
)]
pub struct VerifyArgs {
    /// A paper, or backbones; all below the folder where absent.
    slug: Option<String>,
    /// Folder of the cases.
    #[arg(long, value_name = "DIR", default_value = "golden")]
    golden: PathBuf,
    /// Folder of the files that are too large for the repository; cases that need one are left out without it.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub fn verify(args: &VerifyArgs) -> Result<()> {
    let owners = owners();
    if let Some(slug) = &args.slug
        && !owners.iter().any(|owner| owner.slug == slug)
    {
        let slugs = owners.iter().map(|owner| owner.slug);
        return Err(Error::unknown(
            "paper",
            slug,
            slugs,
            "all papers: offprint list",
        ));
    }
    if !args.golden.is_dir() {
        return Err(
            Error::input(format!("there is no folder {}", args.golden.display()))
                .help("run in the repository, or name the folder of the cases: --golden DIR"),
        );
    }
    if let Some(folder) = args.data_dir.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Error::input(format!(
            "there is no folder {}",
            folder.display()
        )));
    }
    let cases = golden::verify(
        &args.golden,
        args.slug.as_deref(),
        &owners,
        args.data_dir.as_deref(),
        |_| {},
    )?;
    if args.json {
        print_json(&cases)?;
    } else {
        print(&table(&cases));
    }
    match cases.iter().filter(|case| case.failure.is_some()).count() {
        0 => Ok(()),
        failed => Err(Error::run(format!(
            "{failed} of {} golden cases failed",
            cases.len()
        ))),
    }
}

/// Whose cases there are: the papers', and those of the rooms that have cases of their own.
fn owners() -> Vec<Owner> {
    let backbones = Owner {
        slug: "backbones",
        methods: Some(offprint_backbones::golden::METHODS),
    };
    let papers = catalogue().iter().map(Owner::from);
    papers.chain([backbones]).collect()
}

/// One row a kind, then the failures and what was left out.
fn table(all: &[Verification]) -> String {
    let cases: Vec<_> = all.iter().filter(|case| case.needs.is_none()).collect();
    let mut rows = vec![
        [
            "of",
            "kind",
            "passed",
            "abs. error",
            "rel. error",
            "of tolerance",
        ]
        .map(String::from)
        .to_vec(),
    ];
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    for case in &cases {
        let kind = (case.slug.as_str(), case.kind.as_str());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    for (slug, kind) in kinds {
        let of_kind: Vec<_> = cases
            .iter()
            .filter(|c| c.slug == slug && c.kind == kind)
            .collect();
        let passed = of_kind.iter().filter(|case| case.failure.is_none()).count();
        let errors = of_kind.iter().filter_map(|case| case.largest.as_ref());
        // The relative error of a number that should be 0 says nothing.
        let most = |value: fn(&golden::Largest) -> f64| {
            let finite = errors.clone().map(value).filter(|value| value.is_finite());
            finite.fold(0.0, f64::max)
        };
        rows.push(vec![
            if slug.is_empty() { "?" } else { slug }.into(),
            if kind.is_empty() { "?" } else { kind }.into(),
            format!("{passed}/{}", of_kind.len()),
            format!("{:.1e}", most(|l| l.absolute)),
            format!("{:.1e}", most(|l| l.relative)),
            format!("{:.2}", most(|l| l.of_tolerance)),
        ]);
    }
    let mut text = columns(&rows, 2);
    for case in &cases {
        if let Some(failure) = &case.failure {
            text += &format!(" ✗ {}: {failure}\n", case.path.display());
        }
    }
    let passed = cases.iter().filter(|case| case.failure.is_none()).count();
    text += &format!("{passed} of {} cases pass\n", cases.len());
    for case in all {
        if let Some(file) = &case.needs {
            let name = case.path.file_stem().unwrap_or_default().display();
            text += &format!("left out: {name} needs {file} (--data-dir DIR)\n");
        }
    }
    text
}
