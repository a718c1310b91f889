//! Arguments of the commands on a user's files, and what they print.

use crate::explain::explain_data;
use crate::model_folder::taken;
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
    whole_or_none(name, help).default_value(default)
}

/// An option with a whole number that has no default.
pub(crate) fn whole_or_none(name: &'static str, help: &'static str) -> Arg {
    // A negative number is a value, to be refused by name, and no option.
    option(name, "N", help)
        .allow_negative_numbers(true)
        .value_parser(|text: &str| {
            let value = text.parse::<u64>();
            value.map_err(|_| "it must be a whole number of at least 0")
        })
}

/// An option with a number.
pub(crate) fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    number_or_none(name, help).default_value(default)
}

/// An option with a number that has no default.
pub(crate) fn number_or_none(name: &'static str, help: &'static str) -> Arg {
    option(name, "X", help)
        .allow_negative_numbers(true)
        .value_parser(|text: &str| text.parse::<f64>().map_err(|_| "it must be a number"))
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

/// The path of `--out`, before any work is done for it. What is there already is only replaced where a command that asks for
/// `--overwrite` is given it.
///
/// # Errors
/// It is there already, or its folder is not, or it is a folder itself.
pub(crate) fn out_of(matches: &ArgMatches) -> Result<&Path> {
    let out = required(matches, "out");
    match matches.try_get_one::<bool>("overwrite").ok().flatten() {
        Some(false) if out.exists() => return Err(taken(out)),
        None if out.is_dir() => {
            let message = format!("cannot write {}: it is a folder", out.display());
            return Err(Error::input(message));
        }
        _ => {}
    }
    writable(out)?;
    Ok(out)
}

/// Checks that there is a folder for a file or folder that is to be written.
///
/// # Errors
/// There is none.
pub(crate) fn writable(out: &Path) -> Result<()> {
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let (out, folder) = (out.display(), folder.display());
            Err(
                Error::input(format!("cannot write {out}: there is no folder {folder}"))
                    .help("make it, or choose another --out"),
            )
        }
        _ => Ok(()),
    }
}

/// The path of `--out` for a picture.
///
/// # Errors
/// As [`out_of`], or the name does not end with `.svg`.
pub(crate) fn picture_of(matches: &ArgMatches) -> Result<&Path> {
    let out = out_of(matches)?;
    match out.extension().is_some_and(|ending| ending == "svg") {
        true => Ok(out),
        false => Err(refuse("out", out.display(), "a name that ends with .svg")),
    }
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
    arrays::read(&path, member).map_err(explain_data)
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
