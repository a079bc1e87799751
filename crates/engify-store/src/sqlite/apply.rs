//! One batch inside a transaction: documents, journal and search catalogue move together.

use engify_core::{Error, Result, Time};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::fault::fault;
use crate::Doc;
use crate::adapter::{covers, stale};
use crate::batch::{Action, Changes, Write};
use crate::bson;
use crate::collection::{Collection, Entity};
use crate::journal::Change;
use crate::search::catalogue::{self, Touched};

/// Up to here a document is never too long as BSON, where an item of a list takes 17 bytes at most for two of text.
const SURELY_FITS: usize = 1024 * 1024;

/// A write whose document is JSON text already, so that the writer thread does not spend its time on that.
#[derive(Debug)]
pub(crate) struct Prepared {
    write: Write,
    text: Option<String>,
}

impl TryFrom<Write> for Prepared {
    type Error = Error;

    fn try_from(write: Write) -> Result<Self> {
        let text = match &write.action {
            Action::Insert(doc) | Action::Put(doc) => Some(bounded(doc)?),
            Action::Patch(_) | Action::Delete(_) => None,
        };
        Ok(Self { write, text })
    }
}

/// What a batch did.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// In order; only of journaled collections.
    pub(crate) changes: Vec<Change>,
    /// What it did to the search catalogue.
    pub(crate) touched: Touched,
}

/// Applies a batch. After an error the caller rolls back to before it.
pub(crate) fn apply(connection: &Connection, at: Time, batch: Vec<Prepared>) -> Result<Applied> {
    let mut applied = Applied::default();
    for Prepared { write, text } in batch {
        let Write { collection, id, action } = write;
        let stored = match action {
            Action::Insert(doc) => {
                let text = text.unwrap_or_default();
                insert(connection, &collection, &id, &text).map_err(fault)?;
                Some((doc, text))
            }
            Action::Put(doc) => {
                let text = text.unwrap_or_default();
                put(connection, &collection, &id, &text).map_err(fault)?;
                Some((doc, text))
            }
            Action::Patch(changes) => match patch(connection, &collection, &id, &changes)? {
                Some(patched) => Some(patched),
                None if changes.must_match => return Err(stale(collection.name, &id)),
                None => continue,
            },
            Action::Delete(scope) => {
                let there = read(connection, &collection, &id)?.is_some_and(|doc| covers(&scope, &doc));
                if !there {
                    continue;
                }
                delete(connection, &collection, &id).map_err(fault)?;
                None
            }
        };
        let (document, text) = stored.unzip();
        if collection == engify_core::prompt::Prompt::COLLECTION {
            let touched = match &document {
                Some(doc) => catalogue::put(connection, doc),
                None => catalogue::remove(connection, &id),
            };
            applied.touched = applied.touched.max(touched.map_err(fault)?);
        }
        if collection.journaled {
            let position = journal(connection, at, &collection, &id, text.as_deref()).map_err(fault)?;
            applied.changes.push(Change {
                position,
                at,
                collection: collection.name.to_owned(),
                id,
                document,
            });
        }
    }
    Ok(applied)
}

fn insert(connection: &Connection, collection: &Collection, id: &str, text: &str) -> rusqlite::Result<()> {
    let sql = format!("INSERT INTO \"{}\"(id, doc) VALUES (?1, jsonb(?2))", collection.name);
    connection.prepare_cached(&sql)?.execute(params![id, text]).map(drop)
}

pub(super) fn put(
    connection: &Connection,
    collection: &Collection,
    id: &str,
    text: &str,
) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO \"{}\"(id, doc) VALUES (?1, jsonb(?2)) ON CONFLICT(id) DO UPDATE SET doc = excluded.doc",
        collection.name
    );
    connection.prepare_cached(&sql)?.execute(params![id, text]).map(drop)
}

pub(super) fn delete(connection: &Connection, collection: &Collection, id: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!("DELETE FROM \"{}\" WHERE id = ?1", collection.name))?
        .execute([id])
        .map(drop)
}

fn read(connection: &Connection, collection: &Collection, id: &str) -> Result<Option<Doc>> {
    let sql = format!("SELECT json(doc) FROM \"{}\" WHERE id = ?1", collection.name);
    let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
    let text: Option<String> = statement.query_row([id], |row| row.get(0)).optional().map_err(fault)?;
    text.map(|text| document(&text)).transpose()
}

/// Reads, checks and writes in one transaction that holds the write lock, so nothing comes between.
fn patch(
    connection: &Connection,
    collection: &Collection,
    id: &str,
    changes: &Changes,
) -> Result<Option<(Doc, String)>> {
    let Some(mut doc) = read(connection, collection, id)? else { return Ok(None) };
    let meets = |(field, wanted): &(&str, Value)| doc.get(*field).unwrap_or(&Value::Null) == wanted;
    if !covers(&changes.scope, &doc) || !changes.when.iter().all(meets) {
        return Ok(None);
    }
    for (field, value) in &changes.set {
        doc.insert((*field).to_owned(), value.clone());
    }
    for (field, by) in &changes.add {
        let sum = match doc.get(*field) {
            None | Some(Value::Null) => Value::from(*by),
            Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Value::from(whole.saturating_add(*by)),
                #[expect(clippy::cast_precision_loss, reason = "the field holds a float already")]
                (None, Some(real)) => Value::from(real + *by as f64),
                (None, None) => return Err(Error::internal(format!("{field} of {id} is not a number"))),
            },
            Some(_) => return Err(Error::internal(format!("{field} of {id} is not a number"))),
        };
        doc.insert((*field).to_owned(), sum);
    }
    let text = bounded(&doc)?;
    let sql = format!("UPDATE \"{}\" SET doc = jsonb(?2) WHERE id = ?1", collection.name);
    connection
        .prepare_cached(&sql)
        .and_then(|mut update| update.execute(params![id, text]))
        .map_err(fault)?;
    Ok(Some((doc, text)))
}

/// As text, which is what whoever ships it wants.
fn journal(
    connection: &Connection,
    at: Time,
    collection: &Collection,
    id: &str,
    text: Option<&str>,
) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("INSERT INTO journal(at, collection, id, doc) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at.millis(), collection.name, id, text])?;
    Ok(u64::try_from(connection.last_insert_rowid()).unwrap_or(0))
}

/// JSON text as a document.
pub(crate) fn document(text: &str) -> Result<Doc> {
    serde_json::from_str(text)
        .map_err(|fault| Error::internal(format!("a stored document is not a JSON object: {fault}")))
}

/// The text of a document that MongoDB would take as well, and that a backup holds.
fn bounded(doc: &Doc) -> Result<String> {
    let text = text(doc);
    if text.len() > SURELY_FITS {
        bson::check(doc)?;
    }
    Ok(text)
}

pub(super) fn text(doc: &Doc) -> String {
    // A map with text keys always has a JSON form.
    serde_json::to_string(doc).unwrap_or_default()
}
