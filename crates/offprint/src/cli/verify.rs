//! `offprint verify`.

use super::{paper, print, print_json};
use clap::Args;
use offprint_lab::{
    error::{Error, Result},
    golden::{self, Verification},
    table::columns,
};
use offprint_papers::catalogue::catalogue;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint verify comet\n  offprint verify --golden ../cases --json"
)]
pub struct VerifyArgs {
    /// A paper; all below the folder where absent.
    slug: Option<String>,
    /// Folder of the cases.
    #[arg(long, value_name = "DIR", default_value = "golden")]
    golden: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub fn verify(args: &VerifyArgs) -> Result<()> {
    if let Some(slug) = &args.slug {
        paper(slug)?;
    }
    if !args.golden.is_dir() {
        return Err(
            Error::input(format!("there is no folder {}", args.golden.display()))
                .help("run in the repository, or name the folder of the cases: --golden DIR"),
        );
    }
    let cases = golden::verify(&args.golden, args.slug.as_deref(), catalogue(), |_| {})?;
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

/// One row a kind, then the failures.
fn table(cases: &[Verification]) -> String {
    let mut rows = vec![
        [
            "paper",
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
    for case in cases {
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
    for case in cases {
        if let Some(failure) = &case.failure {
            text += &format!(" ✗ {}: {failure}\n", case.path.display());
        }
    }
    let passed = cases.iter().filter(|case| case.failure.is_none()).count();
    text + &format!("{passed} of {} cases pass\n", cases.len())
}
