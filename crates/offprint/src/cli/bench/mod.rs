//! `offprint bench`.

mod counts;
mod page;
mod table;

use super::{pool, print, print_json};
use crate::bench::{names, suite};
use clap::Args;
use offprint_lab::{
    bench::{
        Bench, Suite,
        alone::{self, COUNT_OPTION, MEMORY_OPTION, START_OPTION},
        machine::Machine,
        summary::summarize,
        time::{Options, Progress, time},
    },
    error::{Error, Result},
};
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint bench comet\n  offprint bench kernels --only softmax --peer path/to/python\n  \
    offprint bench backbones --peer path/to/python --check\n  offprint bench kernels --instructions"
)]
pub struct BenchArgs {
    /// kernels, backbones or a paper; all where absent.
    what: Option<String>,
    /// Only benches whose name contains one of these.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    only: Vec<String>,
    /// A Python that has the peer's libraries; its runs are interleaved with ours.
    #[arg(long, value_name = "PYTHON")]
    peer: Option<PathBuf>,
    /// Threads of each side.
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// Timed runs of each side.
    #[arg(long, value_name = "N", default_value_t = 15)]
    repeats: usize,
    /// Exit with 1 if a bar is missed.
    #[arg(long, requires = "peer")]
    check: bool,
    /// Count instructions with valgrind instead, and compare them with bench/instructions.json.
    #[arg(long, conflicts_with_all = ["peer", "check"])]
    instructions: bool,
    /// Write the table into PERFORMANCE.md, or the counts into bench/instructions.json.
    #[arg(long)]
    write: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Print the peak memory of one bench.
    #[arg(long, value_name = "NAME", hide = true)]
    memory_of: Option<String>,
    /// Run one bench for callgrind.
    #[arg(long, value_name = "NAME", hide = true)]
    count_of: Option<String>,
    /// Run one bench once.
    #[arg(long, value_name = "NAME", hide = true)]
    start_of: Option<String>,
}

pub fn bench(args: &BenchArgs) -> Result<()> {
    if args.repeats == 0 || args.threads == 0 {
        return Err(Error::input(format!(
            "--repeats {} --threads {}, but both must be at least 1",
            args.repeats, args.threads
        )));
    }
    let suites = match &args.what {
        Some(name) => vec![suite(name)?],
        None => names().into_iter().map(suite).collect::<Result<_>>()?,
    };
    if let Some(done) = alone(args, &suites) {
        return done;
    }
    let suites = chosen(suites, &args.only)?;
    if args.instructions {
        return counts::counts(&suites, args.write, args.json);
    }
    pool(args.threads)?;
    timings(args, &suites)
}

/// What a process does that was started for one bench.
fn alone(args: &BenchArgs, suites: &[Suite]) -> Option<Result<()>> {
    let find = |option: &str, name: &str| -> Result<Bench> {
        let all = suites.iter().flat_map(|suite| &suite.benches).copied();
        all.clone()
            .find(|bench| bench.label() == name)
            .ok_or_else(|| {
                let labels: Vec<String> = all.map(|bench| bench.label()).collect();
                Error::unknown("bench", name, labels.iter().map(String::as_str), option)
            })
    };
    let run = || -> Result<()> {
        if let Some(name) = &args.memory_of {
            let bench = find(MEMORY_OPTION, name)?;
            pool(args.threads)?;
            print_json(&alone::memory(&bench))
        } else if let Some(name) = &args.count_of {
            let bench = find(COUNT_OPTION, name)?;
            // All in one thread, so that callgrind sees where the counted part begins and ends.
            pool(1)?;
            alone::count(&bench);
            Ok(())
        } else if let Some(name) = &args.start_of {
            let bench = find(START_OPTION, name)?;
            pool(args.threads)?;
            (bench.prepare)(&bench)();
            Ok(())
        } else {
            unreachable!("asked below")
        }
    };
    let options = [&args.memory_of, &args.count_of, &args.start_of];
    options.iter().any(|option| option.is_some()).then(run)
}

/// The suites with those benches that were asked for.
fn chosen(mut suites: Vec<Suite>, only: &[String]) -> Result<Vec<Suite>> {
    if only.is_empty() {
        return Ok(suites);
    }
    let labels = suites.iter().flat_map(|suite| &suite.benches);
    let labels: Vec<String> = labels.map(Bench::label).collect();
    for part in only {
        if !labels.iter().any(|label| label.contains(part)) {
            let known = labels.iter().map(String::as_str);
            let list = format!("all: {}", labels.join(", "));
            return Err(Error::unknown("bench", part, known, &list));
        }
    }
    for suite in &mut suites {
        let asked = |bench: &Bench| only.iter().any(|part| bench.label().contains(part));
        suite.benches.retain(asked);
    }
    suites.retain(|suite| !suite.benches.is_empty());
    Ok(suites)
}

fn timings(args: &BenchArgs, suites: &[Suite]) -> Result<()> {
    let mut benches = suites.iter().flat_map(|suite| &suite.benches);
    let rates = benches.any(|bench| (bench.work)(bench) != Default::default());
    let machine = rates.then(|| Machine::measure(args.threads));
    let program = std::env::current_exe().map_err(|e| {
        Error::run(format!(
            "cannot find the program to measure memory with: {e}"
        ))
    })?;
    let options = Options {
        program: &program,
        peer: args.peer.as_deref(),
        threads: args.threads,
        repeats: args.repeats,
        machine,
    };
    let mut all = Vec::new();
    for suite in suites {
        let timed = time(suite, &options, |progress| match progress {
            Progress::Memory => eprintln!("{}: peak memory", suite.name),
            Progress::Timed(timing) => eprintln!("{} {}", suite.name, table::line(timing)),
        })?;
        if args.write {
            page::write(suite.name, &timed, args.repeats, machine)?;
        }
        all.extend(timed);
    }
    match args.json {
        true => print_json(&all)?,
        false => print(&table::table(&all, machine)),
    }
    let missed = summarize(&all)
        .iter()
        .map(|s| s.misses + usize::from(s.misses_mean()))
        .sum();
    match missed {
        1.. if args.check => Err(Error::run(format!("bars missed: {missed}"))),
        0_usize.. => Ok(()),
    }
}
