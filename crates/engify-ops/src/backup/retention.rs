//! How long backups are kept, and which may go.

use engify_core::Time;
use engify_core::settings::KeepDays;

use super::Listed;

/// The backups whose time is over, and which are not needed: of each there is a newer one that was proven. The newest
/// proven one of all is never among them.
pub fn ended<'a>(all: &'a [Listed], keep: &KeepDays, now: Time) -> Vec<&'a Listed> {
    let Some(newest) = all.iter().filter(|one| one.is_verified()).map(|one| one.created_at).max() else {
        return Vec::new();
    };
    let over = |one: &&Listed| keep.until(one.kind, one.created_at).is_some_and(|until| now > until);
    all.iter().filter(|one| one.created_at < newest).filter(over).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engify_core::backup::BackupKind;
    use engify_core::ids::BackupId;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn backup(kind: BackupKind, days_ago: u32, verified: bool) -> Listed {
        let created_at = now().minus(DAY * days_ago);
        Listed {
            id: BackupId::parse(&format!("{kind}-{days_ago}")).unwrap(),
            kind,
            created_at,
            verified_at: verified.then_some(created_at),
            position: 1,
            documents: 1,
            bytes: 1,
            sha256: String::new(),
            key: None,
            engify: String::new(),
            database: String::new(),
        }
    }

    fn now() -> Time {
        Time::from_millis(1_795_370_645_123)
    }

    fn gone(all: &[Listed]) -> Vec<String> {
        ended(all, &KeepDays::default(), now()).into_iter().map(|one| one.id.to_string()).collect()
    }

    #[test]
    fn the_guides_table_is_kept() {
        use BackupKind::{Daily, Manual, Snapshot, Weekly};
        let mut all = vec![backup(Snapshot, 0, true)];
        for kind in [Snapshot, Daily, Weekly, Manual] {
            all.extend([29, 31, 89, 91].map(|days| backup(kind, days, true)));
        }
        let over = [
            "snapshot-31",
            "snapshot-89",
            "snapshot-91",
            "daily-31",
            "daily-89",
            "daily-91",
            "weekly-91",
            "manual-91",
        ];
        assert_eq!(gone(&all), over);
    }

    #[test]
    fn nothing_goes_before_a_newer_one_was_proven() {
        use BackupKind::Snapshot;
        let (old, older) = (backup(Snapshot, 40, true), backup(Snapshot, 50, true));
        assert_eq!(gone(&[backup(Snapshot, 0, false), old.clone(), older.clone()]), ["snapshot-50"]);
        assert!(gone(&[backup(Snapshot, 0, false), old.clone()]).is_empty(), "the last good one stays");
        assert!(gone(&[backup(Snapshot, 40, false), backup(Snapshot, 50, false)]).is_empty());
        assert_eq!(gone(&[backup(Snapshot, 0, true), old, older]), ["snapshot-40", "snapshot-50"]);
    }

    #[test]
    fn nought_is_for_ever() {
        let keep = KeepDays { snapshot: 0, ..KeepDays::default() };
        let all = [backup(BackupKind::Snapshot, 0, true), backup(BackupKind::Snapshot, 4000, true)];
        assert!(ended(&all, &keep, now()).is_empty());
    }
}
