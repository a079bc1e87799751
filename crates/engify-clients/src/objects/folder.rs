//! Files of a folder of objects: reading a piece, and sweeping what killed writers left.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result, Seek as _, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use engify_core::Time;

/// Bytes of a file that are read at a time.
const CHUNK: usize = 1 << 20;

/// The next piece from `at` on, of which `left` bytes are there.
pub(super) fn read(mut file: File, at: u64, left: u64) -> Result<(File, Bytes)> {
    file.seek(SeekFrom::Start(at))?;
    let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
    let mut chunk = Vec::with_capacity(wanted);
    file.by_ref().take(wanted as u64).read_to_end(&mut chunk)?;
    if chunk.len() < wanted {
        return Err(Error::new(ErrorKind::UnexpectedEof, "the file became shorter"));
    }
    Ok((file, chunk.into()))
}

/// Removes unfinished files that were last written before this moment, and says how many there were; folders that have
/// been empty since go as well. The library's
/// temporary names end with `#` and digits; no object's does.
pub(super) fn sweep(folder: &Path, before: Time) -> Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let since_1970 =
            entry.metadata()?.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let old = Time::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)) < before;
        if kind.is_dir() {
            swept += sweep(&entry.path(), before)?;
            if old {
                // What was deleted leaves its folders; one that holds something stays.
                let _ = std::fs::remove_dir(entry.path());
            }
        } else if old && kind.is_file() && is_unfinished(&entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn is_unfinished(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
