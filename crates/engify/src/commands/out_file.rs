//! A file that a command writes: there whole or not at all, and for its owner alone.

use std::path::{Path, PathBuf};

use engify_core::{Error, error};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;

use crate::stop::Stop;

/// A file under another name, until it is [finished](Self::finish); dropped before that, it goes.
pub(super) struct OutFile {
    file: File,
    out: PathBuf,
    unfinished: PathBuf,
}

impl OutFile {
    /// Begins a file that only its owner reads: it may hold hashes of passwords and keys.
    pub(super) async fn begin(out: &Path) -> Result<Self, Stop> {
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".unfinished");
        let unfinished = out.with_file_name(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&unfinished).await.map_err(|fault| unwritable(out, &fault))?;
        Ok(Self { file, out: out.to_owned(), unfinished })
    }

    /// Goes on with it.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.file.write_all(bytes).await.map_err(|fault| unwritable(&self.out, &fault))
    }

    /// Gives it its name, once it is on the disk.
    pub(super) async fn finish(mut self) -> Result<(), Stop> {
        let finished = async {
            self.file.flush().await?;
            self.file.sync_all().await?;
            fs::rename(&self.unfinished, &self.out).await
        };
        finished.await.map_err(|fault| unwritable(&self.out, &fault))
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        // A finished one has no such name any more; of another, the reason why it failed is the one to tell.
        let _ = std::fs::remove_file(&self.unfinished);
    }
}

fn unwritable(path: &Path, fault: &std::io::Error) -> Stop {
    let message = format!(
        "{} cannot be written ({}). See that the folder is there and may be written.",
        path.display(),
        error::why(fault)
    );
    Error::unavailable("output_unwritable", message).into()
}
