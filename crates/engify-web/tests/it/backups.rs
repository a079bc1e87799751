//! Backups, drills and restores at their doors: what is shown, what is started, what has to be proven first.

use std::time::Duration;

use axum::body::Body;
use engify_app::jobs::{self, JobKind, Registry};
use engify_core::Time;
use engify_core::backup::{Backup, Drill, Shipping};
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_testkit::TestApp;
use engify_testkit::store::Batch;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, PASSWORD, Reply};

const DAY: u64 = 86_400;

/// The kinds that the binary registers, which here only say what they were told.
fn registry() -> Registry {
    let kind = |name| {
        JobKind::new(name, "A kind of a test.", move |_, task| async move {
            Ok(match name {
                "restore_plan" => came_to(),
                _ => task.payload,
            })
        })
        .needs(Permission::SystemBackup)
    };
    let shipped = Registry::shipped().unwrap();
    let plain = ["backup", "backup_verify", "drill", "restore_plan"].into_iter().map(kind);
    plain.chain([kind("restore").fresh()]).fold(shipped, Registry::with)
}

/// What a plan says.
fn came_to() -> Value {
    json!({
        "plan": { "backup": "b-1", "from": "file:/b", "takenAt": "2026-11-21T12:00:00.000Z", "verified": true, "documents": 300,
            "bytes": 4096, "journal": "none", "position": 7, "there": 310, "collections": ["prompts"], "estimatedSeconds": 2 },
        "safety": null, "written": { "inserted": 0, "replaced": 0, "removed": 0 },
        "differences": [{ "collection": "prompts", "added": 3, "changed": 2, "removed": 1, "examples": [] }],
        "kept": { "revokedKeys": 1, "deletedKeys": 0, "disabledAccounts": 0, "revived": 0, "olderPasswords": 0 },
        "durationMillis": 40,
    })
}

async fn started() -> (TestApp, Client) {
    let test = TestApp::doing(registry(), 1, &[]).await.pop().unwrap();
    let admin = Client::of(&test).admin(&test).await;
    (test, admin)
}

fn ago(test: &TestApp, seconds: u64) -> Time {
    test.clock.now().minus(Duration::from_secs(seconds))
}

/// A backup of so many days ago.
async fn remembered(test: &TestApp, id: &str, days: u64, state: &str) {
    let at = ago(test, days * DAY);
    let backup: Backup = serde_json::from_value(json!({
        "_id": id, "kind": "snapshot", "state": state, "createdAt": at, "finishedAt": at, "position": 1, "documents": 300,
        "bytes": 1_430_000, "sha256": "ab", "target": target(test), "encrypted": false, "durationMillis": 120,
        "verifiedAt": (state == "verified").then_some(at), "replicatedAt": null, "failure": null,
    }))
    .unwrap();
    test.store().write(Batch::new().put(&backup).unwrap()).await.unwrap();
}

fn target(test: &TestApp) -> String {
    format!("file:{}", test.folder().join("backups").display())
}

async fn drilled(test: &TestApp) {
    let drill: Drill = serde_json::from_value(json!({
        "_id": "d-1", "kind": "restore", "startedAt": ago(test, 60), "finishedAt": ago(test, 50), "rtoSeconds": 4.2,
        "rpoSeconds": 0.0, "goals": { "rtoSeconds": 3600, "rpoSeconds": 21600 }, "outcome": "passed",
        "steps": [{ "name": "restored", "seconds": 4.2, "found": "=300 documents, \"all\"" }],
    }))
    .unwrap();
    test.store().write(Batch::new().insert(&drill).unwrap()).await.unwrap();
}

async fn form(client: &Client, path: &str, body: &str) -> Reply {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    client.send(Method::POST, path, &kind, Body::from(body.to_owned())).await
}

