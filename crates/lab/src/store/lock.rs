//! One program at a time.

use crate::error::{Error, Result};
use std::{
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
    time::Duration,
};

/// Time between two looks at a lock that is taken: a blocking call could not be told to give up.
const POLL: Duration = Duration::from_millis(50);

/// The lock of a study or a trial; released when dropped, and by the system when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock. If another process has it, calls `waiting` once with that process's number and waits until the
    /// lock is free or `give_up` says so.
    ///
    /// # Errors
    /// The file cannot be made or locked; `give_up` said so.
    pub fn take(
        path: &Path,
        waiting: impl FnOnce(&str),
        give_up: impl Fn() -> bool,
    ) -> Result<Self> {
        let fail = |error| Error::io("lock", path, error);
        let mut options = File::options();
        let mut file = options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(fail)?;
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if give_up() => {
                    return Err(Error::stopped(
                        "Stopped while waiting; nothing was changed.",
                    ));
                }
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        let mut holder = String::new();
                        // The name of the holder is a courtesy: without it the message is only shorter.
                        let _ = file.read_to_string(&mut holder);
                        waiting(holder.trim());
                    }
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::Error(error)) => return Err(fail(error)),
            }
        }
        file.set_len(0).map_err(fail)?;
        file.rewind().map_err(fail)?;
        file.write_all(std::process::id().to_string().as_bytes())
            .map_err(fail)?;
        Ok(Self { _file: file })
    }
}
