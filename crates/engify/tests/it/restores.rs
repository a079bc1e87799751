//! `engify db restore|diff|drill`: the way back, stopped and running.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Child;

use serde_json::{Value, json};

use crate::engify::{Engify, read_until};

/// An installation with the shipped library and an administrator in it.
fn inhabited() -> Engify {
    let engify = Engify::new();
    engify.run(&["db", "seed"]).ended(0);
    let setup = ["admin", "setup", "--email", "ana@example.com", "--name", "Ana", "--password-stdin"];
    engify.run_with(&setup, "violet tractor hums at noon\n").ended(0);
    engify
}

fn backup(engify: &Engify) -> String {
    let (code, report) = engify.report(&["db", "backup", "--json"]);
    assert_eq!(code, 0, "{report:#}");
    report["id"].as_str().unwrap().to_owned()
}

fn documents(engify: &Engify, collection: &str) -> u64 {
    let (_, stats) = engify.report(&["db", "stats", "--json"]);
    let found = stats["collections"].as_array().unwrap().iter().find(|one| one["collection"] == collection);
    found.unwrap()["documents"].as_u64().unwrap()
}

/// Takes all prompts away, as somebody might by mistake.
fn lose_the_prompts(engify: &Engify) {
    let file = rusqlite::Connection::open(engify.path("data/engify.db")).unwrap();
    file.execute_batch("DELETE FROM prompts").unwrap();
}

#[test]
fn a_lost_installation_comes_back_with_three_commands() {
    let engify = inhabited();
    let prompts = documents(&engify, "prompts");
    backup(&engify);
    // The targets are on another disk in earnest; here only the database goes.
    for name in ["engify.db", "engify.db-wal", "engify.db-shm"] {
        let _ = std::fs::remove_file(engify.path("data").join(name));
    }
    let (code, plan) = engify.report(&["db", "restore", "--json"]);
    assert_eq!((code, &plan["into"], &plan["verified"]), (0, &json!("new"), &json!(true)), "{plan:#}");
    assert!(!engify.path("data/engify.db").exists(), "a plan touches nothing");
    let said = engify.run(&["db", "restore", "--yes"]).ended(0);
    assert!(said.stdout.contains("put in place"), "{said:?}");
    assert_eq!(documents(&engify, "prompts"), prompts);
    let (code, user) = engify.report(&["admin", "check-user", "ana@example.com", "--json"]);
    assert_eq!(code, 0, "{user:#}");
}

#[test]
fn a_restore_needs_a_moment_and_a_yes() {
    let engify = inhabited();
    let id = backup(&engify);
    engify.run(&["db", "restore"]).fails_with("--from ID");
    engify.run(&["db", "restore", "--from", "nothing-here"]).fails_with("backups");
    engify.run(&["db", "restore", "--at", "2999-01-01T00:00:00Z"]).fails_with("future");
    engify.run(&["db", "restore", "--at", "2001-01-01T00:00:00Z"]).fails_with("earliest");
    engify.run(&["db", "restore", "--from", &id, "--collection", "audit_logs"]).fails_with("chain");
    engify.run(&["db", "restore", "--from", &id, "--filter", "slug=x"]).fails_with("--collection");
    let said = engify.run(&["db", "restore", "--from", &id]).ended(0);
    assert!(said.stderr.contains("Nothing was touched"), "{said:?}");
    lose_the_prompts(&engify);
    let (code, tried) = engify.report(&["db", "restore", "--from", &id, "--dry-run", "--json"]);
    assert_eq!(code, 0);
    let prompts =
        &tried["differences"].as_array().unwrap().iter().find(|one| one["collection"] == "prompts").unwrap()
            ["added"];
    assert!(prompts.as_u64().unwrap() >= 128, "{tried:#}");
    assert_eq!(documents(&engify, "prompts"), 0, "a dry run touches nothing");
    let (code, restored) = engify.report(&["db", "restore", "--from", &id, "--yes", "--json"]);
    assert_eq!((code, &restored["verified"]), (0, &json!(true)), "{restored:#}");
    assert!(restored["safety"].is_string());
    assert!(documents(&engify, "prompts") >= 128);
}

/// A server, and where it listens.
pub(crate) fn serve(engify: &Engify) -> (Child, u16) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut server = engify.start(&["serve", "--port", &port.to_string()]);
    read_until(server.stdout.as_mut().unwrap(), "is ready at");
    (server, port)
}

pub(crate) fn get(port: u16, path: &str) -> Value {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let body = reply.split_once("\r\n\r\n").unwrap().1;
    let start = body.find('{').unwrap_or(0);
    let end = body.rfind('}').map_or(body.len(), |end| end + 1);
    serde_json::from_str(&body[start..end]).unwrap_or_else(|error| panic!("{error}: {reply}"))
}

#[test]
fn a_running_server_sees_what_came_back_and_ships_it() {
    let engify = inhabited();
    let id = backup(&engify);
    lose_the_prompts(&engify);
    let (mut server, port) = serve(&engify);
    engify.report(&["db", "restore", "--from", &id, "--collection", "prompts", "--yes", "--json"]);
    // The feed of another process's commits comes within a quarter of a second.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mut shipped = false;
    while !shipped {
        assert!(std::time::Instant::now() < deadline, "nothing was shipped");
        let listed = get(port, "/api/prompts?limit=1");
        let health = get(port, "/api/health");
        shipped = listed["data"].as_array().is_some_and(|data| !data.is_empty())
            && health["backups"]["journal"] == "shipped";
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let segments = walk(&engify.path("data/backups/journal"));
    assert!(segments > 0, "segments lie at the target");
}

fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}

