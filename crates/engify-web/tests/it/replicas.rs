//! Three replicas on one database: how long what was taken away at one lives on at another.

use std::time::{Duration, Instant};

use engify_core::Time;
use engify_testkit::TestApp;
use serde_json::json;

use crate::client::Client;

/// The stated bound.
const BOUND: Duration = Duration::from_secs(1);
/// How long anything may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(30);
/// Four things are changed in each.
const ROUNDS: usize = 50;

/// How long it takes until `seen`.
async fn until(what: &str, seen: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !seen().await {
        assert!(began.elapsed() < PATIENCE, "{what} is never seen elsewhere");
        tokio::task::yield_now().await;
    }
    began.elapsed()
}

struct Site {
    servers: Vec<Client>,
    admin: Client,
    stranger: Client,
    /// Whose role changes, and a key of theirs.
    ana: (String, Client),
    keys: Vec<Key>,
    sessions: Vec<Client>,
    _replicas: Vec<TestApp>,
}

struct Key {
    by_key: Client,
    owner: Client,
    id: String,
}

async fn key(owner: &Client) -> Key {
    let made = owner.post("/api/v2/users/api-keys", &json!({ "name": "ci" })).await.with(201)["data"].clone();
    let by_key = owner.with_key(made["key"].as_str().unwrap());
    Key { by_key, owner: owner.clone(), id: made["id"].as_str().unwrap().to_owned() }
}

impl Site {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let replicas = TestApp::replicas(3, settings).await;
        let servers: Vec<Client> = replicas.iter().map(Client::of).collect();
        let admin = servers[0].admin(&replicas[0]).await;
        let ana = servers[0].signed_up("ana").await;
        let id = ana.get("/api/auth/session").await.with(200)["user"]["id"].as_str().unwrap().to_owned();
        let ana = (id, key(&ana).await.by_key);
        let (mut keys, mut sessions) = (Vec::new(), Vec::new());
        for owner in ["benjamin", "cy", "dorothea"] {
            let owner = servers[0].signed_up(owner).await;
            for _ in 0..ROUNDS.div_ceil(3) {
                keys.push(key(&owner).await);
            }
        }
        for number in 0..ROUNDS {
            let from = servers[0].from(u8::try_from(number).unwrap());
            sessions.push(from.signed_in("cy@example.com").await);
        }
        let new = json!({ "title": "A moving prompt", "content": "Move 0.", "visibility": "public" });
        admin.post("/api/prompts", &new).await.with(201);
        let stranger = servers[0].clone();
        Self { servers, admin, stranger, ana, keys, sessions, _replicas: replicas }
    }

    /// Changes four things at one replica, and says how long each was seen as it was at another.
    async fn round(&self, number: usize) -> [Duration; 4] {
        let here = |client: &Client| client.at(&self.servers[number % 3]);
        let there = |client: &Client| client.at(&self.servers[(number + 1 + number % 2) % 3]);
        let (stranger, ana) = (there(&self.stranger), there(&self.ana.1));
        let version =
            async || stranger.get("/api/prompts/a-moving-prompt").await.with(200)["version"].clone();
        let role = async || ana.get("/api/auth/session").await.with(200)["user"]["role"].clone();
        let Key { by_key, owner, id } = &self.keys[number];
        let (by_key, session) = (there(by_key), there(&self.sessions[number]));

        by_key.get("/api/v2/ai/runs").await.with(200);
        here(owner).post(&format!("/api/v2/users/api-keys/{id}/revoke"), &json!({})).await.with(200);
        let revoked = async || by_key.get("/api/v2/ai/runs").await.status == 401;
        let key = until("a revoked key", revoked).await;

        session.get("/api/auth/sessions").await.with(200);
        here(&session).post("/api/auth/signout", &json!({})).await;
        let ended = async || session.get("/api/auth/sessions").await.status == 401;
        let session = until("an ended session", ended).await;

        let old = version().await;
        let edit = json!({ "content": format!("Move {}.", number + 1) });
        here(&self.admin).patch("/api/prompts/a-moving-prompt", &edit).await.with(200);
        let version = until("a moved version", async || version().await != old).await;

        let new = if number.is_multiple_of(2) { "pro" } else { "user" };
        assert_ne!(role().await, new);
        let path = format!("/api/v2/users/{}/role", self.ana.0);
        here(&self.admin).post(&path, &json!({ "role": new })).await.with(200);
        let role = until("a changed role", async || role().await == new).await;
        [key, session, version, role]
    }
}

/// The worst of 200 is within the bound, and printed.
#[expect(clippy::print_stdout, reason = "the figure belongs into the report")]
pub(crate) async fn nothing_lives_on(settings: &[(&str, &str)]) {
    let site = Site::start(settings).await;
    let mut all = Vec::new();
    for number in 0..ROUNDS {
        all.extend(site.round(number).await);
    }
    all.sort_unstable();
    let (middle, worst) = (all[all.len() / 2], all[all.len() - 1]);
    println!("{} changes were seen elsewhere after {middle:?} (middle), {worst:?} (worst)", all.len());
    assert!(worst < BOUND, "{worst:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_away_lives_nowhere_for_a_second() {
    nothing_lives_on(&[]).await;
}

#[tokio::test]
async fn spoofed_addresses_are_no_way_around_a_limit() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let statuses = tries(&stranger, |number| format!("192.0.2.{number}")).await;
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 1, "{statuses:?}");

    let test = TestApp::with(&[("ENGIFY_TRUSTED_PROXIES", "1")]).await;
    let stranger = Client::of(&test);
    // What the proxy itself saw stands at the right; all before it is hearsay.
    let statuses = tries(&stranger, |number| format!("192.0.2.{number}, 203.0.113.9")).await;
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 1, "{statuses:?}");
    let statuses = tries(&stranger, |number| format!("203.0.113.9, 198.51.100.{number}")).await;
    assert!(!statuses.contains(&429), "people behind one proxy do not share: {statuses:?}");
}

#[tokio::test]
async fn whoever_is_refused_is_told_the_limit_and_the_second_from_which_one_more_fits() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test);
    let sign_up = async || stranger.post("/api/auth/signup", &json!({})).await;
    for left in ["4", "3", "2", "1", "0"] {
        assert_eq!(sign_up().await.headers["x-ratelimit-remaining"], left);
    }
    let refused = sign_up().await;
    assert_eq!(refused.refused(429), "rate_limited");
    let said = |name: &str| refused.headers[name].to_str().unwrap().to_owned();
    assert_eq!((&*said("x-ratelimit-limit"), &*said("x-ratelimit-remaining")), ("5", "0"));
    let reset: Time = said("x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset.since(test.clock.now()), Duration::from_secs(300), "a window begins now");
    let wait = Duration::from_secs(said("retry-after").parse().unwrap());
    test.clock.advance(wait - Duration::from_secs(1));
    sign_up().await.refused(429);
    test.clock.advance(Duration::from_secs(1));
    assert_eq!(sign_up().await.status, 400);
}

/// One more try to sign up than one address has, from wherever `forwarded` says.
async fn tries(stranger: &Client, forwarded: impl Fn(u8) -> String) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 0..6 {
        let headers = [("content-type", "application/json"), ("x-forwarded-for", &*forwarded(number))];
        let reply = stranger.send(http::Method::POST, "/api/auth/signup", &headers, "{}".into()).await;
        statuses.push(reply.status.as_u16());
    }
    statuses
}
