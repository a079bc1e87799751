//! Which backups go next, and why: the table of the settings, applied to what the database remembers.

use engify_core::Time;
use engify_core::backup::{Backup, BackupState};
use engify_core::settings::KeepDays;
use serde::Serialize;

use super::is_there;

/// What is to become of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Its time is over: it goes when the next backup was proven.
    Over,
    /// It goes when its time is over.
    Kept,
    /// Its time is over, and it stays: no newer one was proven.
    LastGood,
}

/// A backup that goes at some time.
#[derive(Debug, Clone)]
pub struct Ending<'a> {
    /// The backup.
    pub backup: &'a Backup,
    /// When its time is over.
    pub at: Time,
    /// What is to become of it.
    pub rule: Rule,
}

/// Those that go at some time, the first to go first. The rule is that of the jobs that delete.
pub fn endings<'a>(backups: &'a [Backup], keep: &KeepDays, now: Time) -> Vec<Ending<'a>> {
    let proven = backups.iter().filter(|one| one.state == BackupState::Verified);
    let newest = proven.map(|one| one.created_at).max();
    let ending = |backup: &'a Backup| {
        let at = keep.until(backup.kind, backup.created_at)?;
        let replaced = newest.is_some_and(|newest| backup.created_at < newest);
        let rule = match (now > at, replaced) {
            (true, true) => Rule::Over,
            (true, false) => Rule::LastGood,
            (false, _) => Rule::Kept,
        };
        Some(Ending { backup, at, rule })
    };
    let mut all: Vec<_> = backups.iter().filter(|backup| is_there(backup)).filter_map(ending).collect();
    all.sort_by_key(|one| (one.rule == Rule::LastGood, one.at));
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engify_core::backup::BackupKind;
    use engify_core::ids::BackupId;

    use super::*;

    fn backup(days_ago: u64, state: BackupState) -> Backup {
        let created_at = now().minus(Duration::from_secs(days_ago * 86_400));
        Backup {
            id: BackupId::parse(&format!("{state}-{days_ago}")).unwrap(),
            kind: BackupKind::Snapshot,
            state,
            created_at,
            finished_at: None,
            position: 1,
            documents: 1,
            bytes: 1,
            sha256: None,
            target: String::new(),
            encrypted: false,
            duration_millis: 1,
            verified_at: None,
            replicated_at: None,
            failure: None,
            alive_at: None,
        }
    }

    fn now() -> Time {
        Time::from_millis(1_795_370_645_123)
    }

    #[test]
    fn what_goes_next_stands_first_and_the_last_good_one_stays() {
        use BackupState::{Failed, Pruned, Taken, Verified};
        let all = [
            backup(0, Taken),
            backup(1, Failed),
            backup(31, Verified),
            backup(29, Taken),
            backup(40, Taken),
            backup(60, Pruned),
        ];
        let rules: Vec<_> = endings(&all, &KeepDays::default(), now())
            .into_iter()
            .map(|one| (one.backup.id.to_string(), one.rule))
            .collect();
        let expected = [("taken-40", Rule::Over), ("taken-29", Rule::Kept), ("taken-0", Rule::Kept)];
        let mut expected: Vec<_> = expected.map(|(id, rule)| (id.to_owned(), rule)).into();
        expected.push(("verified-31".to_owned(), Rule::LastGood));
        assert_eq!(rules, expected);
    }
}
