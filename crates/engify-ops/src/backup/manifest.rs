//! The manifest of a backup: what it holds, part by part, and the seal over that. Format: `docs/backup-format.md`.

use engify_core::backup::BackupKind;
use engify_core::ids::BackupId;
use engify_core::{Error, Kind, Result, Time};
use engify_store::{Collection, bson};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::layers::Sums;
use crate::contents::{Content, Contents};
use crate::seal::{Key, wrong_key};

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The longest manifest that is read, bytes.
pub(super) const LONGEST: u64 = 4 * 1024 * 1024;

/// What a backup holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Its name.
    pub id: BackupId,
    /// Why it was taken.
    pub kind: BackupKind,
    /// The version of Engify that took it.
    pub engify: String,
    /// The database that it was taken of: `sqlite` or `mongodb`.
    pub database: String,
    /// The moment that it holds.
    pub created_at: Time,
    /// When the last part was written.
    pub finished_at: Time,
    /// The journal's position: everything up to it is inside.
    pub position: u64,
    /// The key that it is encrypted with, by [`Key::id`]; none where it is not.
    pub key: Option<String>,
    /// Documents of all collections.
    pub documents: u64,
    /// SHA-256 of the content, as [`Contents::sha256`] makes it.
    pub sha256: String,
    /// One for each collection that is not empty, by name.
    pub parts: Vec<Part>,
}

/// One collection in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The collection.
    pub collection: String,
    /// The object, below the backup's own name.
    pub name: String,
    /// What is in it.
    #[serde(flatten)]
    pub content: Content,
    /// How long the object is: compressed, and encrypted where a key is set.
    pub stored_bytes: u64,
    /// SHA-256 of the object as it lies there, as hex.
    pub stored_sha256: String,
    /// Options and indexes, as `mongodump` writes them.
    pub metadata: Box<RawValue>,
}

/// What lies at the target: the manifest behind its seal, which is over the manifest's own bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    engify_backup: u32,
    /// SHA-256 of the manifest, as hex: against damage.
    sha256: String,
    /// A code that only who has the key can make: against change. None where no key was set.
    seal: Option<String>,
    manifest: Box<RawValue>,
}

impl Manifest {
    /// What it holds, to compare with.
    pub fn contents(&self) -> Contents {
        Contents(self.parts.iter().map(|part| (part.collection.clone(), part.content.clone())).collect())
    }

    /// Bytes at the target.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.stored_bytes).sum()
    }

    /// It has a collection that this program does not know.
    pub(super) fn unknown(&self, collection: &str) -> Error {
        let message = format!(
            "The backup {} has a collection {collection}, which this program does not know: Engify {} wrote it. Restore it with \
             that version.",
            self.id, self.engify
        );
        Error::new(Kind::Invalid, "backup_newer", message)
    }

    pub(super) fn write(&self, key: Option<&Key>) -> Result<Vec<u8>> {
        let manifest = serde_json::value::to_raw_value(self).map_err(Error::internal)?;
        let envelope = Envelope {
            engify_backup: FORMAT,
            sha256: hex::encode(Sha256::digest(manifest.get())),
            seal: key.map(|key| key.seal(manifest.get().as_bytes())),
            manifest,
        };
        serde_json::to_vec(&envelope).map_err(Error::internal)
    }

    /// Reads and checks one. Without the key of an encrypted backup it can be read and not believed: `key` then is none.
    pub(super) fn read(id: &BackupId, bytes: &[u8]) -> Result<Sealed> {
        let envelope: Envelope = match serde_json::from_slice(bytes) {
            Ok(envelope) => envelope,
            // A newer format may look otherwise inside; its number is where it always was.
            Err(fault) => match serde_json::from_slice::<Number>(bytes) {
                Ok(Number { engify_backup }) if engify_backup > FORMAT => {
                    return Err(newer(id, engify_backup));
                }
                _ => return Err(foreign(id).because(fault)),
            },
        };
        if envelope.engify_backup > FORMAT {
            return Err(newer(id, envelope.engify_backup));
        }
        if hex::encode(Sha256::digest(envelope.manifest.get())) != envelope.sha256 {
            return Err(damaged(id, "its manifest was changed"));
        }
        let manifest: Self = serde_json::from_str(envelope.manifest.get())
            .map_err(|fault| damaged(id, "its manifest cannot be read").because(fault))?;
        if manifest.id != *id {
            return Err(damaged(id, &format!("its manifest is that of {}", manifest.id)));
        }
        Ok(Sealed { manifest, text: envelope.manifest, seal: envelope.seal })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Number {
    engify_backup: u32,
}

/// A manifest whose seal was not looked at yet.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) manifest: Manifest,
    text: Box<RawValue>,
    seal: Option<String>,
}

