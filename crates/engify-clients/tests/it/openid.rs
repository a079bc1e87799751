//! OpenID Connect: nobody is believed but the issuer, about nobody but the person who came.

use std::time::Duration;

use engify_clients::identity::FailureKind::{self, CodeRefused, Misconfigured, Unreachable, Untrusted};
use engify_core::Secret;
use serde_json::{Value, json};

use crate::issuer::{CLIENT_SECRET, Issuer, NOW, attempt, redeem, signed, unsigned};

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "one" })
}

#[tokio::test]
async fn the_browser_is_sent_with_everything_that_ties_its_way_back() {
    let issuer = Issuer::start().await;
    // The example of RFC 7636, appendix B.
    let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
    let url = issuer.provider.authorization_url(&attempt(&verifier)).await.unwrap();
    let url = url::Url::parse(&url).unwrap();
    assert_eq!(url.path(), "/authorize");
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        pair("tenant", "1"),
        pair("response_type", "code"),
        pair("client_id", "engify"),
        pair("redirect_uri", "https://engify.test/callback?a=1"),
        pair("scope", "openid email"),
        pair("state", "state"),
        pair("nonce", "nonce-of-this-sign-in"),
        pair("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        pair("code_challenge_method", "S256"),
    ];
    assert_eq!(query, expected);
}

#[tokio::test]
async fn a_right_token_is_a_person() {
    let issuer = Issuer::start().await;
    let person = issuer.redeem(&json!({})).await.unwrap();
    assert_eq!((person.subject.as_str(), person.email_verified), ("7", true));
    assert_eq!(person.email.unwrap().as_str(), "ana@example.com");
    assert_eq!((person.name.as_deref(), person.groups), (Some("Ana"), vec!["staff".to_owned()]));
    assert_eq!(issuer.asked("/userinfo"), 0, "the token says everything");
    let asked = issuer.double.seen().into_iter().find(|seen| seen.path == "/token").unwrap();
    assert!(asked.header("authorization").starts_with("Basic "));
    assert!(
        asked.text.contains("code_verifier=vvv") && asked.text.contains("code=the+code"),
        "{}",
        asked.text
    );
    assert!(!asked.text.contains(CLIENT_SECRET));
}

#[tokio::test]
async fn a_token_that_is_not_for_this_sign_in_is_not_believed() {
    let issuer = Issuer::start().await;
    for (why, changes) in [
        ("nonce mismatch", json!({ "nonce": "of another sign-in" })),
        ("missing nonce", json!({ "nonce": null })),
        ("audience", json!({ "aud": "another-client" })),
        ("not a trusted audience", json!({ "aud": ["engify", "another-client"] })),
        ("Expired", json!({ "exp": NOW - 61 })),
        ("Invalid issuer", json!({ "iss": "https://evil.example" })),
        ("missing field `sub`", json!({ "sub": null })),
        ("no subject", json!({ "sub": "" })),
    ] {
        let failure = issuer.redeem(&changes).await.unwrap_err();
        assert_eq!(failure.kind, Untrusted, "{why}: {failure}");
        assert!(failure.cause.contains(why), "{why}: {failure}");
    }
    issuer.redeem(&json!({ "exp": NOW - 59 })).await.expect("clocks may differ by a minute");
}

#[tokio::test]
async fn only_the_issuers_own_signature_counts() {
    let issuer = Issuer::start().await;
    let claims = issuer.claims(&json!({}));
    let hmac = json!({ "alg": "HS256", "kid": "one" });
    for (why, token) in [
        ("no signature", format!("{}.", unsigned(&json!({ "alg": "none" }), &claims))),
        ("another key under its name", signed(9, &header(), &claims)),
        ("a key that nobody published", signed(9, &json!({ "alg": "EdDSA", "kid": "nine" }), &claims)),
        ("an HMAC", signed(1, &hmac, &claims)),
        ("an access token", signed(1, &json!({ "alg": "EdDSA", "kid": "one", "typ": "at+jwt" }), &claims)),
        ("no token", "not.a.token".to_owned()),
    ] {
        let failure = issuer.redeem_token(token).await.unwrap_err();
        assert_eq!(failure.kind, Untrusted, "{why}: {failure}");
    }
    let mut moved = signed(1, &header(), &claims);
    moved.insert(10, 'A');
    assert_eq!(issuer.redeem_token(moved).await.unwrap_err().kind, Untrusted);
}

