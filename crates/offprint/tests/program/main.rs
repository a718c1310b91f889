//! The program as a user runs it.

mod bench;
mod catalogue;
mod deeponet;
mod fast_ibp;
mod gla;
mod kat;
mod kills;
mod language;
mod puzzles;
mod run;
mod train;
mod train_input;
mod use_on_files;

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// How a call ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the program in a folder.
pub fn offprint(folder: &Path, arguments: &[&str]) -> Ended {
    ended(
        command(folder, arguments)
            .output()
            .expect("the program starts"),
    )
}

/// The command, for who wants to start it otherwise.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
    command
        .current_dir(folder)
        .args(arguments)
        .env("NO_COLOR", "1");
    command
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

impl Ended {
    /// Asserts success.
    #[track_caller]
    pub fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// Asserts exit code 2, one error line with these words, and nothing on standard output.
    #[track_caller]
    pub fn bad(self, words: &[&str]) {
        assert_eq!(self.code, 2, "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        for word in words {
            assert!(self.err.contains(word), "no \"{word}\" in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("one JSON document and nothing else")
    }
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Settings under which a trial takes a second.
pub const SMALL: &[&str] = &[
    "--set",
    "pictures=256",
    "--set",
    "held_out=64",
    "--set",
    "epochs=2",
    "--set",
    "batch=32",
    "--set",
    "experts=4",
];
