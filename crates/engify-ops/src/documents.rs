//! Single collections to a file and back, as `mongoexport` and `mongoimport` write and read them: one document a line in
//! Extended JSON. What is stored encrypted stays encrypted.

use std::path::Path;

use engify_core::audit::{Action, Outcome, Target};
use engify_core::tenancy::Scope;
use engify_core::{Clock, Error, Ids, Kind, Result, cells, error, extended};
use engify_store::{Batch, Collection, Doc, Snapshot, Store, bson, collections};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use crate::{audit, contents};

const ALL: Scope = Scope::Everything("the operator looks after the whole installation");

/// Documents of one write.
const TOGETHER: usize = 200;

/// Bytes of a file after which no further document joins a write.
const TOGETHER_BYTES: u64 = 4 * 1024 * 1024;

/// The longest line that is read: MongoDB's largest document, written out.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// The faults that are told before reading on is given up.
const FAULTS: usize = 20;

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Extended JSON, one document a line.
    Lines,
    /// A table: a column for each field, nested values as JSON. For reading; it does not come back in.
    Csv,
    /// BSON, as `mongodump` writes it.
    Bson,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exported {
    /// The collection.
    pub collection: &'static str,
    /// How many documents.
    pub documents: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// What an import does, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// Documents that are not there yet.
    pub created: u64,
    /// Documents that are there and differ.
    pub replaced: u64,
    /// Documents that are there as they are.
    pub unchanged: u64,
    /// Whether it was done.
    pub done: bool,
}

/// The collection of a name that somebody typed.
///
/// # Errors
/// `invalid_request` with the names there are.
pub fn named(name: &str) -> Result<&'static Collection> {
    collections::named(name).ok_or_else(|| {
        let names: Vec<&str> = collections::ALL.iter().map(|collection| collection.name).collect();
        Error::field("collection", format!("{name} is none of {}", names.join(", ")))
    })
}

/// A collection on its way to a file, in the order of the ids, as it is at one moment.
#[derive(Debug)]
pub struct Export {
    snapshot: Snapshot,
    format: Format,
    /// Of a table that was not begun yet.
    header: Option<String>,
    columns: Vec<String>,
    collection: &'static Collection,
    after: Option<String>,
    exported: Exported,
}

impl Export {
    /// Begins. For a table everything is read once to learn its columns.
    ///
    /// # Errors
    /// As [`Store::snapshot`] and [`Snapshot::page`].
    pub async fn begin(store: &Store, collection: &'static Collection, format: Format) -> Result<Self> {
        let mut snapshot = store.snapshot().await?;
        let columns =
            if format == Format::Csv { columns(&mut snapshot, collection).await? } else { Vec::new() };
        let header = (format == Format::Csv).then(|| cells::row(&columns));
        let exported = Exported { collection: collection.name, documents: 0, bytes: 0 };
        Ok(Self { snapshot, format, header, columns, collection, after: None, exported })
    }

    /// The next bytes of the file; none at the end.
    ///
    /// # Errors
    /// As [`Snapshot::page`].
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let bytes = match self.header.take() {
            Some(header) => header.into_bytes(),
            None => {
                let page = self.snapshot.page(self.collection, self.after.as_deref()).await?;
                let Some(last) = page.last() else { return Ok(None) };
                self.after = contents::id(last);
                self.exported.documents += page.len() as u64;
                let (format, columns) = (self.format, self.columns.clone());
                let written = tokio::task::spawn_blocking(move || written(page, format, &columns));
                written.await.map_err(Error::internal)??
            }
        };
        self.exported.bytes += bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// What came so far.
    pub fn exported(&self) -> &Exported {
        &self.exported
    }
}

fn written(page: Vec<Doc>, format: Format, columns: &[String]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for doc in page {
        match format {
            Format::Bson => bytes.extend(bson::encode(&doc)?),
            Format::Lines => {
                serde_json::to_writer(&mut bytes, &extended::relaxed(doc)).map_err(Error::internal)?;
                bytes.push(b'\n');
            }
            Format::Csv => {
                let text = |column: &String| match doc.get(column) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                };
                bytes.extend(cells::row(columns.iter().map(text)).into_bytes());
            }
        }
    }
    Ok(bytes)
}

/// The fields that any document has, the id first.
async fn columns(snapshot: &mut Snapshot, collection: &Collection) -> Result<Vec<String>> {
    let (mut names, mut pages) = (std::collections::BTreeSet::new(), snapshot.pages(collection));
    while let Some(page) = pages.next().await? {
        page.iter().flat_map(Doc::keys).for_each(|name| {
            if !names.contains(name) {
                names.insert(name.clone());
            }
        });
    }
    names.remove("_id");
    Ok(std::iter::once("_id".to_owned()).chain(names).collect())
}

/// Reads a file into a collection: new documents are added, those with an id that is there are replaced. All of it is read
/// and checked first; with `really` it is then written, 200 documents or about 4 MiB at a time, and the audit log tells of it together with
/// the first of them. The same again changes nothing.
///
/// # Errors
/// `invalid_request` with the lines that are no documents of the collection, before anything is written; `duplicate` where
/// a unique value is taken, which may come after some documents were written.
pub async fn import(
    store: &Store,
    collection: &'static Collection,
    (file, format): (&Path, Format),
    really: Option<(&Clock, &Ids)>,
    seen: &(dyn Fn(u64) + Send + Sync),
) -> Result<Imported> {
    let mut imported = look(store, collection, (file, format)).await?;
    let Some(by) = really else { return Ok(imported) };
    let details = json!({
        "file": file.display().to_string(),
        "created": imported.created, "replaced": imported.replaced, "unchanged": imported.unchanged,
    });
    let target = Target::new("collection", collection.name);
    let line = audit::line(by, (Action::CollectionImported, Outcome::Success), target, details);
    let mut documents = Documents::open(file, format).await?;
    let (mut batch, mut written, mut count) = (Batch::new().insert(&line)?, 0, 0);
    loop {
        let next = documents.next().await?;
        let ended = next.is_none();
        if let Some((_, read)) = next {
            let doc = checked(collection, read).map_err(|issue| Error::field(collection.name, issue))?;
            count += 1;
            if store.document(collection, &ALL, &contents::id(&doc).unwrap_or_default()).await?.as_ref()
                != Some(&doc)
            {
                batch = batch.put_document(collection, doc)?;
            }
        }
        if batch.len() >= TOGETHER || documents.bytes - written >= TOGETHER_BYTES || ended {
            store.write(std::mem::take(&mut batch)).await?;
            written = documents.bytes;
            seen(count);
        }
        if ended {
            imported.done = true;
            return Ok(imported);
        }
    }
}

