//! From settings to the application: data folder, secret, store, caller.

use std::io::{ErrorKind, Write};
use std::path::Path;

use engify_app::jobs::Registry;
use engify_app::{App, Parts};
use engify_clients::ai::{Caller, CallerOptions};
use engify_clients::kv::{Kv, KvOptions};
use engify_core::settings::{Database, Settings};
use engify_core::{Clock, Error, Ids, Result, Secret, error};
use engify_ops::lock::Lock;
use engify_store::{Options, Store, Target};

use crate::environment::Environment;
use crate::operations;

/// The application of these settings, which were found in this environment.
pub(crate) async fn app(environment: &Environment, settings: Settings) -> Result<App> {
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let secret = match &settings.core.secret {
        Some(secret) => secret.clone(),
        None => kept_secret(&settings.core.data_dir, &ids)?,
    };
    let caller =
        Caller::new(CallerOptions::default(), ids.clone(), clock.clone()).map_err(Error::internal)?;
    let store = store(&settings, &clock).await?;
    // What is kept is true by positions in one journal, and limits are one site's: databases that share a Redis share neither.
    let database = store.note_once("name", hex(&ids.random::<8>())).await?;
    let options = KvOptions::named(settings.core.environment.as_str()).of_database(&database);
    let shared = Kv::new(&settings.redis, &options, ids.clone()).map_err(Error::internal)?;
    let jobs = operations::with_operations(Registry::shipped()?)?;
    let shown = environment.shown();
    App::start(Parts { settings, shown, store, caller, shared, clock, ids, secret, jobs })
}

/// Says that a server runs on the embedded database of these settings, for as long as it is held.
pub(crate) async fn serving(settings: &Settings) -> Result<Option<Lock>> {
    if !matches!(settings.core.database, Database::Embedded) {
        return Ok(None);
    }
    make_dir(&settings.core.data_dir)?;
    Lock::serving(&settings.core.data_dir).await.map(Some)
}

/// The database of these settings alone.
pub(crate) async fn store(settings: &Settings, clock: &Clock) -> Result<Store> {
    let target = match &settings.core.database {
        Database::Embedded => {
            make_dir(&settings.core.data_dir)?;
            Target::Embedded { dir: settings.core.data_dir.clone() }
        }
        Database::Mongo(uri) => Target::Mongo { uri: uri.clone() },
    };
    Store::open(target, Options::new(clock.clone())).await
}

/// The secret of this installation, made at its first start.
fn kept_secret(dir: &Path, ids: &Ids) -> Result<Secret<String>> {
    make_dir(dir)?;
    let path = dir.join("secret");
    match std::fs::read_to_string(&path) {
        Ok(text) => checked(&path, text),
        Err(error) if error.kind() == ErrorKind::NotFound => make_secret(&path, ids),
        Err(error) => Err(unusable(&path, error)),
    }
}

/// Writes a new secret under another name and links it into place: it is there whole or not at all, and of two
/// programs that start at once, both take the one that was first.
fn make_secret(path: &Path, ids: &Ids) -> Result<Secret<String>> {
    let draft = path.with_extension(format!("{}.new", hex(&ids.random::<8>())));
    let text = hex(&ids.random::<32>());
    let written = private_file(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::hard_link(&draft, path));
    // Whatever happened: the draft is of no use any more, and a stale one is harmless.
    let _ = std::fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(Secret::new(text)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => std::fs::read_to_string(path)
            .map_err(|error| unusable(path, error))
            .and_then(|text| checked(path, text)),
        Err(error) => Err(unusable(path, error)),
    }
}

fn checked(path: &Path, text: String) -> Result<Secret<String>> {
    let secret = Secret::new(text.trim().to_owned());
    if secret.reveal().chars().count() < 32 {
        let message = format!(
            "{} holds fewer than 32 characters. Put the secret back from a backup, or delete the file: a new one is made \
             at the next start, and open set-up links end.",
            path.display()
        );
        return Err(Error::unavailable("secret_unusable", message));
    }
    Ok(secret)
}

fn unusable(path: &Path, error: std::io::Error) -> Error {
    let message = format!(
        "{} cannot be used ({}). Set NEXTAUTH_SECRET, or ENGIFY_DATA_DIR to a folder that this user may write.",
        path.display(),
        error::why(&error)
    );
    Error::unavailable("secret_unusable", message).because(error)
}

/// Makes the data folder for its owner alone; one that is there stays as it is.
fn make_dir(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| {
        let message = format!(
            "The data folder {} cannot be made ({}). Set ENGIFY_DATA_DIR to a folder that this user may write.",
            dir.display(),
            error::why(&error)
        );
        Error::unavailable("data_dir_unusable", message).because(error)
    })
}

fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/data");
        let ids = Ids::system(Clock::system());
        let first = kept_secret(&data, &ids).unwrap();
        assert_eq!(first.reveal().len(), 64);
        assert_eq!(kept_secret(&data, &ids).unwrap(), first);
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "no draft is left behind");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&data), mode(&data.join("secret"))), (0o700, 0o600));
        }
    }

    #[test]
    fn a_cut_secret_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "short").unwrap();
        let refusal = kept_secret(dir.path(), &Ids::system(Clock::system())).unwrap_err();
        assert!(refusal.message().contains("delete the file"), "{refusal}");
    }
}
