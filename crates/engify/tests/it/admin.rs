//! `engify admin`: the super admin from the command line.

use crate::engify::Engify;

const SETUP: [&str; 7] =
    ["admin", "setup", "--email", "Ana@Example.com", "--name", "Ana", "--password-stdin"];

#[test]
fn an_administrator_is_made_once_and_then_changed() {
    let engify = Engify::new();
    let first = engify.run_with(&SETUP, "a long and winding road 1\n").ended(0);
    assert_eq!(first.stdout, "Made the super admin Ana <ana@example.com>.\n");
    let mut again = SETUP.to_vec();
    again.push("--json");
    let second = engify.run_with(&again, "a long and winding road 2\n").ended(0);
    let report: serde_json::Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!((&report["created"], &report["role"]), (&false.into(), &"super_admin".into()));
    let (code, user) = engify.report(&["admin", "check-user", "ana@example.com", "--json"]);
    assert_eq!((code, &user["found"], &user["id"]), (0, &true.into(), &report["id"]));
    let all = format!("{first:?}{second:?}{user}");
    assert!(!all.contains("winding") && !all.contains("argon2"), "{all}");
}

#[test]
fn an_unknown_account_is_found_wanting() {
    let engify = Engify::new();
    let (code, report) = engify.report(&["admin", "check-user", "nobody@example.com", "--json"]);
    assert_eq!((code, &report["found"]), (1, &false.into()));
    engify.run(&["admin", "check-user", "no address"]).fails_with("email is not a mail address");
}

#[test]
fn every_fault_of_the_form_is_named_at_once() {
    let engify = Engify::new();
    let args = ["admin", "setup", "--email", "ana", "--name", "", "--password-stdin"];
    let said = engify.run_with(&args, "short\n").ended(2);
    for field in ["email", "name", "password"] {
        assert!(said.stderr.contains(&format!("\n  {field} ")), "{field}: {said:?}");
    }
    assert!(!said.stderr.contains("short\n"), "{said:?}");
}

#[test]
fn without_a_keyboard_what_is_missing_is_named() {
    let engify = Engify::new();
    engify.run(&["admin", "setup", "--email", "ana@example.com"]).fails_with("--name, --password-stdin");
    engify.run(&SETUP).fails_with("no password on stdin");
}

#[test]
fn second_factors_are_reset_only_when_it_is_meant() {
    let engify = Engify::new();
    engify.run_with(&SETUP, "a long and winding road 1\n").ended(0);
    let (code, user) = engify.report(&["admin", "check-user", "ana@example.com", "--json"]);
    assert_eq!((code, &user["secondFactors"]), (0, &serde_json::json!([])));
    let plan = engify.run(&["admin", "reset-mfa", "--email", "ana@example.com"]).ended(1);
    assert!(plan.stdout.contains("add --yes"), "{plan:?}");
    let args = ["admin", "reset-mfa", "--email", "ana@example.com", "--yes", "--json"];
    let (code, done) = engify.report(&args);
    assert_eq!((code, &done["reset"], &done["sessionsEnded"]), (0, &true.into(), &0.into()));
    engify
        .run(&["admin", "reset-mfa", "--email", "nobody@example.com", "--yes"])
        .fails_with("no such account");
}
