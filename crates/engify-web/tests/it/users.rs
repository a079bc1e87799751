//! People, as administrators see and change them.

use engify_testkit::TestApp;
use serde_json::json;

use crate::client::{Client, PASSWORD};
use crate::team::{Team, invited, link_to};

async fn id_of(client: &Client) -> String {
    client.get("/api/auth/session").await.with(200)["user"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_name_last_name_and_address() {
    let test = TestApp::start().await;
    let root = Client::of(&test).admin(&test).await;
    for (email, name) in
        [("zoe@example.com", "Ana  Núñez"), ("ana@example.org", "Bea Ito"), ("x@example.com", "Carl Anand")]
    {
        root.post("/api/v2/users", &json!({ "email": email, "name": name })).await.with(201);
    }
    let found = async |query: &str| {
        let list = root.get(&format!("/api/v2/users?{query}")).await.with(200);
        let names =
            list["data"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), list["nextCursor"].as_str().map(str::to_owned))
    };
    let (names, next) = found("q=AN").await;
    assert_eq!(
        names,
        ["Ana  Núñez", "Carl Anand", "Bea Ito"],
        "by name, by last name, by address; each once"
    );
    assert_eq!(next, None);
    assert_eq!(found("q=n%C3%BA%C3%B1").await.0, ["Ana  Núñez"]);
    assert_eq!(found("q=ana+n").await.0, ["Ana  Núñez"]);
    assert_eq!(found("q=nobody").await.0, Vec::<String>::new());
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let (names, next) = found(&format!("q=an&limit=1{cursor}")).await;
        assert!(names.len() <= 1);
        paged.extend(names);
        let Some(next) = next else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, ["Ana  Núñez", "Carl Anand", "Bea Ito"], "page by page the same");
    assert_eq!(found("role=super_admin").await.0, ["Root"]);
    assert_eq!(found("q=an&role=super_admin").await.0, Vec::<String>::new());
    assert_eq!(root.get("/api/v2/users?role=king").await.fields(), ["role"]);
    assert_eq!(root.get("/api/v2/users?q=an&cursor=7.ab").await.refused(400), "invalid_cursor");
    let renamed =
        root.get("/api/v2/users?q=bea").await.with(200)["data"][0]["id"].as_str().unwrap().to_owned();
    root.patch(&format!("/api/v2/users/{renamed}"), &json!({ "name": "Zed Omega" })).await.with(200);
    assert_eq!(found("q=omeg").await.0, ["Zed Omega"], "a new name is found by its new words");
    assert_eq!(found("q=bea").await.0, Vec::<String>::new());
}

#[tokio::test]
async fn a_role_change_is_felt_at_once_and_ends_sessions() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let ben = invited(&test, &team, "benjamin", "org_admin").await;
    ben.get(&team.path("/invitations")).await.with(200);
    let key = ben
        .post("/api/v2/users/api-keys", &json!({ "name": "admin", "scopes": ["users:read", "runs:read"] }))
        .await
        .with(201);
    let by_key = ben.with_key(key["data"]["key"].as_str().unwrap());
    by_key.get("/api/v2/users").await.with(200);
    let id = id_of(&ben).await;
    let role = |role: &str| json!({ "role": role });
    let path = format!("/api/v2/users/{id}/role");
    team.admin.post(&path, &role("org_member")).await.with(200);
    assert_eq!(ben.get("/api/auth/sessions").await.refused(401), "unauthenticated");
    assert_eq!(
        by_key.get("/api/v2/users").await.refused(403),
        "forbidden",
        "a key does what its owner may do"
    );
    assert_eq!(team.admin.post(&path, &role("super_admin")).await.refused(403), "outranked");
    let outside = team.admin.post(&path, &role("pro")).await;
    assert_eq!(
        (outside.refused(400).as_str(), outside.fields()),
        ("invalid_request", vec!["role".to_owned()])
    );
}