fn sent_to(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{}", reply.text);
    reply.headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_the_database_remembers_is_told_with_what_goes_next() {
    let (test, admin) = started().await;
    let empty = admin.get("/opshub/backups").await;
    assert!(empty.status == 200 && empty.text.contains("The first is taken within six hours"));
    for (id, days, state) in [("b-1", 1, "verified"), ("b-31", 31, "verified"), ("b-3", 3, "failed")] {
        remembered(&test, id, days, state).await;
    }
    drilled(&test).await;
    let listed = admin.get("/api/admin/backups?limit=2").await.with(200);
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["state"]), (&json!("b-1"), &json!("verified")));
    let next = format!("/api/admin/backups?cursor={}", listed["nextCursor"].as_str().unwrap());
    assert_eq!(admin.get(&next).await.with(200)["data"][0]["id"], "b-31");
    assert_eq!(admin.get("/api/admin/backups?state=failed").await.with(200)["data"][0]["id"], "b-3");
    assert_eq!(admin.get("/api/admin/backups/b-1").await.with(200)["bytes"], 1_430_000);
    assert_eq!(admin.get("/api/admin/backups/none").await.refused(404), "not_found");
    let goes = admin.get("/api/admin/backups/retention").await.with(200);
    assert_eq!((&goes["data"][0]["id"], &goes["data"][0]["rule"]), (&json!("b-31"), &json!("over")));
    assert_eq!(goes["data"][2]["rule"], "kept", "{goes:#}");
    let page = admin.get("/opshub/backups").await.text;
    for word in
        ["Last proven restore", "1.4 MB", "Snapshot: 2 in 30 days, 1 of them proven", "which are over"]
    {
        assert!(page.contains(word), "{word}");
    }
    assert!(admin.get("/opshub").await.text.contains("Last proven restore"));
    assert!(admin.get("/opshub/backups/b-3").await.text.contains("engify db verify --deep b-3"));
    assert_eq!(admin.get("/opshub/backups/none").await.status, 404);
}

#[tokio::test]
async fn the_journals_reach_is_told_for_each_target() {
    let (test, admin) = started().await;
    let before = admin.get("/api/admin/backups/journal").await.with(200);
    assert_eq!((&before["data"][0]["since"], &before["data"][0]["until"]), (&Value::Null, &Value::Null));
    remembered(&test, "b-20", 20, "verified").await;
    let shipping: Shipping = serde_json::from_value(json!({
        "_id": target(&test), "holder": "h", "heldUntil": ago(&test, 0), "position": 1, "shippedAt": ago(&test, 300),
        "failingSince": ago(&test, 200), "failure": "The disk is full. Make room.",
    }))
    .unwrap();
    test.store().write(Batch::new().insert(&shipping).unwrap()).await.unwrap();
    let journal = admin.get("/api/admin/backups/journal").await.with(200)["data"][0].clone();
    assert_eq!(journal["since"], json!(ago(&test, 7 * DAY)), "as long as it is kept");
    assert_eq!(journal["until"], json!(ago(&test, 300)));
    assert!(journal["behind"].as_u64().unwrap() > 0, "{journal:#}");
    assert!(admin.get("/opshub/backups").await.text.contains("The disk is full. Make room."));
}

#[tokio::test]
async fn backups_checks_and_drills_are_jobs_that_forms_without_scripts_start() {
    let (test, admin) = started().await;
    remembered(&test, "b-1", 1, "taken").await;
    remembered(&test, "b-2", 2, "pruned").await;
    let first = sent_to(&form(&admin, "/opshub/backups/take", "").await);
    let again = sent_to(&form(&admin, "/opshub/backups/take", "").await);
    assert!(first.starts_with("/opshub/jobs/") && first == again, "while it is open it is the same: {again}");
    sent_to(&form(&admin, "/opshub/backups/b-1/verify", "").await);
    sent_to(&form(&admin, "/opshub/backups/drills", "kind=lost-target").await);
    assert_eq!(form(&admin, "/opshub/backups/drills", "kind=flood").await.status, 400);
    assert_eq!(form(&admin, "/opshub/backups/b-2/verify", "").await.status, 409);
    jobs::settle(&test.app).await.unwrap();
    let outcome = async |kind: &str| {
        admin.get(&format!("/api/admin/jobs?kind={kind}")).await.with(200)["data"][0]["outcome"].clone()
    };
    assert_eq!(outcome("backup_verify").await, json!({ "id": "b-1" }));
    assert_eq!(outcome("drill").await, json!({ "kind": "lost-target" }));
    admin.post("/api/admin/backups", &json!({})).await.with(202);
    admin.post("/api/admin/backups/b-1/verify", &json!({})).await.with(202);
    assert_eq!(admin.post("/api/admin/backups/b-2/verify", &json!({})).await.refused(409), "backup_gone");
    assert_eq!(admin.post("/api/admin/drills", &json!({ "kind": "flood" })).await.fields(), ["kind"]);
    admin.post("/api/admin/drills", &json!({ "kind": "restore" })).await.with(202);
}

