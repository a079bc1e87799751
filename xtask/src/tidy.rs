//! `cargo xtask tidy`: the rules of the house that the compiler does not know. Each rule is a function from what
//! stands in the repository to findings; this file only walks, counts and prints.

mod dependencies;
mod rooms;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::Outcome;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// One place to mend.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: PathBuf,
    /// Counted from 1.
    line: usize,
    /// What is wrong and what to do.
    what: String,
}

impl Finding {
    fn new(file: impl Into<PathBuf>, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let tally = tally(workspace)?;
    tally.print();
    Ok(Outcome::of(tally.is_good()))
}

/// Every rule is one test; its findings are printed as `file:line: what to do`.
pub(crate) fn tally(workspace: &Workspace) -> Result<Tally> {
    let files = read_files(&workspace.root)?;
    let mut tally = Tally::default();
    let mut count = |rule: &str, findings: Vec<Finding>| {
        for finding in &findings {
            println!("{finding}");
        }
        match findings.len() {
            0 => tally.pass(),
            n => tally.fail(format!("tidy: {rule}: {n} to mend")),
        }
    };
    count("rooms", rooms::check(workspace)?);
    for (name, rule) in sources::RULES {
        count(name, files.iter().flat_map(rule).collect());
    }
    count("dependency tree", dependencies::check_tree(workspace)?);
    count("dependency reasons", dependencies::check_reasons(&workspace.root)?);
    Ok(tally)
}

/// A text file of the repository.
struct SourceFile {
    /// From the root, with forward slashes.
    path: String,
    text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Each line with its number.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// Folders that hold sources and documents of ours.
const FOLDERS: &[&str] =
    &["crates", "xtask", "content", "docs", "e2e", "bench", "fuzz", ".ci", ".github", ".cargo"];
const KINDS: &[&str] =
    &["rs", "md", "toml", "css", "js", "mjs", "json", "yml", "html", "svg", "txt", "sh", "example"];

fn read_files(root: &Path) -> Result<Vec<SourceFile>> {
    let mut paths = Vec::new();
    collect(root, false, &mut paths)?;
    for folder in FOLDERS {
        let folder = root.join(folder);
        if folder.is_dir() {
            collect(&folder, true, &mut paths)?;
        }
    }
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let short = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        // Test data may be wrong on purpose; it is not text of ours.
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(SourceFile { path: short, text });
        }
    }
    Ok(files)
}

fn collect(folder: &Path, deep: bool, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if deep && name != "target" && name != "data" && name != "node_modules" {
                collect(&path, deep, paths)?;
            }
        } else if name != "Cargo.lock" && KINDS.iter().any(|kind| has_kind(&path, kind)) {
            paths.push(path);
        }
    }
    Ok(())
}

fn has_kind(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|extension| extension == kind)
}
