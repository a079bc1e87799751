//! The tenant walk: every route with ids of another organization, and every route with credentials that no longer hold.
//!
//! A route with a parameter for which [`Belongings::fill`] has no id fails the walk, so a new route must be added there.

use std::time::Duration;

use axum::body::Body;
use engify_core::permission::{Permission, Role};
use engify_testkit::{SoftPasskey, TestApp};
use engify_web::{Access, route::Route};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::passkeys::enrol;
use crate::team::{Team, invited};

/// A word in everything that the first organization has, which must not come up anywhere in the second.
const MARK: &str = "zanzibar";

/// One of everything that belongs to an organization.
struct Belongings {
    organization: String,
    member: String,
    invitation: String,
    prompt: String,
    private_prompt: String,
    run: String,
    key: String,
    session: String,
    audit: String,
    passkey: String,
}

impl Belongings {
    async fn of(test: &TestApp, team: &Team) -> Self {
        let owner = &team.admin;
        let member = invited(test, team, MARK, "org_member").await;
        let text = |reply: &Value| reply.as_str().unwrap().to_owned();
        let shared =
            json!({ "title": format!("{MARK} shared"), "content": MARK, "visibility": "organization" });
        let private = json!({ "title": format!("{MARK} private"), "content": MARK });
        let prompt = member.post("/api/prompts", &shared).await.with(201);
        let private_prompt = member.post("/api/prompts", &private).await.with(201);
        member
            .patch(&format!("/api/prompts/{}", text(&prompt["slug"])), &json!({ "content": "two" }))
            .await
            .with(200);
        let key = member.post("/api/v2/users/api-keys", &json!({ "name": MARK })).await.with(201);
        member.post("/api/v2/ai/execute", &json!({ "prompt": MARK })).await.with(200);
        engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
        let run = member.get("/api/v2/ai/runs").await.with(200)["data"][0]["id"].clone();
        owner.patch(&team.path(""), &json!({ "domains": [format!("{MARK}.example")] })).await.with(200);
        let invitation = team.invite(&format!("friend@{MARK}.example"), "org_member").await;
        let session = member.get("/api/auth/sessions").await.with(200)["data"][0]["id"].clone();
        let person = member.get("/api/auth/session").await.with(200)["user"]["id"].clone();
        let audit = owner.get("/api/admin/audit?limit=1").await.with(200)["data"][0]["id"].clone();
        let passkey = enrol(&member, &mut SoftPasskey::new(MARK), MARK).await.with(201);
        Self {
            passkey: text(&passkey["passkey"]["id"]),
            audit: text(&audit),
            organization: team.id.clone(),
            member: text(&person),
            invitation: text(&invitation["id"]),
            prompt: text(&prompt["slug"]),
            private_prompt: text(&private_prompt["slug"]),
            run: text(&run),
            key: text(&key["data"]["id"]),
            session: text(&session),
        }
    }

