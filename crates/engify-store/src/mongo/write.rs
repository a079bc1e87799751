//! Writing a batch: one transaction where the server offers them, journal entries included; else one write after the
//! other with its entry behind it.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use engify_core::{Error, Result, Time};
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::error::Error as Fault;
use mongodb::options::{TransactionOptions, WriteConcern};
use mongodb::{Client, ClientSession, Database};

use super::journal::Journal;
use super::{convert, encode, fault, filter};
use crate::Doc;
use crate::adapter::stale;
use crate::batch::{Action, Batch, Changes};
use crate::collection::Collection;
use crate::journal::Change;

/// Tries of one transaction that meets others on the same document. With the waits between them they take about 4 s.
const TRIES: u32 = 60;

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Tries of a commit whose outcome is not known; the server answers a repeated one as it answered the first.
const COMMITS: u32 = 8;

/// What writing needs.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) client: Client,
    pub(super) database: Database,
    /// Whether the server offers transactions: a replica set or a sharded cluster does, a single server does not.
    pub(super) transactions: bool,
}

/// One step with its BSON ready. Inserts into one collection that follow each other are one step.
#[derive(Debug)]
struct Step {
    collection: Collection,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Insert(Vec<(String, Written)>),
    Put(String, Written),
    Patch { id: String, filter: Document, stages: Vec<Document>, must_match: bool },
    Delete(String, Document),
}

/// A document as callers have it, and as it goes to the server and into the journal.
#[derive(Debug, Clone)]
struct Written {
    doc: Doc,
    raw: RawDocumentBuf,
}

/// One change that took place.
struct Done<'s> {
    collection: Collection,
    id: &'s str,
    document: Option<Cow<'s, Written>>,
}

/// Why an attempt ended.
enum Failed {
    /// The driver or the server says so, while writing to this collection.
    There(&'static str, Fault),
    /// Our own rules do.
    Here(Error),
}

impl Writer {
    /// Writes a batch. In the order of positions, journaled changes only.
    ///
    /// # Errors
    /// `duplicate`, `stale`, `invalid_request`, `database_unavailable`, `database_timeout`.
    pub(super) async fn write(&self, journal: &Journal, batch: Batch) -> Result<Vec<Change>> {
        let steps = steps(batch)?;
        if self.transactions {
            self.in_transaction(journal, &steps).await
        } else {
            self.in_order(journal, &steps).await
        }
    }

    async fn in_transaction(&self, journal: &Journal, steps: &[Step]) -> Result<Vec<Change>> {
        // One statement without a journal entry is atomic by itself.
        if let [step] = steps
            && !step.collection.journaled
            && step.is_one()
        {
            self.apply(step, &mut None).await.map_err(Failed::into_error)?;
            return Ok(Vec::new());
        }
        let session = self.client.start_session().await.map_err(|failure| fault::of("session", failure))?;
        let mut session = Some(session);
        for attempt in 0.. {
            match self.attempt(journal, steps, &mut session).await {
                Ok(changes) => return Ok(changes),
                Err(Failed::There(_, failure)) if attempt < TRIES && fault::is_transient(&failure) => {
                    tokio::time::sleep(pause(attempt)).await;
                }
                Err(failed) => return Err(failed.into_error()),
            }
        }
        Err(fault::timeout())
    }

    /// One attempt; whatever it leaves behind when it fails is rolled back.
    async fn attempt(
        &self,
        journal: &Journal,
        steps: &[Step],
        session: &mut Option<ClientSession>,
    ) -> Result<Vec<Change>, Failed> {
        let majority = TransactionOptions::builder().write_concern(WriteConcern::majority()).build();
        if let Some(session) = session {
            session.start_transaction().with_options(majority).await.map_err(there("transaction"))?;
        }
        let mut done = Vec::new();
        for step in steps {
            match self.apply(step, session).await {
                Ok(more) => done.extend(more),
                Err(failed) => return Err(abort(session, failed).await),
            }
        }
        done.retain(|change| change.collection.journaled);
        if done.is_empty() {
            return commit(session).await.map(|()| Vec::new()).map_err(there("transaction"));
        }
        let (at, ticket) = match journal.take(done.len()).await {
            Ok(taken) => taken,
            Err(failure) => return Err(abort(session, Failed::There("meta", failure)).await),
        };
        let entries = entries(&done, ticket.range(), at);
        let collection = self.database.collection::<RawDocumentBuf>("journal");
        let inserted = collection.insert_many(entries);
        let inserted = match session.as_mut() {
            Some(session) => inserted.session(session).await,
            None => inserted.await,
        };
        if let Err(failure) = inserted {
            let failed = abort(session, Failed::There("journal", failure)).await;
            journal.give_up(at, ticket).await;
            return Err(failed);
        }
        match commit(session).await {
            Ok(()) => {}
            // It may have taken place: readers wait until they can tell.
            Err(failure) if fault::is_unknown_commit(&failure) => {
                return Err(Failed::There("transaction", failure));
            }
            Err(failure) => {
                journal.give_up(at, ticket).await;
                return Err(Failed::There("transaction", failure));
            }
        }
        let positions = ticket.range();
        drop(ticket);
        journal.settle(*positions.end()).await;
        Ok(changes(done, positions, at))
    }

