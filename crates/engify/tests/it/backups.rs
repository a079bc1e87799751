//! `engify db backup|backups|verify|export|import`: what is taken comes back, and what is wrong with it is told.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::engify::{Engify, workspace};
use crate::restores::told;

/// A key as `openssl rand -hex 32` makes it, and another one.
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// An installation with the shipped library in it.
fn seeded(engify: Engify) -> Engify {
    engify.run(&["db", "seed"]).ended(0);
    engify
}

/// Takes a backup; its report, and its folder at the default target.
fn backup(engify: &Engify) -> (Value, PathBuf) {
    let (code, report) = engify.report(&["db", "backup", "--json"]);
    assert_eq!((code, &report["verified"]), (0, &json!(true)), "{report:#}");
    let folder = engify.path(format!("data/backups/backups/{}", report["id"].as_str().unwrap()));
    (report, folder)
}

/// What `db verify` has to say of the newest backup.
fn failure(engify: &Engify) -> String {
    let (code, report) = engify.report(&["db", "verify", "--json"]);
    assert_eq!((code, &report["ok"]), (1, &json!(false)), "{report:#}");
    report["failure"].as_str().unwrap().to_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Everything below a folder.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let below = |one: PathBuf| if one.is_dir() { all_files(&one) } else { vec![one] };
    files(folder).into_iter().flat_map(below).collect()
}

#[test]
fn a_backup_is_taken_proven_and_listed() {
    let engify = seeded(Engify::new());
    let (report, folder) = backup(&engify);
    assert!(report["documents"].as_u64().unwrap() >= 256, "{report:#}");
    assert_eq!((&report["encrypted"], &report["warnings"]), (&json!(false), &json!([])));
    let (code, listing) = engify.report(&["db", "backups", "--json"]);
    assert_eq!((code, listing["backups"].as_array().unwrap().len()), (0, 1), "{listing:#}");
    let listed = &listing["backups"][0];
    assert_eq!((&listed["id"], &listed["sha256"]), (&report["id"], &report["sha256"]));
    assert!(listed["verifiedAt"].is_string(), "{listed:#}");
    let id = report["id"].as_str().unwrap();
    let by_place = folder.to_str().unwrap();
    let target = format!("file:{}", engify.path("data/backups").display());
    for named in [vec![], vec![id], vec![by_place], vec![target.as_str()], vec!["--deep"]] {
        let args: Vec<&str> = ["db", "verify", "--json"].into_iter().chain(named).collect();
        let (code, verified) = engify.report(&args);
        assert_eq!(
            (code, &verified["ok"], &verified["id"]),
            (0, &json!(true), &report["id"]),
            "{verified:#}"
        );
    }
    assert!(files(&engify.path("data")).iter().all(|file| !file.to_string_lossy().contains("scratch")));
    engify.run(&["db", "verify", "nothing-of-this-name"]).fails_with("There is no backup");
}

#[test]
fn what_is_encrypted_opens_with_its_key_alone() {
    let engify = seeded(Engify::new().with("BACKUP_ENCRYPTION_KEY", KEY));
    let (report, folder) = backup(&engify);
    assert_eq!(report["encrypted"], true);
    let parts = files(&folder.join("engify"));
    assert!(parts.len() > 1 && parts.iter().all(|part| part.to_string_lossy().ends_with(".bson.zst.age")));
    for part in &parts {
        assert!(fs::read(part).unwrap().starts_with(b"age-encryption.org/v1\n"), "{}", part.display());
    }
    assert!(!fs::read_to_string(folder.join("manifest.json")).unwrap().contains(KEY));
    // The same key as age writes it.
    let (_, key) = engify.report(&["db", "backup-key", "--json"]);
    let identity = key["identity"].as_str().unwrap();
    let place = folder.to_str().unwrap();
    let as_identity = Engify::new().with("BACKUP_ENCRYPTION_KEY", identity);
    as_identity.run(&["db", "verify", "--deep", place]).ended(0);
    Engify::new().run(&["db", "verify", place]).fails_with("BACKUP_ENCRYPTION_KEY is not set");
    let other = Engify::new().with("BACKUP_ENCRYPTION_KEY", OTHER);
    other.run(&["db", "verify", place]).fails_with("Set the key that it was made with");
    // No key is needed to see what there is.
    let target = engify.path("data/backups").display().to_string();
    let (code, listing) =
        Engify::new().report(&["db", "backups", "--at", &format!("file:{target}"), "--json"]);
    assert_eq!((code, &listing["backups"][0]["id"]), (0, &report["id"]));
}

