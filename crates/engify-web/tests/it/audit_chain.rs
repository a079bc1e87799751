//! The audit log's chain: it holds, and it names the first thing that somebody did to it in the database.

use engify_app::{Ctx, audit};
use engify_core::Time;
use engify_testkit::TestApp;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::client::Client;

struct Scene {
    test: TestApp,
    admin: Client,
}

impl Scene {
    /// An installation in which a few things happened, in three blocks.
    async fn start() -> Self {
        let test = TestApp::start().await;
        let admin = Client::of(&test).admin(&test).await;
        for name in ["one", "two", "three"] {
            admin
                .post("/api/prompts", &json!({ "title": format!("Prompt {name}"), "content": "x" }))
                .await
                .with(201);
            admin.get("/api/admin/audit").await.with(200);
            audit::settle(&Ctx::system(&test.app, "test")).await.unwrap();
        }
        Self { test, admin }
    }

    /// What somebody with the database in their hands does.
    fn meddle(&self, sql: &str) {
        let database = Connection::open(self.test.folder().join("engify.db")).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        assert!(database.execute(sql, []).unwrap() > 0, "nothing was meddled with: {sql}");
    }

    async fn verdict(&self) -> Value {
        self.admin.post("/api/admin/audit/verify", &json!({})).await.with(200)
    }

    async fn broken(&self, sql: &str) -> Value {
        self.meddle(sql);
        let verdict = self.verdict().await;
        assert_eq!(verdict["intact"], false, "{verdict}");
        verdict["broken"].clone()
    }