    /// Without transactions: what can be checked is checked first, then each step is written and journaled.
    async fn in_order(&self, journal: &Journal, steps: &[Step]) -> Result<Vec<Change>> {
        for step in steps {
            if let Work::Patch { id, filter, must_match: true, .. } = &step.work {
                let name = step.collection.name;
                let made_here = steps.iter().any(|other| other.makes(step.collection, id));
                let found = self.database.collection::<RawDocumentBuf>(name).find_one(filter.clone()).await;
                if found.map_err(|failure| fault::of(name, failure))?.is_none() && !made_here {
                    return Err(stale(name, id));
                }
            }
        }
        let mut all = Vec::new();
        for step in steps {
            let mut done = self.apply(step, &mut None).await.map_err(Failed::into_error)?;
            done.retain(|change| change.collection.journaled);
            if done.is_empty() {
                continue;
            }
            let (at, ticket) =
                journal.take(done.len()).await.map_err(|failure| fault::of("meta", failure))?;
            let entries = entries(&done, ticket.range(), at);
            let inserted = self.database.collection::<RawDocumentBuf>("journal").insert_many(entries).await;
            inserted.map_err(|failure| fault::of("journal", failure))?;
            let positions = ticket.range();
            drop(ticket);
            journal.settle(*positions.end()).await;
            all.extend(changes(done, positions, at));
        }
        Ok(all)
    }

    async fn apply<'s>(
        &self,
        step: &'s Step,
        session: &mut Option<ClientSession>,
    ) -> Result<Vec<Done<'s>>, Failed> {
        /// Runs one action of the driver inside the session, if there is one.
        macro_rules! run {
            ($action:expr) => {
                match session.as_mut() {
                    Some(session) => $action.session(session).await,
                    None => $action.await,
                }
                .map_err(there(step.collection.name))
            };
        }
        let collection = self.database.collection::<RawDocumentBuf>(step.collection.name);
        let done = |id: &'s str, document| Done { collection: step.collection, id, document };
        match &step.work {
            Work::Insert(documents) => {
                if let [(_, document)] = documents.as_slice() {
                    run!(collection.insert_one(&document.raw))?;
                } else {
                    run!(collection.insert_many(documents.iter().map(|(_, document)| &document.raw)))?;
                }
                Ok(documents.iter().map(|(id, document)| done(id, Some(Cow::Borrowed(document)))).collect())
            }
            Work::Put(id, document) => {
                run!(collection.replace_one(doc! { "_id": id }, &document.raw).upsert(true))?;
                Ok(vec![done(id, Some(Cow::Borrowed(document)))])
            }
            Work::Patch { id, filter, stages, must_match } => {
                let matched = if stages.is_empty() {
                    run!(collection.find_one(filter.clone()))?.is_some()
                } else {
                    run!(collection.update_one(filter.clone(), stages.clone()))?.matched_count > 0
                };
                match (matched, must_match) {
                    (false, true) => Err(Failed::Here(stale(step.collection.name, id))),
                    (false, false) => Ok(Vec::new()),
                    (true, _) if !step.collection.journaled => Ok(Vec::new()),
                    (true, _) => {
                        let found = run!(collection.find_one(doc! { "_id": id }))?;
                        let document = found.map(Written::found).transpose().map_err(Failed::Here)?;
                        Ok(vec![done(id, document.map(Cow::Owned))])
                    }
                }
            }
            Work::Delete(id, filter) => {
                let deleted = run!(collection.delete_one(filter.clone()))?.deleted_count;
                Ok(if deleted > 0 { vec![done(id, None)] } else { Vec::new() })
            }
        }
    }
}

impl Step {
    /// Whether it is one statement on one document.
    fn is_one(&self) -> bool {
        !matches!(&self.work, Work::Insert(documents) if documents.len() > 1)
    }