impl Sealed {
    /// The manifest, if the key is the one it was made with.
    pub(super) fn opened(self, key: Option<&Key>) -> Result<Manifest> {
        let id = &self.manifest.id;
        match (&self.manifest.key, key) {
            (Some(theirs), key) if key.is_none_or(|key| key.id() != theirs) => {
                Err(wrong_key(&format!("The backup {id}"), theirs, key))
            }
            (Some(_), Some(key)) => match &self.seal {
                Some(seal) if key.is_seal_of(seal, self.text.get().as_bytes()) => Ok(self.manifest),
                _ => Err(damaged(id, "its manifest was made by somebody without the key")),
            },
            _ => Ok(self.manifest),
        }
    }
}

/// The line of a collection that was written.
pub(super) fn part(collection: &Collection, name: String, sums: Sums) -> Result<Part> {
    let Sums { content, stored_bytes, stored_sha256 } = sums;
    let metadata = RawValue::from_string(bson::metadata(collection)).map_err(Error::internal)?;
    Ok(Part { collection: collection.name.to_owned(), name, content, stored_bytes, stored_sha256, metadata })
}

/// A backup that cannot be believed.
pub(super) fn damaged(id: &BackupId, why: &str) -> Error {
    let message =
        format!("The backup {id} is damaged: {why}. Use another one; `engify db backups` lists them.");
    Error::new(Kind::Invalid, "backup_damaged", message)
}

fn foreign(id: &BackupId) -> Error {
    let message = format!("What is at {id} is not a backup of Engify. See that the place is the right one.");
    Error::new(Kind::Invalid, "not_a_backup", message)
}

fn newer(id: &BackupId, format: u32) -> Error {
    let message = format!(
        "The backup {id} was written by a newer Engify (format {format}; this program reads up to {FORMAT}). Restore it with \
         that version."
    );
    Error::new(Kind::Invalid, "backup_newer", message)
}

#[cfg(test)]
mod tests {
    use engify_core::{Clock, Ids, Secret};

    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(&Secret::new(text.repeat(32))).unwrap()
    }

    fn manifest(key: Option<&Key>) -> Manifest {
        let now = Time::from_millis(0);
        Manifest {
            id: BackupId::make(&Ids::seeded(Clock::fixed(now), 1)),
            kind: BackupKind::Daily,
            engify: "0.1.0".to_owned(),
            database: "sqlite".to_owned(),
            created_at: now,
            finished_at: now,
            position: 7,
            key: key.map(|key| key.id().to_owned()),
            documents: 0,
            sha256: Contents::default().sha256(),
            parts: Vec::new(),
        }
    }

    fn code(bytes: &[u8], id: &BackupId, key: Option<&Key>) -> &'static str {
        match Manifest::read(id, bytes).and_then(|sealed| sealed.opened(key)) {
            Ok(_) => "fine",
            Err(refused) => refused.code(),
        }
    }

    #[test]
    fn what_is_not_ours_or_was_changed_is_refused() {
        let manifest = manifest(None);
        let (id, bytes) = (&manifest.id, manifest.write(None).unwrap());
        assert_eq!(code(&bytes, id, None), "fine");
        assert_eq!(code(&bytes, id, Some(&key("ab"))), "fine", "from before there was a key");
        assert_eq!(code(b"", id, None), "not_a_backup");
        assert_eq!(code(b"{\"hello\":1}", id, None), "not_a_backup");
        assert_eq!(code(&bytes[..bytes.len() - 2], id, None), "not_a_backup");
        let text = String::from_utf8(bytes).unwrap();
        let changed = text.replace("\"position\":7", "\"position\":8");
        assert_eq!(code(changed.as_bytes(), id, None), "backup_damaged");
        let newer = text.replace("\"engifyBackup\":1", "\"engifyBackup\":2");
        assert_eq!(code(newer.as_bytes(), id, None), "backup_newer");
        assert_eq!(code(b"{\"engifyBackup\":2,\"somethingElse\":true}", id, None), "backup_newer");
        let other = BackupId::parse("another").unwrap();
        assert_eq!(code(text.as_bytes(), &other, None), "backup_damaged", "put in another one's place");
    }

    #[test]
    fn only_the_right_key_opens_what_was_sealed() {
        let (ours, other) = (key("ab"), key("cd"));
        let manifest = manifest(Some(&ours));
        let (id, bytes) = (&manifest.id, manifest.write(Some(&ours)).unwrap());
        assert_eq!(code(&bytes, id, Some(&ours)), "fine");
        assert_eq!(code(&bytes, id, Some(&other)), "wrong_key");
        assert_eq!(code(&bytes, id, None), "wrong_key");
        // Somebody without the key can make a manifest with a right sum, and no seal.
        let forged = manifest.write(Some(&other)).unwrap();
        assert_eq!(code(&forged, id, Some(&ours)), "backup_damaged");
        assert_eq!(code(&manifest.write(None).unwrap(), id, Some(&ours)), "backup_damaged");
    }
}
