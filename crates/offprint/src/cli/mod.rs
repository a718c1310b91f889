//! The command line: one file a verb.

mod bench;
mod completions;
mod data;
mod errata;
mod launch;
mod list;
mod report;
mod run;
mod runs;
mod show;
mod train;
mod trial;
mod use_on_files;
mod verify;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use offprint_lab::{
    error::{Error, Result},
    paper::{Paper, Work},
    store::Store,
    study::Budget,
};
use offprint_papers::catalogue::{catalogue, find, slugs};
use serde::Serialize;
use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

/// Published learning methods that run: as parts, as commands, with verdicts.
#[derive(Parser)]
#[command(name = "offprint", version, max_term_width = 100)]
#[command(after_help = "Start here:\n  offprint list\n  offprint show comet\n  offprint run comet")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the papers.
    List(list::ListArgs),
    /// Find papers by words of their titles, summaries and parts.
    Search(list::SearchArgs),
    /// Read a paper's method in one screen.
    Show(show::ShowArgs),
    /// Run a paper's study: its method beside the baselines it names.
    Run(run::RunArgs),
    /// Train any backbone with any slots on any data set.
    Train(train::TrainArgs),
    /// List, or delete, what earlier runs left.
    Runs(runs::RunsArgs),
    /// Read the report of a run.
    Report(report::ReportArgs),
    /// Check the library against golden numbers from outside.
    Verify(verify::VerifyArgs),
    /// Time kernels, backbones and the papers' methods, alone or beside a peer.
    Bench(bench::BenchArgs),
    /// List what is wrong with the papers' released code.
    Errata(errata::ErrataArgs),
    /// Use a method on your own files.
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        allow_external_subcommands = true
    )]
    Use,
    /// List the data sets that are inside.
    Data(data::DataArgs),
    /// Print a completion script for your shell.
    Completions(completions::CompletionsArgs),
    /// Run one trial that `run` has begun; a job scheduler may call it too.
    #[command(hide = true)]
    Trial(trial::TrialArgs),
}

/// The whole grammar, with the commands that the papers bring.
fn grammar() -> clap::Command {
    let papers = catalogue().iter().filter_map(|paper| paper.work?.command);
    Cli::command().mut_subcommand("use", |verb| {
        verb.subcommands(papers.map(|command| command.grammar()))
            .after_help("Example:\n  offprint use comet train TABLE.csv --targets a,b --out model")
    })
}

/// Parses the command line and does what it says.
///
/// # Errors
/// See the verbs; a wrong grammar ends the program here, with exit code 2.
pub fn run() -> Result<()> {
    let matches = grammar().get_matches();
    if let Some(("use", matches)) = matches.subcommand() {
        pool(0)?;
        return use_on_files::run(matches);
    }
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.verb {
        Verb::List(args) => list::list(&args),
        Verb::Search(args) => list::search(&args),
        Verb::Show(args) => show::show(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Train(args) => train::train(&args),
        Verb::Runs(args) => runs::runs(&args),
        Verb::Report(args) => report::report(&args),
        Verb::Verify(args) => verify::verify(&args),
        Verb::Bench(args) => bench::bench(&args),
        Verb::Errata(args) => errata::errata(&args),
        Verb::Use => unreachable!("handled above"),
        Verb::Data(args) => data::data(&args),
        Verb::Completions(args) => completions::completions(&args),
        Verb::Trial(args) => trial::trial(args),
    }
}

/// Makes the pool of threads that share the work of kernels, once a process and before the first tensor; this thread is
/// one of them, so that it works on while another is woken. For 0 threads `RAYON_NUM_THREADS` or the cores decide.
fn pool(threads: usize) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .use_current_thread()
        .build_global()
        .map_err(|e| Error::run(format!("cannot make the pool of threads: {e}")))
}

/// Where runs are kept.
#[derive(Args)]
struct StoreArgs {
    /// Folder of the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

impl StoreArgs {
    fn store(&self) -> Store {
        Store::new(&self.runs)
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum BudgetArg {
    /// At most a minute.
    Quick,
    /// At most twenty minutes; tunes every arm.
    Full,
}

impl From<BudgetArg> for Budget {
    fn from(budget: BudgetArg) -> Self {
        match budget {
            BudgetArg::Quick => Budget::Quick,
            BudgetArg::Full => Budget::Full,
        }
    }
}

/// A paper by its slug.
fn paper(slug: &str) -> Result<&'static Paper> {
    find(slug).ok_or_else(|| Error::unknown("paper", slug, slugs(), "all papers: offprint list"))
}

/// A paper that runs.
pub fn running(slug: &str) -> Result<(&'static Paper, &'static Work)> {
    let paper = paper(slug)?;
    let work = paper.work.ok_or_else(|| {
        Error::input(format!("{slug} is planned and does not run yet"))
            .help("papers that run: offprint list --status runs")
    })?;
    Ok((paper, work))
}

/// Prints to standard output; a reader that has gone (`| head`) ends the program in silence.
fn print(text: &str) {
    if std::io::stdout().write_all(text.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// Prints one JSON document.
fn print_json<T: Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::run(e.to_string()))?;
    print(&(text + "\n"));
    Ok(())
}

/// Whether to colour: only on a terminal, and not where NO_COLOR asks for none.
fn color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Text in lines of at most `width` characters, each after `indent` spaces but the first.
fn wrap(text: &str, width: usize, indent: usize) -> String {
    offprint_lab::table::wrap(text, width, indent)
        .trim()
        .to_string()
}
