//! `offprint use comet`: a multi-task model with a COMET gate on the user's own table.

mod apply;
mod saved;
mod train;

use crate::arguments::{flag, list, number, option, path, print, required, whole};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use offprint_data::table::{Table, TableOptions, read};
use offprint_lab::{Result, command::UserCommand};
use std::path::{Path, PathBuf};

/// The sub-commands.
pub struct OnFiles;

impl UserCommand for OnFiles {
    fn grammar(&self) -> Command {
        let model = || path("model", "DIR", "Folder that train wrote");
        let table = || path("table", "TABLE", "CSV or TSV file with a header");
        let json = || flag("json", "Print one JSON document");
        Command::new("comet")
            .about("Multi-task mixture of experts with a sparse tree gate")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help("Example:\n  offprint use comet train TABLE.csv --targets a,b --out model")
            .subcommand(
                Command::new("train")
                    .about("Train on a table and save the model")
                    .after_help(
                        "Example:\n  offprint use comet train wine.csv --targets color,alcohol \
                        --classes color --out model",
                    )
                    .arg(table().required(true))
                    .arg(names("targets", "Columns to predict").required(true))
                    .arg(
                        option("out", "DIR", "Folder for the model")
                            .required(true)
                            .value_parser(value_parser!(PathBuf)),
                    )
                    .arg(names("classes", "Numeric columns that are classes"))
                    .arg(names("ignore", "Columns to leave out"))
                    .arg(names("missing", "Texts that mean a missing value"))
                    .arg(whole("experts", "8", "Number of experts"))
                    .arg(whole("k", "2", "Experts a row at most"))
                    .arg(whole("hidden", "32", "Width of the experts"))
                    .arg(number("gamma", "1", "Width of the smooth-step"))
                    .arg(number("entropy-reg", "0.1", "Coefficient of the gate's entropy penalty"))
                    .arg(number("search-share", "0.3", "Share of the steps in which local search learns; 0 for none"))
                    .arg(whole("epochs", "40", "Passes over the rows"))
                    .arg(whole("batch", "64", "Rows of a step"))
                    .arg(number("learning-rate", "0.003", "Step size of Adam"))
                    .arg(whole("seed", "0", "Seed of the initial values and batches"))
                    .arg(flag("overwrite", "Replace the folder if it is there"))
                    .arg(json()),
            )
            .subcommand(
                Command::new("predict")
                    .about("Predict the targets of a table's rows")
                    .after_help("Example:\n  offprint use comet predict model TABLE.csv --out predictions.csv")
                    .args([model().required(true), table().required(true)])
                    .arg(out_file("CSV file for the predictions"))
                    .arg(names("missing", "Texts that mean a missing value"))
                    .arg(json()),
            )
            .subcommand(
                Command::new("experts")
                    .about("Show which rows use which experts")
                    .after_help("Example:\n  offprint use comet experts model TABLE.csv --out experts.csv")
                    .args([model().required(true), table().required(true)])
                    .arg(out_file("CSV file for the weights, a line a row and task"))
                    .arg(names("missing", "Texts that mean a missing value"))
                    .arg(json()),
            )
    }

    fn run(&self, matches: &ArgMatches) -> Result<()> {
        match matches.subcommand() {
            Some(("train", matches)) => train::run(matches),
            Some(("predict", matches)) => apply::predict(matches),
            Some(("experts", matches)) => apply::experts(matches),
            _ => unreachable!("the grammar requires one"),
        }
    }
}

fn out_file(help: &'static str) -> Arg {
    option("out", "FILE.csv", help)
        .required(true)
        .value_parser(value_parser!(PathBuf))
}

fn names(name: &'static str, help: &'static str) -> Arg {
    option(name, "A,B", help)
        .value_delimiter(',')
        .action(ArgAction::Append)
}

/// Reads a table; `explain` says which command-line options help.
fn table(path: &Path, options: &TableOptions) -> Result<Table> {
    read(path, options).map_err(crate::explain::explain_data)
}
