//! What goes in comes out.

use std::fmt::Debug;

use engify_core::Time;
use engify_core::audit::AuditBlock;
use engify_core::backup::{Backup, Drill, Shipping};
use engify_core::factor::{Ceremony, Factors, HalfSession, Passkey};
use engify_core::identity::{LinkedIdentity, OauthTicket};
use engify_core::ids::UserId;
use engify_core::job::{Job, Schedule};
use engify_store::{Batch, Entity, Patch, Store, queries};
use serde_json::{Value, json};

use crate::builders::{self, everything, ids};
use crate::database::Database;

/// As times are written.
const NOON: &str = "2026-11-22T18:04:05.123Z";

pub(crate) async fn every_entity_comes_back_as_it_was(database: Database) {
    let store = database.open().await;
    let user = builders::user();
    let prompt = builders::prompt("Review code", builders::public());
    check(&store, &user).await;
    let organization = builders::organization();
    check(&store, &organization).await;
    check(&store, &builders::invitation(&organization.id, &user.id)).await;
    check(&store, &builders::open_domain(&organization.id)).await;
    check(&store, &builders::milestone()).await;
    check(&store, &builders::session(&user.id)).await;
    check(&store, &builders::api_key(&user.id)).await;
    check(&store, &prompt).await;
    check(&store, &builders::version(&prompt)).await;
    check(&store, &builders::rating(&prompt, &user.id)).await;
    check(&store, &builders::favorite(&prompt, &user.id)).await;
    check(&store, &builders::run(&user.id)).await;
    check(&store, &builders::audit_entry(&user.id)).await;
    check(&store, &builders::provider_key(builders::private(&user.id), "openai")).await;
    check(&store, &builders::key_usage(&user.id)).await;
    check(&store, &builders::message(&user.id)).await;
    check(&store, &builders::link(&user.id)).await;
    check(&store, &builders::device(&user.id)).await;
    check(&store, &written::<LinkedIdentity>(json!({
        "_id": "i", "userId": "u", "provider": "google", "issuer": "https://accounts.google.com", "subject": "1",
        "email": "ana@example.com", "mappedRole": null, "mappedOrganization": null, "createdAt": NOON, "lastUsedAt": NOON,
    })))
    .await;
    check(&store, &written::<OauthTicket>(json!({
        "_id": "t", "browser": "b", "provider": "google", "userId": null, "next": null, "usedAt": null, "expiresAt": NOON,
        "step": { "at": "provider", "nonce": "n", "verifier": { "keyId": "k", "nonce": "n", "text": "t" } },
    })))
    .await;
    check(&store, &written::<AuditBlock>(json!({
        "_id": AuditBlock::id_of(1), "number": 1, "previous": AuditBlock::NOTHING, "position": 7, "count": 1, "total": 1,
        "lines": [{ "id": "l", "hash": "h" }], "linesHash": "h", "sealedAt": NOON, "keyId": "k", "hash": "h", "pruned": null,
    })))
    .await;
    check(&store, &written::<Factors>(json!({
        "_id": "u", "revision": 1, "totpPending": null, "recoveryCodes": ["h"], "updatedAt": NOON,
        "totp": { "secret": { "keyId": "k", "nonce": "n", "text": "t" }, "lastStep": 58, "createdAt": NOON },
    })))
    .await;
    check(&store, &written::<Passkey>(json!({
        "_id": "p", "userId": "u", "name": "Laptop", "credential": "{}", "createdAt": NOON, "lastUsedAt": null,
    })))
    .await;
    check(
        &store,
        &written::<Ceremony>(json!({
            "_id": "c", "userId": null, "state": "{}", "usedAt": null, "expiresAt": NOON,
        })),
    )
    .await;
    check(
        &store,
        &written::<HalfSession>(json!({
            "_id": "h", "userId": "u", "createdAt": NOON, "expiresAt": NOON,
        })),
    )
    .await;
    check(&store, &written::<Backup>(json!({
        "_id": "b", "kind": "daily", "state": "verified", "createdAt": NOON, "finishedAt": NOON, "position": 7,
        "documents": 1, "bytes": 2, "sha256": "h", "target": "file:/b", "encrypted": true, "durationMillis": 3,
        "verifiedAt": NOON, "replicatedAt": null, "failure": null,
    })))
    .await;
    check(&store, &written::<Shipping>(json!({
        "_id": "file:/b", "holder": "h", "heldUntil": NOON, "position": 7, "shippedAt": NOON, "failingSince": null,
        "failure": null,
    })))
    .await;
    check(&store, &written::<Drill>(json!({
        "_id": "d", "kind": "point-in-time", "startedAt": NOON, "finishedAt": NOON, "rtoSeconds": 1.5, "rpoSeconds": 0.5,
        "goals": { "rtoSeconds": 3600, "rpoSeconds": 21600 }, "outcome": "passed",
        "steps": [{ "name": "restore", "seconds": 0.25, "found": "all" }],
    })))
    .await;
    check(&store, &written::<Job>(json!({
        "_id": "cleanup:29922480", "kind": "cleanup", "payload": { "a": [1, null] }, "state": "running", "priority": "high",
        "lane": "high", "dueAt": NOON, "singleton": "schedule:cleanup", "slot": "cleanup#0", "lease": "l", "attempts": 2,
        "schedule": "cleanup", "askedBy": "u", "handedAt": NOON, "failure": { "code": "away", "message": "It is away." },
        "outcome": { "links": 3 }, "createdAt": NOON, "startedAt": NOON, "endedAt": null, "expiresAt": null,
    })))
    .await;
    check(&store, &written::<Schedule>(json!({
        "_id": "cleanup", "cron": "30 * * * *", "catchUp": "once", "enabled": true, "custom": false, "nextAt": NOON,
        "lastJob": "cleanup:29922480", "lastEndedAt": null, "lastState": "done", "updatedAt": NOON,
    })))
    .await;
    let stats = store.stats().await.expect("stats");
    assert!(stats.iter().all(|stats| stats.documents == 1 && stats.bytes > 0), "{stats:?}");
}

