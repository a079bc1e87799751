//! Walks over the list of routes: nothing is open that does not say so, and everything is described.

use engify_core::permission::Role;
use engify_testkit::TestApp;
use engify_web::{Access, route::Route};
use serde_json::{Value, json};

use crate::client::Client;
use crate::team::{Team, invited};

fn filled(route: &Route) -> String {
    let parts: Vec<&str> =
        route.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
    parts.join("/")
}

async fn call(client: &Client, route: &Route) -> crate::client::Reply {
    let headers: &[(&str, &str)] = &[("content-type", "application/json")];
    client.send(route.method.clone(), &filled(route), headers, axum::body::Body::from("{}")).await
}

#[tokio::test]
async fn strangers_come_in_only_where_a_route_says_so() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    for route in engify_web::routes() {
        let reply = call(&stranger, &route).await;
        let stopped = reply.status == 401
            || (route.is_page
                && reply.status == 303
                && reply.headers["location"].to_str().unwrap().starts_with("/login"));
        let reading = route.permission() == Some(engify_core::permission::Permission::PromptsRead);
        let open = route.policy.access == Access::Public || reading;
        assert!(open || stopped, "{} {} answered {} to a stranger", route.method, route.path, reply.status);
        assert!(reply.status.as_u16() < 500, "{} {}: {}", route.method, route.path, reply.text);
    }
}

#[tokio::test]
async fn the_wrong_role_is_forbidden_everywhere() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let people = [
        (Role::User, team.admin.signed_up("benjamin").await),
        (Role::OrgMember, invited(&test, &team, "mia", "org_member").await),
        (Role::OrgManager, invited(&test, &team, "greta", "org_manager").await),
        (Role::OrgAdmin, team.admin.clone()),
    ];
    for (role, client) in people {
        assert_eq!(client.get("/api/auth/session").await.with(200)["user"]["role"], role.as_str());
        let lacks = |route: &Route| route.permission().is_some_and(|permission| !role.allows(permission));
        let mut walked = 0;
        for route in engify_web::routes().into_iter().filter(lacks) {
            walked += 1;
            let reply = call(&client, &route).await;
            assert_eq!(reply.status, 403, "{role} {} {}: {}", route.method, route.path, reply.text);
        }
        assert!(walked > 10, "{walked} routes are not for {role}");
    }
}

#[tokio::test]
async fn a_key_without_scopes_for_it_is_forbidden_everywhere() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let made = ana
        .post("/api/v2/users/api-keys", &json!({ "name": "read", "scopes": ["prompts:read"] }))
        .await
        .with(201);
    let by_key = ana.with_key(made["data"]["key"].as_str().unwrap());
    for route in engify_web::routes().into_iter().filter(|route| !route.is_page) {
        let Some(permission) = route.permission() else { continue };
        let reply = call(&by_key, &route).await;
        let allowed = permission == engify_core::permission::Permission::PromptsRead;
        assert_eq!(
            reply.status == 403,
            !allowed,
            "{} {}: {} {}",
            route.method,
            route.path,
            reply.status,
            reply.text
        );
    }
}

#[tokio::test]
async fn no_key_opens_what_is_about_the_account_itself() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let made = ana.post("/api/v2/users/api-keys", &json!({ "name": "all" })).await.with(201);
    let by_key = ana.with_key(made["data"]["key"].as_str().unwrap());
    by_key.get("/api/v2/ai/runs").await.with(200);
    let mut walked = 0;
    let is_own = |route: &Route| route.policy.access == Access::SignedIn && !route.policy.by_key;
    for route in engify_web::routes().into_iter().filter(is_own) {
        let reply = call(&by_key, &route).await;
        assert_eq!(reply.status, 403, "{} {}: {}", route.method, route.path, reply.text);
        walked += 1;
    }
    assert!(walked > 20, "{walked} routes are about the account itself");
    assert_eq!(ana.get("/api/auth/sessions").await.with(200)["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn other_peoples_ids_are_not_found() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let ben = ana.signed_up("benjamin").await;
    ana.post("/api/prompts", &json!({ "title": "Private matter", "content": "x" })).await.with(201);
    let key = ana.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201)["data"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    ana.post("/api/v2/ai/execute", &json!({ "prompt": "hi" })).await.with(200);
    engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
    let run = ana.get("/api/v2/ai/runs").await.with(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let bodies = |path: &str| match path {
        path if path.ends_with("/rating") => json!({ "stars": 5 }),
        path if path.contains("/runs/") => json!({ "shared": true }),
        _ => json!({}),
    };
    let mut walked = 0;
    for route in engify_web::routes().into_iter().filter(|route| !route.is_page && route.path.contains('{')) {
        let id = match route.path {
            path if path.starts_with("/api/prompts/") => "private-matter",
            path if path.contains("api-keys") => &key,
            path if path.contains("/runs/") => &run,
            _ => continue,
        };
        let path = route.path.replace("{slug}", id).replace("{id}", id).replace("{version}", "1");
        walked += 1;
        let reply = ben.json(route.method.clone(), &path, &bodies(route.path)).await;
        assert_eq!(reply.refused(404), "not_found", "{} {path}", route.method);
    }
    assert!(walked >= 12, "{walked} routes take an id");
}

#[tokio::test]
async fn the_description_names_every_route_and_only_statuses_that_it_declares() {
    let test = TestApp::start().await;
    let document = Client::of(&test).get("/api/openapi.json").await.with(200);
    assert_eq!(document["openapi"], "3.1.0");
    for route in engify_web::routes().into_iter().filter(|route| route.path.starts_with("/api/")) {
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][route.path][&method];
        assert!(
            operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
            "{method} {}",
            route.path
        );
        assert!(
            operation["responses"]
                .as_object()
                .is_some_and(|all| all.keys().any(|status| status.starts_with('2') || status == "303"))
        );
    }
    let references: Vec<String> = references(&document);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