#[tokio::test]
async fn keys_that_changed_are_asked_for_again() {
    let issuer = Issuer::start().await;
    issuer.redeem(&json!({})).await.unwrap();
    issuer.answers().keys = vec![(2, "two")];
    let token = signed(2, &json!({ "alg": "EdDSA", "kid": "two" }), &issuer.claims(&json!({})));
    issuer.redeem_token(token.clone()).await.unwrap();
    issuer.redeem_token(token).await.unwrap();
    assert_eq!(issuer.asked("/keys"), 2, "once at first, once when the name was new");
    let failure = issuer.redeem(&json!({})).await.unwrap_err();
    assert_eq!(failure.kind, Untrusted, "what the old key signed is worth nothing: {failure}");
}

#[tokio::test]
async fn what_the_token_lacks_is_asked_of_the_userinfo_endpoint() {
    let issuer = Issuer::start().await;
    issuer.answers().userinfo =
        json!({ "sub": "7", "email": "ben@example.com", "email_verified": true, "groups": ["b"] });
    let person = issuer.redeem(&json!({ "email": null, "groups": null })).await.unwrap();
    assert_eq!(person.email.unwrap().as_str(), "ben@example.com");
    assert_eq!(person.groups, ["b"]);
    issuer.answers().userinfo["sub"] = json!("8");
    let failure = issuer.redeem(&json!({ "email": null })).await.unwrap_err();
    assert_eq!(failure.kind, Untrusted, "another subject's answer: {failure}");
}

#[tokio::test]
async fn what_an_issuer_publishes_is_believed_for_an_hour() {
    let issuer = Issuer::start().await;
    let verifier = Secret::new("v".repeat(43));
    for _ in 0..3 {
        issuer.provider.authorization_url(&attempt(&verifier)).await.unwrap();
    }
    assert_eq!(issuer.asked("/.well-known"), 1);
    issuer.clock.advance(Duration::from_secs(3600));
    issuer.provider.authorization_url(&attempt(&verifier)).await.unwrap();
    assert_eq!(issuer.asked("/.well-known"), 2);
}

#[tokio::test]
async fn a_refused_code_an_unknown_client_and_a_server_in_trouble_are_told_apart() {
    let issuer = Issuer::start().await;
    for (status, body, kind) in [
        (400, json!({ "error": "invalid_grant", "error_description": "expired" }), CodeRefused),
        (401, json!({ "error": "invalid_client" }), Misconfigured),
        (503, json!({ "error": "temporarily_unavailable" }), Unreachable),
        (502, json!("bad gateway"), Unreachable),
        (200, json!({ "token_type": "Bearer" }), Untrusted),
    ] {
        issuer.answers().refusal = Some((status, body));
        let failure = redeem(&issuer.provider).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(!format!("{failure:?}{}", failure.message()).contains(CLIENT_SECRET));
    }
    issuer.answers().refusal = None;
    assert_eq!(redeem(&issuer.provider).await.unwrap_err().cause, "the token endpoint sent no ID token");
}

#[tokio::test]
async fn a_discovery_document_that_does_not_fit_is_an_operators_business() {
    let cases: [(Value, &str); 3] = [
        (json!({ "issuer": "https://evil.example" }), "unexpected issuer"),
        (json!({ "token_endpoint": null }), "no token endpoint"),
        (json!({ "jwks_uri": null }), "not a discovery document"),
    ];
    for (discovery, why) in cases {
        let issuer = Issuer::with(|answers| answers.discovery = discovery).await;
        let failure = redeem(&issuer.provider).await.unwrap_err();
        assert_eq!(failure.kind, Misconfigured, "{failure}");
        assert!(failure.cause.contains(why), "{failure}");
        assert_eq!(issuer.asked("/token"), 0, "nothing was sent to an issuer that is not the one");
    }
}

#[tokio::test]
async fn an_issuer_that_takes_the_secret_only_in_the_form_gets_it_there() {
    let ways = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    let issuer = Issuer::with(|answers| answers.discovery = ways).await;
    issuer.redeem(&json!({})).await.unwrap();
    let asked = issuer.double.seen().into_iter().find(|seen| seen.path == "/token").unwrap();
    assert_eq!(asked.header("authorization"), "");
    assert!(asked.text.contains(&format!("client_secret={CLIENT_SECRET}")));
}

#[tokio::test]
async fn an_issuer_that_is_away_or_never_ends_is_unreachable() {
    let issuer =
        Issuer::with(|answers| answers.discovery = json!({ "padding": "x".repeat(2 * 1024 * 1024) })).await;
    let failure = redeem(&issuer.provider).await.unwrap_err();
    assert_eq!(failure.kind, Unreachable, "{failure}");
    assert!(failure.cause.contains("larger than"), "{failure}");
    assert!(failure.message().contains("Acme does not answer"), "{}", failure.message());
    assert_eq!(FailureKind::ALL.map(FailureKind::word).len(), 4);
}
