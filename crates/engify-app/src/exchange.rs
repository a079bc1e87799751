//! Prompts as files: Markdown with front matter, JSON, JSON Lines and CSV, read and written.
//!
//! Bytes go in, checked drafts come out, record by record: a bad record is refused with its line, field and reason
//! and never stops the others. What is written here reads back as the same prompts. This module opens no file, asks
//! no database and does not decide who may import what, or what becomes of two records with one slug.

use std::fmt;

use engify_core::clock::Time;
use engify_core::prompt::Draft;
use engify_core::tenancy::Visibility;
use engify_core::words::Slug;

mod csv;
mod fields;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod json;
mod markdown;
mod readable;
#[cfg(test)]
mod round_trip;
mod sniff;
#[cfg(test)]
mod tests;
mod variables;
mod write;

pub use write::{markdown, write};

/// The largest file that is read, in bytes: 64 MiB, room for tens of thousands of prompts.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;

/// The most records that one file may hold; more belong into several files.
pub const MAX_RECORDS: usize = 200_000;

/// The largest record, in bytes: a prompt of the longest content with every character escaped fits.
const MAX_RECORD: usize = 16 * 1024 * 1024;

/// How prompts are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One prompt a file, front matter optional.
    Markdown,
    /// An array of objects, one object, or an object with the array under `prompts` or `data`.
    Json,
    /// One object a line.
    JsonLines,
    /// A header row, then one prompt a row.
    Csv,
}

impl Format {
    /// Tells the format by the ending of the name. A `.json` file with one object a line, as `mongoexport` writes it,
    /// is JSON Lines: that is what the bytes are looked at for.
    ///
    /// # Errors
    /// Names the endings there are.
    pub fn of(file_name: &str, bytes: &[u8]) -> Result<Self, String> {
        let ending = file_name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("md" | "markdown") => Ok(Self::Markdown),
            Some("json") if json::is_lines(bytes) => Ok(Self::JsonLines),
            Some("json") => Ok(Self::Json),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("csv") => Ok(Self::Csv),
            _ => {
                Err("has an ending that is not known; prompts come as .md, .json, .jsonl or .csv".to_owned())
            }
        }
    }
}

/// One prompt as a file holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Where it starts in the file, counted from 1; 0 where the file is the record.
    pub line: u64,
    /// Its name in addresses.
    pub slug: Slug,
    /// True where the file itself says the slug, in a field or as a Markdown file's name. A slug made from a title may
    /// meet another prompt's by chance.
    pub slug_given: bool,
    /// What it says; in order, every bound checked.
    pub draft: Draft,
    /// Whether it belongs on the home page, where the file says.
    pub featured: Option<bool>,
    /// How far it reaches, where the file says.
    pub visibility: Option<Visibility>,
    /// When it was made elsewhere, where the file says.
    pub created_at: Option<Time>,
    /// Fields that the file has and a prompt has not, at most 50 names; worth a warning.
    pub ignored: Vec<String>,
}

/// Why a record, or a whole file, was not taken.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The file's name as it was given.
    pub file: String,
    /// The line, counted from 1; 0 for the whole file.
    pub line: u64,
    /// The field, dotted for nested ones, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what would be right. Never repeats the text of the prompt.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        match &self.field {
            Some(field) => write!(f, ": {field} {}", self.reason),
            None => write!(f, " {}", self.reason),
        }
    }
}

/// A prompt on its way out; it reads back as a [`Record`] with the same values.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// Its name in addresses.
    pub slug: Slug,
    /// What it says.
    pub draft: Draft,
    /// Whether it is on the home page.
    pub featured: bool,
    /// How far it reaches.
    pub visibility: Visibility,
}

/// What is wrong with a record, before it is known in which file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    line: u64,
    field: Option<String>,
    reason: String,
}

impl Fault {
    fn at(line: u64, reason: impl Into<String>) -> Self {
        Self { line, field: None, reason: reason.into() }
    }

    fn field(line: u64, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { line, field: Some(field.into()), reason: reason.into() }
    }

    fn of(self, file: &str) -> Refusal {
        Refusal { file: file.to_owned(), line: self.line, field: self.field, reason: self.reason }
    }
}

/// What a format's reader gives back: the records, or why the file as a whole cannot be read.
type Records = Result<Vec<Result<Record, Fault>>, Fault>;

/// Reads all records of a file, in their order. Two records with one slug both come back.
///
/// # Errors
/// The file as a whole cannot be read: too large, no text, not UTF-8, empty, cut off, of an unknown ending or without the
/// columns that a prompt needs.
pub fn read(file_name: &str, bytes: &[u8]) -> Result<Vec<Result<Record, Refusal>>, Refusal> {
    let whole = |reason: String| Fault::at(0, reason).of(file_name);
    check_size(bytes.len() as u64).map_err(whole)?;
    let format = Format::of(file_name, bytes).map_err(whole)?;
    sniff::check(format, bytes).map_err(whole)?;
    let text = text(bytes).map_err(|fault| fault.of(file_name))?;
    let records = match format {
        Format::Markdown => markdown::read(file_name, text).map(|record| vec![record]),
        Format::Json => json::read(text),
        Format::JsonLines => json::read_lines(text),
        Format::Csv => csv::read(text),
    };
    let records = records.map_err(|fault| fault.of(file_name))?;
    Ok(records.into_iter().map(|record| record.map_err(|fault| fault.of(file_name))).collect())
}

/// Whether a file of `len` bytes would be read at all: ask before reading it into memory.
///
/// # Errors
/// Says the bound.
pub fn check_size(len: u64) -> Result<(), String> {
    if len > MAX_FILE {
        let (has, most) = (len.div_ceil(1024 * 1024), MAX_FILE / (1024 * 1024));
        return Err(format!("is {has} MiB large; split it into files of at most {most} MiB"));
    }
    Ok(())
}

/// Whether an import of `incoming` would change what a prompt says. `featured` and `visibility` are not looked at:
/// they are kept beside the draft, and not everybody who imports may set them.
pub fn changes(existing: &Draft, incoming: &Record) -> bool {
    *existing != incoming.draft
}

/// The bytes as text, without a byte order mark.
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Fault::at(0, "is UTF-16; save it as UTF-8"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line = 1 + lines_in(&bytes[..at]);
        Fault::at(line, format!("is not UTF-8 at byte {}; save the file as UTF-8", at + 1))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Fault::at(0, "is empty"));
    }
    Ok(text)
}

/// How many lines end in `bytes`.
fn lines_in(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
