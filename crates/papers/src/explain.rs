//! What the library's rooms refuse, as the lab's error: wrong input, in their words.

use offprint_data::DataError;
use offprint_lab::Error;

/// An error of a room.
pub(crate) fn explain(error: impl std::error::Error) -> Error {
    Error::input(error.to_string())
}

/// An error of a file or a data set, with what to do about it.
pub(crate) fn explain_data(error: DataError) -> Error {
    let help = error.help();
    let message = explain(error);
    match help {
        Some(help) => message.help(help),
        None => message,
    }
}
