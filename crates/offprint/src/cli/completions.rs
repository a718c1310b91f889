//! `offprint completions`.

use super::grammar;
use clap::Args;
use clap_complete::Shell;
use offprint_lab::error::Result;

#[derive(Args)]
#[command(
    after_help = "Example:\n  offprint completions bash > ~/.local/share/bash-completion/completions/offprint"
)]
pub struct CompletionsArgs {
    /// Your shell.
    shell: Shell,
}

pub fn completions(args: &CompletionsArgs) -> Result<()> {
    clap_complete::generate(
        args.shell,
        &mut grammar(),
        "offprint",
        &mut std::io::stdout(),
    );
    Ok(())
}
