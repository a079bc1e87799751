//! Keys of AI providers that people and organizations bring.

use engify_core::account::User;
use engify_core::ids::OrganizationId;
use engify_core::permission::Role;
use engify_core::provider_key::{ProviderKey, of_person};
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Clock, Ids};
use engify_testkit::TestApp;
use engify_testkit::store::{Batch, Patch, queries};
use http::Method;
use serde_json::{Value, json};

use crate::client::Client;

const OWN: &str = "/api/v2/users/provider-keys";
const OURS: &str = "/api/v2/organizations/provider-keys";
const EXECUTE: &str = "/api/v2/ai/execute";
const ANAS: &str = "sk-anas-own-key-0123456789";
const ACMES: &str = "sk-acmes-own-key-0123456789";

async fn put(client: &Client, path: &str, provider: &str, key: &str) -> crate::client::Reply {
    client.json(Method::PUT, path, &json!({ "provider": provider, "key": key })).await
}

async fn user(test: &TestApp, name: &str) -> User {
    let email = Email::parse(&format!("{name}@example.com")).unwrap();
    test.store().first(&queries::user_by_email(&email)).await.unwrap().unwrap()
}

/// Puts somebody who just signed up into an organization.
async fn join(test: &TestApp, name: &str, organization: &OrganizationId, role: Role) {
    let id = user(test, name).await.id;
    let patch = Patch::new(Scope::Everything("a test"), &id)
        .set("organizationId", organization)
        .unwrap()
        .set("role", role)
        .unwrap();
    test.store().write(Batch::new().patch::<User>(patch)).await.unwrap();
}

/// Runs and says whose key was used, and which key the provider saw.
async fn ran(test: &TestApp, client: &Client) -> (Value, String) {
    // The history is in the order of time, and time stands still otherwise.
    test.clock.advance(std::time::Duration::from_secs(1));
    let answer = client.post(EXECUTE, &json!({ "prompt": "hi", "provider": "openai" })).await.with(200);
    (answer["keySource"].clone(), test.provider.keys().last().unwrap().clone())
}

#[tokio::test]
async fn a_run_uses_ones_own_key_before_the_organizations_before_the_installations() {
    let test = TestApp::start().await;
    let organization = OrganizationId::make(test.app.ids());
    let ana = Client::of(&test).signed_up("ana").await;
    join(&test, "ana", &organization, Role::OrgAdmin).await;
    assert_eq!(ran(&test, &ana).await, (json!("installation"), "sk-test".to_owned()));

    put(&ana, OURS, "openai", ACMES).await.with(200);
    assert_eq!(ran(&test, &ana).await, (json!("organization"), ACMES.to_owned()));
    let ben = ana.signed_up("benjamin").await;
    join(&test, "benjamin", &organization, Role::OrgMember).await;
    assert_eq!(ran(&test, &ben).await, (json!("organization"), ACMES.to_owned()), "members run on it too");

    put(&ana, OWN, "openai", ANAS).await.with(200);
    assert_eq!(ran(&test, &ana).await, (json!("own"), ANAS.to_owned()));
    assert_eq!(ran(&test, &ben).await.0, "organization", "nobody runs on a colleague's own key");

    ana.delete(&format!("{OWN}/openai")).await.with(204);
    assert_eq!(ran(&test, &ana).await.0, "organization", "the next run does not use a deleted key");
    ana.delete(&format!("{OURS}/openai")).await.with(204);
    assert_eq!(ran(&test, &ana).await.0, "installation");

    engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
    let history = ana.get("/api/v2/ai/runs").await.with(200);
    let sources: Vec<&Value> =
        history["data"].as_array().unwrap().iter().map(|run| &run["keySource"]).collect();
    assert_eq!(sources, ["installation", "organization", "own", "organization", "installation"]);
}

#[tokio::test]
async fn a_key_of_ones_own_makes_a_provider_usable_for_oneself_alone() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let ben = ana.signed_up("benjamin").await;
    put(&ana, OWN, "claude", "sk-ant-0123456789abcdef").await.with(200);
    let usable = async |client: &Client| -> Vec<(String, Value)> {
        let available = client.get(EXECUTE).await.with(200);
        let providers = available["providers"].as_array().unwrap().clone();
        providers
            .iter()
            .map(|one| (one["id"].as_str().unwrap().to_owned(), one["keySource"].clone()))
            .collect()
    };
    let named = |id: &str, source: Value| (id.to_owned(), source);
    let installed = [named("openai", json!("installation")), named("dry-run", Value::Null)];
    let anas = [installed[0].clone(), named("anthropic", json!("own")), installed[1].clone()];
    assert_eq!(usable(&ana).await, anas);
    assert_eq!(usable(&ben).await, installed);
    assert_eq!(usable(&ana.stranger()).await, installed);
    let page = ana.get("/workbench").await.text;
    let option = page.split("<option").find(|option| option.contains("anthropic/")).unwrap().to_owned();
    assert!(!option.contains("disabled"), "{option}");
}

