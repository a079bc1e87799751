//! `engify security audit-verify`: what it proves, and how it ends.

use rusqlite::Connection;
use serde_json::json;

use crate::engify::Engify;

fn installation() -> Engify {
    let engify = Engify::new();
    let args = ["admin", "setup", "--email", "ana@example.com", "--name", "Ana", "--password-stdin"];
    engify.run_with(&args, "a long and winding road 1\n").ended(0);
    engify
}

#[test]
fn an_untouched_audit_log_is_proven_and_a_touched_one_is_named() {
    let engify = installation();
    let (code, verdict) = engify.report(&["security", "audit-verify", "--json"]);
    assert_eq!((code, &verdict["intact"]), (0, &json!(true)), "{verdict:#}");
    assert!(verdict["lines"].as_u64() >= Some(1), "{verdict:#}");
    let head = format!("{}:{}", verdict["head"]["block"], verdict["head"]["hash"].as_str().unwrap());
    let said = engify.run(&["security", "audit-verify", "--head", &head]).ended(0);
    assert!(said.stdout.contains("intact") && said.stdout.contains(&head), "{said:?}");

    let database = Connection::open(engify.path("data/engify.db")).unwrap();
    database.execute("UPDATE audit_logs SET doc = jsonb_set(doc, '$.outcome', 'refused')", []).unwrap();
    let said = engify.run(&["security", "audit-verify"]).ended(1);
    assert!(said.stdout.contains("BROKEN: Line ") && said.stdout.contains("of block 1"), "{said:?}");
    let (code, verdict) = engify.report(&["security", "audit-verify", "--json"]);
    assert_eq!((code, &verdict["broken"]["what"]), (1, &json!("changed")));
}

#[test]
fn after_a_change_of_the_secret_the_former_one_still_proves() {
    let engify = installation().with("NEXTAUTH_SECRET", &"n".repeat(32));
    let former = std::fs::read_to_string(engify.path("data/secret")).unwrap();
    let (code, verdict) = engify.report(&["security", "audit-verify", "--json"]);
    assert_eq!((code, &verdict["broken"]["what"]), (1, &json!("unknown_key")), "{verdict:#}");
    let engify = engify.with("AUDIT_FORMER_SECRET", former.trim());
    let (code, verdict) = engify.report(&["security", "audit-verify", "--json"]);
    assert_eq!((code, &verdict["intact"]), (0, &json!(true)), "{verdict:#}");
}

#[test]
fn an_anchor_that_is_none_is_refused_with_the_reason() {
    let said = Engify::new().run(&["security", "audit-verify", "--head", "12"]).ended(2);
    assert!(said.stderr.contains("NUMBER:HASH"), "{said:?}");
}

/// The chain on MongoDB, whose times and numbers are stored otherwise than they were written.
mod secantus {
    use engify_testkit::parts;
    use serde_json::json;

    use crate::engify::Engify;

    #[test]
    fn the_log_is_proven_on_mongodb_by_another_process_than_wrote_it() {
        let engify = Engify::new().with("MONGODB_URI", &parts::secantus().uri("audit_verify"));
        let args = ["admin", "setup", "--email", "ana@example.com", "--name", "Ana", "--password-stdin"];
        engify.run_with(&args, "a long and winding road 1\n").ended(0);
        engify.run(&["db", "seed"]).ended(0);
        engify.run(&["prompts", "export", "--format", "jsonl", "--out", "-"]).ended(0);
        engify.run_with(&args, "a long and winding road 2\n").ended(0);
        let (code, verdict) = engify.report(&["security", "audit-verify", "--json"]);
        assert_eq!(
            (code, &verdict["intact"], &verdict["unsealed"]),
            (0, &json!(true), &json!(0)),
            "{verdict:#}"
        );
        assert!(verdict["blocks"].as_u64() >= Some(2) && verdict["lines"].as_u64() >= Some(3), "{verdict:#}");
    }
}
