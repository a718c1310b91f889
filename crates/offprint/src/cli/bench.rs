//! `offprint bench`.

use super::{print, print_json, running};
use clap::Args;
use offprint_lab::{
    bench::{Peer, Spread, Timing, time},
    error::{Error, Result},
    store::write_atomic,
    table::columns,
};
use offprint_papers::catalogue::catalogue;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint bench comet\n  offprint bench comet --peer path/to/python --write"
)]
pub struct BenchArgs {
    /// A paper; all that run where absent.
    slug: Option<String>,
    /// A Python that has the peer's libraries; its runs are interleaved with ours.
    #[arg(long, value_name = "PYTHON")]
    peer: Option<PathBuf>,
    /// Threads of each side.
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// Timed runs of each side.
    #[arg(long, value_name = "N", default_value_t = 15)]
    repeats: usize,
    /// Write the table into PERFORMANCE.md.
    #[arg(long)]
    write: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub fn bench(args: &BenchArgs) -> Result<()> {
    if args.repeats == 0 || args.threads == 0 {
        return Err(Error::input(format!(
            "--repeats {} --threads {}, but both must be at least 1",
            args.repeats, args.threads
        )));
    }
    // Before the first tensor: the pool of threads is made once a process.
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()
        .map_err(|e| Error::run(format!("cannot make {} threads: {e}", args.threads)))?;
    let slugs: Vec<&str> = match &args.slug {
        Some(slug) => vec![slug],
        None => catalogue()
            .iter()
            .filter(|p| p.work.is_some())
            .map(|p| p.slug)
            .collect(),
    };
    let mut all = Vec::new();
    for slug in slugs {
        let (paper, work) = running(slug)?;
        let script = Path::new("bench/peers").join(format!("{slug}.py"));
        let peer = args
            .peer
            .as_ref()
            .map(|python| Peer::start(python, &script))
            .transpose()?;
        let timings = time(
            &(work.benches)(),
            peer,
            args.threads,
            args.repeats,
            |timing| {
                eprintln!("{slug} {}: {}", timing.name, spread(&timing.ours_ms));
            },
        )?;
        if args.write {
            write(paper.slug, &timings, args.repeats)?;
        }
        all.extend(timings);
    }
    match args.json {
        true => print_json(&all),
        false => {
            print(&table(&all));
            Ok(())
        }
    }
}

fn spread(spread: &Spread) -> String {
    format!(
        "{:.2} ms [{:.2}, {:.2}]",
        spread.median, spread.least, spread.most
    )
}

fn cells(timing: &Timing) -> [String; 5] {
    [
        timing.name.clone(),
        spread(&timing.ours_ms),
        timing.peer_ms.as_ref().map_or("–".into(), spread),
        timing
            .ratio
            .map_or("–".into(), |ratio| format!("{ratio:.2}")),
        format!("≤ {}", timing.bar),
    ]
}

const HEADING: [&str; 5] = ["work", "ours", "peer", "ratio", "bar"];

fn table(timings: &[Timing]) -> String {
    let mut rows = vec![HEADING.map(String::from).to_vec()];
    rows.extend(timings.iter().map(|timing| cells(timing).to_vec()));
    let mut text = columns(&rows, 1);
    for timing in timings {
        text += &format!(
            "  {}: {}; {} threads\n",
            timing.name, timing.sizes, timing.threads
        );
    }
    text
}

/// Replaces the paper's table in PERFORMANCE.md, between the two marks that name it.
fn write(slug: &str, timings: &[Timing], repeats: usize) -> Result<()> {
    let path = Path::new("PERFORMANCE.md");
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let (open, close) = (
        format!("<!-- bench {slug} -->"),
        format!("<!-- /bench {slug} -->"),
    );
    let place = text.split_once(&open).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&close)?;
        Some((before, after))
    });
    let Some((before, after)) = place else {
        return Err(
            Error::input(format!("PERFORMANCE.md has no marks {open} and {close}"))
                .help("add both where the table belongs"),
        );
    };
    let row = |cells: [String; 5]| format!("| {} |\n", cells.join(" | "));
    let mut table = row(HEADING.map(String::from)) + "|---|---:|---:|---:|---:|\n";
    for timing in timings {
        let mut cells = cells(timing);
        cells[0] += &format!(" ({})", timing.sizes);
        table += &row(cells);
    }
    let build = offprint_papers::build(slug);
    let threads = timings.first().map_or(0, |timing| timing.threads);
    let note = format!(
        "Median [least, most] of {repeats} interleaved runs, {threads} threads each, revision {}, {}.",
        build.revision, build.machine
    );
    let text = format!("{before}{open}\n{table}\n{note}\n{close}{after}");
    write_atomic(path, text.as_bytes())?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
