//! `engify redis` on a real server.

use std::process::Command;

use engify_testkit::parts;
use serde_json::Value;

use crate::engify::Engify;
use crate::serve::Server;

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    &checks.iter().find(|check| check["name"] == name).unwrap()["state"]
}

#[test]
fn a_server_in_order_passes_every_check() {
    let redis = parts::redis(&["--maxmemory", "64mb", "--maxmemory-policy", "volatile-ttl"]);
    let engify = Engify::new().with("REDIS_URL", &redis.url());
    let (code, report) = engify.report(&["redis", "test", "--rounds", "50", "--json"]);
    assert_eq!((code, &report["ok"]), (0, &true.into()), "{report:#}");
    for name in ["round trip", "locks", "rate limits", "version", "role", "memory", "encryption"] {
        assert_eq!(check(&report, name), "good", "{report:#}");
    }
    assert_eq!(report["latency"]["rounds"], 50);
    assert!(report["latency"]["p50Ms"].as_f64() <= report["latency"]["maxMs"].as_f64(), "{report:#}");
    assert!(report["info"]["version"].as_str().unwrap().starts_with("7."));
    let said = engify.run(&["redis", "test", "--rounds", "5"]).ended(0);
    assert!(said.stdout.contains("Nothing is wanting."), "{said:?}");
    let (code, report) = engify.report(&["redis", "health", "--json"]);
    assert_eq!((code, &report["state"], &report["kind"]), (0, &"connected".into(), &"redis".into()));
}

#[test]
fn a_server_that_is_nearly_full_is_wanting() {
    let redis = parts::redis(&["--maxmemory", "20mb", "--maxmemory-policy", "noeviction"]);
    let port = redis.port().to_string();
    // 1800 values of some 10 kB beside the megabyte that an empty server takes: more than nine tenths, and not yet all.
    let fill = "for i = 1, 1800 do redis.call('SET', 'fill' .. i, string.rep('x', 10000)) end";
    assert!(Command::new("redis-cli").args(["-p", &port, "EVAL", fill, "0"]).status().unwrap().success());
    let (code, report) = Engify::new().with("REDIS_URL", &redis.url()).report(&["redis", "test", "--json"]);
    assert_eq!(code, 1, "{report:#}");
    assert!(report.to_string().contains("maxmemory-policy"), "{report:#}");
}

#[test]
fn flush_prints_its_plan_and_touches_only_what_is_ours() {
    let redis = parts::redis(&[]);
    let port = redis.port().to_string();
    let cli = |words: &[&str]| {
        let output = Command::new("redis-cli").args(["-p", &port]).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    for key in ["engify:local:a", "engify:local:b", "engify:staging:a", "other"] {
        cli(&["SET", key, "x"]);
    }
    let engify = Engify::new().with("REDIS_URL", &redis.url());
    let (code, plan) = engify.report(&["redis", "flush", "--json"]);
    assert_eq!((code, &plan["found"], &plan["deleted"]), (0, &2.into(), &0.into()), "{plan:#}");
    assert_eq!(plan["prefix"], "engify:local:");
    assert_eq!(cli(&["DBSIZE"]), "4");
    let (_, done) = engify.report(&["redis", "flush", "--yes", "--json"]);
    assert_eq!(done["deleted"], 2, "{done:#}");
    assert_eq!(cli(&["KEYS", "*:b"]), "");
    assert_eq!(cli(&["DBSIZE"]), "2");
}

#[test]
fn tls_is_used_where_the_certificate_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let tls_port =
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let _redis = parts::redis(&[
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "correct-horse",
    ]);
    let url = format!("rediss://:correct-horse@localhost:{tls_port}");
    let trusting = Engify::new().with("REDIS_URL", &url).with("SSL_CERT_FILE", &certificate);
    let (code, report) = trusting.report(&["redis", "test", "--rounds", "5", "--json"]);
    assert_eq!((code, &report["tls"]), (0, &true.into()), "{report:#}");
    let (code, report) = Engify::new().with("REDIS_URL", &url).report(&["redis", "health", "--json"]);
    assert_eq!((code, &report["failure"]), (1, &"refused".into()), "{report:#}");
    assert!(report["remedy"].as_str().unwrap().contains("certificate"), "{report:#}");
}

#[test]
#[cfg(unix)]
fn sites_on_different_databases_share_a_server_and_nothing_that_is_in_it() {
    let redis = parts::redis(&[]);
    let sites = [(); 2].map(|()| Engify::new().with("REDIS_URL", &redis.url()));
    let servers = sites.each_ref().map(Server::start);
    let sign_up = |server: &Server| {
        let reply = server.ask("POST /api/auth/signup", "{}");
        reply.lines().next().unwrap_or_default().to_owned()
    };
    assert!((0..20).any(|_| sign_up(&servers[0]).contains("429")), "nothing to sign up with, and counted");
    assert!(sign_up(&servers[1]).contains("400"), "a limit of one site is none of the other's");
    let keys = Command::new("redis-cli").args(["-p", &redis.port().to_string(), "KEYS", "*limit:*"]).output();
    let keys = String::from_utf8(keys.unwrap().stdout).unwrap();
    assert_eq!(keys.lines().filter(|key| key.starts_with("engify:local:")).count(), 2, "{keys}");
}