#[test]
fn a_drill_measures_and_keeps_its_record() {
    let engify = inhabited();
    let (code, drilled) = engify.report(&["db", "drill", "restore", "--json"]);
    assert_eq!((code, &drilled["outcome"]), (0, &json!("passed")), "{drilled:#}");
    assert!(drilled["id"].is_string() && drilled["_id"].is_null(), "{drilled:#}");
    assert!(drilled["rtoSeconds"].as_f64().unwrap() > 0.0 && drilled["rpoSeconds"].as_f64().unwrap() <= 2.0);
    assert_eq!(documents(&engify, "drills"), 1);
    let hasty = engify.with("ENGIFY_RECOVERY_GOALS", "rto=1,rpo=1");
    let (code, drilled) = hasty.report(&["db", "drill", "disk-full", "--json"]);
    assert_eq!(code, i32::from(drilled["outcome"] != "passed"), "{drilled:#}");
}

/// What the audit log tells of this action: outcome and details.
pub(crate) fn told(engify: &Engify, action: &str) -> Vec<(Value, Value)> {
    let said = engify.run(&["db", "export", "--collection", "audit_logs", "--out", "-"]).ended(0);
    let lines = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines = lines.filter(|line| line["action"] == action);
    lines.map(|line| (line["outcome"].clone(), line["details"].clone())).collect()
}

#[test]
fn what_is_done_at_a_terminal_is_told_in_the_audit_log() {
    let engify = inhabited();
    let id = backup(&engify);
    engify.run(&["db", "backup", "--to", "file:data/engify.db/below"]).ended(2);
    let taken = told(&engify, "backup_taken");
    let outcomes: Vec<&Value> = taken.iter().map(|(outcome, _)| outcome).collect();
    assert_eq!(outcomes, ["success", "failed"], "{taken:?}");
    engify.run(&["db", "restore", "--from", &id, "--dry-run"]).ended(0);
    assert!(told(&engify, "restore_started").is_empty(), "what touches nothing is not told");
    engify.run(&["db", "restore", "--from", &id, "--yes"]).ended(0);
    assert_eq!(told(&engify, "restore_started")[0].1["restore"]["from"], id);
    engify.run(&["db", "restore", "--from", "nothing", "--yes"]).ended(2);
    assert_eq!(told(&engify, "restore_started")[2].0, "failed");
    engify.run(&["db", "drill", "restore"]).ended(0);
    assert_eq!(told(&engify, "drill_run")[0].1["kind"], "restore");
    // Where the database was gone, the one that came back tells.
    let id = backup(&engify);
    std::fs::remove_file(engify.path("data/engify.db")).unwrap();
    engify.run(&["db", "restore", "--yes"]).ended(0);
    assert_eq!(told(&engify, "restore_started").len(), 4, "after {id}");
    engify.run(&["security", "audit-verify"]).ended(0);
}

#[test]
fn no_file_is_put_into_its_place_under_a_server() {
    let engify = inhabited();
    backup(&engify);
    let (mut server, _) = serve(&engify);
    for name in ["engify.db", "engify.db-wal", "engify.db-shm"] {
        let _ = std::fs::remove_file(engify.path("data").join(name));
    }
    engify.run(&["db", "restore"]).ended(0);
    engify.run(&["db", "restore", "--yes"]).fails_with("Stop it");
    assert!(!engify.path("data/engify.db").exists(), "nothing was touched");
    server.kill().unwrap();
    server.wait().unwrap();
    engify.run(&["db", "restore", "--yes"]).ended(0);
    assert!(documents(&engify, "prompts") >= 128);
}

#[test]
fn a_dump_of_a_database_of_any_name_comes_in() {
    let source = inhabited();
    source.run(&["db", "backup", "--format", "mongodump", "--out", "dump"]).ended(0);
    let new = || {
        let engify = Engify::new();
        for file in std::fs::read_dir(source.path("dump/engify")).unwrap().flatten() {
            let name = format!("dump/acme/{}", file.file_name().to_string_lossy());
            engify.write(&name, std::fs::read(file.path()).unwrap());
        }
        // As where everything was dumped.
        engify.write("dump/admin/system.version.bson", b"");
        engify
    };
    for from in ["dump", "dump/acme"] {
        let engify = new();
        let (code, restored) = engify.report(&["db", "restore", "--from", from, "--yes", "--json"]);
        assert_eq!((code, &restored["verified"]), (0, &json!(true)), "{restored:#}");
        assert_eq!(documents(&engify, "prompts"), documents(&source, "prompts"));
        engify.run(&["admin", "check-user", "ana@example.com"]).ended(0);
    }
    let engify = new();
    engify.write("dump/other/users.bson", b"");
    let said = engify.run(&["db", "restore", "--from", "dump"]).fails_with("several databases");
    assert!(said.stderr.contains("dump/acme") && !said.stderr.contains("admin,"), "{said:?}");
}
