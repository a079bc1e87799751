//! What lies at a backup target, for fuzzers. See [`crate::fuzzing`].

use engify_core::ids::BackupId;

use super::manifest::Manifest;

/// A manifest is believed only under its own id, and what is wrong with it is told by a known word.
pub fn manifest(bytes: &[u8]) {
    let Ok(id) = BackupId::parse("backup-1") else { return };
    match Manifest::read(&id, bytes) {
        Ok(sealed) => assert_eq!(sealed.manifest.id, id),
        Err(error) => assert!(!error.code().is_empty() && !error.message().contains('\0'), "{error}"),
    }
}
