//! What the pages start: a restore as two jobs does what `engify db restore` does.

use serde_json::{Value, json};

use crate::engify::Engify;

fn prompts(engify: &Engify) -> i64 {
    let file = rusqlite::Connection::open(engify.path("data/engify.db")).unwrap();
    file.query_row("SELECT count(*) FROM prompts", [], |row| row.get(0)).unwrap()
}

fn done(engify: &Engify, kind: &str, payload: &Value) -> Value {
    let payload = payload.to_string();
    let (code, job) = engify.report(&["jobs", "run", kind, "--payload", &payload, "--json"]);
    assert_eq!((code, &job["state"]), (0, &json!("done")), "{job:#}");
    job["outcome"].clone()
}

#[test]
fn a_restore_is_worked_out_without_touching_anything_and_then_done() {
    let engify = Engify::new();
    let setup = ["admin", "setup", "--email", "ana@example.com", "--name", "Ana", "--password-stdin"];
    engify.run(&["db", "seed"]).ended(0);
    engify.run_with(&setup, "violet tractor hums at noon\n").ended(0);
    let all = prompts(&engify);
    let (_, backup) = engify.report(&["db", "backup", "--json"]);
    let wish = json!({ "from": backup["id"] });
    assert_eq!(done(&engify, "backup_verify", &json!({ "id": backup["id"] }))[0]["ok"], true);
    rusqlite::Connection::open(engify.path("data/engify.db"))
        .unwrap()
        .execute("DELETE FROM prompts", [])
        .unwrap();

    let plan = done(&engify, "restore_plan", &wish);
    let lost =
        plan["differences"].as_array().unwrap().iter().find(|one| one["collection"] == "prompts").unwrap();
    assert_eq!((&lost["added"], prompts(&engify)), (&json!(all), 0), "{plan:#}");
    assert!(
        plan["plan"]["estimatedSeconds"].is_number() && plan["kept"]["revokedKeys"].is_number(),
        "{plan:#}"
    );

    let restored = done(&engify, "restore", &wish);
    assert_eq!((prompts(&engify), &restored["verified"]), (all, &json!(true)), "{restored:#}");
    assert!(
        restored["safety"].is_string() && restored["written"]["inserted"].as_i64() >= Some(all),
        "{restored:#}"
    );
    let unknown = ["jobs", "run", "restore_plan", "--payload", r#"{"from":"nothing"}"#];
    engify.run(&unknown).ended(1);
}
