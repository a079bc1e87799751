//! One backup at a time on this machine: a lock on a file in the data folder, which the system lets go of when its holder
//! dies, however it dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use engify_core::{Error, Kind, Result};

/// What the file is called.
const NAME: &str = "backup.lock";

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lives as long as its file is open")] File);

impl Lock {
    /// Takes the lock of this data folder.
    ///
    /// # Errors
    /// `backup_running` where somebody else holds it.
    pub(super) async fn take(folder: &Path) -> Result<Self> {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || take(&folder)).await.map_err(Error::internal)?
    }
}

fn take(folder: &Path) -> Result<Lock> {
    let open = || {
        std::fs::create_dir_all(folder)?;
        OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(NAME))
    };
    let file = open().map_err(|fault| {
        Error::unavailable(
            "backup_unavailable",
            "No lock can be taken in the data folder (ENGIFY_DATA_DIR). Give the account that runs Engify the right to \
             write there.",
        )
        .because(fault.to_string())
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(Error::new(
            Kind::Conflict,
            "backup_running",
            "Another backup is being taken on this machine. Wait until it ends and try again.",
        )),
        Err(TryLockError::Error(fault)) => Err(Error::internal(fault)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path()).unwrap();
        assert_eq!(take(folder.path()).unwrap_err().code(), "backup_running");
        drop(first);
        take(folder.path()).unwrap();
    }
}
