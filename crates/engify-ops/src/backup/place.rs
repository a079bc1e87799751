//! Where a backup is, as people write it: an id, a target, or the backup itself at a target.

use engify_core::backup::{BACKUPS, MANIFEST};
use engify_core::ids::BackupId;
use engify_core::settings::ObjectPlace;
use engify_core::{Error, Result};

/// What somebody named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The target; none: that of the settings.
    pub target: Option<ObjectPlace>,
    /// The backup; none: the newest one there.
    pub id: Option<BackupId>,
}

/// Reads an id, `file:folder`, a path, `s3://bucket/prefix`, or any of these with `backups/<id>` behind.
///
/// # Errors
/// `invalid_request` for anything else.
pub fn located(text: &str) -> Result<Located> {
    let wrong = |issue: String| Error::field("backup", issue);
    if !text.contains([':', '/', '\\', '.']) {
        return Ok(Located { target: None, id: Some(BackupId::parse(text).map_err(wrong)?) });
    }
    let text = if text.starts_with("file:") || text.starts_with("s3://") {
        text.to_owned()
    } else {
        format!("file:{text}")
    };
    let text = text.trim_end_matches('/');
    let text = text.strip_suffix(MANIFEST).and_then(|text| text.strip_suffix('/')).unwrap_or(text);
    // A bucket's name is no part of the path in it, even where it is `backups`.
    let head = match text.strip_prefix("s3://") {
        Some(rest) => "s3://".len() + rest.find('/').unwrap_or(rest.len()),
        None => "file:".len(),
    };
    // `s3://` alone has lost its slashes by now; it is refused below.
    let (head, path) = text.split_at_checked(head).unwrap_or((text, ""));
    let (before, id) = match path.rsplit_once('/').map(|(before, id)| (before, BackupId::parse(id))) {
        Some((before, Ok(id))) => (before.strip_suffix(BACKUPS), Some(id)),
        _ => (None, None),
    };
    let target = match before {
        // `file:backups/<id>` is below the folder where the program runs, `file:/backups/<id>` below the root.
        Some("") if head == "file:" => "file:.".to_owned(),
        Some("/") if head == "file:" => "file:/".to_owned(),
        Some(before) if before.is_empty() || before.ends_with('/') => {
            format!("{head}{}", before.trim_end_matches('/'))
        }
        _ => return Ok(Located { target: Some(ObjectPlace::parse(text).map_err(wrong)?), id: None }),
    };
    Ok(Located { target: Some(ObjectPlace::parse(&target).map_err(wrong)?), id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let read = |text: &str| {
            let Located { target, id } = located(text).unwrap();
            let words = [target.map(|place| place.to_string()), id.map(|id| id.to_string())];
            words.map(Option::unwrap_or_default).join(" ")
        };
        assert_eq!(read("0199-ab"), " 0199-ab");
        assert_eq!(read("file:/var/b"), "file:/var/b ");
        assert_eq!(read("/var/b/backups/0199-ab/"), "file:/var/b 0199-ab");
        assert_eq!(read("file:/var/b/backups/0199-ab/manifest.json"), "file:/var/b 0199-ab");
        assert_eq!(read("backups/0199-ab"), "file:. 0199-ab");
        assert_eq!(read("file:/backups/0199-ab"), "file:/ 0199-ab");
        assert_eq!(read("s3://bucket/a/backups/0199-ab"), "s3://bucket/a 0199-ab");
        assert_eq!(read("s3://bucket/backups/0199-ab"), "s3://bucket 0199-ab");
        assert_eq!(read("s3://bucket/a"), "s3://bucket/a ");
        assert_eq!(read("s3://backups/engify"), "s3://backups/engify ");
        assert_eq!(read("/var/backups"), "file:/var/backups ");
        assert_eq!(read("/var/old-backups/0199-ab"), "file:/var/old-backups/0199-ab ");
        for wrong in ["", "s3://", "what is this"] {
            assert_eq!(located(wrong).unwrap_err().code(), "invalid_request", "{wrong}");
        }
    }
}
