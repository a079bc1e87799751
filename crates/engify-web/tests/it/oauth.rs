//! Sign-in through GitHub: who comes in, who does not, and what links an account.

use std::time::Duration;

use engify_testkit::{GitHub, Hubber, TestApp};
use serde_json::{Value, json};
use url::Url;

use crate::client::{Client, PASSWORD};
use crate::tab::Tab;
use crate::team::Team;

const ANA: Hubber = Hubber { id: 7, email: "ana@example.com", verified: true };

async fn start(settings: &[(&str, &str)]) -> (TestApp, GitHub) {
    let github = GitHub::start().await;
    let url = github.url();
    let given = [
        ("GITHUB_CLIENT_ID", "engify"),
        ("GITHUB_CLIENT_SECRET", "secret"),
        ("GITHUB_BASE_URL", url.as_str()),
    ];
    let settings: Vec<_> = given.iter().chain(settings).copied().collect();
    (TestApp::with(&settings).await, github)
}

/// Leaves for GitHub and returns the state that was sent along.
async fn leave(tab: &mut Tab, path: &str) -> String {
    let reply = tab.get(path).await;
    let url = Url::parse(reply.goes()).unwrap();
    assert_eq!(url.path(), "/login/oauth/authorize");
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

/// Comes back as somebody.
async fn arrive(tab: &mut Tab, github: &GitHub, state: &str, hubber: Hubber) -> crate::client::Reply {
    let code = github.code(hubber);
    tab.get(&format!("/api/auth/oauth/github/callback?code={code}&state={state}")).await
}

async fn come(tab: &mut Tab, github: &GitHub, hubber: Hubber) -> crate::client::Reply {
    let state = leave(tab, "/api/auth/oauth/github").await;
    arrive(tab, github, &state, hubber).await
}

async fn audited(test: &TestApp, action: &str) -> Vec<Value> {
    let admin = Client::of(test).admin(test).await;
    engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
    let lines = admin.get(&format!("/api/admin/audit?action={action}")).await.with(200);
    lines["data"].as_array().unwrap().clone()
}

/// What the log says of sign-ins that were refused.
async fn refusals(test: &TestApp) -> Vec<Value> {
    let lines = audited(test, "user_signed_in").await.into_iter();
    lines.filter(|line| line["outcome"] == "refused").map(|line| line["details"].clone()).collect()
}

#[tokio::test]
async fn somebody_new_gets_an_account_and_comes_back_to_it() {
    let (test, github) = start(&[]).await;
    let mut tab = Tab::of(&test);
    let page = tab.get("/login?next=/history").await;
    page.says(200, "Continue with GitHub");
    assert!(page.text.contains("href=\"/api/auth/oauth/github?next=%2Fhistory\""), "{}", page.text);
    let state = leave(&mut tab, "/api/auth/oauth/github?next=%2Fhistory").await;
    assert_eq!(arrive(&mut tab, &github, &state, ANA).await.goes(), "/history");
    let person = tab.person().await.unwrap();
    assert_eq!((&person["email"], &person["role"]), (&json!("ana@example.com"), &json!("user")));

    let mut later = tab.elsewhere();
    let renamed = Hubber { email: "ana.new@example.com", ..ANA };
    assert_eq!(come(&mut later, &github, renamed).await.goes(), "/prompts");
    assert_eq!(later.person().await.unwrap()["id"], person["id"], "the number counts, not the address");

    let by_password = json!({ "email": "ana@example.com", "password": "" });
    let stranger = Client::of(&test);
    assert_eq!(stranger.post("/api/auth/signin", &by_password).await.refused(401), "invalid_credentials");
    let made = audited(&test, "user_created").await;
    assert_eq!(made[0]["details"]["through"], "github");
}

#[tokio::test]
async fn the_way_back_is_open_once_and_in_one_browser_and_for_ten_minutes() {
    let (test, github) = start(&[]).await;
    let mut tab = Tab::of(&test);
    let state = leave(&mut tab, "/api/auth/oauth/github").await;
    let mut elsewhere = tab.elsewhere();
    arrive(&mut elsewhere, &github, &state, ANA).await.says(403, "not begun in this browser");
    leave(&mut elsewhere, "/api/auth/oauth/github").await;
    arrive(&mut elsewhere, &github, &state, ANA).await.says(403, "not begun in this browser");
    assert_eq!(elsewhere.person().await, None);

    arrive(&mut tab, &github, &state, ANA).await.goes();
    let mut again = tab.clone();
    arrive(&mut again, &github, &state, ANA).await;
    let replay = tab.get(&format!("/api/auth/oauth/github/callback?code=any&state={state}")).await;
    assert_eq!(replay.status, 403, "a state is good once");

    let mut slow = tab.elsewhere();
    let state = leave(&mut slow, "/api/auth/oauth/github").await;
    test.clock.advance(Duration::from_secs(600));
    arrive(&mut slow, &github, &state, ANA).await.says(403, "longer than ten minutes");

    let mut hurried = tab.elsewhere();
    for path in
        ["callback", "callback?code=x", "callback?code=x&state=", "callback?state=%00", "callback?error=x"]
    {
        let reply = hurried.get(&format!("/api/auth/oauth/github/{path}")).await;
        assert_eq!(reply.status, 403, "{path}");
    }
    assert_eq!(hurried.get("/api/auth/oauth/gitlab").await.status, 404, "nobody configured that one");
}

#[tokio::test]
async fn two_tabs_of_one_browser_do_not_disturb_each_other() {
    let (test, github) = start(&[]).await;
    let mut tab = Tab::of(&test);
    let first = leave(&mut tab, "/api/auth/oauth/github?next=/a").await;
    let second = leave(&mut tab, "/api/auth/oauth/github?next=/b").await;
    assert_ne!(first, second);
    assert_eq!(arrive(&mut tab, &github, &first, ANA).await.goes(), "/a");
}

#[tokio::test]
async fn a_code_that_github_does_not_know_or_that_was_used_lets_nobody_in() {
    let (test, github) = start(&[]).await;
    let mut tab = Tab::of(&test);
    let code = github.code(ANA);
    let state = leave(&mut tab, "/api/auth/oauth/github").await;
    tab.get(&format!("/api/auth/oauth/github/callback?code={code}&state={state}")).await.goes();
    let mut thief = tab.elsewhere();
    let state = leave(&mut thief, "/api/auth/oauth/github").await;
    let reply = thief.get(&format!("/api/auth/oauth/github/callback?code={code}&state={state}")).await;
    reply.says(403, "GitHub did not confirm this sign-in");
    assert_eq!(thief.person().await, None);
    assert_eq!(refusals(&test).await, [json!({ "why": "oauth_code_refused", "through": "github" })]);
}

#[tokio::test]
async fn only_proven_addresses_of_allowed_domains_come_in() {
    let (test, github) = start(&[("OAUTH_ALLOWED_DOMAINS", "example.com")]).await;
    let mut tab = Tab::of(&test);
    let unproven = Hubber { verified: false, ..ANA };
    come(&mut tab, &github, unproven).await.says(403, "does not say that your address is proven");
    let elsewhere = Hubber { email: "ana@evil-example.com", ..ANA };
    come(&mut tab, &github, elsewhere).await.says(403, "Addresses of evil-example.com may not sign in");
    assert_eq!(tab.person().await, None);
    come(&mut tab, &github, ANA).await.goes();
}

#[tokio::test]
async fn where_sign_up_is_closed_only_people_of_a_mapped_domain_are_new() {
    let closed = [("NEXT_PUBLIC_ALLOW_SIGNUP", "false"), ("OIDC_ORGANIZATION_MAP", "example.com=acme")];
    let (test, github) = start(&closed).await;
    let mut tab = Tab::of(&test);
    come(&mut tab, &github, ANA).await.says(403, "Sign-up is closed");
    assert_eq!(tab.person().await, None, "the mapped organization is not there");

    let acme = Team::of(Client::of(&test).admin(&test).await).await;
    come(&mut tab, &github, ANA).await.goes();
    let ana = tab.person().await.unwrap();
    assert_eq!((&ana["role"], &ana["organizationId"]), (&json!("org_member"), &json!(acme.id)));
    let stranger = Hubber { id: 8, email: "eve@example.org", verified: true };
    come(&mut tab.elsewhere(), &github, stranger).await.says(403, "Sign-up is closed");
}

#[tokio::test]
async fn a_mapping_gives_no_seat_that_an_organization_has_not() {
    let (test, github) = start(&[("OIDC_ORGANIZATION_MAP", "example.com=acme")]).await;
    let acme = Team::of(Client::of(&test).admin(&test).await).await;
    acme.admin.patch(&acme.path(""), &json!({ "seats": 1 })).await.with(200);
    let mut tab = Tab::of(&test);
    come(&mut tab, &github, ANA).await.goes();
    let ana = tab.person().await.unwrap();
    assert_eq!(
        (&ana["role"], &ana["organizationId"]),
        (&json!("user"), &Value::Null),
        "they come in all the same"
    );

    acme.admin.patch(&acme.path(""), &json!({ "seats": 2 })).await.with(200);
    let mut again = tab.elsewhere();
    come(&mut again, &github, ANA).await.goes();
    assert_eq!(
        again.person().await.unwrap()["organizationId"],
        json!(acme.id),
        "with a seat they are a member"
    );
}

#[tokio::test]
async fn no_mapping_takes_an_organization_from_its_owner() {
    let (test, github) = start(&[("OIDC_ORGANIZATION_MAP", "example.com=acme")]).await;
    Team::of(Client::of(&test).admin(&test).await).await;
    let beta = Team::named(Client::of(&test).signed_up("ana").await, "Beta").await;
    let mut tab = Tab::of(&test);
    let link = come(&mut tab, &github, ANA).await.goes().to_owned();
    let ticket = link.rsplit_once('=').unwrap().1;
    tab.submit("/login/link", &[("ticket", ticket), ("password", PASSWORD)]).await.goes();
    let ana = tab.person().await.unwrap();
    assert_eq!((&ana["role"], &ana["organizationId"]), (&json!("org_admin"), &json!(beta.id)));
}

#[tokio::test]
async fn an_account_that_was_there_is_linked_only_by_its_password() {
    let (test, github) = start(&[]).await;
    Client::of(&test).signed_up("ana").await;
    let mut tab = Tab::of(&test);
    let state = leave(&mut tab, "/api/auth/oauth/github?next=/history").await;
    let link = arrive(&mut tab, &github, &state, ANA).await.goes().to_owned();
    assert!(link.starts_with("/login/link?ticket="), "{link}");
    assert_eq!(tab.person().await, None, "an address alone opens nothing");
    tab.get(&link).await.says(200, "ana@example.com");
    tab.elsewhere().get(&link).await.says(403, "not begun in this browser");

    let ticket = link.rsplit_once('=').unwrap().1;
    let wrong = tab.submit("/login/link", &[("ticket", ticket), ("password", "wrong")]).await;
    wrong.says(400, "Is not the password of that account");
    let right = tab.submit("/login/link", &[("ticket", ticket), ("password", PASSWORD)]).await;
    assert_eq!(right.goes(), "/history");
    assert_eq!(tab.person().await.unwrap()["name"], "ana");
    assert_eq!(tab.submit("/login/link", &[("ticket", ticket), ("password", PASSWORD)]).await.status, 403);

    let mut later = tab.elsewhere();
    come(&mut later, &github, ANA).await.goes();
    assert_eq!(later.person().await.unwrap()["name"], "ana");
    assert_eq!(audited(&test, "identity_linked").await.len(), 1);
    let told = test.mail("ana@example.com", engify_core::message::MessageKind::FactorsChanged).await;
    assert!(told.content.text.contains("opened through GitHub as well"), "{}", told.content.text);
}

#[tokio::test]
async fn one_links_and_unlinks_under_settings_but_keeps_a_way_in() {
    let (test, github) = start(&[]).await;
    Client::of(&test).signed_up("benjamin").await;
    let mut ben = Tab::of(&test);
    ben.submit("/login", &[("email", "benjamin@example.com"), ("password", PASSWORD)]).await.goes();
    let page = ben.get("/settings/security").await;
    assert!(
        page.text.contains("/api/auth/oauth/github?link=true&amp;next=%2Fsettings%2Fsecurity"),
        "{}",
        page.text
    );
    let state = leave(&mut ben, "/api/auth/oauth/github?link=true&next=/settings/security").await;
    let link = arrive(&mut ben, &github, &state, ANA).await.goes().to_owned();
    ben.get(&link).await.says(200, "opens your account");
    let ticket = link.rsplit_once('=').unwrap().1.to_owned();
    assert_eq!(
        ben.submit("/login/link", &[("ticket", &ticket)]).await.goes(),
        "/settings/security?done=linked"
    );
    let linked = ben.get("/api/auth/identities").await.with(200)["data"].clone();
    assert_eq!((&linked[0]["provider"], &linked[0]["email"]), (&json!("github"), &json!("ana@example.com")));
    ben.get("/settings/security").await.says(200, "ana@example.com");

    // What opens one account is not linked to another.
    let mut carla = ben.elsewhere();
    Client::of(&test).signed_up("carla").await;
    carla.submit("/login", &[("email", "carla@example.com"), ("password", PASSWORD)]).await.goes();
    let state = leave(&mut carla, "/api/auth/oauth/github?link=true").await;
    arrive(&mut carla, &github, &state, ANA).await.says(409, "opens another account");

    let id = linked[0]["id"].as_str().unwrap();
    let foreign = carla.submit("/settings/identities/unlink", &[("id", id)]).await;
    assert_eq!(foreign.status, 404, "another person's identity");
    let unlinked = ben.submit("/settings/identities/unlink", &[("id", id)]).await;
    assert_eq!(unlinked.goes(), "/settings/security?done=unlinked");

    let mut dora = ben.elsewhere();
    come(&mut dora, &github, Hubber { id: 8, email: "dora@example.com", verified: true }).await.goes();
    let only = dora.get("/api/auth/identities").await.with(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let reply = dora.submit("/settings/identities/unlink", &[("id", &only)]).await;
    reply.says(409, "only way into your account");
}

#[tokio::test]
async fn strangers_cannot_begin_a_link_and_nobody_is_sent_off_this_site() {
    let (test, github) = start(&[]).await;
    let mut tab = Tab::of(&test);
    assert_eq!(tab.get("/api/auth/oauth/github?link=true").await.status, 401);
    let state = leave(&mut tab, "/api/auth/oauth/github?next=//evil.example").await;
    assert_eq!(arrive(&mut tab, &github, &state, ANA).await.goes(), "/prompts");
}

#[tokio::test]
async fn who_is_switched_off_stays_out() {
    let (test, github) = start(&[]).await;
    let mut tab = Tab::of(&test);
    come(&mut tab, &github, ANA).await.goes();
    let id = tab.person().await.unwrap()["id"].as_str().unwrap().to_owned();
    let admin = Client::of(&test).admin(&test).await;
    admin.post(&format!("/api/v2/users/{id}/disable"), &json!({})).await.with(200);
    let mut again = tab.elsewhere();
    come(&mut again, &github, ANA).await.says(403, "switched off");
    assert_eq!(again.person().await, None);
}

#[tokio::test]
async fn saying_no_and_a_provider_that_is_away_are_told_on_the_page() {
    let (test, _) = start(&[]).await;
    let mut tab = Tab::of(&test);
    let state = leave(&mut tab, "/api/auth/oauth/github").await;
    let denied = tab.get(&format!("/api/auth/oauth/github/callback?error=access_denied&state={state}")).await;
    denied.says(403, "cancelled at GitHub");
    assert!(denied.text.contains("Continue with GitHub"), "the page offers to begin again");

    let away = [
        ("OIDC_ISSUER", "http://127.0.0.1:9"),
        ("OIDC_CLIENT_ID", "a"),
        ("OIDC_CLIENT_SECRET", "b"),
        ("OIDC_NAME", "Acme"),
    ];
    let test = TestApp::with(&away).await;
    let mut tab = Tab::of(&test);
    tab.get("/signup").await.says(200, "Continue with Acme");
    tab.get("/api/auth/oauth/oidc").await.says(502, "Acme does not answer");
    assert_eq!(refusals(&test).await, [json!({ "why": "identity_provider_unreachable", "through": "oidc" })]);
}

#[tokio::test]
async fn the_cookie_of_the_way_is_for_this_site_alone() {
    let https = [("NEXTAUTH_URL", "https://engify.example.com")];
    for (settings, name, secure) in
        [(&https[..], "__Host-engify_oauth=", true), (&[][..], "engify_oauth=", false)]
    {
        let (test, _) = start(settings).await;
        let reply = Tab::of(&test).get("/api/auth/oauth/github").await;
        let cookie = reply.headers[http::header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with(name), "{cookie}");
        assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
    }
}

#[tokio::test]
async fn programs_may_ask_which_providers_there_are() {
    let (test, _) = start(&[]).await;
    let sign_in_providers = Client::of(&test).get("/api/auth/oauth").await.with(200);
    assert_eq!(
        sign_in_providers["data"],
        json!([{ "id": "github", "name": "GitHub", "url": "/api/auth/oauth/github" }])
    );
}