#[tokio::test]
async fn to_bring_in_an_administrator_is_as_grave_as_to_make_one() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let scopes = json!({ "name": "onboarding", "scopes": ["users:write", "organization:manage"] });
    let key = team.admin.post("/api/v2/users/api-keys", &scopes).await.with(201);
    let by_key = team.admin.with_key(key["data"]["key"].as_str().unwrap());
    let new = |name: &str, role: &str| json!({ "email": format!("{name}@example.com"), "name": name, "role": role });
    by_key.post("/api/v2/users", &new("mia", "org_member")).await.with(201);
    for role in ["org_manager", "org_admin"] {
        assert_eq!(by_key.post("/api/v2/users", &new("eve", role)).await.refused(403), "forbidden", "{role}");
        let invitation = json!({ "email": "eve@example.com", "role": role });
        assert_eq!(by_key.post(&team.path("/invitations"), &invitation).await.refused(403), "forbidden");
    }
    team.admin.post("/api/v2/users", &new("greta", "org_admin")).await.with(201);
    test.clock.advance(std::time::Duration::from_secs(11 * 60));
    let late = team.admin.post("/api/v2/users", &new("eve", "org_admin")).await;
    assert_eq!(late.refused(403), "fresh_factor_required");
    let invitation = json!({ "email": "eve@example.com", "role": "org_admin" });
    let late = team.admin.post(&team.path("/invitations"), &invitation).await;
    assert_eq!(late.refused(403), "fresh_factor_required");
    team.invite("eve@example.com", "org_manager").await;
}

#[tokio::test]
async fn a_disabled_account_opens_nothing_until_it_is_on_again() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let ben = invited(&test, &team, "benjamin", "org_member").await;
    let key = ben.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201);
    let by_key = ben.with_key(key["data"]["key"].as_str().unwrap());
    by_key.get("/api/v2/ai/runs").await.with(200);
    let id = id_of(&ben).await;
    let path = |what: &str| format!("/api/v2/users/{id}/{what}");
    let own = format!("/api/v2/users/{}/disable", id_of(&team.admin).await);
    assert_eq!(team.admin.post(&own, &json!({})).await.refused(409), "own_account");
    team.admin.post(&path("disable"), &json!({})).await.with(200);
    assert_eq!(ben.get("/api/auth/sessions").await.refused(401), "unauthenticated");
    assert_eq!(by_key.get("/api/v2/ai/runs").await.refused(401), "invalid_api_key");
    let signin = json!({ "email": "benjamin@example.com", "password": PASSWORD });
    assert_eq!(ben.stranger().post("/api/auth/signin", &signin).await.refused(403), "account_disabled");
    team.admin.post(&path("enable"), &json!({})).await.with(200);
    by_key.get("/api/v2/ai/runs").await.with(200);
    let ben = ben.signed_in("benjamin@example.com").await;
    let ended = team.admin.post(&path("end-sessions"), &json!({})).await.with(200);
    assert_eq!(ended["data"]["sessions"], 1);
    assert_eq!(ben.get("/api/auth/sessions").await.refused(401), "unauthenticated");
}

