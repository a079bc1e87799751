//! Where backups go, and how they are protected there: a folder or an S3 bucket, a second one, a key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::load::Reader;
use crate::backup::BackupKind;
use crate::clock::Time;
use crate::secret::Secret;

/// Where backups and the shipped journal go.
#[derive(Debug, Clone)]
pub struct Backups {
    /// `BACKUP_TARGET`; the folder `backups` in the data dir where nothing is said.
    pub target: ObjectPlace,
    /// `BACKUP_REPLICA_TARGET`: a second place that gets the same.
    pub replica: Option<ObjectPlace>,
    /// `BACKUP_ENCRYPTION_KEY`: what leaves this machine is encrypted with it. 64 hex digits, or an age identity.
    pub encryption_key: Option<Secret<String>>,
    /// `ENGIFY_BACKUP_KEEP_DAYS`: how long backups are kept.
    pub keep: KeepDays,
    /// How S3 is spoken to, where a place is one.
    pub s3: S3,
    /// `ENGIFY_JOURNAL_KEEP_DAYS`: to how long ago any moment can be restored, days.
    pub journal_days: u32,
    /// `ENGIFY_RECOVERY_GOALS`: what drills are measured against.
    pub goals: RecoveryGoals,
}

/// What a recovery should reach. The default is the operations guide's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryGoals {
    /// Recovery time objective, seconds.
    pub rto_seconds: u64,
    /// Recovery point objective, seconds.
    pub rpo_seconds: u64,
    /// After how many days without a drill of a restore health says so.
    pub proof_days: u64,
}

impl Default for RecoveryGoals {
    fn default() -> Self {
        Self { rto_seconds: 3600, rpo_seconds: 6 * 3600, proof_days: 35 }
    }
}

/// How long backups are kept once a newer one was proven, days; 0 for ever. The default is the operations guide's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepDays {
    /// Those of every few hours.
    pub snapshot: u32,
    /// Those of every day.
    pub daily: u32,
    /// Those of every week.
    pub weekly: u32,
    /// Those that somebody asked for.
    pub manual: u32,
}

impl KeepDays {
    /// When the time of such a backup is over; none where it is kept for ever.
    pub fn until(&self, kind: BackupKind, created_at: Time) -> Option<Time> {
        let days = match kind {
            BackupKind::Snapshot => self.snapshot,
            BackupKind::Daily => self.daily,
            BackupKind::Weekly => self.weekly,
            BackupKind::Manual => self.manual,
        };
        (days > 0).then(|| created_at.plus(Duration::from_secs(u64::from(days) * 86_400)))
    }
}

impl Default for KeepDays {
    fn default() -> Self {
        Self { snapshot: 30, daily: 30, weekly: 90, manual: 90 }
    }
}

/// A place for objects: `file:path` or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ObjectPlace {
    /// A folder.
    Dir(PathBuf),
    /// Below a prefix of a bucket.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// Without slashes at its ends; empty for the whole bucket.
        prefix: String,
    },
}