    /// Whether it brings this document into being.
    fn makes(&self, collection: Collection, wanted: &str) -> bool {
        self.collection.name == collection.name
            && match &self.work {
                Work::Insert(documents) => documents.iter().any(|(id, _)| id == wanted),
                Work::Put(id, _) => id == wanted,
                Work::Patch { .. } | Work::Delete(..) => false,
            }
    }
}

impl Written {
    fn of(id: &str, mut doc: Doc) -> Result<Self> {
        doc.insert("_id".to_owned(), id.into());
        let raw = encode::raw(&doc)?;
        Ok(Self { doc, raw })
    }

    fn found(raw: RawDocumentBuf) -> Result<Self> {
        let document = Document::try_from(&*raw).map_err(Error::internal)?;
        Ok(Self { doc: convert::doc(document), raw })
    }
}

impl Failed {
    fn into_error(self) -> Error {
        match self {
            Self::There(collection, failure) => fault::of(collection, failure),
            Self::Here(error) => error,
        }
    }
}

fn there(collection: &'static str) -> impl FnOnce(Fault) -> Failed {
    move |failure| Failed::There(collection, failure)
}

fn steps(batch: Batch) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for write in batch.writes {
        let (collection, id) = (write.collection, write.id);
        let work = match write.action {
            Action::Insert(doc) => {
                let document = Written::of(&id, doc)?;
                if let Some(Step { collection: last, work: Work::Insert(documents) }) = steps.last_mut()
                    && last.name == collection.name
                {
                    documents.push((id, document));
                    continue;
                }
                Work::Insert(vec![(id, document)])
            }
            Action::Put(doc) => {
                let document = Written::of(&id, doc)?;
                Work::Put(id, document)
            }
            Action::Patch(changes) => {
                let filter = filter::of_document(&id, &changes.scope, &changes.when)?;
                Work::Patch { filter, stages: stages(&changes)?, must_match: changes.must_match, id }
            }
            Action::Delete(scope) => {
                let filter = filter::of_document(&id, &scope, &[])?;
                Work::Delete(id, filter)
            }
        };
        steps.push(Step { collection, work });
    }
    Ok(steps)
}

/// An update as a pipeline: there a missing number and null alike count as 0, which `$inc` refuses for null, and no
/// value can be taken for an operator.
fn stages(changes: &Changes) -> Result<Vec<Document>> {
    let mut set = Document::new();
    for (field, value) in &changes.set {
        set.insert(*field, doc! { "$literal": encode::value(field, value)? });
    }
    let mut add = Document::new();
    for (field, by) in &changes.add {
        let there = doc! { "$ifNull": [format!("${field}"), 0_i64] };
        add.insert(*field, doc! { "$add": [there, *by] });
    }
    Ok([set, add].into_iter().filter(|stage| !stage.is_empty()).map(|stage| doc! { "$set": stage }).collect())
}

fn entries(done: &[Done<'_>], positions: RangeInclusive<u64>, at: Time) -> Vec<RawDocumentBuf> {
    let entry = |(change, position): (&Done<'_>, u64)| {
        let document = change.document.as_ref().map(|document| &*document.raw);
        Journal::entry(position, at, change.collection.name, change.id, document)
    };
    done.iter().zip(positions).map(entry).collect()
}

fn changes(done: Vec<Done<'_>>, positions: RangeInclusive<u64>, at: Time) -> Vec<Change> {
    let change = |(change, position): (Done<'_>, u64)| Change {
        position,
        at,
        collection: change.collection.name.to_owned(),
        id: change.id.to_owned(),
        document: change.document.map(|document| match document {
            Cow::Borrowed(written) => written.doc.clone(),
            Cow::Owned(found) => found.doc,
        }),
    };
    done.into_iter().zip(positions).map(change).collect()
}

async fn abort(session: &mut Option<ClientSession>, failed: Failed) -> Failed {
    if let Some(session) = session {
        // What cannot be aborted now, the server aborts by itself.
        let _ = session.abort_transaction().await;
    }
    failed
}

async fn commit(session: &mut Option<ClientSession>) -> Result<(), Fault> {
    let Some(session) = session else { return Ok(()) };
    let mut attempt = 0;
    loop {
        match session.commit_transaction().await {
            Err(failure) if attempt < COMMITS && fault::is_unknown_commit(&failure) => {
                tokio::time::sleep(pause(attempt)).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Doubles from 1 ms, with a part that differs from writer to writer, so that those who met do not meet again.
fn pause(attempt: u32) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let longest = Duration::from_millis(1 << attempt.min(10)).min(LONGEST_WAIT);
    let part = RandomState::new().hash_one(attempt) % 1024;
    longest.mul_f64(0.25 + 0.75 * part as f64 / 1024.0)
}