    fn first(&self, sql: &str) -> String {
        let database = Connection::open(self.test.folder().join("engify.db")).unwrap();
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

const LAST: &str = "SELECT max(id) FROM audit_logs";

#[tokio::test]
async fn an_untouched_log_is_proven_and_says_where_it_ends() {
    let scene = Scene::start().await;
    let verdict = scene.verdict().await;
    assert_eq!((&verdict["intact"], &verdict["broken"]), (&json!(true), &Value::Null), "{verdict}");
    assert!(verdict["blocks"].as_u64() >= Some(3), "{verdict}");
    assert_eq!(verdict["head"]["lines"], verdict["lines"]);
    let chain = scene.admin.get("/api/admin/audit/chain").await.with(200);
    assert_eq!(chain["head"], verdict["head"]);
    let page = scene.admin.get("/opshub/audit").await;
    assert!(page.text.contains("lines sealed in"), "{}", page.text);
}

#[tokio::test]
async fn a_changed_line_is_named() {
    let scene = Scene::start().await;
    let id = scene.first(LAST);
    let broken = scene
        .broken(&format!(
            "UPDATE audit_logs SET doc = jsonb_set(doc, '$.address', '6.6.6.6') WHERE id = '{id}'"
        ))
        .await;
    assert_eq!((&broken["what"], &broken["line"]), (&json!("changed"), &json!(id)));
}

#[tokio::test]
async fn a_removed_line_is_named() {
    let scene = Scene::start().await;
    let id = scene.first("SELECT min(id) FROM audit_logs");
    let broken = scene.broken(&format!("DELETE FROM audit_logs WHERE id = '{id}'")).await;
    assert_eq!(
        (&broken["what"], &broken["line"], &broken["block"]),
        (&json!("missing"), &json!(id), &json!(1))
    );
}

#[tokio::test]
async fn a_line_that_was_put_in_is_named() {
    let scene = Scene::start().await;
    let sql =
        "INSERT INTO audit_logs SELECT 'forged', jsonb_set(doc, '$._id', 'forged') FROM audit_logs LIMIT 1";
    scene.test.clock.advance(std::time::Duration::from_secs(120));
    let broken = scene.broken(sql).await;
    assert_eq!((&broken["what"], &broken["line"]), (&json!("inserted"), &json!("forged")));
}

#[tokio::test]
async fn a_removed_block_a_changed_block_and_swapped_blocks_are_named() {
    let scene = Scene::start().await;
    let broken = scene.broken("DELETE FROM audit_chain WHERE id = '000000000002'").await;
    assert_eq!(broken, json!({ "block": 2, "line": null, "what": "missing" }));

    let scene = Scene::start().await;
    let broken = scene
        .broken("UPDATE audit_chain SET doc = jsonb_set(doc, '$.total', 99) WHERE id = '000000000002'")
        .await;
    assert_eq!(broken, json!({ "block": 2, "line": null, "what": "changed" }));

    let scene = Scene::start().await;
    let copy = "UPDATE audit_chain SET doc = (SELECT other.doc FROM audit_chain other WHERE other.id = '000000000003') \
                WHERE id = '000000000002'";
    assert_eq!(scene.broken(copy).await, json!({ "block": 2, "line": null, "what": "reordered" }));
}

#[tokio::test]
async fn lines_that_changed_places_in_their_block_are_named() {
    let scene = Scene::start().await;
    for name in ["four", "five"] {
        let body = json!({ "title": format!("Prompt {name}"), "content": "x" });
        scene.admin.post("/api/prompts", &body).await.with(201);
    }
    audit::settle(&Ctx::system(&scene.test.app, "test")).await.unwrap();
    let pair = "SELECT id FROM audit_chain WHERE doc ->> '$.count' > 1 ORDER BY id DESC LIMIT 1";
    let block = scene.first(pair);
    let swap = format!(
        "UPDATE audit_chain SET doc = jsonb_set(doc, '$.lines', jsonb_array(doc -> '$.lines[1]', doc -> '$.lines[0]')) \
         WHERE id = '{block}'"
    );
    assert_eq!(scene.broken(&swap).await["what"], "reordered");
}

#[tokio::test]
async fn a_chain_that_was_cut_off_at_its_end_is_found_by_who_kept_its_head() {
    let scene = Scene::start().await;
    let ctx = Ctx::system(&scene.test.app, "test");
    let head = audit::head(&ctx).await.unwrap().unwrap();
    let anchor = audit::Anchor { block: head.block, hash: head.hash };
    assert!(audit::verify(&ctx, Some(&anchor), |_, _| {}).await.unwrap().intact);
    let elsewhere = audit::Anchor { hash: "0".repeat(64), ..anchor.clone() };
    assert!(!audit::verify(&ctx, Some(&elsewhere), |_, _| {}).await.unwrap().intact);
    let beyond = audit::Anchor { block: 99, ..anchor };
    assert!(!audit::verify(&ctx, Some(&beyond), |_, _| {}).await.unwrap().intact);
}

#[tokio::test]
async fn old_lines_go_and_the_chain_still_holds() {
    let scene = Scene::start().await;
    let ctx = Ctx::system(&scene.test.app, "test");
    assert_eq!(audit::prune(&ctx).await.unwrap().lines, 0, "nothing is old");
    let before = scene.verdict().await["lines"].as_u64().unwrap();
    scene.test.clock.advance(std::time::Duration::from_secs(366 * 24 * 3600));
    let gone = audit::prune(&ctx).await.unwrap().lines;
    assert!(gone >= before, "{gone} of {before}");
    let verdict = audit::verify(&ctx, None, |_, _| {}).await.unwrap();
    assert!(verdict.intact, "{verdict:?}");
    assert_eq!((verdict.pruned, verdict.lines), (gone, 1), "what is left tells of it: {verdict:?}");
    scene.meddle("UPDATE audit_chain SET doc = jsonb_set(doc, '$.pruned', NULL) WHERE id = '000000000001'");
    let verdict = audit::verify(&ctx, None, |_, _| {}).await.unwrap();
    assert!(!verdict.intact, "a line that nobody pruned is missed");
}

#[tokio::test]
async fn an_organization_keeps_its_lines_as_long_as_it_says() {
    let scene = Scene::start().await;
    let ctx = Ctx::system(&scene.test.app, "test");
    let keeps = |id: &str, days: &str| {
        format!(
            "INSERT INTO organizations VALUES ('{id}', jsonb('{{\"_id\":\"{id}\",\"slug\":\"{id}\",\"auditRetentionDays\":{days}}}'))"
        )
    };
    scene.meddle(&keeps("short", "1"));
    scene.meddle(&keeps("forever", "0"));
    let line = |organization: &str| {
        let target = engify_core::audit::Target::new("user", "x");
        let action = engify_core::audit::Action::UserUpdated;
        let mut line = ctx.audit(action, engify_core::audit::Outcome::Success, target, json!({}));
        line.organization_id = Some(engify_core::ids::OrganizationId::parse(organization).unwrap());
        line
    };
    audit::note(&ctx, line("short")).await;
    audit::note(&ctx, line("forever")).await;
    audit::settle(&ctx).await.unwrap();
    scene.test.clock.advance(std::time::Duration::from_secs(2 * 24 * 3600));
    assert_eq!(audit::prune(&ctx).await.unwrap().lines, 1, "that of the short one");
    scene.test.clock.advance(std::time::Duration::from_secs(1000 * 24 * 3600));
    audit::prune(&ctx).await.unwrap();
    let left = audit::list(&ctx, &audit::Filter::default(), 100, None).await.unwrap().items;
    let forever =
        left.iter().filter(|line| line.organization_id.as_ref().is_some_and(|id| id.as_str() == "forever"));
    assert_eq!(forever.count(), 1);
    let verdict = audit::verify(&ctx, None, |_, _| {}).await.unwrap();
    assert!(verdict.intact, "{verdict:?}");
    let now: Time = ctx.now();
    assert!(verdict.head.is_some_and(|head| head.sealed_at <= now));
}

#[tokio::test]
async fn many_lines_at_once_are_all_sealed_in_order() {
    let test = TestApp::start().await;
    let ctx = Ctx::system(&test.app, "test");
    let writers = (0..8).map(|writer| {
        let ctx = ctx.clone();
        tokio::spawn(async move {
            for number in 0..300 {
                let target = engify_core::audit::Target::new("user", format!("{writer}-{number}"));
                let action = engify_core::audit::Action::UserUpdated;
                let details = json!({ "real": 0.1, "whole": 2, "nested": { "sentAt": "2026-11-22T12:00:00.000Z", "none": null } });
                audit::note(&ctx, ctx.audit(action, engify_core::audit::Outcome::Success, target, details)).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let verdict = audit::verify(&ctx, None, |_, _| {}).await.unwrap();
    assert!(verdict.intact, "{verdict:?}");
    assert!(verdict.lines >= 2400 && verdict.unsealed == 0, "{verdict:?}");
}