#[tokio::test]
async fn the_last_super_admin_stays_and_of_two_who_end_each_other_one_wins() {
    let test = TestApp::start().await;
    let root = Client::of(&test).admin(&test).await;
    let root_id = id_of(&root).await;
    let last = root.post(&format!("/api/v2/users/{root_id}/role"), &json!({ "role": "user" })).await;
    assert_eq!(last.refused(409), "last_super_admin");
    let eve = root.signed_up("eve").await;
    let eve_id = id_of(&eve).await;
    root.post(&format!("/api/v2/users/{eve_id}/role"), &json!({ "role": "super_admin" })).await.with(200);
    let eve = eve.signed_in("eve@example.com").await;
    let (eve_path, root_path) =
        (format!("/api/v2/users/{eve_id}/role"), format!("/api/v2/users/{root_id}/role"));
    let user = json!({ "role": "user" });
    let (one, two) = tokio::join!(root.post(&eve_path, &user), eve.post(&root_path, &user));
    let mut won = [&one, &two].into_iter().filter(|reply| reply.status == 200);
    assert!(won.next().is_some() && won.next().is_none(), "{} {}", one.status, two.status);
    let left = if one.status == 200 { root } else { eve };
    let admins = left.get("/api/v2/users?role=super_admin").await.with(200);
    assert_eq!(admins["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_account_made_by_an_administrator_opens_through_the_letter() {
    let test = TestApp::start().await;
    let team = Team::start(&test).await;
    let made = team
        .admin
        .post("/api/v2/users", &json!({ "email": "dora@example.com", "name": "Dora" }))
        .await
        .with(201);
    assert_eq!(
        (&made["data"]["role"], &made["data"]["organizationId"]),
        (&json!("org_member"), &json!(team.id))
    );
    let empty = json!({ "email": "dora@example.com", "password": "" });
    assert_eq!(
        team.admin.stranger().post("/api/auth/signin", &empty).await.refused(401),
        "invalid_credentials"
    );
    let above = json!({ "email": "x@example.com", "name": "X", "role": "super_admin" });
    assert_eq!(team.admin.post("/api/v2/users", &above).await.refused(403), "outranked");
    let twice = team.admin.post("/api/v2/users", &json!({ "email": "dora@example.com", "name": "D" })).await;
    assert_eq!(twice.refused(409), "email_taken");
    crate::team::choose_password(&test, "dora@example.com").await;
    let dora = team.admin.signed_in("dora@example.com").await;
    dora.get(&team.path("/members")).await.with(200);
}

#[tokio::test]
async fn a_deleted_account_takes_what_is_private_along() {
    let test = TestApp::start().await;
    let root = Client::of(&test).admin(&test).await;
    let team = Team::start(&test).await;
    let eve = root.signed_up("eve").await;
    eve.post("/api/prompts", &json!({ "title": "Hers alone", "content": "x" })).await.with(201);
    let public = json!({ "title": "For everybody", "content": "x", "visibility": "public" });
    eve.post("/api/prompts", &public).await.with(201);
    let key = eve.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201);
    let by_key = eve.with_key(key["data"]["key"].as_str().unwrap());
    by_key.get("/api/v2/ai/runs").await.with(200);
    let path = format!("/api/v2/users/{}", id_of(&eve).await);
    assert_eq!(team.admin.delete(&path).await.refused(404), "not_found");
    root.delete(&path).await.with(200);
    assert_eq!(eve.get("/api/auth/sessions").await.refused(401), "unauthenticated");
    assert_eq!(by_key.get("/api/v2/ai/runs").await.refused(401), "invalid_api_key");
    eve.stranger().get("/api/prompts/for-everybody").await.with(200);
    assert_eq!(root.get(&path).await.refused(404), "not_found");
    let owner = format!("/api/v2/users/{}", id_of(&team.admin).await);
    assert_eq!(root.delete(&owner).await.refused(409), "owner_protected");
    assert_eq!(team.admin.delete(&owner).await.refused(409), "own_account");
    root.signed_up("eve").await;
}

#[tokio::test]
async fn the_export_has_exactly_whom_the_caller_administers() {
    let test = TestApp::start().await;
    let root = Client::of(&test).admin(&test).await;
    let team = Team::start(&test).await;
    invited(&test, &team, "benjamin", "org_member").await;
    root.signed_up("eve").await;
    let lines = async |client: &Client| {
        let reply = client.get("/api/v2/users/export").await;
        assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8");
        let addresses = reply.text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned());
        addresses.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        lines(&team.admin).await.into_iter().collect::<Vec<_>>(),
        ["ana@example.com", "benjamin@example.com"]
    );
    assert_eq!(lines(&root).await.len(), 4);
    let token = link_to(&test, "benjamin@example.com").await;
    assert_eq!(token.len(), 64, "the link is in the letter only");
}
