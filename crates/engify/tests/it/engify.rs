//! Starts the binary in a folder of its own, and reads what it says.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

/// A folder where the program runs, and what its environment holds.
pub(crate) struct Engify {
    dir: Arc<TempDir>,
    env: Vec<(String, String)>,
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Engify {
    pub(crate) fn new() -> Self {
        Self { dir: Arc::new(tempfile::tempdir().unwrap()), env: Vec::new() }
    }

    /// The same folder, where further settings are its own.
    pub(crate) fn again(&self) -> Self {
        Self { dir: Arc::clone(&self.dir), env: self.env.clone() }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Said {
        self.run_with(args, "")
    }

    /// Runs with something on stdin.
    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, args: &[S], stdin: &str) -> Said {
        let mut child = self.start(args);
        let mut input = child.stdin.take().unwrap();
        // The program may end without reading it all.
        let _ = input.write_all(stdin.as_bytes());
        drop(input);
        let output = child.wait_with_output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs and reads the report, which must be there whatever the exit code.
    pub(crate) fn report<S: AsRef<OsStr>>(&self, args: &[S]) -> (i32, Value) {
        let said = self.run(args);
        let report = serde_json::from_str(&said.stdout);
        (said.code, report.unwrap_or_else(|error| panic!("no report ({error}): {said:?}")))
    }

    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_engify"))
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

impl Said {
    /// The program must have ended with this code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn fails_with(self, words: &str) -> Self {
        let said = self.ended(2);
        assert!(said.stderr.contains(words) && said.stderr.contains("help:"), "{said:?}");
        assert!(said.stdout.is_empty(), "{said:?}");
        said
    }
}

/// Reads a stream until these words have come, and returns all that came.
#[track_caller]
pub(crate) fn read_until(stream: &mut impl Read, words: &str) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 {
        text.push(byte[0]);
        if text.ends_with(words.as_bytes()) {
            return String::from_utf8(text).unwrap();
        }
    }
    panic!("{words:?} never came; this did: {}", String::from_utf8_lossy(&text));
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}