#[tokio::test]
async fn drills_go_to_auditors_as_lines_and_as_a_table_that_runs_nothing() {
    let (test, admin) = started().await;
    drilled(&test).await;
    let lines = admin.get("/api/admin/drills/export").await;
    let line: Value = serde_json::from_str(lines.text.lines().next().unwrap()).unwrap();
    assert_eq!((&line["id"], &line["goals"]["rtoSeconds"]), (&json!("d-1"), &json!(3600)));
    let table = admin.get("/opshub/backups/drills/export?format=csv").await;
    assert!(table.headers["content-disposition"].to_str().unwrap().contains("drills.csv"));
    let row = table.text.lines().nth(1).unwrap();
    assert!(row.contains(",restore,passed,4.2,3600,0,21600,"), "{row}");
    assert!(row.contains("\"restored (4.2 s): =300 documents, \"\"all\"\"\""), "{row}");
    assert_eq!(admin.get("/api/admin/drills/export?format=pdf").await.fields(), ["format"]);
    let page = admin.get("/opshub/backups/drills").await.text;
    assert!(page.contains("4.20 s") && page.contains("passed") && page.contains("goal 1 h 0 min"), "{page}");
    assert_eq!(admin.get("/api/admin/drills?kind=restore").await.with(200)["data"][0]["outcome"], "passed");
    assert_eq!(admin.get("/api/admin/drills?kind=flood").await.fields(), ["kind"]);
}

