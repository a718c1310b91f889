//! `offprint run`.

use super::{
    BudgetArg,
    launch::{LaunchArgs, absolute, command_line, launch},
    running,
};
use clap::Args;
use offprint_lab::{
    error::Result,
    run::{Plan, Request},
    settings::Overrides,
};
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  offprint run comet\n  offprint run comet --budget full\n  \
    offprint run comet --arms comet+,topk --seeds 5 --set batch=256"
)]
pub struct RunArgs {
    /// The paper.
    slug: String,
    /// How much it may cost.
    #[arg(long, value_enum, default_value = "quick")]
    budget: BudgetArg,
    /// Only these arms.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    arms: Vec<String>,
    /// Number of seeds.
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// A setting of the study, over a file's.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Settings of the study from a TOML file.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Folder of your data sets.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    launch: LaunchArgs,
}

pub fn run(args: &RunArgs) -> Result<()> {
    let (paper, work) = running(&args.slug)?;
    let mut overrides = Overrides::default();
    if let Some(path) = &args.config {
        overrides.file(path)?;
    }
    for assignment in &args.sets {
        overrides.set(assignment)?;
    }
    let request = Request {
        budget: args.budget.into(),
        arms: args.arms.clone(),
        seeds: args.seeds,
        overrides,
        data_dir: args.data_dir.as_deref().map(absolute).transpose()?,
        command: command_line(),
    };
    let mut plan = Plan::new(paper, work, &request, offprint_papers::build(paper.slug))?;
    launch(paper, work, &mut plan, &args.launch)
}
