//! GitHub: its API says who an access token is of, in GitHub's own manners.

use engify_clients::identity::{Failure, FailureKind, Person, Provider};
use engify_core::settings::{IdentityProtocol, IdentityProvider};
use engify_core::{Clock, Secret, Time};
use serde_json::{Value, json};

use crate::double::{Double, json as reply};
use crate::issuer::{CLIENT, CLIENT_SECRET, attempt, redeem};

/// A GitHub that answers so.
async fn github(token: Value, account: Value, addresses: Value) -> (Double, Provider) {
    let double = Double::start(move |_, seen| match seen.path.as_str() {
        "/login/oauth/access_token" => reply(200, &token),
        "/api/v3/user" => reply(200, &account),
        "/api/v3/user/emails" => reply(200, &addresses),
        _ => reply(404, &json!({ "message": "Not Found" })),
    })
    .await;
    let settings = IdentityProvider {
        id: "github",
        label: "GitHub".to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: Secret::new(CLIENT_SECRET.to_owned()),
        protocol: IdentityProtocol::GitHub {
            base_url: double.address.clone(),
            api_base_url: format!("{}/api/v3", double.address),
        },
    };
    let provider = Provider::new(&settings, &Clock::fixed(Time::from_millis(0))).unwrap();
    (double, provider)
}

async fn ask(token: Value, addresses: Value) -> Result<Person, Failure> {
    let account = json!({ "id": 583_231, "login": "octocat", "name": null });
    let (_double, provider) = github(token, account, addresses).await;
    redeem(&provider).await
}

fn token() -> Value {
    json!({ "access_token": "gho_secret", "scope": "read:user,user:email", "token_type": "bearer" })
}

fn address(email: &str, primary: bool, verified: bool) -> Value {
    json!({ "email": email, "primary": primary, "verified": verified, "visibility": null })
}

#[tokio::test]
async fn a_person_is_a_number_with_the_primary_address() {
    let addresses = json!([address("old@example.com", false, true), address("ana@example.com", true, true)]);
    let person = ask(token(), addresses).await.unwrap();
    assert_eq!((person.subject.as_str(), person.name.as_deref()), ("583231", Some("octocat")));
    assert_eq!((person.email.unwrap().as_str(), person.email_verified), ("ana@example.com", true));
}

#[tokio::test]
async fn an_unproven_primary_address_is_not_replaced_by_a_proven_one() {
    let addresses = json!([address("old@example.com", false, true), address("ana@example.com", true, false)]);
    assert!(!ask(token(), addresses).await.unwrap().email_verified);
    assert!(!ask(token(), json!([])).await.unwrap().email_verified);
}

#[tokio::test]
async fn refusals_come_with_status_200_and_are_refusals_all_the_same() {
    for (error, kind) in [
        ("bad_verification_code", FailureKind::CodeRefused),
        ("incorrect_client_credentials", FailureKind::Misconfigured),
    ] {
        let failure = ask(json!({ "error": error, "error_description": "…" }), json!([])).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
    }
}

#[tokio::test]
async fn the_browser_is_sent_to_github_and_the_token_stays_out_of_failures() {
    let (double, provider) = github(token(), json!({ "login": "octocat" }), json!([])).await;
    let verifier = Secret::new("v".repeat(43));
    let url = provider.authorization_url(&attempt(&verifier)).await.unwrap();
    assert!(
        url.starts_with(&format!("{}/login/oauth/authorize?response_type=code&", double.address)),
        "{url}"
    );
    assert!(url.contains("scope=read%3Auser+user%3Aemail"), "{url}");
    let failure = redeem(&provider).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Untrusted);
    assert!(!format!("{failure:?}").contains("gho_secret"));
    let asked = double.seen().into_iter().find(|seen| seen.path == "/api/v3/user").unwrap();
    assert_eq!(asked.header("authorization"), "Bearer gho_secret");
}