#[tokio::test]
async fn a_restore_is_worked_out_seen_confirmed_and_only_then_started() {
    let (test, admin) = started().await;
    remembered(&test, "b-1", 1, "verified").await;
    let chosen = admin.get("/opshub/backups/restore?from=b-1").await.text;
    assert!(chosen.contains("value=\"b-1\" selected"), "{chosen}");
    let plan = sent_to(&form(&admin, "/opshub/backups/restore", "from=b-1&date=&time=&collection=").await);
    assert!(admin.get(&plan).await.text.contains("The plan is being worked out"));
    assert_eq!(form(&admin, &plan, "confirm=localhost:3000").await.status, 409, "it is not ready");
    jobs::settle(&test.app).await.unwrap();
    let shown = admin.get(&plan).await.text;
    for word in
        ["Type localhost:3000 to confirm", "1 API key that was revoked since stays revoked", "300 documents"]
    {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let wrong = form(&admin, &plan, "confirm=yes").await;
    assert!(wrong.status == 400 && wrong.text.contains("Is not localhost:3000"), "{}", wrong.text);

    // Ten minutes later the open browser alone is not enough.
    test.clock.advance(Duration::from_secs(11 * 60));
    assert!(sent_to(&form(&admin, &plan, "confirm=localhost:3000").await).starts_with("/confirm?next="));
    let by_jobs = json!({ "kind": "restore", "payload": { "from": "b-1" } });
    assert_eq!(admin.post("/api/admin/jobs", &by_jobs).await.refused(403), "fresh_factor_required");
    let proof = json!({ "method": "password", "code": PASSWORD });
    admin.post("/api/auth/mfa/verify", &proof).await.with(200);
    let restore = sent_to(&form(&admin, &plan, "confirm=localhost:3000").await);
    assert_ne!(restore, plan);
    assert_eq!(form(&admin, &plan, "confirm=localhost:3000").await.status, 409, "one at a time");
    let id = restore.rsplit('/').next().unwrap();
    let job = admin.get(&format!("/api/admin/jobs/{id}")).await.with(200);
    assert_eq!(job["payload"], json!({ "from": "b-1", "at": null, "collections": [], "revive": false }));
    assert!(admin.get(&restore).await.text.contains("The database is being restored"));
    jobs::settle(&test.app).await.unwrap();
    let told = admin.get("/api/admin/audit?action=restore_started").await.with(200);
    assert_eq!(told["data"][0]["details"]["restore"]["from"], "b-1", "{told:#}");
}

#[tokio::test]
async fn the_api_restores_by_the_same_steps_and_a_plan_grows_old() {
    let (test, admin) = started().await;
    remembered(&test, "b-1", 1, "verified").await;
    let body = json!({ "from": "b-1", "at": "2026-11-22T11:00:00Z", "collections": ["prompts"] });
    let queued = admin.post("/api/admin/restores", &body).await.with(202);
    let path = format!("/api/admin/restores/{}", queued["data"]["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await.with(200)["confirm"], Value::Null);
    jobs::settle(&test.app).await.unwrap();
    let plan = admin.get(&path).await.with(200);
    assert_eq!((&plan["dryRun"], &plan["confirm"]), (&json!(true), &json!("localhost:3000")));
    assert_eq!(plan["result"]["differences"][0]["removed"], 1);
    let start = format!("{path}/start");
    assert_eq!(admin.post(&start, &json!({ "confirm": "example.com" })).await.fields(), ["confirm"]);

    let made = json!({ "name": "ops", "scopes": ["system:backup", "system:read"] });
    let made = admin.post("/api/v2/users/api-keys", &made).await.with(201);
    let key = admin.with_key(made["data"]["key"].as_str().unwrap());
    key.get(&path).await.with(200);
    let confirmed = json!({ "confirm": "localhost:3000" });
    assert_eq!(key.post(&start, &confirmed).await.refused(403), "fresh_factor_required");

    test.clock.advance(Duration::from_secs(3601));
    let admin = admin.signed_in("root@example.com").await;
    assert_eq!(admin.post(&start, &confirmed).await.refused(409), "plan_needed");
    assert_eq!(admin.get("/api/admin/restores/none").await.refused(404), "not_found");
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_by_field_and_starts_nothing() {
    let (test, admin) = started().await;
    remembered(&test, "b-1", 1, "verified").await;
    remembered(&test, "b-9", 9, "pruned").await;
    for (body, field) in [
        (json!({}), "from"),
        (json!({ "from": "b-9" }), "from"),
        (json!({ "from": "nowhere/else" }), "from"),
        (json!({ "at": "yesterday" }), "at"),
        (json!({ "at": "2027-01-01T00:00:00Z" }), "at"),
        (json!({ "from": "b-1", "collections": ["audit_logs"] }), "collections"),
        (json!({ "from": "b-1", "into": "elsewhere" }), "into"),
    ] {
        let reply = admin.post("/api/admin/restores", &body).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (400, vec![field.to_owned()]), "{}", reply.text);
    }
    let typed = "from=b-1&date=2027-01-01&time=10:00:00&collection=prompts&revive=true";
    let again = form(&admin, "/opshub/backups/restore", typed).await;
    assert_eq!(again.status, 400);
    for word in
        ["Lies in the future", "value=\"2027-01-01\"", "value=\"10:00:00\"", "value=\"prompts\" selected"]
    {
        assert!(again.text.contains(word), "{word}: {}", again.text);
    }
    assert_eq!(admin.get("/api/admin/jobs").await.with(200)["data"], json!([]));
}

#[tokio::test]
async fn a_backup_is_downloaded_as_one_file_by_who_has_just_proven_who_they_are() {
    let (test, admin) = started().await;
    for id in ["b-1", "b-2"] {
        remembered(&test, id, 1, "verified").await;
    }
    let folder = test.folder().join("backups/backups/b-1");
    std::fs::create_dir_all(folder.join("engify")).unwrap();
    let part = vec![7_u8; 700];
    std::fs::write(folder.join("engify/users.bson.zst"), &part).unwrap();
    std::fs::write(folder.join("manifest.json"), "{}").unwrap();
    std::fs::write(folder.join("proof.json"), "").unwrap();

    let path = "/api/admin/backups/b-1/download";
    let file = admin.get(path).await;
    assert_eq!(
        (file.status.as_u16(), &file.headers["content-type"]),
        (200, &"application/x-tar".parse().unwrap())
    );
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"engify-b-1.tar\"");
    assert_eq!(file.text.len().to_string(), file.headers["content-length"].to_str().unwrap());
    let unpacked = test.folder().join("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    let tar = unpacked.join("b.tar");
    std::fs::write(&tar, &file.text).unwrap();
    let ran =
        std::process::Command::new("tar").arg("-xvf").arg(&tar).current_dir(&unpacked).output().unwrap();
    let names = String::from_utf8(ran.stdout).unwrap();
    assert!(
        ran.status.success() && names.trim_end().ends_with("manifest.json"),
        "the manifest is the last: {names}"
    );
    assert_eq!(std::fs::read(unpacked.join("backups/b-1/engify/users.bson.zst")).unwrap(), part);
    assert_eq!(admin.get("/opshub/backups/b-1/download").await.text, file.text);
    let told = admin.get("/api/admin/audit?action=backup_downloaded").await.with(200);
    assert_eq!(
        (told["data"].as_array().unwrap().len(), &told["data"][0]["target"]["id"]),
        (2, &json!("b-1"))
    );

    assert_eq!(admin.get("/api/admin/backups/b-2/download").await.refused(409), "backup_gone");
    assert_eq!(admin.get("/api/admin/backups/none/download").await.refused(404), "not_found");
    assert!(admin.get("/opshub/backups/b-1").await.text.contains("/opshub/backups/b-1/download"));
    test.clock.advance(Duration::from_secs(11 * 60));
    assert_eq!(admin.get(path).await.refused(403), "fresh_factor_required");
    let page = admin.get("/opshub/backups/b-1/download").await;
    assert!(sent_to(&page).starts_with("/confirm?next="));
}

#[tokio::test]
async fn that_no_way_back_was_proven_for_too_long_is_told_once_for_each_outage() {
    let (test, admin) = started().await;
    let told = async || {
        admin.post("/api/admin/jobs", &json!({ "kind": "recovery_watch" })).await.with(202);
        jobs::settle(&test.app).await.unwrap();
        admin.get("/api/admin/audit?action=recovery_unproven").await.with(200)["data"]
            .as_array()
            .unwrap()
            .len()
    };
    remembered(&test, "b-1", 1, "verified").await;
    assert_eq!(told().await, 0, "it is young enough");
    remembered(&test, "b-1", 3, "verified").await;
    assert_eq!((told().await, told().await), (1, 1), "once");
    remembered(&test, "b-2", 0, "verified").await;
    assert_eq!(told().await, 1);
    remembered(&test, "b-2", 4, "verified").await;
    remembered(&test, "b-3", 3, "failed").await;
    let everything = Scope::Everything("a test takes one away");
    test.store().write(Batch::new().delete::<Backup>(everything, "b-1")).await.unwrap();
    assert_eq!(told().await, 2, "another outage");
    let line = admin.get("/api/admin/audit?action=recovery_unproven").await.with(200)["data"][0].clone();
    assert_eq!((&line["target"]["id"], &line["outcome"]), (&json!("backup"), &json!("failed")), "{line:#}");
}
