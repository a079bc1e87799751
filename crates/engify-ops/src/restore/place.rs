//! The database that is restored into.

use std::path::{Path, PathBuf};

use engify_core::{Clock, Error, Result};
use engify_store::{Options, Store, Target};

/// The file of an embedded database.
pub(super) const FILE: &str = "engify.db";

/// What is there now.
#[derive(Debug, Clone)]
pub enum Live {
    /// A database that works.
    Open(Store),
    /// No embedded database in this folder.
    Missing(PathBuf),
    /// One that is damaged in this folder.
    Damaged(PathBuf),
}

impl Live {
    /// Looks at a database, and opens it where it can be opened, also one that a killed restore left.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn at(target: Target, clock: &Clock) -> Result<Self> {
        let options = Options { unfinished_restore: true, ..Options::new(clock.clone()) };
        let Target::Embedded { dir } = &target else {
            return Ok(Self::Open(Store::open(target, options).await?));
        };
        let dir = dir.clone();
        if !has_content(&dir.join(FILE)).await? {
            return Ok(Self::Missing(dir));
        }
        let opened = async {
            let store = Store::open(target, options).await?;
            match store.check().await {
                Ok(()) => Ok(store),
                Err(error) => {
                    store.close().await;
                    Err(error)
                }
            }
        };
        match Box::pin(opened).await {
            Ok(store) => Ok(Self::Open(store)),
            Err(error) if error.code() == "database_damaged" => Ok(Self::Damaged(dir)),
            Err(error) => Err(error),
        }
    }

    /// `sqlite`, `mongodb`, or `new` where there is no database yet.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Open(store) => store.kind(),
            Self::Missing(_) | Self::Damaged(_) => "new",
        }
    }

    /// Closes it.
    pub async fn close(&self) {
        if let Self::Open(store) = self {
            store.close().await;
        }
    }
}

/// Whether nobody has an account there: then nothing is lost, and nothing of it is kept.
pub(super) async fn is_fresh(store: &Store) -> Result<bool> {
    Ok(store.stats().await?.iter().all(|one| one.collection != "users" || one.documents == 0))
}

/// A file of no bytes is no database, whoever left it.
async fn has_content(file: &Path) -> Result<bool> {
    match tokio::fs::metadata(file).await {
        Ok(found) => Ok(found.len() > 0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::unavailable(
            "database_unavailable",
            format!(
                "{} cannot be looked at ({}). Give this account the right to read it.",
                file.display(),
                error.kind()
            ),
        )),
    }
}
