//! One moment of the database, and the way back into another one.

use std::collections::BTreeMap;

use engify_core::account::Milestone;
use engify_core::organization::Organization;
use engify_store::search::{Filters, Search, Sort};
use engify_store::{Batch, Doc, Entity, Snapshot, Store, bson, collections, queries};
use serde_json::Value;

use crate::builders::{self, everything};
use crate::database::Database;

/// Everything there is, by collection and id.
type Content = BTreeMap<(String, String), Doc>;

async fn walk(snapshot: &mut Snapshot) -> Content {
    let mut content = Content::new();
    for collection in collections::ALL {
        let mut pages = snapshot.pages(collection);
        while let Some(page) = pages.next().await.expect("a page") {
            let id = |doc: &Doc| doc["_id"].as_str().expect("a text").to_owned();
            let before = content.len();
            let count = page.len();
            content.extend(page.into_iter().map(|doc| ((collection.name.to_owned(), id(&doc)), doc)));
            assert_eq!(content.len(), before + count, "nothing comes twice");
        }
    }
    content
}

/// What the journal says that there was at a position.
async fn model(store: &Store, until: u64) -> Content {
    let (mut content, mut position) = (Content::new(), 0);
    loop {
        let changes = store.journal_after(position, 500).await.expect("changes");
        let Some(last) = changes.last() else { return content };
        position = last.position;
        for change in changes.into_iter().filter(|change| change.position <= until) {
            let key = (change.collection, change.id);
            match change.document {
                Some(doc) => content.insert(key, doc),
                None => content.remove(&key),
            };
        }
    }
}

pub(crate) async fn a_snapshot_is_what_the_journal_says_while_eight_write(database: Database) {
    let store = database.open().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut writers = Vec::new();
    for number in 0..8 {
        let (store, stopped) = (store.clone(), stopped.clone());
        writers.push(tokio::spawn(async move {
            let mut count = 0;
            while !*stopped.borrow() {
                let (one, mut other) = (builders::organization(), builders::organization());
                // Two documents that are only ever seen together, then one of them changes or goes.
                let batch = Batch::new().insert(&one).expect("one").insert(&other).expect("other");
                store.write(batch).await.expect("written");
                other.name = format!("Writer {number}, {count}");
                let batch = match count % 3 {
                    0 => Batch::new().delete::<Organization>(everything(), &one.id),
                    _ => Batch::new().put(&other).expect("other"),
                };
                store.write(batch).await.expect("written");
                count += 1;
            }
            count
        }));
    }
    let mut feed = store.changes();
    for _ in 0..3 {
        feed.recv().await.expect("somebody writes");
        let mut snapshot = store.snapshot().await.expect("a snapshot");
        let mut content = walk(&mut snapshot).await;
        let mut position = snapshot.position();
        if !snapshot.is_exact() {
            // What the server cannot promise, the journal does.
            let place = Database::embedded();
            let scratch = place.open().await;
            for ((collection, _), doc) in content {
                let collection = collections::named(&collection).expect("ours");
                scratch.load(collection, vec![doc]).await.expect("loaded");
            }
            let end = store.journal_settled().await.expect("a position");
            while position < end {
                let changes = store.journal_after(position, 500).await.expect("changes");
                position = changes.last().expect("up to the end").position;
                scratch.apply(changes).await.expect("applied");
            }
            content = walk(&mut scratch.snapshot().await.expect("a snapshot")).await;
        }
        let model = model(&store, position).await;
        let differs: Vec<_> = content
            .iter()
            .filter(|(key, doc)| model.get(*key) != Some(doc))
            .chain(model.iter().filter(|(key, _)| !content.contains_key(*key)))
            .map(|(key, doc)| (key, doc.get("name")))
            .collect();
        let began = snapshot.position();
        assert!(
            differs.is_empty(),
            "between {began} and {position} the journal says otherwise of {differs:#?}"
        );
    }
    stop.send(true).expect("writers listen");
    for writer in writers {
        assert!(writer.await.expect("a writer ends") > 0);
    }
}

pub(crate) async fn what_is_loaded_is_what_was_read(database: Database) {
    let place = Database::embedded();
    let source = place.open().await;
    let prompt = builders::prompt("Review code", builders::public());
    let batch = Batch::new().insert(&prompt).expect("prompt").insert(&builders::user()).expect("user");
    let position = source.write(batch).await.expect("written");
    let content = walk(&mut source.snapshot().await.expect("a snapshot")).await;
    let store = database.open().await;
    for ((collection, _), doc) in &content {
        let doc = bson::decode(&bson::encode(doc).expect("bytes")).expect("a document");
        let collection = collections::named(collection).expect("ours");
        // Twice: a load that was interrupted is repeated.
        store.load(collection, vec![doc.clone()]).await.expect("loaded");
        store.load(collection, vec![doc]).await.expect("loaded");
    }
    assert!(walk(&mut store.snapshot().await.expect("a snapshot")).await == content);
    store.reindex_search().await.expect("indexed");
    let search = Search {
        scope: everything(),
        text: "review".to_owned(),
        filters: Filters::default(),
        sort: Sort::Relevance,
        limit: 10,
        cursor: None,
    };
    assert_eq!(store.search(&search).await.expect("hits").cards.len(), 1);
    assert!(store.journal_after(0, 10).await.expect("changes").is_empty(), "loading is not journaled");
    store.continue_journal(position).await.expect("raised");
    store.continue_journal(1).await.expect("never moved back");
    assert_eq!(store.journal_position().await.expect("a position"), position);
    let mut feed = store.changes();
    let next = store.write(Batch::new().insert(&builders::user()).expect("user")).await.expect("written");
    assert_eq!(next, position + 1);
    assert_eq!(feed.recv().await.expect("a commit").len(), 1);
    assert_eq!(store.journal_position().await.expect("a position"), next);
    let found = store.find(&queries::prompts_all(everything())).await.expect("prompts");
    assert_eq!(found.items.len(), 1);
}

pub(crate) async fn a_load_refuses_what_it_cannot_keep(database: Database) {
    let store = database.open().await;
    let users = collections::named("users").expect("users");
    let Value::Object(nameless) = serde_json::json!({ "email": "a@example.com" }) else { unreachable!() };
    let refused = store.load(users, vec![nameless]).await.expect_err("no id");
    assert_eq!(refused.details()[0].field, "users._id");
    let Value::Object(first) = serde_json::json!({ "_id": "1", "email": "a@example.com" }) else {
        unreachable!()
    };
    let Value::Object(second) = serde_json::json!({ "_id": "2", "email": "a@example.com" }) else {
        unreachable!()
    };
    let refused = store.load(users, vec![first, second]).await.expect_err("the same address");
    assert_eq!((refused.code(), refused.details()[0].field.as_str()), ("duplicate", "users.email_1"));
}

pub(crate) async fn a_large_collection_comes_in_pages(database: Database) {
    let store = database.open().await;
    let doc = |number| match serde_json::json!({ "_id": format!("{number:05}"), "at": number }) {
        Value::Object(doc) => doc,
        _ => unreachable!("an object"),
    };
    let all: Vec<Doc> = (0..1050).map(doc).collect();
    for page in all.chunks(350) {
        store.load(&Milestone::COLLECTION, page.to_vec()).await.expect("loaded");
    }
    let mut snapshot = store.snapshot().await.expect("a snapshot");
    let first = snapshot.page(&Milestone::COLLECTION, None).await.expect("a page");
    assert_eq!(first.len(), 1000);
    assert_eq!(walk(&mut snapshot).await.len(), 1050);
}
