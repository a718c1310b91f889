//! `offprint train`.

use super::launch::{LaunchArgs, absolute, command_line, launch};
use clap::Args;
use offprint_backbones::train::{self, Request};
use offprint_lab::error::{Error, Result};
use offprint_papers::catalogue::find;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint train --config examples/train/mlp.toml\n  \
    offprint train --config examples/train/mlp.toml --set backbone.activation=silu --seeds 5\n  \
    offprint report mlp-digits --html mlp.html"
)]
pub struct TrainArgs {
    /// What to train on what: TOML with name, [backbone], [data], [training] and, for several models, [[arm]].
    #[arg(long, value_name = "FILE.toml")]
    config: PathBuf,
    /// A setting over the file's: training.batch=128.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    sets: Vec<String>,
    /// Only these arms.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    arms: Vec<String>,
    /// Number of seeds.
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// Folder of your data sets, and of the files that the configuration names; these are beside it where absent.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    launch: LaunchArgs,
}

pub fn train(args: &TrainArgs) -> Result<()> {
    let text = std::fs::read_to_string(&args.config).map_err(|error| {
        Error::input(format!("cannot read {}: {error}", args.config.display()))
            .help("examples: examples/train/*.toml")
    })?;
    let request = Request {
        text,
        file: args.config.clone(),
        sets: args.sets.clone(),
        arms: args.arms.clone(),
        seeds: args.seeds,
        data_dir: args.data_dir.as_deref().map(absolute).transpose()?,
        command: command_line(),
        build: offprint_papers::library(),
    };
    let mut plan = train::plan(&request)?;
    if find(&plan.slug).is_some() {
        return Err(Error::input(format!(
            "name = \"{}\", but a paper has that name",
            plan.slug
        )));
    }
    let (run, work) = train::study(&plan)?;
    launch(run, work, &mut plan, &args.launch)
}
