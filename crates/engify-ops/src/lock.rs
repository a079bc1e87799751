//! One backup and one restore at a time on this machine: locks on files in the data folder, which the system lets go of
//! when their holder dies, however it dies.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
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

/// That no server runs on an embedded database.
const ALONE: What = What {
    file: SERVING,
    code: "server_running",
    message: "A server runs on this data folder, without a usable database. Stop it, and run the same again: it would go on \
              writing where nobody looks any more.",
};

/// That no restore is putting the database's file into its place.
const SERVE: What = What {
    file: SERVING,
    code: "restore_running",
    message: "A restore is putting a database into this data folder. Start the server when it has ended.",
};

/// What servers of a data folder hold together, and a restore holds alone.
const SERVING: &str = "serve.lock";

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lives as long as its file is open")] File);

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

    /// Says that a server runs on the embedded database of this folder; others may as well.
    ///
    /// # Errors
    /// `restore_running` while a restore puts the database's file into its place.
    pub async fn serving(folder: &Path) -> Result<Self> {
        Self::by(folder, SERVE, File::try_lock_shared).await
    }

    /// Makes sure that no server runs on the embedded database of this folder, and that none starts.
    ///
    /// # Errors
    /// `server_running` where one does.
    pub(crate) async fn alone(folder: &Path) -> Result<Self> {
        Self::of(folder, ALONE).await
    }

    async fn of(folder: &Path, what: What) -> Result<Self> {
        Self::by(folder, what, File::try_lock).await
    }

    async fn by(folder: &Path, what: What, lock: Locking) -> Result<Self> {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || take(&folder, what, lock)).await.map_err(Error::internal)?
    }
}

/// Shared with others, or not.
type Locking = fn(&File) -> std::result::Result<(), TryLockError>;

fn take(folder: &Path, what: What, lock: Locking) -> Result<Lock> {
    let open = || {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        // For its owner alone: a database is put there.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
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
    match lock(&file) {
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
        let take = |what| take(folder.path(), what, File::try_lock);
        let first = take(BACKUP).unwrap();
        assert_eq!(take(BACKUP).unwrap_err().code(), "backup_running");
        take(RESTORE).unwrap();
        drop(first);
        take(BACKUP).unwrap();
    }

    #[tokio::test]
    async fn servers_run_together_and_not_while_a_file_is_put_into_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let servers =
            (Lock::serving(folder.path()).await.unwrap(), Lock::serving(folder.path()).await.unwrap());
        assert_eq!(Lock::alone(folder.path()).await.unwrap_err().code(), "server_running");
        drop(servers);
        let _restore = Lock::alone(folder.path()).await.unwrap();
        assert_eq!(Lock::serving(folder.path()).await.unwrap_err().code(), "restore_running");
    }
}
