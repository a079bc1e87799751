//! `engify security`: keys that are tried, and everything encrypted anew while a server runs.

use std::io::Read;
use std::sync::Arc;

use engify_app::accounts::{SignUp, sign_up};
use engify_app::provider_keys::{self, Holder};
use engify_app::{Actor, Ctx, Identity, Origin, ai};
use engify_core::Secret;
use engify_core::account::User;
use engify_core::ids::UserId;
use engify_core::message::MessageKind;
use engify_testkit::{ScriptedProvider, TestApp};
use futures_util::future::join_all;
use serde_json::Value;

use crate::engify::{Engify, Said, read_until};

const OLD: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const NEW: &str = "a0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9f";
const KEY: &str = "sk-own-key-0123456789";
const ROTATE: [&str; 4] = ["security", "rotate-key", "--new-key-stdin", "--json"];
const COUNT: [&str; 4] = ["security", "rotate-key", "--dry-run", "--json"];

/// A server that runs, with both keys, and whoever first signed up there. The letter that proves her address is encrypted
/// too: one value more than there are keys.
async fn server() -> (TestApp, User) {
    let settings = [
        ("API_KEY_ENCRYPTION_KEY", OLD),
        ("API_KEY_ENCRYPTION_KEY_PREVIOUS", NEW),
        ("ENGIFY_AI_TIERS", "user=1000000/1000000/1000000000"),
    ];
    let test = TestApp::with(&settings).await;
    let form = SignUp {
        email: "ana@example.com".to_owned(),
        password: Secret::new("violet tractor hums at noon".to_owned()),
        name: "Ana".to_owned(),
    };
    let stranger = Ctx::new(&test.app, Actor::Anonymous, Origin::default());
    let signed_in = sign_up(&stranger, form).await.unwrap();
    (test, User::clone(&signed_in.user))
}

fn of(test: &TestApp, user: User) -> Ctx {
    let identity = Identity { user: Arc::new(user), session: None, key: None };
    Ctx::new(&test.app, Actor::Person(identity), Origin::default())
}

/// The command line beside that server, with these keys.
fn beside(test: &TestApp, key: &str, previous: &str) -> Engify {
    Engify::new()
        .with("ENGIFY_DATA_DIR", &test.folder().display().to_string())
        .with("NEXTAUTH_SECRET", "a secret of thirty-two characters")
        .with("OPENAI_BASE_URL", &test.provider.base_url())
        .with("API_KEY_ENCRYPTION_KEY", key)
        .with("API_KEY_ENCRYPTION_KEY_PREVIOUS", previous)
}

async fn store(ctx: &Ctx, provider: &str, key: &str) {
    provider_keys::save(ctx, Holder::Person, provider, &Secret::new(key.to_owned())).await.unwrap();
}

/// Stores a key for each of so many people.
async fn crowd(test: &TestApp, somebody: &User, people: usize) {
    let people: Vec<Ctx> = (0..people)
        .map(|_| of(test, User { id: UserId::make(test.app.ids()), ..somebody.clone() }))
        .collect();
    for some in people.chunks(100) {
        join_all(some.iter().map(|ctx| store(ctx, "openai", KEY))).await;
    }
}

