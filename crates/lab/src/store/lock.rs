//! One program at a time.

use crate::error::{Error, Result};
use std::{
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

/// The lock of a study or a trial; released when dropped, and by the system when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting for it if another process has it.
    ///
    /// # Errors
    /// The file cannot be made or locked.
    pub fn take(path: &Path, waiting: impl FnOnce(&str)) -> Result<Self> {
        let fail = |error| Error::io("lock", path, error);
        let mut options = File::options();
        let mut file = options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The name of the holder is a courtesy: without it the message is only shorter.
                let _ = file.read_to_string(&mut holder);
                waiting(holder.trim());
                file.lock().map_err(fail)?;
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        file.set_len(0).map_err(fail)?;
        file.rewind().map_err(fail)?;
        file.write_all(std::process::id().to_string().as_bytes())
            .map_err(fail)?;
        Ok(Self { _file: file })
    }
}
