//! CSV by RFC 4180: a header row that names the columns, cells in quotes where they hold breaks, commas or quotes.
//!
//! Commas, semicolons and tabs divide cells, whichever the header uses. Read here rather than by a library because a
//! quote that never closes, the mark of a file cut off, must be an error with its line and not a very long cell.

use engify_core::cells;
use serde_json::{Map, Value};

use super::fields::{CONTENT_NAMES, Fields, is_content};
use super::{Fault, MAX_RECORDS, Record, Records, json};

/// The most columns; a prompt has twelve, so a row of more is no row of prompts.
const MOST_COLUMNS: usize = 1000;

/// Reads all rows under the header.
pub(super) fn read(text: &str) -> Records {
    let mut rows = Rows { text, at: 0, line: 1, comma: comma_of(text) };
    let header: Vec<String> = match rows.next_row()? {
        Some(row) => row.cells.into_iter().map(|cell| cell.trim().to_owned()).collect(),
        None => return Err(Fault::at(0, "is empty")),
    };
    if !header.iter().any(|name| is_content(name)) {
        let found: Vec<String> = header
            .iter()
            .take(20)
            .map(|name| name.chars().take(40).filter(|c| !c.is_control()).collect())
            .collect();
        let reason = format!("has no column for the prompt ({CONTENT_NAMES}); it has: {}", found.join(", "));
        return Err(Fault::at(1, reason));
    }
    let mut records = Vec::new();
    while let Some(row) = rows.next_row()? {
        if records.len() == MAX_RECORDS {
            return Err(Fault::at(0, format!("holds more than {MAX_RECORDS} prompts; split it")));
        }
        records.push(record(&header, row));
    }
    Ok(records)
}

/// One row as a record. Cells are text; the columns that are not get their type here.
fn record(header: &[String], row: Row) -> Result<Record, Fault> {
    let Row { line, cells } = row;
    if cells.len() > header.len() {
        let (has, most) = (cells.len(), header.len());
        let reason = format!("has {has} cells under {most} columns; is a comma or a quote unquoted?");
        return Err(Fault::at(line, reason));
    }
    let mut map = Map::new();
    let mut twice = Vec::new();
    for (name, cell) in header.iter().zip(cells) {
        let value = typed(name, cells::read(cell)).map_err(|reason| Fault::field(line, name, reason))?;
        if map.contains_key(name) {
            twice.push(name);
        } else if !value.is_null() {
            map.insert(name.clone(), value);
        }
    }
    let mut fields = Fields::new(line, map);
    twice.into_iter().for_each(|name| fields.ignore(name));
    fields.into_record()
}

fn typed(name: &str, cell: String) -> Result<Value, String> {
    let word = cell.trim();
    if word.is_empty() && !is_content(name) {
        return Ok(Value::Null);
    }
    match name.to_ascii_lowercase().replace([' ', '_', '-'], "").as_str() {
        "featured" | "isfeatured" => Ok(match word.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Value::Bool(true),
            "false" | "no" | "0" => Value::Bool(false),
            _ => Value::String(cell),
        }),
        "variables" if word.starts_with(['[', '{']) => json::value(word),
        "variables" => Ok(word
            .split([',', ';'])
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| Value::String(name.to_owned()))
            .collect()),
        _ => Ok(Value::String(cell)),
    }
}

/// The sign that divides cells: whichever the header line has most of.
fn comma_of(text: &str) -> u8 {
    let header = text.trim_start().lines().next().unwrap_or_default();
    let count = |comma: u8| header.bytes().filter(|byte| *byte == comma).count();
    let mut best = b',';
    for comma in [b';', b'\t'] {
        if count(comma) > count(best) {
            best = comma;
        }
    }
    best
}

/// A row and the line it starts on.
struct Row {
    line: u64,
    cells: Vec<String>,
}

/// The rows of a text, one after another.
struct Rows<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    comma: u8,
}

/// What stands behind a cell.
enum Behind {
    Cell,
    Row,
}

impl Rows<'_> {
    /// The next row that is not blank; none at the end.
    fn next_row(&mut self) -> Result<Option<Row>, Fault> {
        while self.at < self.text.len() {
            let line = self.line;
            let mut cells = Vec::new();
            loop {
                let (cell, behind) = self.cell()?;
                cells.push(cell);
                if cells.len() > MOST_COLUMNS {
                    return Err(Fault::at(line, format!("has more than {MOST_COLUMNS} columns")));
                }
                if matches!(behind, Behind::Row) {
                    break;
                }
            }
            if cells.iter().any(|cell| !cell.trim().is_empty()) {
                return Ok(Some(Row { line, cells }));
            }
        }
        Ok(None)
    }

    /// One cell and what follows it.
    fn cell(&mut self) -> Result<(String, Behind), Fault> {
        let mut cell = String::new();
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            self.quoted(&mut cell)?;
        }
        let rest = &self.text.as_bytes()[self.at..];
        let end = rest.iter().position(|byte| *byte == self.comma || *byte == b'\n').unwrap_or(rest.len());
        let plain = &self.text[self.at..self.at + end];
        self.at += end + 1;
        if rest.get(end) == Some(&self.comma) {
            cell.push_str(plain);
            return Ok((cell, Behind::Cell));
        }
        cell.push_str(plain.strip_suffix('\r').unwrap_or(plain));
        self.line += 1;
        self.at = self.at.min(self.text.len());
        Ok((cell, Behind::Row))
    }

    /// The inside of quotes up to the closing one; two quotes are one.
    fn quoted(&mut self, cell: &mut String) -> Result<(), Fault> {
        let opened = self.line;
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find('"') else {
                let reason =
                    "opens a quote that never closes; the file is cut off, or a quote is not doubled";
                return Err(Fault::at(opened, reason));
            };
            cell.push_str(&rest[..end]);
            self.line += super::lines_in(&rest.as_bytes()[..end]);
            self.at += end + 1;
            if self.text.as_bytes().get(self.at) != Some(&b'"') {
                return Ok(());
            }
            cell.push('"');
            self.at += 1;
        }
    }
}
