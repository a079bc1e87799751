//! A folder of `mongodump` to restore from.

use std::path::{Path, PathBuf};

use engify_clients::objects::Objects;
use engify_core::settings::ObjectPlace;
use engify_core::{Error, Result};

use crate::backup::{Located, dump::folder_of};

/// A dump of `mongodump` that was named; a folder of one word looks like an id.
pub(super) fn named(named: &Located) -> Result<Option<Objects>> {
    match (&named.target, &named.id) {
        (Some(ObjectPlace::Dir(folder)), _) => found_in(folder),
        (None, Some(id)) => found_in(Path::new(id.as_str())),
        _ => Ok(None),
    }
}

/// The folder of a database as `mongodump` leaves it, whatever the database is called: the one that was named, or the one
/// inside.
fn found_in(folder: &Path) -> Result<Option<Objects>> {
    let entries =
        |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let has_documents =
        |folder: &Path| entries(folder).any(|file| file.extension().is_some_and(|ending| ending == "bson"));
    if has_documents(folder) {
        return folder_of(folder).map(Some);
    }
    // MongoDB's own databases come along where everything was dumped.
    let own = |folder: &PathBuf| ["admin", "config", "local"].iter().any(|name| folder.ends_with(name));
    let mut databases: Vec<PathBuf> =
        entries(folder).filter(|inside| !own(inside) && has_documents(inside)).collect();
    let database = match databases.as_slice() {
        [] => return Ok(None),
        [_] => databases.remove(0),
        several => {
            let names: Vec<String> = several.iter().map(|one| one.display().to_string()).collect();
            return Err(Error::field(
                "from",
                format!("holds several databases; name one of {}", names.join(", ")),
            ));
        }
    };
    folder_of(&database).map(Some)
}
