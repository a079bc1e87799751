//! The audit log.

use engify_testkit::TestApp;
use serde_json::{Value, json};

use crate::client::Client;

#[tokio::test]
async fn what_people_do_is_in_the_log_for_administrators_only() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    let ana = admin.signed_up("ana").await;
    ana.post("/api/prompts", &json!({ "title": "My prompt", "content": "x" })).await.with(201);
    ana.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201);
    ana.post("/api/auth/signin", &json!({ "email": "ana@example.com", "password": "wrong" }))
        .await
        .refused(401);
    ana.post("/api/v2/ai/execute", &json!({ "prompt": "hi" })).await.with(200);
    engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();

    assert_eq!(ana.get("/api/admin/audit").await.refused(403), "forbidden");
    assert_eq!(ana.stranger().get("/api/admin/audit").await.refused(401), "unauthenticated");
    let log = admin.get("/api/admin/audit?limit=100").await.with(200);
    let seen: Vec<(&str, &str)> = log["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["outcome"].as_str().unwrap()))
        .collect();
    for expected in [
        ("admin_created", "success"),
        ("user_created", "success"),
        ("prompt_created", "success"),
        ("api_key_created", "success"),
        ("user_signed_in", "refused"),
        ("prompt_executed", "success"),
    ] {
        assert!(seen.contains(&expected), "{expected:?} in {seen:?}");
    }
    assert!(!log.to_string().contains("ana@example.com"), "no address in the log");
    let user = log["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["action"] == "prompt_created")
        .unwrap()["userId"]
        .clone();
    let hers = admin
        .get(&format!("/api/admin/audit?user={}&action=prompt_created", user.as_str().unwrap()))
        .await
        .with(200);
    assert_eq!(hers["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(hers["data"][0]["target"], json!({ "kind": "prompt", "id": "my-prompt" }));
    let none = admin.get("/api/admin/audit?until=2020-01-01T00:00:00Z").await.with(200);
    assert_eq!(none["data"], Value::Array(Vec::new()));
    let bad = admin.get("/api/admin/audit?action=unknown&since=yesterday").await;
    assert_eq!(
        (bad.refused(400).as_str(), bad.fields()),
        ("invalid_request", vec!["action".to_owned(), "since".to_owned()])
    );
}

/// The first event of a stream that holds `word`.
async fn event_with(body: &mut axum::body::Body, word: &str) -> String {
    let mut text = String::new();
    while !(text.contains(word) && text.ends_with("\n\n")) {
        let frame =
            http_body_util::BodyExt::frame(body).await.expect("the stream goes on").expect("no fault");
        text.push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("text"));
    }
    text
}

#[tokio::test]
async fn a_follower_sees_lines_as_they_come_and_goes_on_where_it_left_off() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    let get = http::Method::GET;
    let path = "/api/admin/audit/tail?action=prompt_created";
    let (status, headers, mut body) = admin.open(get.clone(), path, &[], axum::body::Body::empty()).await;
    assert_eq!((status.as_u16(), headers["content-type"].to_str().unwrap()), (200, "text/event-stream"));
    event_with(&mut body, "begun").await;
    admin.post("/api/prompts", &json!({ "title": "First one", "content": "x" })).await.with(201);
    let first = event_with(&mut body, "first-one").await;
    let id = first.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    drop(body);
    test.clock.advance(std::time::Duration::from_secs(1));
    admin.post("/api/prompts", &json!({ "title": "Second one", "content": "x" })).await.with(201);
    let from = [("last-event-id", id.as_str())];
    let (_, _, mut body) = admin.open(get.clone(), path, &from, axum::body::Body::empty()).await;
    let missed = event_with(&mut body, "second-one").await;
    assert!(!missed.contains("first-one"), "{missed}");
    let (_, _, mut rows) =
        admin.open(get, "/opshub/audit/live?action=prompt_created", &from, axum::body::Body::empty()).await;
    assert!(event_with(&mut rows, "second-one").await.contains("data: <tr>"));
}

#[tokio::test]
async fn an_export_holds_every_line_in_both_layouts_and_is_a_line_itself() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    let ctx = engify_app::Ctx::system(&test.app, "test");
    for number in 0..450 {
        let target = engify_core::audit::Target::new("user", format!("=cmd{number}"));
        let (action, outcome) =
            (engify_core::audit::Action::UserUpdated, engify_core::audit::Outcome::Success);
        engify_app::audit::note(&ctx, ctx.audit(action, outcome, target, json!({ "a": "\"q\",\n" }))).await;
    }
    engify_app::audit::settle(&ctx).await.unwrap();
    let lines = admin.get("/api/admin/audit/export?action=user_updated").await;
    assert_eq!(lines.headers["content-disposition"], "attachment; filename=\"audit.jsonl\"");
    let read: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), 450);
    assert!(read.iter().all(|line| line["action"] == "user_updated" && line["id"].is_string()));
    let table = admin.get("/opshub/audit/export?action=user_updated&format=csv").await.text;
    assert_eq!(table.matches("\r\n").count(), 451, "a header and each line");
    assert!(table.contains(",'=cmd7,") && !table.contains(",=cmd7,"), "no cell is a formula");
    assert_eq!(admin.get("/api/admin/audit/export?format=xml").await.fields(), ["format"]);
    let told = admin.get("/api/admin/audit?action=audit_exported").await.with(200);
    assert_eq!(told["data"].as_array().map(Vec::len), Some(2), "{told}");
}

#[tokio::test]
async fn lines_are_found_by_outcome_target_and_address_and_show_what_changed() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    let slug = "my-prompt";
    admin.post("/api/prompts", &json!({ "title": "My prompt", "content": "x" })).await.with(201);
    test.clock.advance(std::time::Duration::from_secs(1));
    admin.patch(&format!("/api/prompts/{slug}"), &json!({ "title": "Her prompt" })).await.with(200);
    let found = async |query: &str| {
        admin.get(&format!("/api/admin/audit?{query}")).await.with(200)["data"].as_array().cloned().unwrap()
    };
    let on = found(&format!("target=prompt:{slug}&outcome=success&address=203.0.113.7")).await;
    assert_eq!(on.len(), 2, "{on:?}");
    assert_eq!(
        (&on[0]["details"]["before"]["title"], &on[0]["details"]["after"]["title"]),
        (&json!("My prompt"), &json!("Her prompt"))
    );
    assert!(found("outcome=failed").await.is_empty() && found("target=nobody").await.is_empty());
    let page = admin.get(&format!("/opshub/audit/{}", on[0]["id"].as_str().unwrap())).await.text;
    assert!(page.contains("What changed") && page.contains("My prompt") && page.contains("Her prompt"));
    assert_eq!(admin.get("/api/admin/audit/nothing").await.refused(404), "not_found");
}