#[tokio::test]
async fn a_stored_key_is_never_shown_again_and_not_kept_in_the_clear() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let stored = put(&ana, OWN, "openai", ANAS).await;
    assert_eq!(stored.with(200)["data"]["hint"], "6789");
    let replaced = put(&ana, OWN, "openai", &format!("{ANAS}-new")).await;
    assert_eq!(replaced.with(200)["data"]["id"], stored.json()["data"]["id"], "one key for each provider");
    ana.post(EXECUTE, &json!({ "prompt": "hi" })).await.with(200);
    engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
    let root = ana.admin(&test).await;
    for reply in [
        stored,
        replaced,
        ana.get(OWN).await,
        ana.get("/settings/providers").await,
        root.get("/api/admin/audit").await,
    ] {
        assert!(!reply.text.contains("anas-own-key"), "{}", reply.text);
    }
    let listed = ana.get(OWN).await.with(200);
    assert_eq!((listed["data"].as_array().unwrap().len(), &listed["data"][0]["hint"]), (1, &json!("-new")));
    assert!(listed["data"][0]["lastUsedAt"].is_string());
    for file in std::fs::read_dir(test.folder()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(12).any(|part| part == b"anas-own-key"), "the key lies in the clear");
    }
}

#[tokio::test]
async fn a_document_copied_to_another_owner_does_not_open() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let ben = ana.signed_up("benjamin").await;
    put(&ana, OWN, "openai", ANAS).await.with(200);
    let (anas, bens) = (user(&test, "ana").await.id, user(&test, "benjamin").await.id);
    let owner = engify_core::tenancy::Audience::User(anas);
    let mut key = test.store().first(&queries::provider_keys_of(&owner)).await.unwrap().unwrap();
    key.id = engify_core::ids::ProviderKeyId::make(&Ids::seeded(Clock::system(), 3));
    key.tenancy = of_person(&bens);
    test.store().write(Batch::new().insert::<ProviderKey>(&key).unwrap()).await.unwrap();
    let before = test.provider.keys().len();
    let reply = ben.post(EXECUTE, &json!({ "prompt": "hi", "provider": "openai" })).await;
    assert_eq!(reply.refused(500), "sealed_unreadable");
    assert_eq!(test.provider.keys().len(), before, "nobody was called");
    let tried = ben.post(&format!("{OWN}/test"), &json!({})).await.with(200);
    assert_eq!((&tried["data"][0]["ok"], &tried["data"][0]["reason"]), (&json!(false), &json!("unreadable")));
}

#[tokio::test]
async fn what_is_no_key_of_the_provider_is_refused_with_what_would_be_one() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    for (provider, key, field, words) in [
        ("openai", "hunter2hunter2", "key", "sk-…"),
        ("openai", "sk-ant-0123456789", "key", "looks like a key of Anthropic"),
        ("anthropic", "sk-0123456789", "key", "sk-ant-"),
        ("google", "gsk_0123456789", "key", "looks like a key of Groq"),
        ("groq", "", "key", "gsk_…"),
        ("ollama", "sk-0123456789", "provider", "takes no key"),
        ("dry-run", "sk-0123456789", "provider", "takes no key"),
        ("mistral", "sk-0123456789", "provider", "is not a provider"),
    ] {
        let reply = put(&ana, OWN, provider, key).await;
        assert_eq!(
            (reply.refused(400).as_str(), reply.fields()),
            ("invalid_request", vec![field.to_owned()])
        );
        assert!(
            reply.text.contains(words) && (key.is_empty() || !reply.text.contains(key)),
            "{}",
            reply.text
        );
    }
    let address = json!({ "provider": "openai", "key": ANAS, "baseUrl": "http://169.254.169.254/" });
    let reply = ana.json(Method::PUT, OWN, &address).await;
    assert_eq!(reply.fields(), ["baseUrl"], "where calls go is the operator's to say");
    assert_eq!(ana.get(OWN).await.with(200)["data"], json!([]), "nothing is half-written");
}