#[test]
fn every_kind_of_damage_is_found_and_named() {
    for key in [None, Some(KEY)] {
        let engify = key.map_or_else(Engify::new, |key| Engify::new().with("BACKUP_ENCRYPTION_KEY", key));
        let engify = seeded(engify);
        let (_, folder) = backup(&engify);
        let part = files(&folder.join("engify"))
            .into_iter()
            .find(|part| part.to_string_lossy().contains("prompts."))
            .unwrap();
        let other = files(&folder.join("engify"))
            .into_iter()
            .find(|part| part.to_string_lossy().contains("prompt_versions."))
            .unwrap();
        let manifest = folder.join("manifest.json");
        let (whole, another, sealed) =
            (fs::read(&part).unwrap(), fs::read(&other).unwrap(), fs::read_to_string(&manifest).unwrap());
        fs::write(&part, &whole[..whole.len() / 2]).unwrap();
        assert!(failure(&engify).contains("bytes long instead of"), "cut");
        fs::write(&part, b"").unwrap();
        assert!(failure(&engify).contains("is 0 bytes long"), "empty");
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        fs::write(&part, &flipped).unwrap();
        assert!(failure(&engify).contains("was changed"), "one bit");
        fs::remove_file(&part).unwrap();
        assert!(failure(&engify).contains("is missing"), "gone");
        fs::write(&part, &another).unwrap();
        fs::write(&other, &whole).unwrap();
        assert!(failure(&engify).contains("instead of"), "swapped");
        fs::write(&part, &whole).unwrap();
        fs::write(&other, &another).unwrap();
        fs::write(&manifest, sealed.replace("\"position\":", "\"position\":1")).unwrap();
        assert!(failure_of_manifest(&engify).contains("manifest was changed"));
        fs::write(&manifest, "{\"something\": \"else\"}").unwrap();
        assert!(failure_of_manifest(&engify).contains("is not a backup of Engify"));
        fs::write(&manifest, &sealed).unwrap();
        engify.run(&["db", "verify", "--deep"]).ended(0);
    }
}

/// A backup whose manifest cannot be read is listed as such, and not found as the newest one.
fn failure_of_manifest(engify: &Engify) -> String {
    let (code, listing) = engify.report(&["db", "backups", "--json"]);
    assert_eq!((code, listing["backups"].as_array().unwrap().len()), (1, 0), "{listing:#}");
    listing["unreadable"][0]["failure"].as_str().unwrap().to_owned()
}

#[test]
fn of_two_at_once_the_second_is_refused() {
    let engify = seeded(Engify::new());
    let lock = fs::File::create(engify.path("data/backup.lock")).unwrap();
    lock.lock().unwrap();
    engify.run(&["db", "backup"]).fails_with("Another backup is being taken");
    drop(lock);
    backup(&engify);
}