/// How S3, or a server that speaks as it does, is spoken to.
#[derive(Debug, Clone)]
pub struct S3 {
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; none: those of the machine's role.
    pub key: Option<(String, Secret<String>)>,
    /// `AWS_SESSION_TOKEN`, beside a key that lives for hours only.
    pub session_token: Option<Secret<String>>,
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ENDPOINT_URL`, without a slash at the end; none for Amazon's own.
    pub endpoint: Option<String>,
    /// What the server encrypts with on its side; none: what the bucket says.
    pub encryption: Option<ServerSideEncryption>,
}

/// What an S3 server encrypts objects with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerSideEncryption {
    /// Keys of its own: `AES256`.
    Own,
    /// A key of its key service, by its id: `aws:kms`.
    KeyService(String),
}

impl ObjectPlace {
    /// Reads `file:path` and `s3://bucket/prefix`.
    ///
    /// # Errors
    /// Says what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        const WRONG: &str =
            "is neither a folder such as file:/var/backups/engify nor a bucket such as s3://bucket/prefix";
        if let Some(rest) = text.strip_prefix("file:") {
            let path = rest.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(rest);
            return if path.is_empty() { Err(WRONG.to_owned()) } else { Ok(Self::Dir(path.into())) };
        }
        let (bucket, prefix) =
            text.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))).ok_or(WRONG)?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(fits) {
            return Err(
                "has no name of a bucket behind s3://: 3 to 63 small letters, digits, - and .".to_owned()
            );
        }
        let prefix = prefix.trim_matches('/');
        if prefix.split('/').any(|part| matches!(part, "." | "..")) || prefix.contains("//") {
            return Err("has a prefix with . or .. or an empty part in it".to_owned());
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// As it is written in settings. It holds no secret.
impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(path) => write!(f, "file:{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn backups(&mut self, data_dir: &Path) -> Backups {
        let place = self.place("BACKUP_TARGET");
        let target = place.unwrap_or_else(|| ObjectPlace::Dir(data_dir.join("backups")));
        let replica = self.place("BACKUP_REPLICA_TARGET");
        if replica.as_ref() == Some(&target) {
            self.fault(
                "BACKUP_REPLICA_TARGET",
                "is the same place as BACKUP_TARGET; name a second one or none",
            );
        }
        let encryption_key = self.secret("BACKUP_ENCRYPTION_KEY");
        if encryption_key.as_ref().is_some_and(|key| !is_identity(key.reveal())) {
            self.fault(
                "BACKUP_ENCRYPTION_KEY",
                "is neither 32 bytes as 64 hex digits nor an age identity (AGE-SECRET-KEY-1…); make one with \
                 `openssl rand -hex 32` or `age-keygen`",
            );
        }
        Backups {
            target,
            replica,
            encryption_key,
            keep: self.keep(),
            s3: self.s3(),
            journal_days: self.number("ENGIFY_JOURNAL_KEEP_DAYS", 7_u32, 1, 365),
            goals: self.goals(),
        }
    }

    fn goals(&mut self) -> RecoveryGoals {
        const NAME: &str = "ENGIFY_RECOVERY_GOALS";
        let mut goals = RecoveryGoals::default();
        for pair in self.text(NAME).iter().flat_map(|text| text.split(',')) {
            let read = pair.split_once('=').and_then(|(name, figure)| {
                Some((name.trim(), figure.trim().parse::<u32>().ok().filter(|f| *f > 0)?))
            });
            match read {
                Some(("rto", seconds)) => goals.rto_seconds = seconds.into(),
                Some(("rpo", seconds)) => goals.rpo_seconds = seconds.into(),
                Some(("proof", days)) => goals.proof_days = days.into(),
                _ => {
                    let issue =
                        "names rto and rpo in seconds and proof in days, as in rto=3600,rpo=21600,proof=35";
                    self.fault(NAME, issue);
                    break;
                }
            }
        }
        goals
    }

    fn keep(&mut self) -> KeepDays {
        const NAME: &str = "ENGIFY_BACKUP_KEEP_DAYS";
        let mut keep = KeepDays::default();
        for pair in self.text(NAME).iter().flat_map(|text| text.split(',')) {
            let read = pair.split_once('=').and_then(|(kind, days)| {
                let days = days.trim().parse().ok().filter(|days| *days <= 36_500)?;
                Some((kind.trim(), days))
            });
            match read {
                Some(("snapshot", days)) => keep.snapshot = days,
                Some(("daily", days)) => keep.daily = days,
                Some(("weekly", days)) => keep.weekly = days,
                Some(("manual", days)) => keep.manual = days,
                _ => {
                    let issue = "names snapshot, daily, weekly or manual, each with days up to 36500 (0 is for ever), as in \
                                 snapshot=30,daily=30,weekly=90,manual=90";
                    self.fault(NAME, issue);
                    break;
                }
            }
        }
        keep
    }

    fn place(&mut self, name: &str) -> Option<ObjectPlace> {
        let text = self.text(name)?;
        ObjectPlace::parse(&text).map_err(|issue| self.fault(name, issue)).ok()
    }

    fn s3(&mut self) -> S3 {
        let key = match (self.text("AWS_ACCESS_KEY_ID"), self.secret("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => Some((id, secret)),
            (None, None) => None,
            (Some(_), None) => {
                self.fault("AWS_SECRET_ACCESS_KEY", "is missing beside AWS_ACCESS_KEY_ID");
                None
            }
            (None, Some(_)) => {
                self.fault("AWS_ACCESS_KEY_ID", "is missing beside AWS_SECRET_ACCESS_KEY");
                None
            }
        };
        let endpoint = self.text("AWS_ENDPOINT_URL").map(|given| self.address("AWS_ENDPOINT_URL", &given));
        S3 {
            key,
            session_token: self.secret("AWS_SESSION_TOKEN"),
            region: self.text("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            endpoint,
            encryption: self.server_side_encryption(),
        }
    }

    fn server_side_encryption(&mut self) -> Option<ServerSideEncryption> {
        const NAME: &str = "AWS_SERVER_SIDE_ENCRYPTION";
        match self.text(NAME)?.as_str() {
            "AES256" => Some(ServerSideEncryption::Own),
            "aws:kms" => {
                let id = self.text("AWS_SSE_KMS_KEY_ID");
                if id.is_none() {
                    let issue = "is missing beside AWS_SERVER_SIDE_ENCRYPTION=aws:kms; set the id of the key";
                    self.fault("AWS_SSE_KMS_KEY_ID", issue);
                }
                id.map(ServerSideEncryption::KeyService)
            }
            _ => {
                self.fault(NAME, "is AES256 or aws:kms");
                None
            }
        }
    }
}

/// Whether a text has the shape of an age identity, or of its 32 bytes in hex.
fn is_identity(text: &str) -> bool {
    let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex || text.len() == 74 && text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::load;

    fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
        let value =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        load(value).err().unwrap_or_default().into_iter().map(|fault| fault.name).collect()
    }

    #[test]
    fn places_are_read_and_written_alike() {
        for (text, written) in [
            ("file:/var/backups", "file:/var/backups"),
            ("file:///var/backups", "file:/var/backups"),
            ("file:backups", "file:backups"),
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ] {
            assert_eq!(ObjectPlace::parse(text).unwrap().to_string(), written);
        }
        for wrong in ["", "file:", "/var", "s3://", "s3://Bucket/x", "s3://bucket/../x", "gs://bucket"] {
            assert!(ObjectPlace::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_named_is_kept_as_long_as_the_guide_says() {
        let keep = |text: &str| {
            let loaded = load(|name| (name == "ENGIFY_BACKUP_KEEP_DAYS").then(|| text.to_owned()));
            loaded.map(|settings| settings.backups.keep).unwrap()
        };
        assert_eq!(keep(""), KeepDays { snapshot: 30, daily: 30, weekly: 90, manual: 90 });
        assert_eq!(keep(" daily = 7,manual=0"), KeepDays { daily: 7, manual: 0, ..KeepDays::default() });
    }

    #[test]
    fn what_belongs_together_is_asked_for_together() {
        assert_eq!(faults(&[("AWS_ACCESS_KEY_ID", "id")]), ["AWS_SECRET_ACCESS_KEY"]);
        assert_eq!(faults(&[("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")]), ["AWS_SSE_KMS_KEY_ID"]);
        assert_eq!(
            faults(&[("BACKUP_ENCRYPTION_KEY", "sixteen or more characters")]),
            ["BACKUP_ENCRYPTION_KEY"]
        );
        for wrong in ["snapshot", "hourly=3", "daily=-1", "daily=3,", "weekly=36501"] {
            assert_eq!(faults(&[("ENGIFY_RECOVERY_GOALS", wrong)]), ["ENGIFY_RECOVERY_GOALS"], "{wrong}");
            assert_eq!(faults(&[("ENGIFY_BACKUP_KEEP_DAYS", wrong)]), ["ENGIFY_BACKUP_KEEP_DAYS"], "{wrong}");
        }
        assert!(faults(&[("BACKUP_ENCRYPTION_KEY", &"aB".repeat(32))]).is_empty());
        let same = [("BACKUP_TARGET", "s3://abc/d"), ("BACKUP_REPLICA_TARGET", "s3://abc/d/")];
        assert_eq!(faults(&same), ["BACKUP_REPLICA_TARGET"]);
    }
}