/// An entity as it lies in the store.
fn written<E: Entity>(document: Value) -> E {
    serde_json::from_value(document).expect("a document of this kind")
}

async fn check<E: Entity + Debug>(store: &Store, entity: &E) {
    store.write(Batch::new().insert(entity).expect("an entity")).await.expect("it is written");
    let back: E = store.get(&everything(), entity.id()).await.expect("it is read").expect("it is there");
    assert_eq!(stored(&back), stored(entity));
}

fn stored<E: Entity>(entity: &E) -> Value {
    serde_json::to_value(entity).expect("an entity has a JSON form")
}

pub(crate) async fn a_document_of_one_megabyte_comes_back(database: Database) {
    let store = database.open().await;
    let mut prompt = builders::prompt("Long", builders::public());
    prompt.draft.content = "Ein Wort. ".repeat(100_000);
    check(&store, &prompt).await;
}

pub(crate) async fn control_characters_and_emoji_come_back(database: Database) {
    let store = database.open().await;
    let mut run = builders::run(&UserId::make(&ids()));
    run.prompt = (0..0x20_u8).map(char::from).chain("\u{7f}\u{2028}\u{feff}\"\\/'".chars()).collect();
    run.response = "👩🏽‍💻 🏴‍☠️ e\u{301} \u{10FFFF} ".repeat(1000);
    check(&store, &run).await;
}

pub(crate) async fn times_keep_their_milliseconds(database: Database) {
    let store = database.open().await;
    for millis in [0, 1, 999, 1_000, 1_795_370_645_123, -1, 253_402_207_199_999] {
        let mut user = builders::user();
        user.created_at = Time::from_millis(millis);
        user.disabled_at = Some(Time::from_millis(millis));
        check(&store, &user).await;
    }
    let mut user = builders::user();
    store.write(Batch::new().insert(&user).expect("a user")).await.expect("written");
    user.updated_at = Time::from_millis(1_795_370_645_007);
    let patch = Patch::new(everything(), &user.id).set("updatedAt", user.updated_at).expect("a time");
    let patch = patch.when("createdAt", user.created_at).expect("a time");
    store
        .write(Batch::new().patch::<engify_core::account::User>(patch))
        .await
        .expect("a condition on a time holds");
    let back = store.get::<engify_core::account::User>(&everything(), user.id.as_str()).await.expect("read");
    assert_eq!(back.expect("there").updated_at, user.updated_at);
}

pub(crate) async fn a_projection_has_its_fields_only(database: Database) {
    let store = database.open().await;
    let run = builders::run(&UserId::make(&ids()));
    let user = run.tenancy.user_id.clone().expect("an owner");
    store.write(Batch::new().insert(&run).expect("a run")).await.expect("written");
    let scope = engify_core::tenancy::Scope::Owner(user);
    let page = store.find_docs(&queries::run_figures(scope, builders::noon())).await.expect("read");
    let doc = &page.items[0];
    assert_eq!(doc.get("_id").and_then(Value::as_str), Some(run.id.as_str()));
    assert_eq!(doc.get("createdAt"), stored(&run).get("createdAt"));
    assert_eq!(doc.get("usage"), stored(&run).get("usage"));
    assert!(!doc.contains_key("response") && !doc.contains_key("userId"), "{doc:?}");
}

pub(crate) async fn many_come_in_the_order_of_their_ids(database: Database) {
    let store = database.open().await;
    let users: Vec<_> = (0..5).map(|_| builders::user()).collect();
    let batch = users.iter().try_fold(Batch::new(), Batch::insert).expect("users");
    store.write(batch).await.expect("written");
    let wanted = [users[3].id(), "nobody", users[0].id(), users[4].id()];
    let found: Vec<engify_core::account::User> = store.get_many(&everything(), &wanted).await.expect("read");
    let found: Vec<_> = found.iter().map(|user| user.id.as_str()).collect();
    assert_eq!(found, [users[3].id(), users[0].id(), users[4].id()]);
}
