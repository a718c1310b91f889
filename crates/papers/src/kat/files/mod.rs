//! `offprint use kat`: KANs in place of the MLPs of the user's own vision transformer.

mod convert;
mod finetune;
mod model;
mod pictures;
mod plot;

use crate::arguments::{
    flag, number, option, out_of, path, picture_of, print, refuse, required, whole, whole_of,
    whole_or_none,
};
use clap::{ArgMatches, Command};
use offprint_lab::{Result, command::UserCommand, store::write_atomic};

/// The sub-commands.
pub struct OnFiles;

/// What may be given as a ViT.
const MODELS: &str = "A ViT is a file with timm's names (blocks.0.mlp.fc1.weight), a trial of offprint train\n\
    (runs/NAME/train/ARM/SEED), or a folder of Hugging Face's with config.json.";

/// The greatest number of steps, pictures or groups.
const MOST: u64 = 10_000_000;

impl UserCommand for OnFiles {
    fn grammar(&self) -> Command {
        let json = || flag("json", "Print one JSON document");
        let overwrite = || flag("overwrite", "Replace the file if it is there");
        let out = |value, help| {
            path("out", value, help)
                .long("out")
                .short('o')
                .required(true)
        };
        Command::new("kat")
            .about("KANs in place of the MLPs of a vision transformer")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help(format!(
                "{MODELS}\n\nExample:\n  offprint use kat convert VIT.safetensors -o KAT.safetensors"
            ))
            .subcommand(unsaid(pictures::options(
                Command::new("convert")
                    .about("Swap MLPs for KANs of the same function")
                    .after_help(format!(
                        "{MODELS}\n\nExample:\n  offprint use kat convert runs/vit-mnist/train/vit/0 -o KAT.safetensors"
                    ))
                    .arg(path("vit", "VIT", "Vision transformer").required(true))
                    .arg(out("KAT.safetensors", "File for the model"))
                    .arg(whole("groups", "8", "Groups of channels, each with a function"))
                    .arg(whole("numerator-degree", "5", "Degree of the numerators"))
                    .arg(whole("denominator-degree", "4", "Degree of the denominators"))
                    .arg(flag("own-numerators", "A numerator for each group, not one for all"))
                    .arg(
                        option(
                            "range",
                            "LOW,HIGH",
                            "Where the activation is fitted [default: a quarter beyond what it is given on the \
                            pictures, -5,5 without any]",
                        )
                        .allow_hyphen_values(true),
                    )
                    .arg(number("most", "0.1", "Largest change of a logit; beyond it nothing is written"))
                    .arg(overwrite())
                    .arg(json()),
            )))
            .subcommand(unsaid(pictures::options(
                Command::new("finetune")
                    .about("Train a KAT, or a ViT, on")
                    .after_help("Example:\n  offprint use kat finetune KAT.safetensors --set mnist -o tuned.safetensors")
                    .arg(path("model", "MODEL", "KAT that convert wrote, or a ViT").required(true))
                    .arg(out("FILE.safetensors", "File for the model"))
                    .arg(whole("steps", "200", "Steps of AdamW"))
                    .arg(whole("batch", "64", "Pictures of a step"))
                    .arg(number("learning-rate", "0.001", "Largest step size"))
                    .arg(number("weight-decay", "0.05", "Decoupled weight decay"))
                    .arg(whole("seed", "0", "Seed of the batches"))
                    .arg(overwrite())
                    .arg(json()),
            )))
            .subcommand(unsaid(
                Command::new("plot")
                    .about("Draw the functions of every group")
                    .after_help("Example:\n  offprint use kat plot KAT.safetensors -o functions.svg")
                    .arg(path("model", "KAT.safetensors", "KAT that convert or finetune wrote").required(true))
                    .arg(out("FILE.svg", "File for the picture"))
                    .arg(
                        option("range", "LOW,HIGH", "Ends of the horizontal axis")
                            .default_value("-4,4")
                            .allow_hyphen_values(true),
                    )
                    .arg(overwrite())
                    .arg(json()),
            ))
    }

    fn run(&self, matches: &ArgMatches) -> Result<()> {
        match matches.subcommand() {
            Some(("convert", matches)) => convert::run(matches),
            Some(("finetune", matches)) => finetune::run(matches),
            Some(("plot", matches)) => plot::run(matches),
            _ => unreachable!("the grammar requires one"),
        }
    }
}

/// Options for what the tensors of a file do not say.
fn unsaid(command: Command) -> Command {
    command
        .arg(whole_or_none(
            "heads",
            "Heads of a file from elsewhere [default: the width / 64]",
        ))
        .arg(option(
            "size",
            "H,W",
            "Height and width of its pictures [default: a square]",
        ))
        .arg(option("activation", "NAME", "Activation of its MLPs").default_value("gelu"))
}

/// A whole number that is not 0.
fn count(matches: &ArgMatches, name: &'static str) -> Result<usize> {
    match whole_of(matches, name) {
        value @ 1..=MOST => Ok(value as usize),
        value => Err(refuse(name, value, &format!("1 to {MOST}"))),
    }
}

/// Two numbers with a comma between.
fn pair<T: std::str::FromStr>(text: &str) -> Option<[T; 2]> {
    let (first, second) = text.split_once(',')?;
    Some([first.trim().parse().ok()?, second.trim().parse().ok()?])
}

/// The ends of `--range`, where it is given or has a default.
fn range(matches: &ArgMatches) -> Result<Option<[f64; 2]>> {
    let Some(text) = matches.get_one::<String>("range") else {
        return Ok(None);
    };
    match pair::<f64>(text) {
        Some([low, high]) if low < high && low.is_finite() && high.is_finite() => {
            Ok(Some([low, high]))
        }
        _ => Err(refuse(
            "range",
            text,
            "two finite numbers LOW,HIGH, the first below the second",
        )),
    }
}
