//! What the settings say of backups, ready to be used.

use std::path::PathBuf;

use engify_clients::objects::{Objects, ObjectsOptions};
use engify_core::Result;
use engify_core::backup::BackupKind;
use engify_core::settings::{KeepDays, ObjectPlace, S3, Settings};

use super::Plan;
use crate::seal::Key;

/// Targets, key, folder and rules of an installation.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where backups go.
    pub target: Objects,
    /// A second place that gets the same.
    pub replica: Option<Objects>,
    /// What they are encrypted with.
    pub key: Option<Key>,
    /// The data folder.
    pub folder: PathBuf,
    /// How long they are kept; none to delete nothing.
    pub keep: Option<KeepDays>,
    s3: S3,
}

impl Setup {
    /// Nobody is called yet.
    ///
    /// # Errors
    /// `invalid_settings` for a key that is none; where a place cannot be used at all.
    pub fn of(settings: &Settings) -> Result<Self> {
        let backups = &settings.backups;
        let open = |place: &ObjectPlace| Objects::new(place, &backups.s3, ObjectsOptions::default());
        Ok(Self {
            target: open(&backups.target)?,
            replica: backups.replica.as_ref().map(open).transpose()?,
            key: backups.encryption_key.as_ref().map(Key::parse).transpose()?,
            folder: settings.core.data_dir.clone(),
            keep: Some(backups.keep),
            s3: backups.s3.clone(),
        })
    }

    /// With another target, which is somebody's own to look after: nothing is copied from there, and nothing deleted.
    ///
    /// # Errors
    /// Where the place cannot be used at all.
    pub fn at(self, place: &ObjectPlace) -> Result<Self> {
        let target = Objects::new(place, &self.s3, ObjectsOptions::default())?;
        Ok(Self { target, replica: None, keep: None, ..self })
    }

    /// A plan for a backup.
    pub fn plan(&self, kind: BackupKind) -> Plan<'_> {
        Plan {
            kind,
            target: &self.target,
            replica: self.replica.as_ref(),
            key: self.key.as_ref(),
            folder: &self.folder,
            keep: self.keep.as_ref(),
        }
    }
}
