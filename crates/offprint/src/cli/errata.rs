//! `offprint errata`.

use super::{paper, print, print_json, wrap};
use clap::Args;
use offprint_lab::{error::Result, paper::Paper};
use offprint_papers::catalogue::catalogue;
use serde_json::json;

#[derive(Args)]
#[command(after_help = "Examples:\n  offprint errata comet\n  offprint errata --json")]
pub struct ErrataArgs {
    /// A paper; all that run where absent.
    slug: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub fn errata(args: &ErrataArgs) -> Result<()> {
    let papers: Vec<&'static Paper> = match &args.slug {
        Some(slug) => vec![paper(slug)?],
        None => catalogue()
            .iter()
            .filter(|paper| paper.work.is_some())
            .collect(),
    };
    // Those of further studies, whose code is another, stand after the paper's.
    let further = |paper: &&'static Paper| paper.work.map_or(&[][..], |work| work.further);
    let papers = papers
        .into_iter()
        .flat_map(|paper| std::iter::once(paper).chain(further(&paper)));
    let papers: Vec<&Paper> = papers.collect();
    if args.json {
        let entries: Vec<_> = papers
            .iter()
            .map(|paper| json!({ "slug": paper.slug, "errata": paper.work.map(|w| w.errata) }))
            .collect();
        return print_json(&entries);
    }
    for paper in papers {
        let Some(work) = paper.work else {
            print(&format!(
                "{}: planned; its code has not been read closely yet\n",
                paper.slug
            ));
            continue;
        };
        let code = work
            .reference
            .map_or("no released code".into(), |reference| {
                format!("{}@{}", reference.repository, reference.commit)
            });
        print(&format!(
            "{}  {} errata · {code}\n",
            paper.slug,
            work.errata.len()
        ));
        for (index, erratum) in work.errata.iter().enumerate() {
            print(&format!(
                "\n {:2}  {}\n     at    {}\n     ours  {}\n",
                index + 1,
                wrap(erratum.what, 79, 5),
                wrap(erratum.place, 79, 11),
                wrap(erratum.ours, 79, 11)
            ));
        }
    }
    Ok(())
}
