//! Backup targets that are full or refuse: told with the remedy, nothing left behind, and the next backup elsewhere is whole.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::engify::Engify;

/// A server that speaks S3 and takes nothing: what is put there is answered with this.
fn bucket(status: u16, code: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Whoever goes away does not need the answer.
            let _ = answer(stream, status, code);
        }
    });
    address
}

fn answer(mut stream: TcpStream, status: u16, code: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    lines.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(count) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = count.trim().parse().unwrap_or(0);
        }
    }
    std::io::copy(&mut lines.take(length), &mut std::io::sink())?;
    let (status, body) = match first.split(' ').next() {
        Some("PUT" | "POST") => (status, format!("<Error><Code>{code}</Code><Message>No.</Message></Error>")),
        Some("DELETE") => (204, String::new()),
        _ if first.contains("list-type=2") => (
            200,
            "<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated></ListBucketResult>"
                .to_owned(),
        ),
        _ => (404, "<Error><Code>NoSuchKey</Code><Message>No.</Message></Error>".to_owned()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn states(engify: &Engify) -> Vec<Value> {
    let said = engify.run(&["db", "export", "--collection", "backups", "--out", "-"]).ended(0);
    said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["state"].clone()).collect()
}

#[test]
fn a_target_that_takes_nothing_is_told_with_the_remedy() {
    let engify = Engify::new().with("AWS_ACCESS_KEY_ID", "id").with("AWS_SECRET_ACCESS_KEY", "secret");
    engify.run(&["db", "seed"]).ended(0);
    let mut expected = Vec::new();
    for (status, code, remedy) in
        [(403, "AccessDenied", "AWS_ACCESS_KEY_ID"), (507, "QuotaExceeded", "Raise the quota")]
    {
        let engify = engify.again().with("AWS_ENDPOINT_URL", &bucket(status, code));
        engify.run(&["db", "backup", "--to", "s3://bucket/p"]).fails_with(remedy);
        expected.push(json!("failed"));
        assert_eq!(states(&engify), expected, "the database remembers it");
    }
    #[cfg(target_os = "linux")]
    {
        // Nobody makes folders there, not even root.
        engify
            .run(&["db", "backup", "--to", "file:/sys/engify-backups"])
            .fails_with("the right to read and write");
        expected.push(json!("failed"));
    }
    let (code, report) = engify.report(&["db", "backup", "--json"]);
    assert_eq!((code, &report["verified"]), (0, &json!(true)), "{report:#}");
    expected.push(json!("verified"));
    assert_eq!(states(&engify), expected);
}

#[test]
fn the_journal_waits_for_a_target_that_refuses_and_health_says_so() {
    let engify = Engify::new().with("BACKUP_TARGET", "file:blocked/below");
    engify.write("blocked", "a file where a folder should be");
    engify.run(&["db", "seed"]).ended(0);
    let (mut server, port) = crate::restores::serve(&engify);
    let journal = || crate::restores::get(port, "/api/health")["backups"]["journal"].clone();
    let until = |word: &str| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while journal() != word {
            assert!(std::time::Instant::now() < deadline, "it is {}", journal());
        }
    };
    until("failing");
    std::fs::remove_file(engify.path("blocked")).unwrap();
    until("shipped");
    server.kill().unwrap();
    server.wait().unwrap();
    // All of it is there: a machine that is lost now comes back.
    engify.run(&["db", "backup"]).ended(0);
    for name in ["engify.db", "engify.db-wal", "engify.db-shm"] {
        let _ = std::fs::remove_file(engify.path("data").join(name));
    }
    engify.run(&["db", "restore", "--yes"]).ended(0);
}