fn report(said: Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// How many values each key seals, by what the key is.
fn counts(report: &Value) -> Vec<(String, u64)> {
    let keys = report["keys"].as_array().unwrap().iter();
    let mut counts: Vec<_> = keys
        .map(|key| (key["standing"].as_str().unwrap().to_owned(), key["values"].as_u64().unwrap()))
        .collect();
    counts.sort();
    counts
}

fn named(standing: &str, values: u64) -> (String, u64) {
    (standing.to_owned(), values)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_encrypted_anew_while_runs_go_on() {
    let (test, ana) = server().await;
    crowd(&test, &ana, 400).await;
    let ana = of(&test, ana);
    store(&ana, "openai", KEY).await;
    let engify = beside(&test, OLD, NEW);
    let counted = report(engify.run(&COUNT).ended(0));
    assert_eq!((counts(&counted), &counted["complete"]), (vec![named("sealing", 402)], &true.into()));

    let rotation = tokio::task::spawn_blocking(move || engify.run_with(&ROTATE, &format!("{NEW}\n")));
    let mut runs = 0;
    while !rotation.is_finished() || runs < 3 {
        let ask = ai::Ask {
            prompt: Some("hi".to_owned()),
            provider: Some("openai".to_owned()),
            ..ai::Ask::default()
        };
        let (answer, _) = ai::execute(&ana, ask).await.unwrap();
        assert_eq!(answer.key_source.map(|source| source.as_str()), Some("own"));
        runs += 1;
    }
    let said = rotation.await.unwrap().ended(0);
    assert!(said.stderr.contains("provider_keys: 401 of 401") && !said.stderr.contains(NEW), "{said:?}");
    let rotated = report(said);
    assert_eq!((&rotated["rotated"], &rotated["complete"]), (&402.into(), &true.into()));
    assert!(test.provider.keys().iter().all(|key| key == KEY));

    test.mail("ana@example.com", MessageKind::VerifyAddress).await;
    let swapped = beside(&test, NEW, "");
    assert_eq!(counts(&report(swapped.run(&COUNT).ended(0))), [named("sealing", 402)]);
    let again = report(swapped.run(&["security", "rotate-key", "--json"]).ended(0));
    assert_eq!(again["rotated"], 0, "done is done");
    let (code, tried) = swapped.report(&["security", "test-keys", "--stored", "--json"]);
    assert_eq!((code, &tried["ok"], tried["keys"].as_array().unwrap().len()), (0, &true.into(), 401));
    let (code, tried) = beside(&test, OLD, "").report(&["security", "test-keys", "--stored", "--json"]);
    assert_eq!(
        (code, &tried["keys"][0]["reason"]),
        (1, &"unreadable".into()),
        "the old key opens nothing any more"
    );
    assert!(tried["keys"][0]["message"].as_str().unwrap().contains("API_KEY_ENCRYPTION_KEY_PREVIOUS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_goes_on_where_it_was() {
    let (test, ana) = server().await;
    crowd(&test, &ana, 2000).await;
    let engify = beside(&test, OLD, NEW);
    engify.write("new.key", format!("{NEW}\n"));
    let args = ["security", "rotate-key", "--new-key-file", "new.key", "--json"];
    let mut child = engify.start(&args);
    read_until(child.stderr.as_mut().unwrap(), "provider_keys: 100 of 2000\n");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was killed before its end");
    let mut rest = String::new();
    child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");

    let halfway = counts(&report(engify.run(&COUNT).ended(0)));
    let (fresh, old) = (halfway[0].1, halfway[1].1);
    assert_eq!(
        (halfway[0].0.as_str(), halfway[1].0.as_str()),
        ("opening", "sealing"),
        "both keys are in use"
    );
    assert!(fresh >= 100 && fresh + old == 2001, "{halfway:?}");
    let rotated = report(engify.run(&args).ended(0));
    assert_eq!(
        (&rotated["rotated"], &rotated["complete"]),
        (&old.into(), &true.into()),
        "only the rest is done"
    );
    assert_eq!(counts(&report(beside(&test, NEW, "").run(&COUNT).ended(0))), [named("sealing", 2001)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_and_short_keys_are_refused_with_the_remedy() {
    let (test, ana) = server().await;
    store(&of(&test, ana), "openai", KEY).await;
    let engify = beside(&test, OLD, "");
    for wrong in ["", "0123abcd\n", &NEW[..62], &format!("{NEW}00"), &"z".repeat(64)] {
        let said = engify.run_with(&["security", "rotate-key", "--new-key-stdin"], wrong);
        let said = said.fails_with("64 hex digits");
        assert!(said.stderr.contains("openssl rand -hex 32"), "{said:?}");
        assert!(wrong.is_empty() || !said.stderr.contains(wrong.trim()), "{said:?}");
    }
    engify.run(&["security", "rotate-key", "--new-key-file", "gone.key"]).fails_with("gone.key");

    // Another key in the settings than the one that everything is encrypted with.
    let stranger = beside(&test, &"5c".repeat(32), "");
    let said = stranger.run_with(&ROTATE, NEW).ended(2);
    assert!(
        said.stderr.contains("wrong_encryption_key") && said.stderr.contains("nothing was changed"),
        "{said:?}"
    );
    assert_eq!(counts(&report(engify.run(&COUNT).ended(0))), [named("sealing", 2)]);
    let mut skipping = ROTATE.to_vec();
    skipping.push("--skip-unreadable");
    let skipped = report(stranger.run_with(&skipping, NEW).ended(1));
    assert_eq!(
        (&skipped["rotated"], &skipped["unreadable"][0]["collection"]),
        (&0.into(), &"provider_keys".into())
    );

    // A server that runs with the old key alone would be surprised: that is said.
    let said = engify.run_with(&["security", "rotate-key", "--new-key-stdin"], NEW).ended(0);
    assert!(said.stderr.contains("the new key is not in the settings here"), "{said:?}");
    let bad = Engify::new().with("API_KEY_ENCRYPTION_KEY_PREVIOUS", &format!("{OLD},short"));
    let said = bad.run(&["config", "check"]).ended(1);
    assert!(said.stdout.contains("wrong: API_KEY_ENCRYPTION_KEY_PREVIOUS"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_configured_key_is_tried_and_told_what_to_do() {
    let provider = ScriptedProvider::start().await;
    provider.accept_only(&["sk-good-0123456789"]);
    let at =
        |key: &str| Engify::new().with("OPENAI_BASE_URL", &provider.base_url()).with("OPENAI_API_KEY", key);
    const TEST: [&str; 3] = ["security", "test-keys", "--json"];

    let none = Engify::new().run(&TEST[..2]).ended(0);
    assert!(none.stdout.starts_with("No provider has a key in the settings"), "{none:?}");
    let (code, report) = Engify::new().report(&TEST);
    assert_eq!((code, &report["configured"], &report["ok"]), (0, &false.into(), &true.into()));

    let good = at("sk-good-0123456789").run(&TEST[..2]).ended(0);
    assert!(good.stdout.contains("…6789") && good.stdout.ends_with("The key works.\n"), "{good:?}");
    let bad = at("sk-wrong-0123456789").with("ANTHROPIC_API_KEY", "gsk_0123456789abcdef");
    let said = bad.run(&TEST[..2]).ended(1);
    assert!(said.stdout.contains("2 of 2 do not work."), "{said:?}");
    assert!(said.stdout.contains("its keys look like sk-…. Put a valid one into OPENAI_API_KEY"), "{said:?}");
    assert!(said.stdout.contains("ANTHROPIC_API_KEY looks like a key of Groq"), "{said:?}");
    assert!(!format!("{said:?}").contains("wrong-0123456789"), "{said:?}");
    let (code, report) = bad.report(&TEST);
    let keys = report["keys"].as_array().unwrap();
    assert_eq!((code, &keys[0]["reason"], &keys[1]["reason"]), (1, &"bad_key".into(), &"bad_format".into()));
    assert!(keys[0]["latencyMs"].as_f64().unwrap() > 0.0 && keys[1]["latencyMs"].is_null());

    // Nothing listens there.
    let away = Engify::new().with("OLLAMA_BASE_URL", "http://127.0.0.1:9/v1").run(&TEST[..2]).ended(1);
    assert!(away.stdout.contains("ollama") && away.stdout.contains("OLLAMA_BASE_URL"), "{away:?}");
}
