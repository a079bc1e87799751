//! `engify security audit-verify` and `audit-export`: what is proven, what is written, and how they end.

use rusqlite::Connection;
use serde_json::{Value, json};

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

#[test]
fn the_log_comes_out_as_json_lines_or_as_a_table_whole_or_narrowed() {
    let engify = installation();
    let (code, said) = engify.report(&["security", "audit-export", "--out", "log.jsonl", "--json"]);
    let text = std::fs::read_to_string(engify.path("log.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, &said["lines"], &said["format"]), (0, &json!(lines.len()), &json!("jsonl")), "{said}");
    assert_eq!(lines[0]["action"], "audit_exported", "newest first, and the export is a line itself");

    engify.run(&["security", "audit-export", "--out", "log.csv", "--outcome", "success"]).ended(0);
    let table = std::fs::read_to_string(engify.path("log.csv")).unwrap();
    assert!(table.starts_with("createdAt,action,outcome,"), "{table}");
    assert_eq!(table.lines().count(), lines.len() + 2, "a header and one export more");
    let narrow = ["security", "audit-export", "--out", "-", "--action", "audit_exported"];
    assert_eq!(engify.run(&narrow).ended(0).stdout.lines().count(), 3);
}

#[test]
fn an_export_that_cannot_be_leaves_no_file() {
    let engify = installation();
    let args = ["security", "audit-export", "--out", "log.jsonl", "--since", "yesterday"];
    let said = engify.run(&args).ended(2);
    assert!(said.stderr.contains("since"), "{said:?}");
    assert!(!engify.path("log.jsonl").exists() && !engify.path("log.jsonl.unfinished").exists());
    let said = engify.run(&["security", "audit-export", "--out", "nowhere/log.jsonl"]).ended(2);
    assert!(said.stderr.contains("nowhere/log.jsonl cannot be written"), "{said:?}");
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