#[test]
fn a_killed_backup_leaves_nothing_that_is_listed() {
    let engify = seeded(Engify::new());
    let backups = engify.path("data/backups/backups");
    for _ in 0..5 {
        let before = fs::read_dir(&backups).map_or(0, Iterator::count);
        let mut child = engify.start(&["db", "backup", "--json"]);
        // As soon as anything of it is at the target; it may be through by then, which is as good.
        while fs::read_dir(&backups).map_or(0, Iterator::count) == before
            && child.try_wait().unwrap().is_none()
        {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (code, listing) = engify.report(&["db", "backups", "--json"]);
        assert_eq!((code, &listing["unreadable"]), (0, &json!([])), "{listing:#}");
        for one in listing["backups"].as_array().unwrap() {
            engify.run(&["db", "verify", one["id"].as_str().unwrap()]).ended(0);
        }
    }
    backup(&engify);
    let (_, listing) = engify.report(&["db", "backups", "--json"]);
    let whole = listing["backups"].as_array().unwrap().len();
    let kept = files(&backups)
        .into_iter()
        .filter(|one| one.join("engify").read_dir().is_ok_and(|mut parts| parts.next().is_some()));
    assert_eq!(kept.count(), whole, "halves were swept");
}

#[test]
fn a_target_that_cannot_be_written_is_named_with_the_remedy() {
    let engify = seeded(Engify::new());
    engify.write("a-file", "in the way");
    let said = engify.run(&["db", "backup", "--to", "file:a-file/backups"]).ended(2);
    assert!(said.stderr.contains("a-file/backups") && said.stderr.contains("help:"), "{said:?}");
    engify.run(&["db", "backup", "--to", "gs://bucket"]).fails_with("--help");
    engify.run(&["db", "backup", "--to", "s3://bucket", "--format", "mongodump"]).fails_with("--help");
    let (_, listing) = engify.report(&["db", "backups", "--json"]);
    assert_eq!(listing["backups"], json!([]));
}

#[test]
fn a_second_place_gets_the_same() {
    let engify = seeded(Engify::new().with("BACKUP_REPLICA_TARGET", "file:second"));
    let (report, _) = backup(&engify);
    assert_eq!(report["replica"], "file:second");
    let (code, verified) = engify.report(&["db", "verify", "--deep", "file:second", "--json"]);
    assert_eq!((code, &verified["id"]), (0, &report["id"]), "{verified:#}");
    let engify = seeded(Engify::new().with("BACKUP_REPLICA_TARGET", "file:data/engify.db/second"));
    let (code, report) = engify.report(&["db", "backup", "--json"]);
    assert_eq!(
        (code, &report["verified"], &report["replica"]),
        (1, &json!(true), &Value::Null),
        "{report:#}"
    );
    assert!(report["warnings"][0].as_str().unwrap().contains("second target"), "{report:#}");
}

#[test]
fn backups_of_every_earlier_format_are_restored() {
    let engify = Engify::new().with("BACKUP_ENCRYPTION_KEY", KEY);
    let fixtures = workspace().join("crates/engify/tests/fixtures/backups");
    for (format, backups) in [(1, [("plain", 9), ("encrypted", 10)])] {
        for (name, documents) in backups {
            let fixture = fixtures.join(format!("format-{format}")).join(name);
            // A copy: that it was proven is noted beside it.
            for file in all_files(&fixture) {
                engify.write(
                    Path::new(name).join(file.strip_prefix(&fixture).unwrap()).to_str().unwrap(),
                    fs::read(&file).unwrap(),
                );
            }
            let (code, verified) =
                engify.report(&["db", "verify", "--deep", "--json", &format!("file:{name}")]);
            assert_eq!((code, &verified["ok"]), (0, &json!(true)), "{verified:#}");
            assert_eq!(verified["documents"], documents, "{verified:#}");
        }
    }
}

#[test]
fn a_plain_dump_is_whole_or_not_there() {
    let engify = seeded(Engify::new());
    let (code, dumped) = engify.report(&["db", "backup", "--format", "mongodump", "--out", "dump", "--json"]);
    assert_eq!((code, &dumped["verified"]), (0, &json!(true)), "{dumped:#}");
    let names: Vec<String> = files(&engify.path("dump/engify"))
        .iter()
        .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.contains(&"prompts.bson".to_owned()) && names.contains(&"users.metadata.json".to_owned()));
    let metadata = fs::read_to_string(engify.path("dump/engify/prompts.metadata.json")).unwrap();
    assert!(
        metadata.contains(r#""key":{"featured":1,"createdAt":-1}"#),
        "the order of keys counts: {metadata}"
    );
    assert_eq!(files(&engify.path("dump")).len(), 1, "nothing unfinished");
    engify.run(&["db", "backup", "--format", "mongodump", "--out", "dump"]).fails_with("is there already");
}

#[test]
fn a_collection_goes_to_a_file_and_comes_back() {
    let engify = seeded(Engify::new());
    let prompts = ["db", "export", "--collection", "prompts", "--out", "prompts.json", "--json"];
    let (code, exported) = engify.report(&prompts);
    let count = exported["documents"].as_u64().unwrap();
    assert!(code == 0 && count >= 120, "{exported:#}");
    let text = fs::read_to_string(engify.path("prompts.json")).unwrap();
    assert_eq!(text.lines().count() as u64, count);
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(first["createdAt"]["$date"].is_string(), "as mongoexport writes it: {first:#}");
    let same = ["db", "import", "--collection", "prompts", "prompts.json", "--json"];
    let (_, plan) = engify.report(&same);
    assert_eq!(plan, json!({ "created": 0, "replaced": 0, "unchanged": count, "done": false }));
    // Into another installation, in both layouts.
    for format in ["json", "bson"] {
        let file = format!("prompts-out.{format}");
        engify.run(&["db", "export", "--collection", "prompts", "--out", &file, "--format", format]).ended(0);
        let other = Engify::new();
        other.write(&file, fs::read(engify.path(&file)).unwrap());
        let import = ["db", "import", "--collection", "prompts", &file, "--yes", "--json"];
        let (code, imported) = other.report(&import);
        assert_eq!((code, imported["created"].as_u64()), (0, Some(count)), "{imported:#}");
        let (_, again) = other.report(&import);
        assert_eq!(again["unchanged"].as_u64(), Some(count), "{again:#}");
        other.run(&["db", "export", "--collection", "prompts", "--out", "back.json"]).ended(0);
        assert_eq!(fs::read_to_string(other.path("back.json")).unwrap(), text);
        let (_, found) = other.report(&["prompts", "list", "--q", "review", "--json"]);
        assert!(
            found["data"].as_array().is_some_and(|prompts| !prompts.is_empty()),
            "it can be searched: {found:#}"
        );
    }
    let said =
        engify.run(&["db", "export", "--collection", "prompts", "--out", "-", "--format", "csv"]).ended(0);
    assert!(said.stdout.starts_with("_id,"), "{}", &said.stdout[..200]);
}

#[test]
fn what_leaves_and_what_comes_in_is_told_in_the_audit_log() {
    let engify = seeded(Engify::new());
    let export = |out: &str| engify.run(&["db", "export", "--collection", "prompts", "--out", out]);
    export("p.jsonl").ended(0);
    engify.write("file", "in the way");
    export("file/p.jsonl").ended(2);
    let lines = fs::read_to_string(engify.path("p.jsonl")).unwrap().lines().count();
    let exported = told(&engify, "collection_exported");
    assert_eq!(exported.len(), 2, "{exported:?}");
    assert_eq!((&exported[0].0, &exported[0].1["documents"]), (&json!("success"), &json!(lines)));
    assert_eq!((&exported[1].0, &exported[1].1["documents"]), (&json!("failed"), &json!(0)));

    let import = |more: &[&str]| engify.run(&[&["db", "import", "--collection", "prompts"], more].concat());
    import(&["p.jsonl"]).ended(0);
    assert!(told(&engify, "collection_imported").is_empty(), "what writes nothing is not told");
    import(&["p.jsonl", "--yes"]).ended(0);
    engify.write("bad.jsonl", "[1]\n");
    import(&["bad.jsonl", "--yes"]).ended(2);
    let imported = told(&engify, "collection_imported");
    let counts = json!({ "file": "p.jsonl", "created": 0, "replaced": 0, "unchanged": lines });
    assert_eq!(imported[0], (json!("success"), counts));
    let failure = json!({ "file": "bad.jsonl", "failure": "invalid_request" });
    assert_eq!(imported[1..], [(json!("failed"), failure)]);
    engify.run(&["security", "audit-verify"]).ended(0);
}

#[test]
fn a_file_that_does_not_fit_is_refused_before_anything_is_written() {
    let engify = seeded(Engify::new());
    engify.run(&["db", "export", "--collection", "prompts", "--out", "p.jsonl"]).ended(0);
    let good = fs::read_to_string(engify.path("p.jsonl"))
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .replace("\"_id\":\"", "\"_id\":\"new-");
    engify.write("bad.jsonl", format!("{good}\n{{\"_id\":\"x\"}}\nnot json\n[1]\n{{\"title\":\"t\"}}\n"));
    let import = |file: &str| engify.run(&["db", "import", "--collection", "prompts", file, "--yes"]);
    let said = import("bad.jsonl").ended(2);
    for words in [
        "line 2 is none of prompts: missing field",
        "line 3 is not JSON",
        "line 4 is not a document",
        "line 5 has no _id",
    ] {
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    engify.write("array.json", "[{\"_id\":\"x\"}]");
    assert!(import("array.json").ended(2).stderr.contains("one document a line"));
    engify.write("broken.bson", b"\x05\x00\x00");
    assert!(import("broken.bson").ended(2).stderr.contains("is not BSON"));
    let (_, plan) = engify.report(&["db", "import", "--collection", "prompts", "p.jsonl", "--json"]);
    assert_eq!((plan["created"].as_u64(), plan["replaced"].as_u64()), (Some(0), Some(0)), "{plan:#}");
    engify.run(&["db", "export", "--collection", "nothing", "--out", "x"]).fails_with("--help");
}

/// Against a MongoDB-wire server, and with tools that others wrote.
mod secantus {
    use std::fs;
    use std::process::Command;

    use engify_testkit::parts;
    use serde_json::{Value, json};

    use super::{backup, seeded};
    use crate::engify::Engify;

    #[test]
    fn a_backup_of_mongodb_is_proven_like_any_other() {
        let engify = seeded(Engify::new().with("MONGODB_URI", &parts::secantus().uri("backup_proven")));
        let (report, _) = backup(&engify);
        let (code, verified) = engify.report(&["db", "verify", "--deep", "--json"]);
        assert_eq!(
            (code, &verified["id"], &verified["ok"]),
            (0, &report["id"], &json!(true)),
            "{verified:#}"
        );
    }

    #[test]
    fn a_dump_made_by_others_comes_in() {
        const DUMP: &str = "
import sys, bson, datetime
at = datetime.datetime(2026, 11, 22, 18, 4, 5, 123000)
doc = {'_id': '019ab', 'email': 'ana@example.com', 'name': 'Ana', 'role': 'user', 'organizationId': None, 'passwordHash': None,
       'factors': [], 'emailVerifiedAt': at, 'disabledAt': None, 'lastSignInAt': None, 'createdAt': at, 'updatedAt': at}
open(sys.argv[1], 'wb').write(bson.encode(doc))
";
        let engify = Engify::new();
        let file = engify.path("users.bson");
        let made = Command::new(parts::python()).args(["-c", DUMP]).arg(&file).status().unwrap();
        assert!(made.success());
        let (code, imported) =
            engify.report(&["db", "import", "--collection", "users", "users.bson", "--yes", "--json"]);
        assert_eq!((code, &imported["created"]), (0, &json!(1)), "{imported:#}");
        engify.run(&["db", "export", "--collection", "users", "--out", "users.json"]).ended(0);
        let text = fs::read_to_string(engify.path("users.json")).unwrap();
        assert!(text.contains(r#""createdAt":{"$date":"2026-11-22T18:04:05.123Z"}"#), "{text}");
        assert!(text.contains(r#""nameKey":"ana""#), "what follows from others is added: {text}");
        engify.run(&["admin", "check-user", "ana@example.com"]).ended(0);
    }

    /// The package of `mongodb_restore` in the table of parts.
    mod mongodb_restore {
        use super::*;

        #[test]
        fn another_program_restores_our_dump_and_it_is_the_same() {
            const RESTORE: &str = "
const restore = require('@cdxoo/mongodb-restore');
const [uri, database, from] = process.argv.slice(1);
restore.database({ uri, database, from }).then(() => process.exit(0), error => { console.error(error); process.exit(1); });
";
            let source = seeded(Engify::new());
            source.run(&["db", "backup", "--format", "mongodump", "--out", "dump"]).ended(0);
            let uri = parts::secantus().uri("restored_by_others");
            let ran = Command::new("node")
                .args(["-e", RESTORE, &uri, "restored_by_others"])
                .arg(source.path("dump/engify/"))
                .current_dir(parts::node_modules().parent().unwrap())
                .output()
                .unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            let restored = Engify::new().with("MONGODB_URI", &uri);
            for collection in ["prompts", "prompt_versions"] {
                assert!(documents(&restored, collection) == documents(&source, collection), "{collection}");
            }
        }

        /// As numbers go in JavaScript, which that program is written in: 10.0 is 10.
        fn documents(engify: &Engify, collection: &str) -> Vec<Value> {
            let said = engify.run(&["db", "export", "--collection", collection, "--out", "-"]).ended(0);
            let documents: Vec<Value> =
                said.stdout.lines().map(|line| numbers(serde_json::from_str(line).unwrap())).collect();
            assert!(documents.len() >= 120);
            documents
        }

        fn numbers(value: Value) -> Value {
            match value {
                Value::Number(number) => number.as_f64().into(),
                Value::Array(list) => list.into_iter().map(numbers).collect(),
                Value::Object(map) => map.into_iter().map(|(name, value)| (name, numbers(value))).collect(),
                other => other,
            }
        }
    }
}

/// With age as its author wrote it for JavaScript, and the zstd of Node.js: nothing of ours.
mod age_encryption {
    use std::fs;
    use std::process::Command;

    use engify_testkit::parts;

    use super::{KEY, backup, seeded};
    use crate::engify::Engify;

    #[test]
    fn other_peoples_tools_decrypt_and_unpack_a_part() {
        const UNPACK: &str = "
const { readFileSync, writeFileSync } = require('fs');
const [identity, from, to] = process.argv.slice(1);
import('age-encryption').then(async ({ Decrypter }) => {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    writeFileSync(to, require('zlib').zstdDecompressSync(await decrypter.decrypt(readFileSync(from))));
}).catch(error => { console.error(error); process.exit(1); });
";
        let engify = seeded(Engify::new().with("BACKUP_ENCRYPTION_KEY", KEY));
        let (_, folder) = backup(&engify);
        let (_, key) = engify.report(&["db", "backup-key", "--json"]);
        let ran = Command::new(parts::node_24())
            .args(["-e", UNPACK, key["identity"].as_str().unwrap()])
            .args([folder.join("engify/prompts.bson.zst.age"), engify.path("by-hand.bson")])
            .current_dir(parts::node_modules().parent().unwrap())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let export = ["db", "export", "--collection", "prompts", "--format", "bson", "--out", "ours.bson"];
        engify.run(&export).ended(0);
        assert!(
            fs::read(engify.path("by-hand.bson")).unwrap() == fs::read(engify.path("ours.bson")).unwrap()
        );
    }
}

/// Against a server that speaks S3.
mod part_moto {
    use engify_testkit::parts;
    use serde_json::json;

    use super::{KEY, seeded};
    use crate::engify::Engify;

    #[test]
    fn a_bucket_holds_backups_as_a_folder_does() {
        let server = parts::moto();
        server.make_bucket("backups");
        let engify = Engify::new()
            .with("AWS_ENDPOINT_URL", &server.url())
            .with("AWS_ACCESS_KEY_ID", "id")
            .with("AWS_SECRET_ACCESS_KEY", "secret")
            .with("BACKUP_TARGET", "s3://backups/engify")
            .with("BACKUP_REPLICA_TARGET", "file:second")
            .with("BACKUP_ENCRYPTION_KEY", KEY);
        let engify = seeded(engify);
        let (code, report) = engify.report(&["db", "backup", "--json"]);
        assert_eq!(
            (code, &report["verified"], &report["replica"]),
            (0, &json!(true), &json!("file:second")),
            "{report:#}"
        );
        for place in ["s3://backups/engify", "file:second"] {
            let (code, verified) = engify.report(&["db", "verify", "--deep", "--json", place]);
            assert_eq!((code, &verified["id"]), (0, &report["id"]), "{verified:#}");
        }
        let (_, listing) = engify.report(&["db", "backups", "--json"]);
        assert_eq!(listing["backups"][0]["sha256"], report["sha256"], "{listing:#}");
        engify.run(&["db", "backup", "--to", "s3://no-such-bucket"]).fails_with("does not have it");
    }
}
