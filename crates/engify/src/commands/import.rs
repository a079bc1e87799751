//! `engify prompts import`: from files and folders, one file in memory at a time.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use engify_app::Ctx;
use engify_app::exchange::{MAX_FILE, check_size};
use engify_app::prompts::{self, ImportReport, OneRefusal};
use engify_core::{error, tenancy};

use crate::cli::{Import, Report, Visibility};
use crate::printer;
use crate::stop::{Ended, Verdict};

/// The endings that are looked for in folders.
const ENDINGS: &[&str] = &["md", "markdown", "json", "jsonl", "ndjson", "csv"];
/// Folders inside folders: deeper ones are a circle.
const DEPTH: usize = 32;
/// How many refusals and remarks a person reads.
const SHOWN: usize = 50;

/// A file to read, by the name that it has in reports: from the given folder on, so that no path of this machine ends
/// up in the library.
struct Source {
    path: PathBuf,
    name: String,
}

/// Imports, and tells what became of it. Something refused is something wanting.
pub(super) async fn run(ctx: &Ctx, options: Import) -> Ended {
    let visibility = match options.visibility {
        Visibility::Public => tenancy::Visibility::Public,
        Visibility::Private => tenancy::Visibility::Private,
    };
    let mut import = prompts::Import::begin(ctx, visibility).await?;
    let mut found = Found::default();
    for path in &options.paths {
        found.add(path);
    }
    for (name, reason) in found.unreadable {
        import.refuse(&name, reason);
    }
    let bar = printer::progress(found.sources.len() as u64, "Importing");
    for source in found.sources {
        match read(&source.path) {
            Ok(bytes) => import.file(&source.name, &bytes).await?,
            Err(reason) => import.refuse(&source.name, reason),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    tell(&import.finish().await?, options.report)
}

/// Prints an import's report.
pub(super) fn tell(done: &ImportReport, report: Report) -> Ended {
    if report.json {
        printer::json(done)?;
    } else {
        for one in done.refusals.iter().take(SHOWN) {
            printer::line(format_args!("refused: {}", sentence(one)))?;
        }
        for one in done.warnings.iter().take(SHOWN) {
            printer::line(format_args!("note:    {}", sentence(one)))?;
        }
        if done.refusals.len() > SHOWN || done.warnings.len() > SHOWN {
            printer::talk("There are more refusals and notes; --json has the first 1000.");
        }
        printer::line(format_args!(
            "{} created, {} updated, {} unchanged, {} refused",
            done.created, done.updated, done.unchanged, done.refused
        ))?;
    }
    Ok(Verdict::wanting_if(done.refused > 0))
}

fn sentence(one: &OneRefusal) -> String {
    match one.line {
        0 => format!("{} {}", one.file, one.reason),
        line => format!("{} line {line}: {}", one.file, one.reason),
    }
}

/// The files behind what was typed.
#[derive(Default)]
struct Found {
    sources: Vec<Source>,
    unreadable: Vec<(String, String)>,
}

impl Found {
    /// Adds a file, or everything in a folder that looks like prompts, in the order of names.
    fn add(&mut self, path: &Path) {
        let base = path.parent().filter(|_| path.file_name().is_some()).unwrap_or(path).to_owned();
        match fs::metadata(path) {
            Ok(known) if known.is_dir() => {
                let before = self.sources.len() + self.unreadable.len();
                self.folder(path, &base, 0);
                if self.sources.len() + self.unreadable.len() == before {
                    let reason = "holds no .md, .json, .jsonl or .csv file".to_owned();
                    self.unreadable.push((name(path, &base), reason));
                }
            }
            Ok(_) => self.sources.push(Source { path: path.to_owned(), name: name(path, &base) }),
            Err(error) => self.unreadable.push((name(path, &base), cannot(&error))),
        }
    }

    fn folder(&mut self, folder: &Path, base: &Path, depth: usize) {
        let listed = fs::read_dir(folder).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        });
        let mut paths = match listed {
            Ok(paths) => paths,
            Err(error) => return self.unreadable.push((name(folder, base), cannot(&error))),
        };
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            // A link to a folder is not followed: it may lead back up.
            let linked = fs::symlink_metadata(&path).is_ok_and(|known| known.is_symlink());
            match fs::metadata(&path) {
                _ if hidden => {}
                Ok(known) if known.is_dir() && !linked && depth < DEPTH => {
                    self.folder(&path, base, depth + 1)
                }
                Ok(known) if known.is_file() && is_known(&path) => {
                    let name = name(&path, base);
                    self.sources.push(Source { path, name });
                }
                Ok(_) => {}
                Err(error) if is_known(&path) => self.unreadable.push((name(&path, base), cannot(&error))),
                Err(_) => {}
            }
        }
    }
}

fn is_known(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn name(path: &Path, base: &Path) -> String {
    let short = path.strip_prefix(base).ok().filter(|short| !short.as_os_str().is_empty());
    short.unwrap_or(path).display().to_string()
}

/// The bytes of a file, its size looked at first: a special file without a size is cut off at the bound as well.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = fs::File::open(path).map_err(|error| cannot(&error))?;
    let len = file.metadata().map_err(|error| cannot(&error))?.len();
    check_size(len)?;
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    check_size(bytes.len() as u64)?;
    Ok(bytes)
}

fn cannot(error: &std::io::Error) -> String {
    format!("cannot be read: {}", error::why(error))
}
