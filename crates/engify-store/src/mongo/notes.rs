//! Notes about the database, in its collection `meta`: its schema, the counter of its journal, and what others note.

use std::future::IntoFuture;

use engify_core::{Clock, Error, Result};
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::WriteConcern;
use mongodb::{Collection, Database};

use super::{DEADLINE, fault, within};

/// The schema that this program writes; see `meta`, `_id: "schema"`.
const SCHEMA: i64 = 1;

/// Notes the schema's version in an empty database, and refuses one that a newer program wrote.
pub(super) async fn prepare(database: &Database, clock: &Clock) -> Result<()> {
    let meta = database.collection::<Document>("meta");
    let made = DateTime::from_millis(clock.now().millis());
    make(&meta, "schema", doc! { "version": SCHEMA, "at": made }).await?;
    // Made once, so that no two writers ever make it at the same moment: not every server answers both of them.
    make(&meta, "journal", doc! { "position": 0_i64, "at": made }).await?;
    let schema = within(DEADLINE, "meta", meta.find_one(doc! { "_id": "schema" })).await?.unwrap_or_default();
    let version = match schema.get("version") {
        Some(Bson::Int32(version)) => i64::from(*version),
        Some(Bson::Int64(version)) => *version,
        _ => SCHEMA,
    };
    if version > SCHEMA {
        return Err(Error::unavailable(
            "database_newer",
            format!(
                "The database was written by a newer Engify (schema {version}, this program knows {SCHEMA}). Install that \
                 version again, or restore a backup from before."
            ),
        ));
    }
    Ok(())
}

/// The note of this name.
pub(super) async fn read(database: &Database, name: &str) -> Result<Option<String>> {
    let meta = database.collection::<Document>("meta");
    let found = within(DEADLINE, "meta", meta.find_one(doc! { "_id": name })).await?;
    Ok(found.and_then(|note| note.get_str("text").ok().map(str::to_owned)))
}

/// Writes it.
pub(super) async fn write(database: &Database, name: &str, text: &str) -> Result<()> {
    let meta = database.collection::<Document>("meta");
    let written = meta
        .update_one(doc! { "_id": name }, doc! { "$set": { "text": text } })
        .upsert(true)
        .write_concern(WriteConcern::majority());
    within(DEADLINE, "meta", written).await.map(drop)
}

/// The note of this name, made where there is none yet.
pub(super) async fn once(database: &Database, name: &str, text: String) -> Result<String> {
    make(&database.collection::<Document>("meta"), name, doc! { "text": &text }).await?;
    Ok(read(database, name).await?.unwrap_or(text))
}

/// Removes it.
pub(super) async fn remove(database: &Database, name: &str) -> Result<()> {
    let meta = database.collection::<Document>("meta");
    let gone = meta.delete_one(doc! { "_id": name }).write_concern(WriteConcern::majority());
    within(DEADLINE, "meta", gone).await.map(drop)
}

/// Makes a document of `meta` that is not there yet.
async fn make(meta: &Collection<Document>, id: &str, content: Document) -> Result<()> {
    let noted = meta.update_one(doc! { "_id": id }, doc! { "$setOnInsert": content }).upsert(true);
    match tokio::time::timeout(DEADLINE, noted.into_future()).await.map_err(|_| fault::timeout())? {
        // Two programs that start at once both insert; one of them finds it done.
        Err(failure) if !matches!(fault::code(&failure), Some((11_000, _))) => {
            Err(fault::of("meta", failure))
        }
        _ => Ok(()),
    }
}
