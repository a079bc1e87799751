//! One backup and one restore at a time on this machine: locks on files in the data folder, which the system lets go of
//! when their holder dies, however it dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use engify_core::{Error, Kind, Result};

/// What only one at a time may do.
#[derive(Debug, Clone, Copy)]
struct What {
    /// What the file is called.
    file: &'static str,
    code: &'static str,
    message: &'static str,
}

const BACKUP: What = What {
    file: "backup.lock",
    code: "backup_running",
    message: "Another backup is being taken on this machine. Wait until it ends and try again.",
};

const RESTORE: What = What {
    file: "restore.lock",
    code: "restore_running",
    message: "Another restore is under way on this machine. Wait until it ends and try again.",
};

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock lives as long as its file is open")] File);

impl Lock {
    /// Takes the lock for backups of this data folder.
    ///
    /// # Errors
    /// `backup_running` where somebody else holds it.
    pub(crate) async fn backup(folder: &Path) -> Result<Self> {
        Self::of(folder, BACKUP).await
    }

    /// Takes the lock for restores.
    ///
    /// # Errors
    /// `restore_running` where somebody else holds it.
    pub(crate) async fn restore(folder: &Path) -> Result<Self> {
        Self::of(folder, RESTORE).await
    }

    async fn of(folder: &Path, what: What) -> Result<Self> {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || take(&folder, what)).await.map_err(Error::internal)?
    }
}

fn take(folder: &Path, what: What) -> Result<Lock> {
    let open = || {
        std::fs::create_dir_all(folder)?;
        OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(what.file))
    };
    let file = open().map_err(|fault| {
        Error::unavailable(
            "data_dir_unusable",
            "No lock can be taken in the data folder (ENGIFY_DATA_DIR). Give the account that runs Engify the right to \
             write there.",
        )
        .because(fault.to_string())
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(Error::new(Kind::Conflict, what.code, what.message)),
        Err(TryLockError::Error(fault)) => Err(Error::internal(fault)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path(), BACKUP).unwrap();
        assert_eq!(take(folder.path(), BACKUP).unwrap_err().code(), "backup_running");
        take(folder.path(), RESTORE).unwrap();
        drop(first);
        take(folder.path(), BACKUP).unwrap();
    }
}
