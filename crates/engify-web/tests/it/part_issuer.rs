//! The whole way through a certified OpenID Connect issuer, and what its groups give.

use engify_testkit::TestApp;
use engify_testkit::parts::{self, CLIENT, Issuer, Visit};
use serde_json::{Value, json};
use url::Url;

use crate::client::{Client, Reply};
use crate::tab::Tab;

const CALLBACK: &str = "http://localhost:3000/api/auth/oauth/oidc/callback";

async fn start(settings: &[(&str, &str)]) -> (TestApp, Issuer) {
    let issuer = parts::issuer(CALLBACK);
    let url = issuer.url();
    let given = [
        ("OIDC_ISSUER", url.as_str()),
        ("OIDC_CLIENT_ID", CLIENT.0),
        ("OIDC_CLIENT_SECRET", CLIENT.1),
        ("OIDC_SCOPES", "openid email profile groups"),
    ];
    let settings: Vec<_> = given.iter().chain(settings).copied().collect();
    (TestApp::with(&settings).await, issuer)
}

fn person(groups: &[&str]) -> Value {
    json!({ "email": "ana@example.com", "email_verified": true, "name": "Ana Lee", "groups": groups })
}

async fn leave(tab: &mut Tab) -> String {
    tab.get("/api/auth/oauth/oidc").await.goes().to_owned()
}

/// The part of an address that this server answers.
fn here(url: &Url) -> String {
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

async fn come(tab: &mut Tab, issuer: &Issuer, login: &str) -> Reply {
    let url = leave(tab).await;
    let back = issuer.visit(&url, Visit::SignIn(login)).await;
    tab.get(&here(&back)).await
}

#[tokio::test]
async fn the_whole_way_ends_signed_in() {
    let (test, issuer) = start(&[]).await;
    issuer.knows(&json!({ "ana": person(&[]) }));
    let mut tab = Tab::of(&test);
    assert_eq!(come(&mut tab, &issuer, "ana").await.goes(), "/prompts");
    let ana = tab.person().await.unwrap();
    assert_eq!((&ana["name"], &ana["role"]), (&json!("Ana Lee"), &json!("user")));
    let mut again = tab.elsewhere();
    come(&mut again, &issuer, "ana").await.goes();
    assert_eq!(again.person().await.unwrap()["id"], ana["id"]);
}

#[tokio::test]
async fn who_has_no_password_proves_anew_by_being_asked_again() {
    let (test, issuer) = start(&[]).await;
    issuer.knows(&json!({ "ana": person(&[]) }));
    let mut tab = Tab::of(&test);
    come(&mut tab, &issuer, "ana").await.goes();
    test.clock.advance(std::time::Duration::from_secs(11 * 60));
    let enrol = "/settings/security/totp";
    let asked = tab.submit(enrol, &[]).await.goes().to_owned();
    assert!(asked.starts_with("/confirm"), "{asked}");
    let again = "/api/auth/oauth/oidc?confirm=true&next=%2Fsettings%2Fsecurity";
    tab.get("/confirm?next=/settings/security").await.says(200, &again.replace('&', "&amp;"));

    let url = tab.get(again).await.goes().to_owned();
    assert!(url.contains("&prompt=login&max_age=0"), "{url}");
    let back = issuer.visit(&url, Visit::SignIn("ana")).await;
    assert_eq!(tab.get(&here(&back)).await.goes(), "/settings/security");
    assert_eq!(tab.submit(enrol, &[]).await.goes(), enrol);

    issuer.knows(&json!({ "eve": { "email": "eve@example.com", "email_verified": true, "name": "Eve" } }));
    test.clock.advance(std::time::Duration::from_secs(11 * 60));
    let url = tab.get(again).await.goes().to_owned();
    let back = issuer.visit(&url, Visit::SignIn("eve")).await;
    tab.get(&here(&back)).await.says(409, "is not one that opens yours");
    assert!(tab.submit(enrol, &[]).await.goes().starts_with("/confirm"), "another's word is no proof");
}

#[tokio::test]
async fn a_group_gives_a_role_and_its_loss_takes_it_away_and_ends_the_sessions() {
    let (test, issuer) = start(&[("OIDC_ROLE_MAP", "paying=pro,root=super_admin")]).await;
    issuer.knows(&json!({ "ana": person(&["paying"]) }));
    let mut first = Tab::of(&test);
    come(&mut first, &issuer, "ana").await.goes();
    assert_eq!(first.person().await.unwrap()["role"], "pro");

    issuer.knows(&json!({ "ana": person(&["something else"]) }));
    let mut second = first.elsewhere();
    come(&mut second, &issuer, "ana").await.goes();
    assert_eq!(second.person().await.unwrap()["role"], "user");
    assert_eq!(first.person().await, None, "a session does not outlive the rights it was begun with");
    let admin = Client::of(&test).admin(&test).await;
    let lines = admin.get("/api/admin/audit?action=user_role_changed").await.with(200);
    let details = &lines["data"][0]["details"];
    assert_eq!((&details["before"]["role"], &details["after"]["role"]), (&json!("pro"), &json!("user")));
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_worth_nothing() {
    let (test, issuer) = start(&[]).await;
    issuer
        .knows(&json!({ "ana": person(&[]), "eve": { "email": "eve@example.com", "email_verified": true } }));
    let (mut victim, mut thief) = (Tab::of(&test), Tab::of(&test));
    let stolen = issuer.visit(&leave(&mut victim).await, Visit::SignIn("ana")).await;
    let own = issuer.visit(&leave(&mut thief).await, Visit::SignIn("eve")).await;
    let pick = |url: &Url, name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let mixed =
        format!("/api/auth/oauth/oidc/callback?code={}&state={}", pick(&stolen, "code"), pick(&own, "state"));
    thief.get(&mixed).await.says(403, "did not confirm this sign-in");
    assert_eq!(thief.person().await, None, "PKCE ties a code to the browser that asked for it");
    let from = own
        .as_str()
        .replace(&pick(&own, "iss").replace(':', "%3A").replace('/', "%2F"), "https%3A%2F%2Fevil.example");
    assert_ne!(from, own.as_str());
    assert_eq!(thief.get(&here(&Url::parse(&from).unwrap())).await.status, 403, "another issuer's answer");
}

#[tokio::test]
async fn an_unproven_address_and_a_change_of_mind_let_nobody_in() {
    let (test, issuer) = start(&[]).await;
    issuer.knows(&json!({ "ana": { "email": "ana@example.com", "email_verified": false } }));
    let mut tab = Tab::of(&test);
    come(&mut tab, &issuer, "ana").await.says(403, "does not say that your address is proven");
    let back = issuer.visit(&leave(&mut tab).await, Visit::Cancel).await;
    tab.get(&here(&back)).await.says(403, "The sign-in was cancelled at Single sign-on");
    assert_eq!(tab.person().await, None);
}