    /// The paths of a route with the first organization's ids; none where its parameters name nothing of a tenant's.
    /// `own` is the second organization, for what lies below one's own.
    fn fill(&self, route: &Route, own: &str) -> Option<Vec<String>> {
        let path = route.path;
        // Shipped content, assets, names of providers and jobs, and tokens, which are what opens something.
        const NOBODYS: &[&str] = &[
            "{token}",
            "/patterns/",
            "/api/patterns/",
            "/assets/",
            "{provider}",
            "/api/cron/",
            "/api/webhooks/",
        ];
        // What only the installation's operators may is no tenant's; the wrong role is walked elsewhere.
        let operators =
            route.permission().is_some_and(|permission| permission.as_str().starts_with("system:"));
        if operators || NOBODYS.iter().any(|part| path.contains(part)) {
            return None;
        }
        let below_own = path.replace("{user}", &self.member).replace("{invitation}", &self.invitation);
        let filled = |name: &str, id: &str| vec![below_own.replace(name, id)];
        if path.starts_with("/api/prompts/") || path.starts_with("/prompts/") {
            let with = |slug: &str| path.replace("{slug}", slug).replace("{version}", "1");
            return Some(vec![with(&self.prompt), with(&self.private_prompt)]);
        }
        for (part, id) in [
            ("/api/v2/users/api-keys/", &self.key),
            ("/settings/keys/", &self.key),
            ("/api/v2/users/", &self.member),
            ("/opshub/users/", &self.member),
            ("/api/v2/ai/runs/", &self.run),
            ("/history/", &self.run),
            ("/api/auth/sessions/", &self.session),
            ("/api/auth/passkeys/", &self.passkey),
            ("/settings/security/passkeys/", &self.passkey),
            // Made by an identity provider only; the id of something else stands for one.
            ("/api/auth/identities/", &self.passkey),
            ("/settings/security/identities/", &self.passkey),
            ("/api/admin/audit/", &self.audit),
            ("/opshub/audit/", &self.audit),
        ] {
            if path.starts_with(part) {
                return Some(filled("{id}", id));
            }
        }
        for part in ["/api/v2/organizations/", "/opshub/organizations/"] {
            if path.starts_with(part) {
                let mut paths = filled("{id}", &self.organization);
                // Somebody else's member or invitation below one's own organization.
                if below_own != path {
                    paths.extend(filled("{id}", own));
                }
                return Some(paths);
            }
        }
        if path.starts_with("/settings/organization/") {
            return Some(vec![below_own]);
        }
        panic!("the tenant walk has no id for {} {path}: add it to Belongings::fill", route.method)
    }

    fn ids(&self) -> [&str; 10] {
        [
            &self.organization,
            &self.member,
            &self.invitation,
            &self.prompt,
            &self.private_prompt,
            &self.run,
            &self.key,
            &self.session,
            &self.audit,
            &self.passkey,
        ]
    }
}

/// A body that a route takes, so that what is refused is the id and not the body.
fn body(route: &Route) -> Value {
    let path = route.path;
    match path {
        _ if path.ends_with("/rating") => json!({ "stars": 5 }),
        _ if path.ends_with("/favorite") => json!({ "favorite": true }),
        _ if path.ends_with("/share") => json!({ "shared": true }),
        _ if path.starts_with("/api/v2/ai/runs/") => json!({ "shared": true }),
        _ if path.contains("/passkeys/{id}") => json!({ "name": "Mine now" }),
        _ if path.ends_with("/role") => json!({ "role": "org_manager" }),
        _ if path.ends_with("/restore") => json!({ "version": 1 }),
        _ if path.ends_with("/edit") => json!({ "version": 1, "title": "Mine now", "content": "x" }),
        "/api/v2/users/{id}" if route.method == Method::PATCH => json!({ "name": "Mine now" }),
        "/opshub/users/{id}" => json!({ "name": "Mine now" }),
        _ if path.ends_with("/transfer") && route.is_page => json!({ "user": "nobody" }),
        _ if path.ends_with("/transfer") => json!({ "userId": "nobody" }),
        _ if path.ends_with("/invitations") => json!({ "email": "mine@example.com" }),
        _ => json!({}),
    }
}

async fn call(client: &Client, route: &Route, path: &str, headers: &[(&str, &str)]) -> Reply {
    let body = body(route);
    let mut headers = headers.to_vec();
    let body = if route.is_page {
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        let pairs = body.as_object().unwrap().iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={}", value.replace(' ', "+"))
        });
        pairs.collect::<Vec<_>>().join("&")
    } else {
        headers.push(("content-type", "application/json"));
        body.to_string()
    };
    let query =
        if route.method == Method::DELETE && path.contains("/organizations/") { "?name=Acme" } else { "" };
    let body = if route.method == Method::GET { Body::empty() } else { Body::from(body) };
    client.send(route.method.clone(), &format!("{path}{query}"), &headers, body).await
}

/// The second organization: its member, its manager, its administrator.
async fn others(test: &TestApp, team: &Team) -> [(Role, Client); 3] {
    [
        (Role::OrgMember, invited(test, team, "mia", "org_member").await),
        (Role::OrgManager, invited(test, team, "greta", "org_manager").await),
        (Role::OrgAdmin, team.admin.clone()),
    ]
}