#[tokio::test]
async fn trying_a_key_says_what_to_do_where_it_does_not_work() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    put(&ana, OWN, "openai", ANAS).await.with(200);
    let tried = ana.post(&format!("{OWN}/test"), &json!({})).await.with(200)["data"][0].clone();
    assert_eq!(
        (&tried["ok"], &tried["reason"], &tried["source"]),
        (&json!(true), &json!("works"), &json!("own"))
    );
    assert!(tried["latencyMs"].as_f64().unwrap() > 0.0);

    test.provider.accept_only(&["sk-test"]);
    let reply = ana.post(&format!("{OWN}/test"), &json!({ "provider": "openai" })).await;
    let tried = reply.with(200)["data"][0].clone();
    assert_eq!((&tried["ok"], &tried["reason"]), (&json!(false), &json!("bad_key")));
    assert!(
        tried["message"].as_str().unwrap().contains("sk-…") && !reply.text.contains(ANAS),
        "{}",
        reply.text
    );
    let kept = ana.get(OWN).await.with(200)["data"][0]["lastTest"].clone();
    assert_eq!((&kept["ok"], &kept["reason"]), (&json!(false), &json!("bad_key")));

    // A person's wrong key is no trouble of the installation's.
    assert_eq!(ana.post(EXECUTE, &json!({ "prompt": "hi" })).await.refused(502), "bad_key");
    assert_eq!(ana.get("/api/health").await.with(200)["status"], "healthy");
    assert_eq!(
        ana.post(&format!("{OWN}/test"), &json!({ "provider": "groq" })).await.refused(404),
        "not_found"
    );

    let root = ana.admin(&test).await;
    let installed = root.post("/api/admin/provider-keys/test", &json!({})).await.with(200);
    assert_eq!(installed["data"].as_array().unwrap().len(), 1);
    assert_eq!((&installed["data"][0]["ok"], &installed["data"][0]["hint"]), (&json!(true), &json!("")));
    let page = root.send(Method::POST, "/opshub/providers/test", &[], axum::body::Body::empty()).await;
    assert!(page.status == 200 && page.text.contains("Tested just now"), "{}", page.text);
}

#[tokio::test]
async fn an_organizations_keys_are_for_those_who_run_it() {
    let test = TestApp::start().await;
    let (acme, other) = (OrganizationId::make(test.app.ids()), OrganizationId::make(test.app.ids()));
    let ana = Client::of(&test).signed_up("ana").await;
    join(&test, "ana", &acme, Role::OrgAdmin).await;
    let ben = ana.signed_up("benjamin").await;
    join(&test, "benjamin", &acme, Role::OrgMember).await;
    let eve = ana.signed_up("eve-of-another").await;
    join(&test, "eve-of-another", &other, Role::OrgAdmin).await;
    put(&ana, OURS, "openai", ACMES).await.with(200);
    assert_eq!(put(&ben, OURS, "openai", ANAS).await.refused(403), "forbidden");
    assert_eq!(ben.delete(&format!("{OURS}/openai")).await.refused(403), "forbidden");
    assert_eq!(eve.get(OURS).await.with(200)["data"], json!([]));
    assert_eq!(eve.delete(&format!("{OURS}/openai")).await.refused(404), "not_found");
    assert_eq!(ran(&test, &eve).await.0, "installation");
    test.clock.advance(std::time::Duration::from_secs(11 * 60));
    assert_eq!(put(&ana, OURS, "groq", "gsk_0123456789").await.refused(403), "fresh_factor_required");
    assert_eq!(ana.delete(&format!("{OURS}/openai")).await.refused(403), "fresh_factor_required");
    put(&ana, OWN, "openai", ANAS).await.with(200);
    let root = ana.admin(&test).await;
    assert_eq!(
        root.get(OURS).await.refused(404),
        "not_found",
        "without an organization there is nothing to manage"
    );
}

#[tokio::test]
async fn the_page_stores_tries_and_deletes_without_scripts() {
    let test = TestApp::start().await;
    let ana = Client::of(&test).signed_up("ana").await;
    let form = async |path: &str, body: String| {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        ana.send(Method::POST, path, &kind, axum::body::Body::from(body)).await
    };
    let about = "holder=own&provider=openai";
    let wrong = form("/settings/providers", format!("{about}&key=nonsense-nonsense")).await;
    assert!(wrong.status == 400 && wrong.text.contains("sk-…") && !wrong.text.contains("nonsense-nonsense"));
    let saved = form("/settings/providers", format!("{about}&key={ANAS}")).await;
    assert_eq!(
        (saved.status.as_u16(), saved.headers["location"].to_str().unwrap()),
        (303, "/settings/providers?done=provider-key")
    );
    assert!(ana.get("/settings/providers").await.text.contains("ready, your key"));
    let tried = form("/settings/providers/test", about.to_owned()).await;
    assert!(tried.status == 200 && tried.text.contains("What to do"), "{}", tried.text);
    assert_eq!(form("/settings/providers/delete", about.to_owned()).await.status, 303);
    assert_eq!(ana.get(OWN).await.with(200)["data"], json!([]));
    assert_eq!(
        form("/settings/providers", "holder=installation&provider=openai&key=x".to_owned()).await.status,
        400
    );
}
