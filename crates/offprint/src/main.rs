//! The `offprint` program.

mod bench;
mod cli;
mod progress;

use offprint_lab::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.fault().exit_code())
        }
    }
}

/// Prints an error as a person reads it: what is wrong, then what to do next.
fn report(error: &Error) {
    match error.fault() {
        offprint_lab::error::Fault::Stopped => eprintln!("{error}"),
        _ => eprintln!("error: {error}"),
    }
    for line in error.help_text().unwrap_or_default().lines() {
        eprintln!("  {line}");
    }
}
