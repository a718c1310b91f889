//! `offprint use deeponet`: an operator from the user's own arrays.

mod apply;
mod arrays;
mod plot;
mod saved;
mod train;

use crate::arguments::{flag, number, option, out_of, path, picture_of, print, required, whole};
use clap::{Arg, ArgMatches, Command, value_parser};
use offprint_lab::{Result, command::UserCommand};
use std::path::PathBuf;

/// The sub-commands.
pub struct OnFiles;

impl UserCommand for OnFiles {
    fn grammar(&self) -> Command {
        let model = || path("model", "DIR", "Folder that train wrote").required(true);
        let functions = || {
            array(
                "functions",
                "Functions at the sensors, one a row: [functions, sensors]",
            )
            .required(true)
        };
        let points = || array("points", "Points, one a row: [points, coordinates]").required(true);
        let json = || flag("json", "Print one JSON document");
        Command::new("deeponet")
            .about("Learn an operator from functions, points and values")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help(
                "Arrays are .npy files, CSV files of numbers, or arrays of an .npz file, written FILE.npz:NAME.\n\n\
                Example:\n  offprint use deeponet train --functions u.npy --points y.npy --values s.npy --out model",
            )
            .subcommand(
                Command::new("train")
                    .about("Train on arrays and save the model")
                    .after_help(
                        "Example:\n  offprint use deeponet train --functions u.npy --points y.npy --values s.npy \
                        --out model",
                    )
                    .arg(functions())
                    .arg(points())
                    .arg(
                        array(
                            "values",
                            "[functions, points], or one a row where row i of functions meets row i of points",
                        )
                        .required(true),
                    )
                    .arg(array("sensors", "Where the sensors are, ascending; kept with the model"))
                    .arg(
                        option("out", "DIR", "Folder for the model")
                            .required(true)
                            .value_parser(value_parser!(PathBuf)),
                    )
                    .arg(whole("width", "40", "Products that are summed"))
                    .arg(whole("hidden", "40", "Units of a hidden layer"))
                    .arg(whole("depth", "1", "Hidden layers of branch and trunk"))
                    .arg(
                        option("activation", "NAME", "relu, tanh, gelu, silu or sigmoid")
                            .default_value("relu"),
                    )
                    .arg(flag("stacked", "One branch network a product"))
                    .arg(flag("no-bias", "Without the last bias"))
                    .arg(whole("steps", "4000", "Steps of Adam"))
                    .arg(whole("batch", "128", "Rows of values of a step"))
                    .arg(number("learning-rate", "0.002", "Step size of Adam"))
                    .arg(number("held-out", "0.1", "Share of the functions that training does not see"))
                    .arg(whole("seed", "0", "Seed of the initial values and batches"))
                    .arg(flag("overwrite", "Replace the folder if it is there"))
                    .arg(json()),
            )
            .subcommand(
                Command::new("predict")
                    .about("Predict values at new points")
                    .after_help(
                        "Example:\n  offprint use deeponet predict model --functions u.npy --points y.npy --out s.npy",
                    )
                    .arg(model())
                    .arg(functions())
                    .arg(points())
                    .arg(flag("pairs", "Row i of functions meets row i of points only"))
                    .arg(out("FILE", "File for the values, .npy or .csv"))
                    .arg(json()),
            )
            .subcommand(
                Command::new("plot")
                    .about("Draw one function's answer")
                    .after_help(
                        "Example:\n  offprint use deeponet plot model --functions u.npy --points y.npy --values s.npy \
                        --out s.svg",
                    )
                    .arg(model())
                    .arg(functions())
                    .arg(points())
                    .arg(array("values", "Known values, [functions, points], drawn beside"))
                    .arg(whole("function", "0", "Row of the function, counted from 0"))
                    .arg(out("FILE.svg", "File for the picture"))
                    .arg(json()),
            )
    }

    fn run(&self, matches: &ArgMatches) -> Result<()> {
        match matches.subcommand() {
            Some(("train", matches)) => train::run(matches),
            Some(("predict", matches)) => apply::predict(matches),
            Some(("plot", matches)) => plot::run(matches),
            _ => unreachable!("the grammar requires one"),
        }
    }
}

fn array(name: &'static str, help: &'static str) -> Arg {
    option(name, "ARRAY", help)
}

fn out(value: &'static str, help: &'static str) -> Arg {
    option("out", value, help)
        .required(true)
        .value_parser(value_parser!(PathBuf))
}
