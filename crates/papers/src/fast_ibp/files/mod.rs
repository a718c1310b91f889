//! `offprint use fast-ibp`: certificates for the user's own networks, and networks trained to have them.

mod certify;
mod samples;
mod train;

use crate::arguments::{flag, number, number_or_none, option, path, whole};
use clap::{Arg, ArgMatches, Command, value_parser};
use offprint_lab::{Error, Result, command::UserCommand};
use std::path::PathBuf;

/// The sub-commands.
pub struct OnFiles;

impl UserCommand for OnFiles {
    fn grammar(&self) -> Command {
        Command::new("fast-ibp")
            .about("Certify a network within a radius, or train one for it")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help(
                "Samples are a .npy file, a CSV file of numbers, or an array of an .npz file, written FILE.npz:NAME: one \
                a row, [samples, features] or [samples, channels, height, width].\n\n\
                Example:\n  offprint use fast-ibp certify model.onnx digits.csv --eps 0.1",
            )
            .subcommand(
                Command::new("certify")
                    .about("Certify samples within a radius")
                    .after_help(
                        "A network is a .safetensors file that train wrote, or an .onnx file of Gemm, Conv, Relu, \
                        BatchNormalization, Flatten, Add, MaxPool and AveragePool. Bounds are rounded outward: they hold \
                        for the network as it is computed.\n\n\
                        Examples:\n  offprint use fast-ibp certify model.safetensors digits.csv --eps 0.1\n  \
                        offprint use fast-ibp certify model.onnx d.npz:x --labels d.npz:y --eps 8 --clip 0,255 \
                        --method crown-ibp --out bounds.json",
                    )
                    .arg(path("model", "MODEL", "Network, .safetensors or .onnx").required(true))
                    .args(data())
                    .arg(
                        option("method", "NAME", "ibp, or crown-ibp: the better of both bounds")
                            .default_value("ibp"),
                    )
                    .arg(whole("attack", "0", "Steps of an attack on what is not certified"))
                    .arg(
                        option("out", "FILE", "File for each sample's bounds, .csv or .json")
                            .default_value("bounds.csv")
                            .value_parser(value_parser!(PathBuf)),
                    )
                    .arg(flag("overwrite", "Replace the file if it is there"))
                    .arg(flag("json", "Print one JSON document")),
            )
            .subcommand(
                Command::new("train")
                    .about("Train a network to be certified")
                    .after_help(
                        "Samples of four axes are pictures, for a network of two convolutions; others are for dense \
                        layers. The radius grows over the share --warmup of the steps.\n\n\
                        Example:\n  offprint use fast-ibp train digits.csv --shape 1,8,8 --eps 0.1 \
                        --out model.safetensors",
                    )
                    .args(data())
                    .arg(
                        option("out", "FILE", "File for the network, .safetensors")
                            .required(true)
                            .value_parser(value_parser!(PathBuf)),
                    )
                    .arg(
                        option("shape", "C,H,W", "Rows are pictures of channels, height, width"),
                    )
                    .arg(
                        option("method", "NAME", "ibp or crown-ibp, what is trained on")
                            .default_value("ibp"),
                    )
                    .arg(whole("width", "16", "Filters of the first convolution"))
                    .arg(whole("hidden", "100", "Units of a hidden dense layer"))
                    .arg(whole("depth", "2", "Hidden layers where there is no convolution"))
                    .arg(whole("steps", "1000", "Steps of Adam"))
                    .arg(whole("batch", "128", "Samples of a step"))
                    .arg(number("learning-rate", "0.005", "Step size of Adam"))
                    .arg(number("warmup", "0.3", "Share of the steps in which the radius grows"))
                    .arg(number("held-out", "0.1", "Share of the samples that training does not see"))
                    .arg(whole("seed", "0", "Seed of the initial values and batches"))
                    .arg(flag("overwrite", "Replace the file if it is there"))
                    .arg(flag("json", "Print one JSON document")),
            )
    }

    fn run(&self, matches: &ArgMatches) -> Result<()> {
        match matches.subcommand() {
            Some(("certify", matches)) => certify::run(matches),
            Some(("train", matches)) => train::run(matches),
            _ => unreachable!("the grammar requires one"),
        }
    }
}

/// Arguments that say what the samples are.
fn data() -> [Arg; 4] {
    [
        number_or_none("eps", "Radius, in the unit of the samples").required(true),
        Arg::new("data")
            .value_name("DATA")
            .help("Samples, one a row")
            .required(true),
        option(
            "labels",
            "ARRAY",
            "Their classes, from 0; else DATA's last column",
        ),
        option("clip", "LO,HI", "Range of the samples, or none")
            .default_value("0,1")
            .allow_hyphen_values(true),
    ]
}

/// A method by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bounding {
    Ibp,
    CrownIbp,
}

impl Bounding {
    fn of(matches: &ArgMatches) -> Result<Self> {
        let name = matches.get_one::<String>("method");
        match name.expect("it has a default").as_str() {
            "ibp" => Ok(Self::Ibp),
            "crown-ibp" => Ok(Self::CrownIbp),
            other => {
                let known = ["ibp", "crown-ibp"];
                Err(Error::unknown(
                    "method",
                    other,
                    known,
                    "all: ibp, crown-ibp",
                ))
            }
        }
    }
}
