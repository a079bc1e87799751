//! `engify db`: indexes, seed, counts, and files that must not be touched.

use std::fs;

use crate::engify::Engify;

#[test]
fn indexes_are_there_after_the_first_start_and_making_them_again_changes_nothing() {
    let engify = Engify::new();
    let (code, report) = engify.report(&["db", "create-indexes", "--json"]);
    assert_eq!((code, &report["made"], &report["refused"]), (0, &0.into(), &0.into()), "{report:#}");
    let indexes = report["indexes"].as_array().unwrap();
    for index in ["email_1", "organizationId_1", "role_1"] {
        let is = |one: &serde_json::Value| one["collection"] == "users" && one["index"] == index;
        assert_eq!(
            indexes.iter().find(|one| is(one)).map(|one| &one["state"]),
            Some(&"existed".into()),
            "{index}"
        );
    }
}

#[test]
fn seeding_twice_changes_nothing() {
    let engify = Engify::new();
    let (_, first) = engify.report(&["db", "seed", "--json"]);
    let count = first["created"].as_u64().unwrap();
    assert!(count >= 120, "{first:#}");
    let (code, second) = engify.report(&["db", "seed", "--json"]);
    assert_eq!((code, second["created"].as_u64(), second["unchanged"].as_u64()), (0, Some(0), Some(count)));
    let (_, stats) = engify.report(&["db", "stats", "--json"]);
    let prompts = stats["collections"].as_array().unwrap().iter().find(|one| one["collection"] == "prompts");
    assert_eq!(prompts.unwrap()["documents"].as_u64(), Some(count));
}

#[test]
fn a_database_of_a_newer_program_is_refused_and_not_touched() {
    let engify = Engify::new();
    engify.run(&["db", "stats"]).ended(0);
    let file = engify.path("data/engify.db");
    let mut bytes = fs::read(&file).unwrap();
    // SQLite keeps the format's number (`PRAGMA user_version`) at offset 60 of the file, big-endian.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &bytes).unwrap();
    for args in [&["serve"][..], &["prompts", "list"], &["db", "seed"]] {
        let said = engify.run(args).fails_with("written by a newer Engify (format 99");
        assert!(said.stderr.contains("restore a backup"), "{said:?}");
    }
    assert_eq!(fs::read(&file).unwrap()[60..64], 99_u32.to_be_bytes());
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named_with_the_remedy() {
    let engify = Engify::new().with("ENGIFY_DATA_DIR", "file/data");
    engify.write("file", "in the way");
    engify.run(&["db", "stats"]).fails_with("ENGIFY_DATA_DIR");
}

#[test]
fn a_fault_is_json_where_json_was_asked_for() {
    let said = Engify::new().with("PORT", "x").run(&["db", "stats", "--json"]).ended(2);
    let fault: serde_json::Value = serde_json::from_str(&said.stderr).unwrap();
    assert_eq!(
        (&fault["error"], &fault["details"][0]["field"]),
        (&"invalid_settings".into(), &"PORT".into())
    );
}
