//! `engify jobs` and `engify cron`; and a server that is killed while it works.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::engify::Engify;
use crate::serve::Server;

#[test]
fn a_job_is_done_here_without_a_server_and_told_of() {
    let engify = Engify::new();
    let (code, job) = engify.report(&["jobs", "run", "cleanup", "--json"]);
    assert_eq!((code, &job["state"], &job["attempts"]), (0, &json!("done"), &json!(1)), "{job:#}");
    let (_, list) = engify.report(&["jobs", "list", "--state", "done", "--json"]);
    assert_eq!(list["jobs"][0]["id"], job["id"], "{list:#}");
    let said = engify.run(&["jobs", "run", "dance"]).fails_with("kind");
    assert!(said.stderr.contains("cleanup"), "{said:?}");
    engify.run(&["jobs", "run", "cleanup", "--payload", "{"]).ended(2);
    engify.run(&["jobs", "retry", "nothing"]).fails_with("There is no such job");
    engify.run(&["jobs", "retry", job["id"].as_str().unwrap()]).fails_with("Only a dead letter");
}

#[test]
fn a_job_that_waits_is_called_off() {
    let engify = Engify::new();
    let (_, job) = engify.report(&["jobs", "run", "cleanup", "--queue", "--json"]);
    let id = job["id"].as_str().unwrap();
    let (code, job) = engify.report(&["jobs", "cancel", id, "--json"]);
    assert_eq!((code, &job["state"]), (0, &json!("cancelled")), "{job:#}");
    let (_, list) = engify.report(&["jobs", "list", "--state", "cancelled", "--json"]);
    assert_eq!(list["jobs"][0]["id"], id, "{list:#}");
    engify.run(&["jobs", "cancel", "nothing"]).fails_with("There is no such job");
}

#[test]
fn schedules_are_listed_and_done_when_asked() {
    let engify = Engify::new();
    let (code, list) = engify.report(&["cron", "list", "--json"]);
    assert_eq!(code, 0);
    let names: Vec<&str> =
        list["schedules"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for name in ["cleanup", "key_reminders", "library_refresh", "usage_report", "weekly_digest"] {
        assert!(names.contains(&name), "{names:?}");
    }
    engify.run(&["cron", "run", "cleanup"]).ended(0);
    let (_, list) = engify.report(&["cron", "list", "--json"]);
    let cleanup = list["schedules"].as_array().unwrap().iter().find(|one| one["name"] == "cleanup").unwrap();
    assert_eq!(cleanup["lastState"], "done", "{cleanup:#}");
    engify.run(&["cron", "run", "dance"]).fails_with("There is no such schedule");
}

#[test]
#[cfg(unix)]
fn a_server_does_what_another_process_queues() {
    let engify = Engify::new().with("ENGIFY_STOP_GRACE_SECONDS", "0");
    let server = Server::start(&engify);
    let (_, job) = engify.report(&["jobs", "run", "cleanup", "--queue", "--json"]);
    let database = Connection::open(engify.path("data/engify.db")).unwrap();
    until(&database, "the job is done", |all| state(all, job["id"].as_str().unwrap()) == "done");
    let (_, log, code) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("job.ended"), "{log}");
}

#[test]
#[cfg(unix)]
fn a_server_that_is_killed_at_work_loses_no_job_and_repeats_at_most_one() {
    const JOBS: usize = 300;
    let engify = Engify::new();
    let (_, first) = engify.report(&["jobs", "run", "cleanup", "--queue", "--json"]);
    let database = Connection::open(engify.path("data/engify.db")).unwrap();
    copies(&database, first["id"].as_str().unwrap(), JOBS - 1);
    let server = Server::start(&engify);
    until(&database, "the server is in the middle", |all| count(all, "done") >= 30);
    server.signalled("-KILL");
    let all = jobs(&database);
    assert!(count(&all, "done") < JOBS, "it was killed before the end");
    assert!(count(&all, "running") <= 1, "one cleanup runs at a time");
    assert_eq!(count(&all, "done") + count(&all, "running") + count(&all, "queued"), JOBS);
    // A lease of the dead ends by itself within a minute; this test does not wait for that.
    database
        .execute("UPDATE jobs SET doc = jsonb_set(doc, '$.dueAt', doc ->> '$.createdAt') WHERE doc ->> '$.state' = 'running'", [])
        .unwrap();
    let _server = Server::start(&engify);
    until(&database, "all are done", |all| count(all, "done") == JOBS);
    let repeated = jobs(&database).iter().filter(|job| job["attempts"] != 1).count();
    assert!(repeated <= 1, "{repeated} were begun more than once");
}

/// Queues further jobs like one.
fn copies(database: &Connection, id: &str, count: usize) {
    let sql = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2) \
               INSERT INTO jobs(id, doc) SELECT 'copy-' || n, jsonb_set(doc, '$._id', 'copy-' || n) FROM jobs, numbers WHERE id = ?1";
    let made = database.execute(sql, rusqlite::params![id, i64::try_from(count).unwrap()]).unwrap();
    assert_eq!(made, count);
}

/// Every cleanup as it is stored.
fn jobs(database: &Connection) -> Vec<Value> {
    let mut statement =
        database.prepare("SELECT json(doc) FROM jobs WHERE doc ->> '$.kind' = 'cleanup'").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
}

fn count(all: &[Value], state: &str) -> usize {
    all.iter().filter(|job| job["state"] == state).count()
}

fn state(all: &[Value], id: &str) -> String {
    let job = all.iter().find(|job| job["_id"] == id);
    job.map(|job| job["state"].as_str().unwrap().to_owned()).unwrap_or_default()
}

/// Looks until it is so.
#[track_caller]
fn until(database: &Connection, what: &str, so: impl Fn(&[Value]) -> bool) {
    let begun = Instant::now();
    while !so(&jobs(database)) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{what}: never, there are {:?}",
            jobs(database).last()
        );
        std::thread::yield_now();
    }
}
