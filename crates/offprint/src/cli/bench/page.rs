//! Timings for PERFORMANCE.md.

use super::table::{bar, cell, mark, peaks, percent};
use offprint_lab::{
    bench::{machine::Machine, summary::summarize, timing::Timing},
    error::{Error, Result},
    store::write_atomic,
};
use std::path::Path;

/// Replaces a suite's tables in PERFORMANCE.md, between the two marks that name it.
pub fn write(
    suite: &str,
    timings: &[Timing],
    repeats: usize,
    machine: Option<Machine>,
) -> Result<()> {
    let path = Path::new("PERFORMANCE.md");
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let (open, close) = (
        format!("<!-- bench {suite} -->"),
        format!("<!-- /bench {suite} -->"),
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
    let build = offprint_papers::library();
    let mut note = format!(
        "Median [least, most] of {repeats} interleaved turns, {} threads each, revision {}, {}.",
        timings.first().map_or(0, |timing| timing.threads),
        build.revision,
        build.machine,
    );
    if let Some(machine) = machine {
        note += &format!(" Peak of the machine: {}.", peaks(machine));
    }
    let (benches, groups) = (benches(timings), groups(timings));
    let text = format!("{before}{open}\n{benches}\n{groups}\n{note}\n{close}{after}");
    write_atomic(path, text.as_bytes())?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

fn benches(timings: &[Timing]) -> String {
    let mut text = String::from(
        "| work | ours, ms | peer, ms | ratio | bar | ours, MiB | peer, MiB | Gflop/s | GB/s | of peak |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for timing in timings {
        let sizes = match timing.sizes.is_empty() {
            true => String::new(),
            false => format!(" ({})", timing.sizes()),
        };
        let cells = [
            timing.name.clone() + &sizes,
            spread(Some(timing.ours_ms), Some(timing.ours_range_ms)),
            spread(timing.peer_ms, timing.peer_range_ms),
            cell(timing.ratio),
            bar(timing),
            mib(timing.ours_mib) + mark(timing.misses_memory()),
            mib(timing.peer_mib),
            cell(timing.gflops),
            cell(timing.gbps),
            timing.share_of_peak.map_or("–".into(), percent),
        ];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

fn groups(timings: &[Timing]) -> String {
    let mut text = String::from(
        "| group | benches | geometric mean ratio | bar | misses |\n|---|---:|---:|---:|---:|\n",
    );
    for summary in summarize(timings) {
        text += &format!(
            "| {} | {} | {}{} | {} | {} |\n",
            summary.group.name,
            summary.benches,
            cell(summary.mean),
            mark(summary.misses_mean()),
            cell(summary.group.mean),
            summary.misses
        );
    }
    text
}

fn spread(median: Option<f64>, range: Option<[f64; 2]>) -> String {
    match (median, range) {
        (Some(median), Some([least, most])) => {
            let [median, least, most] = [median, least, most].map(|ms| cell(Some(ms)));
            format!("{median} [{least}, {most}]")
        }
        _ => "–".into(),
    }
}

fn mib(value: Option<f64>) -> String {
    value.map_or("–".into(), |mib| format!("{mib:.1}"))
}