/// Reads and checks everything, and says what would become of it.
async fn look(store: &Store, collection: &'static Collection, source: (&Path, Format)) -> Result<Imported> {
    let mut documents = Documents::open(source.0, source.1).await?;
    let (mut imported, mut refused, mut faults) = (Imported::default(), wrong(), 0);
    while let Some((place, read)) = documents.next().await? {
        let doc = match checked(collection, read) {
            Ok(doc) => doc,
            Err(issue) => {
                (refused, faults) = (refused.detail(place, issue), faults + 1);
                if faults == FAULTS {
                    return Err(refused);
                }
                continue;
            }
        };
        match store.document(collection, &ALL, &contents::id(&doc).unwrap_or_default()).await? {
            None => imported.created += 1,
            Some(there) if there == doc => imported.unchanged += 1,
            Some(_) => imported.replaced += 1,
        }
    }
    if faults > 0 { Err(refused) } else { Ok(imported) }
}

/// A document as it is stored, if it is one of this collection's.
fn checked(collection: &Collection, read: Result<Doc, String>) -> Result<Doc, String> {
    let mut doc = read?;
    if contents::id(&doc).is_none_or(|id| id.is_empty()) {
        return Err("has no _id".to_owned());
    }
    collection.derive(&mut doc);
    bson::check(&doc).map_err(|fault| fault.message().to_owned())?;
    collections::fits(collection.name, &doc)
        .map_err(|fault| format!("is none of {}: {fault}", collection.name))?;
    Ok(doc)
}

/// Documents of a file, one after the other, each with where it stands.
struct Documents {
    input: BufReader<Box<dyn AsyncRead + Unpin + Send>>,
    format: Format,
    number: u64,
    /// What was read by now.
    bytes: u64,
}

impl Documents {
    async fn open(file: &Path, format: Format) -> Result<Self> {
        let opened = tokio::fs::File::open(file).await.map_err(|fault| unreadable(file, &fault))?;
        Ok(Self { input: BufReader::new(Box::new(opened)), format, number: 0, bytes: 0 })
    }

    async fn next(&mut self) -> Result<Option<(String, Result<Doc, String>)>> {
        match self.format {
            Format::Bson => self.next_bson().await,
            Format::Lines => self.next_line().await,
            Format::Csv => {
                Err(Error::field("file", "is CSV, which has no types; export and import JSON Lines"))
            }
        }
    }

    async fn next_line(&mut self) -> Result<Option<(String, Result<Doc, String>)>> {
        loop {
            let mut line = Vec::new();
            let mut rest = (&mut self.input).take(LONGEST_LINE);
            let read = rest.read_until(b'\n', &mut line).await.map_err(|fault| broken(&fault))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += read as u64;
            let place = format!("line {}", self.number);
            let text = line.trim_ascii();
            let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
            if text.is_empty() {
                continue;
            }
            if text == b"[" || text.starts_with(b"[{") {
                return Err(Error::field(
                    place,
                    "begins a JSON array; write one document a line (mongoexport without --jsonArray)",
                ));
            }
            let doc = match serde_json::from_slice::<Value>(text).map(extended::plain) {
                Ok(Value::Object(doc)) => Ok(doc),
                Ok(_) => Err("is not a document".to_owned()),
                Err(fault) => Err(format!("is not JSON: {fault}")),
            };
            return Ok(Some((place, doc)));
        }
    }

    async fn next_bson(&mut self) -> Result<Option<(String, Result<Doc, String>)>> {
        if self.input.fill_buf().await.map_err(|fault| broken(&fault))?.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let place = format!("document {}", self.number);
        let damaged = || Error::field(place.clone(), "is not BSON; the file is damaged or is something else");
        let mut beginning = [0; 4];
        self.input.read_exact(&mut beginning).await.map_err(|_| damaged())?;
        let mut bytes = vec![0; bson::length(beginning).ok_or_else(damaged)?];
        bytes[..4].copy_from_slice(&beginning);
        self.input.read_exact(&mut bytes[4..]).await.map_err(|_| damaged())?;
        self.bytes += bytes.len() as u64;
        let doc = bson::decode(&bytes).map_err(|_| damaged())?;
        Ok(Some((place, Ok(doc))))
    }
}

fn wrong() -> Error {
    Error::invalid(
        "The file holds what is no document of that collection, and nothing was written. See what is listed.",
    )
}

fn unreadable(file: &Path, fault: &std::io::Error) -> Error {
    let message = format!(
        "{} cannot be read ({}). Check the path and its permissions.",
        file.display(),
        error::why(fault)
    );
    Error::new(Kind::Invalid, "unreadable", message)
}

fn broken(fault: &std::io::Error) -> Error {
    Error::unavailable(
        "unreadable",
        format!("Reading the file broke off ({}). Check the disk.", error::why(fault)),
    )
}