#[tokio::test]
async fn another_organizations_ids_are_not_found_by_anybody_on_any_route() {
    let test = TestApp::start().await;
    let first = Team::named(Client::of(&test).signed_up("ana").await, "Acme").await;
    let second = Team::named(first.admin.signed_up("benjamin").await, "Beta").await;
    let theirs = Belongings::of(&test, &first).await;
    let mut walked = 0;
    for (role, client) in others(&test, &second).await {
        for route in engify_web::routes().into_iter().filter(|route| route.path.contains('{')) {
            for path in theirs.fill(&route, &second.id).into_iter().flatten() {
                let reply = call(&client, &route, &path, &[]).await;
                let what = || format!("{role} {} {path}: {} {}", route.method, reply.status, reply.text);
                let may = route.permission().is_none_or(|permission: Permission| role.allows(permission));
                // An old address of an answer leads to the prompt's page, whatever prompt; that page is not found.
                let sent_on =
                    route.method == Method::GET && route.path == "/prompts/{slug}/run" && reply.status == 303;
                let wanted = if may { 404 } else { 403 };
                assert!(reply.status == wanted || sent_on, "{}", what());
                assert!(!reply.text.to_lowercase().contains(&format!("{MARK} ")), "{}", what());
                walked += 1;
            }
        }
    }
    assert!(walked > 150, "{walked} calls");
    let owner = &first.admin;
    let member = owner.get(&format!("/api/v2/users/{}", theirs.member)).await.with(200);
    assert_eq!(
        (&member["name"], &member["role"], member["sessions"].as_array().map(Vec::len)),
        (&json!(MARK), &json!("org_member"), Some(1)),
        "nothing was changed by it"
    );
    owner.get(&format!("/api/prompts/{}", theirs.prompt)).await.with(200);
}

#[tokio::test]
async fn no_list_shows_anything_of_another_organization() {
    let test = TestApp::start().await;
    let first = Team::named(Client::of(&test).signed_up("ana").await, "Acme").await;
    let second = Team::named(first.admin.signed_up("benjamin").await, "Beta").await;
    let theirs = Belongings::of(&test, &first).await;
    let mut walked = 0;
    for (role, client) in others(&test, &second).await {
        let lists = engify_web::routes().into_iter().filter(|route| {
            route.method == Method::GET && !route.path.contains('{') && !route.path.starts_with("/assets")
        });
        for route in lists {
            let searches = ["users", "organizations", "prompts", "history"];
            let searched = searches.iter().any(|word| route.path.ends_with(word));
            for query in ["", "?q=zan"].into_iter().take(if searched { 2 } else { 1 }) {
                let reply = client.get(&format!("{}{query}", route.path)).await;
                let text = reply.text.to_lowercase().replace("q=zan", "").replace("value=\"zan\"", "");
                let seen = theirs.ids().into_iter().find(|id| text.contains(*id));
                assert_eq!(seen, None, "{role} {}{query}", route.path);
                assert!(!text.contains(MARK), "{role} {}{query}: {text}", route.path);
                walked += 1;
            }
        }
    }
    assert!(walked > 120, "{walked} calls");
    let theirs = first.admin.get("/api/v2/users?q=zan").await.with(200);
    assert_eq!(
        theirs["data"].as_array().map(Vec::len),
        Some(1),
        "the mark is there to be found by its own people"
    );
}

/// Every route that is not open to everybody, filled with anything.
fn closed() -> impl Iterator<Item = (Route, String)> {
    const READING: Permission = Permission::PromptsRead;
    let closed = |route: &Route| {
        !matches!(route.policy.access, Access::Public | Access::Metrics | Access::Cron)
            && route.permission() != Some(READING)
    };
    engify_web::routes().into_iter().filter(closed).map(|route| {
        let parts: Vec<&str> =
            route.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let path = parts.join("/");
        (route, path)
    })
}

