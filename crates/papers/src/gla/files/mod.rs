//! `offprint use gla`: a language model over bytes, trained on the user's own text, that reads and writes in constant memory.

mod generate;
mod saved;
mod state;
mod train;

use crate::arguments::{
    flag, number, number_of, number_or_none, option, out_of, path, print, refuse, required, whole,
    whole_of, whole_or_none,
};
use clap::{ArgMatches, Command};
use offprint_lab::{Result, command::UserCommand};

/// The sub-commands.
pub struct OnFiles;

impl UserCommand for OnFiles {
    fn grammar(&self) -> Command {
        let model = || path("model", "DIR", "Folder that train wrote").required(true);
        let json = || flag("json", "Print one JSON document");
        let out = |value, help| path("out", value, help).long("out").required(true);
        let from = || path("from", "FILE", "State to begin with").long("from");
        let overwrite = |what| flag("overwrite", what);
        Command::new("gla")
            .about("Language model over bytes with gated linear attention")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help("Example:\n  offprint use gla train TEXT.txt --out model")
            .subcommand(
                Command::new("train")
                    .about("Train on text and save the model")
                    .after_help("Example:\n  offprint use gla train examples/gla/dream.txt --out model")
                    .arg(
                        path("text", "TEXT", "UTF-8 text files")
                            .num_args(1..)
                            .required(true),
                    )
                    .arg(out("DIR", "Folder for the model"))
                    .arg(whole("layers", "2", "Blocks"))
                    .arg(whole("width", "64", "Width"))
                    .arg(whole("heads", "4", "Heads"))
                    .arg(number("normalizer", "16", "τ: larger, and the state forgets less at first"))
                    .arg(whole("context", "128", "Bytes of a training window"))
                    .arg(whole("batch", "16", "Windows of a step"))
                    .arg(whole("steps", "300", "Steps"))
                    .arg(number("learning-rate", "0.005", "Largest step size"))
                    .arg(whole("seed", "0", "Seed of the initial values and windows"))
                    .arg(overwrite("Replace the folder if it is there"))
                    .arg(json()),
            )
            .subcommand(
                sampled(
                    Command::new("generate")
                        .about("Continue a text, byte by byte")
                        .after_help(
                            "Examples:\n  offprint use gla generate model --prompt \"Shall I \"\n  \
                            cat BOOK.txt | offprint use gla generate model --stream",
                        )
                        .arg(model())
                        .arg(option("prompt", "TEXT", "Text to continue"))
                        .arg(flag("stream", "Read the text to continue from standard input, in constant memory"))
                        .arg(from()),
                ),
            )
            .subcommand(
                Command::new("state")
                    .about("Keep what the model remembers of a text, and go on from it")
                    .subcommand_required(true)
                    .arg_required_else_help(true)
                    .after_help("Example:\n  offprint use gla state save model BOOK.txt --out book.safetensors")
                    .subcommand(
                        Command::new("save")
                            .about("Read a text and save the state after it")
                            .after_help("Example:\n  offprint use gla state save model BOOK.txt --out book.safetensors")
                            .arg(model())
                            .arg(path("text", "TEXT", "Text to read; - for standard input").required(true))
                            .arg(out("FILE", "File for the state"))
                            .arg(from())
                            .arg(overwrite("Replace the file if it is there"))
                            .arg(json()),
                    )
                    .subcommand(sampled(
                        Command::new("load")
                            .about("Continue the text that a state has seen")
                            .after_help("Example:\n  offprint use gla state load model book.safetensors --tokens 500")
                            .arg(model())
                            .arg(path("state", "FILE", "State that save wrote").required(true))
                            .arg(option("prompt", "TEXT", "Text that follows first")),
                    )),
            )
    }

    fn run(&self, matches: &ArgMatches) -> Result<()> {
        match matches.subcommand() {
            Some(("train", matches)) => train::run(matches),
            Some(("generate", matches)) => generate::run(matches),
            Some(("state", matches)) => match matches.subcommand() {
                Some(("save", matches)) => state::save(matches),
                Some(("load", matches)) => generate::from_state(matches),
                _ => unreachable!("the grammar requires one"),
            },
            _ => unreachable!("the grammar requires one"),
        }
    }
}

/// Options of what writes text.
fn sampled(command: Command) -> Command {
    command
        .arg(whole("tokens", "200", "Bytes to write"))
        .arg(number(
            "temperature",
            "0.8",
            "Divides the logits; 0 for the likeliest byte always",
        ))
        .arg(whole_or_none("top-k", "Only the N likeliest bytes"))
        .arg(number_or_none(
            "top-p",
            "Only the likeliest bytes of that much probability",
        ))
        .arg(whole("seed", "0", "Seed of the draws"))
}
