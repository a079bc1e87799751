//! One moment of the embedded database: a read transaction on a connection of its own.

use engify_core::{Error, Result};
use rusqlite::{Connection, params};

use super::apply::document;
use super::connect::{Place, reader};
use super::fault::fault;
use super::journal;
use crate::Doc;
use crate::adapter::closed;
use crate::collection::Collection;
use crate::snapshot::{PAGE, PAGE_BYTES};

/// The transaction; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct View {
    /// Away while a page is read.
    connection: Option<Connection>,
}

impl View {
    /// Begins the transaction. The answer has the journal's position in it.
    pub(super) async fn open(place: Place) -> Result<(Self, u64)> {
        let open = move || {
            let connection = reader(&place).map_err(fault)?;
            connection.execute_batch("BEGIN").map_err(fault)?;
            // The first read is what fixes the moment.
            let position = journal::position(&connection)?;
            Ok((Self { connection: Some(connection) }, position))
        };
        tokio::task::spawn_blocking(open).await.map_err(Error::internal)?
    }

    pub(crate) async fn page(&mut self, collection: &Collection, after: Option<&str>) -> Result<Vec<Doc>> {
        let connection = self.connection.take().ok_or_else(closed)?;
        let (collection, after) = (*collection, after.unwrap_or_default().to_owned());
        let read = move || {
            let page = read(&connection, &collection, &after);
            (connection, page)
        };
        let (connection, page) = tokio::task::spawn_blocking(read).await.map_err(Error::internal)?;
        self.connection = Some(connection);
        page
    }
}

fn read(connection: &Connection, collection: &Collection, after: &str) -> Result<Vec<Doc>> {
    let sql = format!("SELECT json(doc) FROM \"{}\" WHERE id > ?1 ORDER BY id LIMIT ?2", collection.name);
    let mut statement = connection.prepare_cached(&sql).map_err(fault)?;
    let mut rows = statement.query(params![after, PAGE]).map_err(fault)?;
    let (mut docs, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(fault)? {
        let text = row.get_ref(0).map_err(fault)?;
        let text = text.as_str().map_err(Error::internal)?;
        bytes += text.len();
        docs.push(document(text)?);
        if bytes > PAGE_BYTES {
            break;
        }
    }
    Ok(docs)
}