async fn is_stopped_everywhere(client: &Client, why: &str) {
    let mut walked = 0;
    for (route, path) in closed() {
        let reply = call(client, &route, &path, &[]).await;
        let to_sign_in = route.is_page
            && reply.status == 303
            && reply.headers["location"].to_str().unwrap().starts_with("/login");
        assert!(
            reply.status == 401 || to_sign_in,
            "{why}: {} {path} answered {}",
            route.method,
            reply.status
        );
        walked += 1;
    }
    assert!(walked > 60, "{walked} routes are closed");
}

#[tokio::test]
async fn an_expired_session_opens_nothing() {
    const DAY: u64 = 24 * 3600;
    for (role, after, why) in [
        ("org_member", 31 * DAY, "a session at its end"),
        ("org_member", 15 * DAY, "a session that nobody used for two weeks"),
        ("org_admin", 3601, "an administrator's session after its hour"),
    ] {
        let test = TestApp::start().await;
        let team = Team::named(Client::of(&test).signed_up("ana").await, "Acme").await;
        let person = invited(&test, &team, "mia", role).await;
        person.get("/api/v2/ai/runs").await.with(200);
        test.clock.advance(Duration::from_secs(after));
        is_stopped_everywhere(&person, why).await;
    }
}

#[tokio::test]
async fn a_session_that_was_ended_elsewhere_opens_nothing() {
    let test = TestApp::start().await;
    let team = Team::named(Client::of(&test).signed_up("ana").await, "Acme").await;
    let other = team.admin.signed_in("ana@example.com").await;
    other.delete("/api/auth/sessions").await.with(200);
    is_stopped_everywhere(&team.admin, "a session that was ended elsewhere").await;
    other.get("/api/v2/ai/runs").await.with(200);
}

#[tokio::test]
async fn a_revoked_key_and_one_of_a_disabled_account_open_nothing() {
    let test = TestApp::start().await;
    let team = Team::named(Client::of(&test).signed_up("ana").await, "Acme").await;
    let ben = invited(&test, &team, "benjamin", "org_admin").await;
    let made = ben.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201)["data"].clone();
    let by_key = ben.with_key(made["key"].as_str().unwrap());
    by_key.get("/api/v2/ai/runs").await.with(200);
    ben.post(&format!("/api/v2/users/api-keys/{}/revoke", made["id"].as_str().unwrap()), &json!({}))
        .await
        .with(200);
    is_stopped_everywhere(&by_key, "a revoked key").await;
    let short = json!({ "name": "short", "expiresAt": test.clock.now().plus(Duration::from_secs(600)) });
    let made = ben.post("/api/v2/users/api-keys", &short).await.with(201)["data"].clone();
    let by_key = ben.with_key(made["key"].as_str().unwrap());
    by_key.get("/api/v2/ai/runs").await.with(200);
    test.clock.advance(Duration::from_secs(601));
    is_stopped_everywhere(&by_key, "an expired key").await;
    let made = ben.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201)["data"].clone();
    let by_key = ben.with_key(made["key"].as_str().unwrap());
    let id = ben.get("/api/auth/session").await.with(200)["user"]["id"].as_str().unwrap().to_owned();
    team.admin.post(&format!("/api/v2/users/{id}/disable"), &json!({})).await.with(200);
    is_stopped_everywhere(&by_key, "a key of a disabled account").await;
    is_stopped_everywhere(&ben, "a session of a disabled account").await;
}

#[tokio::test]
async fn a_write_from_another_site_is_refused_on_every_route() {
    let test = TestApp::start().await;
    let team = Team::named(Client::of(&test).signed_up("ana").await, "Acme").await;
    let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    for route in engify_web::routes().into_iter().filter(|route| route.method != Method::GET) {
        let parts: Vec<&str> =
            route.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let reply = call(&team.admin, &route, &parts.join("/"), &headers).await;
        assert_eq!(reply.refused(403), "cross_origin", "{} {}", route.method, route.path);
    }
    team.admin.get(&team.path("")).await.with(200);
}
