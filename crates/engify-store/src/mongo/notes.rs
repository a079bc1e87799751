//! Notes about the database, in its collection `meta`.

use engify_core::Result;
use mongodb::Database;
use mongodb::bson::{Document, doc};
use mongodb::options::WriteConcern;

use super::{DEADLINE, within};

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
