//! Arguments of the commands on a user's files, and what they print.

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use offprint_data::arrays::{self, Array};
use offprint_lab::{Error, Result};
use std::path::{Path, PathBuf};

/// A file or folder by its place in the line.
pub(crate) fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .value_name(value)
        .help(help)
        .value_parser(value_parser!(PathBuf))
}

/// An option with a text.
pub(crate) fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// An option with a whole number.
pub(crate) fn whole(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    option(name, "N", help)
        .default_value(default)
        .value_parser(value_parser!(u64))
}

/// An option with a number.
pub(crate) fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    option(name, "X", help)
        .default_value(default)
        .value_parser(value_parser!(f64))
}

/// An option with a number that may be negative, to be refused by name.
pub(crate) fn signed(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    number(name, default, help).allow_negative_numbers(true)
}

/// The error of an option out of its range.
pub(crate) fn refuse(name: &str, value: impl ToString, allowed: &str) -> Error {
    Error::input(format!(
        "--{name} {}, but it must be {allowed}",
        value.to_string()
    ))
}

/// An option without a value.
pub(crate) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

/// The path of an argument that must be given.
pub(crate) fn required<'a>(matches: &'a ArgMatches, name: &str) -> &'a Path {
    matches
        .get_one::<PathBuf>(name)
        .expect("the grammar requires it")
}

/// The number of a [`whole`] option.
pub(crate) fn whole_of(matches: &ArgMatches, name: &str) -> u64 {
    *matches.get_one(name).expect("it has a default")
}

/// The number of a [`number`] option.
pub(crate) fn number_of(matches: &ArgMatches, name: &str) -> f64 {
    *matches.get_one(name).expect("it has a default")
}

/// The texts of an option that takes several.
pub(crate) fn list(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches
        .get_many::<String>(name)
        .unwrap_or_default()
        .cloned()
        .collect()
}

/// File and member of an array that a text names: `FILE`, or `FILE.npz:NAME`.
pub(crate) fn place(text: &str) -> (PathBuf, Option<&str>) {
    match text.rsplit_once(".npz:") {
        Some((stem, member)) => (format!("{stem}.npz").into(), Some(member)),
        None => (text.into(), None),
    }
}

/// The array at a [`place`].
///
/// # Errors
/// The file cannot be read, or holds no such array.
pub(crate) fn array(text: &str) -> Result<Array> {
    let (path, member) = place(text);
    arrays::read(&path, member).map_err(|error| {
        let message = Error::input(error.to_string());
        match error.help() {
            Some(help) => message.help(help),
            None => message,
        }
    })
}

/// Prints a JSON document or a text.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print(json: bool, document: &serde_json::Value, text: &str) -> Result<()> {
    use std::io::Write as _;
    let text = match json {
        true => format!("{document:#}\n"),
        false => text.to_string(),
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::run(format!("cannot write to standard output: {error}")))
}
