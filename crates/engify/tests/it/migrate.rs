//! `engify db migrate`: to another database and back, online, proven, gone on with after a kill.

use serde_json::{Value, json};

use crate::engify::Engify;
use crate::restores::told;

/// An installation with the shipped library, one more prompt and a super admin.
fn installation() -> Engify {
    let engify = Engify::new();
    engify.run(&["db", "seed"]).ended(0);
    let admin = ["admin", "setup", "--email", "ana@example.com", "--name", "Ana", "--password-stdin"];
    engify.run_with(&admin, "a long and winding road 1\n").ended(0);
    written(&engify, "quokka");
    engify
}

/// Writes one more prompt.
fn written(engify: &Engify, name: &str) {
    engify.write(&format!("{name}.md"), format!("The prompt that is called {name}.\n"));
    engify.run(&["prompts", "import", &format!("{name}.md")]).ended(0);
}

fn migrate(engify: &Engify, to: &str) -> Value {
    let (code, report) = engify.report(&["db", "migrate", "--to", to, "--yes", "--json"]);
    assert_eq!((code, &report["verified"]), (0, &json!(true)), "{report:#}");
    report
}

#[track_caller]
fn refused(engify: &Engify, to: &str, word: &str) {
    let said = engify.run(&["db", "migrate", "--to", to, "--yes", "--json"]).ended(2);
    assert!(said.stdout.contains(word) || said.stderr.contains(word), "{said:?}");
}

#[test]
fn the_plan_is_printed_and_nothing_is_written_without_yes() {
    let engify = installation();
    let (code, plan) = engify.report(&["db", "migrate", "--to", "other", "--json"]);
    assert_eq!((code, &plan["state"], &plan["copied"]), (0, &json!("begins"), &json!(0)), "{plan:#}");
    let said = engify.run(&["db", "migrate", "--to", "other"]).ended(0);
    assert!(said.stdout.contains("The target is empty") && said.stderr.contains("--yes"), "{said:?}");
    refused(&engify, "data", "same_database");
}

#[test]
fn what_is_written_meanwhile_follows_and_a_used_target_is_left_alone() {
    let engify = installation();
    let first = migrate(&engify, "other");
    assert_eq!((&first["resumed"], &first["followed"]), (&json!(false), &json!(0)), "{first:#}");
    written(&engify, "wombat");
    let second = migrate(&engify, "file:other");
    assert_eq!((&second["resumed"], &second["copied"]), (&json!(true), &first["copied"]), "{second:#}");
    assert!(second["followed"].as_u64().unwrap() > 0, "{second:#}");
    let other = Engify::new().with("ENGIFY_DATA_DIR", engify.path("other").to_str().unwrap());
    let (_, list) = other.report(&["prompts", "list", "--q", "wombat", "--json"]);
    assert_eq!(list["data"][0]["slug"], "wombat", "{list:#}");
    written(&other, "third");
    refused(&engify, "other", "target_in_use");
    let elsewhere = installation();
    let lines = told(&engify, "database_migrated");
    assert!(lines.len() == 2 && lines.iter().all(|(outcome, _)| outcome == "success"), "{lines:?}");
    assert_eq!(lines[0].1["to"], first["to"]);
    assert_eq!(told(&other, "database_migrated"), lines, "both databases tell of it");
    refused(&elsewhere, engify.path("data").to_str().unwrap(), "target_not_empty");
}

#[test]
#[cfg(unix)]
fn a_half_copy_is_refused_until_it_is_whole_or_given_up() {
    let engify = installation();
    let other = Engify::new().with("ENGIFY_DATA_DIR", engify.path("other").to_str().unwrap());
    interrupted(&engify, "other");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let said = other.run(&["serve", "--port", &free]).fails_with("half a copy");
    assert!(said.stderr.contains("db migrate") && said.stderr.contains("--give-up"), "{said:?}");
    other.run(&["db", "stats"]).fails_with("half a copy");
    migrate(&engify, "other");
    other.run(&["db", "stats"]).ended(0);
    let give_up = |more: &[&str]| {
        let args = ["db", "migrate", "--to", "third", "--give-up", "--json"];
        engify.report(&[&args, more].concat())
    };
    interrupted(&engify, "third");
    let (code, plan) = give_up(&[]);
    assert_eq!((code, plan["documents"].as_u64() > Some(0)), (0, true), "{plan:#}");
    let (code, done) = give_up(&["--yes"]);
    assert_eq!((code, &done["removed"]), (0, &plan["documents"]), "{done:#}");
    let third = Engify::new().with("ENGIFY_DATA_DIR", engify.path("third").to_str().unwrap());
    let (_, list) = third.report(&["prompts", "list", "--q", "quokka", "--json"]);
    assert_eq!(list["data"], json!([]), "{list:#}");
    let args = ["db", "migrate", "--to", "other", "--give-up", "--yes"];
    engify.run(&args).fails_with("nothing was deleted");
}

/// A migration that ended in the middle: all is copied, and it was not yet said that it is.
fn interrupted(engify: &Engify, to: &str) {
    migrate(engify, to);
    let target = rusqlite::Connection::open(engify.path(to).join("engify.db")).unwrap();
    target.execute("INSERT INTO meta(key, value) VALUES ('filling', 'file:data')", []).unwrap();
}

mod secantus {
    use std::io::Read;

    use engify_testkit::parts;

    use super::*;
    use crate::engify::read_until;

    #[test]
    fn to_mongodb_and_back_every_document_is_the_same() {
        let engify = installation();
        let uri = parts::secantus().uri("migrate_and_back");
        let there = migrate(&engify, &uri);
        assert!(!there.to_string().contains("correct-horse"), "a password is in the report");
        let on_mongo = Engify::new().with("MONGODB_URI", &uri);
        let (_, user) = on_mongo.report(&["admin", "check-user", "ana@example.com", "--json"]);
        assert_eq!(user["email"], "ana@example.com", "{user:#}");
        written(&on_mongo, "axolotl");
        let back = on_mongo.path("back");
        let home = migrate(&on_mongo, back.to_str().unwrap());
        assert!(home["copied"].as_u64() > there["copied"].as_u64(), "{home:#}");
        for collection in ["users", "organizations", "milestones"] {
            assert_eq!(home["collections"][collection], there["collections"][collection], "{collection}");
        }
        let again = Engify::new().with("ENGIFY_DATA_DIR", back.to_str().unwrap());
        for slug in ["quokka", "axolotl"] {
            let (_, list) = again.report(&["prompts", "list", "--q", slug, "--json"]);
            assert_eq!(list["data"][0]["slug"], slug);
        }
        refused(&again, &uri, "target_not_empty");
    }

    #[test]
    fn killed_anywhere_it_goes_on_and_arrives() {
        let engify = installation();
        let uri = parts::secantus().uri("migrate_killed");
        for round in 0..3 {
            let mut child = engify.start(&["db", "migrate", "--to", &uri, "--yes", "--json"]);
            // It says so right before the first page; each round gets a little further.
            read_until(child.stderr.as_mut().unwrap(), "documents go from");
            child.kill().unwrap();
            child.wait().unwrap();
            let mut rest = String::new();
            child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "", "round {round}");
            written(&engify, &format!("round-{round}"));
        }
        let arrived = migrate(&engify, &uri);
        assert_eq!(arrived["differences"], json!([]), "{arrived:#}");
    }
}
