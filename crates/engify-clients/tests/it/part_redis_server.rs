//! Shared memory that is a real Redis, well and unwell.

use std::time::Duration;

use engify_clients::kv::{FailureKind, Heard, Kv, Quota};
use engify_core::Secret;
use engify_core::settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::kv_cases;
use crate::log::Log;
use crate::redis_server::{PATIENCE, Server, fails, hasty, open, options, recovers, until};

const LONG: Duration = Duration::from_secs(300);

#[tokio::test]
async fn it_keeps_every_promise() {
    let server = Server::start().await;
    kv_cases::all(&server.kv()).await;
}

#[tokio::test]
async fn it_says_what_it_is() {
    let server = Server::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let info = server.kv().info().await.unwrap();
    assert!(info.version.as_ref().unwrap().starts_with("7."), "{info:?}");
    assert_eq!((info.memory_policy.as_deref(), info.max_memory), (Some("allkeys-lru"), Some(100 << 20)));
    assert_eq!(info.role.as_deref(), Some("master"));
    assert!(info.used_memory.unwrap() > 0);
}

#[tokio::test]
async fn keys_of_others_are_neither_seen_nor_touched() {
    let server = Server::start().await;
    server.say(&["MSET", "other", "1", "engifyother", "2"]);
    let kv = server.kv();
    kv.set("ours", "3".into(), LONG).await.unwrap();
    assert_eq!(kv.scan("", None).await.unwrap().keys, ["ours"]);
    kv.delete(&["ours", "other"]).await.unwrap();
    assert_eq!(server.say(&["DBSIZE"]), "2");
}

#[tokio::test]
async fn nothing_of_ours_lives_for_ever() {
    let server = Server::start().await;
    let kv = server.kv();
    kv.set("value", "x".into(), Duration::MAX).await.unwrap();
    kv.lock("lock", LONG).await.unwrap();
    kv.increment("counter", 1, LONG).await.unwrap();
    kv.take("window", Quota { max: 5, window: LONG }, 1).await.unwrap();
    for key in kv.scan("", None).await.unwrap().keys {
        let left: i64 = server.say(&["TTL", &format!("engify:{key}")]).parse().unwrap();
        assert!((1..=31 * 86_400).contains(&left), "{key}: {left}");
    }
}

#[tokio::test]
async fn three_replicas_let_exactly_the_limit_through() {
    let server = Server::start().await;
    let quota = Quota { max: 100, window: Duration::from_secs(3600) };
    let clients: Vec<_> = (0..3)
        .flat_map(|_| std::iter::repeat_n(server.kv(), 64))
        .map(|kv| {
            tokio::spawn(async move {
                let mut passed = 0;
                for _ in 0..5 {
                    passed += u64::from(kv.take("limit", quota, 1).await.unwrap().allowed);
                }
                passed
            })
        })
        .collect();
    let passed = futures_util::future::join_all(clients).await;
    assert_eq!(passed.into_iter().map(Result::unwrap).sum::<u64>(), 100);
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_told_again() {
    let server = Server::start().await;
    let kv = server.kv();
    assert_eq!(kv.increment("counter", 1, LONG).await.unwrap(), 1);
    server.say(&["SCRIPT", "FLUSH"]);
    assert_eq!(kv.increment("counter", 1, LONG).await.unwrap(), 2);
}

#[tokio::test]
async fn nobody_there_is_named_with_the_remedy() {
    let mut server = Server::start().await;
    server.kill().await;
    let failure = fails(server.kv().get("x")).await;
    assert_eq!(failure.kind, FailureKind::Refused);
    for word in [
        &format!("127.0.0.1:{}", server.port),
        "refused",
        "REDIS_URL",
        "engify redis health",
        "REDIS_ENABLED=false",
    ] {
        assert!(failure.message.contains(word), "{word} is missing: {failure}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_named_and_never_shown() {
    let server = Server::with(&["--requirepass", "correct-horse"]).await;
    let with = |user: Option<&str>, password: Option<&str>| {
        let mut settings = server.settings();
        settings.user = user.map(str::to_owned);
        settings.password = password.map(|password| Secret::new(password.to_owned()));
        open(&settings::Redis::Server(settings), &options())
    };
    for kv in [with(None, None), with(None, Some("battery-staple")), with(Some("ana"), Some("correct-horse"))]
    {
        let failure = fails(kv.get("x")).await;
        assert_eq!(failure.kind, FailureKind::Auth, "{failure}");
        assert!(!format!("{failure:?}{kv:?}").contains("battery-staple"), "{failure:?}{kv:?}");
    }
    with(None, Some("correct-horse")).ping().await.unwrap();
    with(Some("default"), Some("correct-horse")).ping().await.unwrap();
}

#[tokio::test]
async fn a_frozen_server_costs_a_few_deadlines_and_then_nothing() {
    let server = Server::start().await;
    let kv = open(&settings::Redis::Server(server.settings()), &hasty());
    kv.ping().await.unwrap();
    server.freeze();
    let begun = Instant::now();
    for _ in 0..5 {
        assert_eq!(fails(kv.get("x")).await.kind, FailureKind::Timeout);
    }
    let opened = Instant::now();
    // A trial now and then still waits for its deadline; 2000 calls that all did would take five minutes.
    for _ in 0..2000 {
        assert_eq!(fails(kv.get("x")).await.kind, FailureKind::Timeout);
    }
    assert!(opened.elapsed() < PATIENCE && opened - begun < PATIENCE, "{:?}", opened.elapsed());
    server.thaw();
    recovers(&kv).await;
}

#[tokio::test]
async fn a_killed_server_is_used_again_when_it_is_back() {
    let mut server = Server::start().await;
    let kv = server.kv();
    kv.set("value", "x".into(), LONG).await.unwrap();
    server.kill().await;
    for _ in 0..20 {
        assert_eq!(fails(kv.get("value")).await.kind, FailureKind::Refused);
    }
    server.restart().await;
    recovers(&kv).await;
    assert_eq!(kv.get("value").await.unwrap(), None);
}

#[tokio::test]
async fn a_restart_between_two_calls_is_not_noticed() {
    let mut server = Server::start().await;
    let kv = server.kv();
    kv.set("value", "x".into(), LONG).await.unwrap();
    server.restart().await;
    assert_eq!(kv.get("value").await.unwrap(), None);
}

#[tokio::test]
async fn an_outage_is_two_lines_in_the_log() {
    let log = Log::start();
    let mut server = Server::start().await;
    let kv = server.kv();
    server.kill().await;
    for _ in 0..100 {
        fails(kv.get("value")).await;
    }
    server.restart().await;
    recovers(&kv).await;
    let lines: Vec<String> = log.lines().into_iter().filter(|line| line.contains("kv.circuit")).collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("kv.circuit_opened") && lines[0].contains("engify redis health"), "{lines:#?}");
    assert!(lines[1].contains("kv.circuit_closed"), "{lines:#?}");
}

#[tokio::test]
async fn a_full_server_is_still_read_and_emptied() {
    let log = Log::start();
    let server = Server::with(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]).await;
    let kv = server.kv();
    kv.set("kept", "x".into(), LONG).await.unwrap();
    let mut filled: Vec<String> = Vec::new();
    let mut size = 100_000;
    let failure = loop {
        let key = format!("fill:{}", filled.len());
        match kv.set(&key, vec![7; size].into(), LONG).await {
            Ok(()) => filled.push(key),
            // What is refused as too much leaves room for less.
            Err(_) if size > 1 => size /= 10,
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.kind, FailureKind::OutOfMemory, "{failure}");
    assert!(failure.message.contains("maxmemory-policy"), "{failure}");
    let quota = Quota { max: 5, window: LONG };
    for _ in 0..20 {
        let failures = [
            fails(kv.take("limit", quota, 1)).await.kind,
            fails(kv.increment("counter", 1, LONG)).await.kind,
        ];
        assert_eq!(failures, [FailureKind::OutOfMemory; 2]);
        assert_eq!(kv.get("kept").await.unwrap().unwrap(), "x");
    }
    let keys: Vec<&str> = filled.iter().map(String::as_str).collect();
    assert_eq!(kv.delete(&keys).await.unwrap(), u64::try_from(keys.len()).unwrap());
    recovers(&kv).await;
    let lines = log.lines().iter().filter(|line| line.contains("kv.circuit_opened")).count();
    assert_eq!(lines, 1, "{:#?}", log.lines());
}

#[tokio::test]
async fn a_replica_is_read_and_its_refusal_to_be_written_named() {
    let primary = Server::start().await;
    primary.kv().set("value", "x".into(), LONG).await.unwrap();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &primary.port.to_string()]).await;
    let kv = replica.kv();
    until("the replica to have the value", async || matches!(kv.get("value").await, Ok(Some(_)))).await;
    for _ in 0..20 {
        assert_eq!(fails(kv.set("value", "y".into(), LONG)).await.kind, FailureKind::ReadOnly);
        assert_eq!(kv.get("value").await.unwrap().unwrap(), "x");
    }
    assert_eq!(fails(kv.delete(&["value"])).await.kind, FailureKind::ReadOnly);
    let told = kv.delete_and_publish(&["value"], "news", "value");
    assert_eq!(fails(told).await.kind, FailureKind::ReadOnly, "in a transaction too");
    assert_eq!(kv.info().await.unwrap().role.as_deref(), Some("slave"));
    replica.say(&["REPLICAOF", "NO", "ONE"]);
    recovers(&kv).await;
}

#[tokio::test]
async fn what_is_no_redis_is_named_so() {
    for garbage in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0\x15\x03\x01\0\x02\x02\x16",
        ":1\r\n:2\r\n:3\r\n",
    ] {
        let failure = fails(answering(garbage).await.get("x")).await;
        assert_eq!(failure.kind, FailureKind::Garbage, "{garbage:?}: {failure}");
        assert!(!failure.message.contains('\0'), "{failure:?}");
    }
    // One that hangs up at once is one that cannot be reached.
    assert_eq!(fails(answering("").await.get("x")).await.kind, FailureKind::Refused);
}

/// A client of something that answers every connection with these bytes.
async fn answering(bytes: &'static str) -> Kv {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 4096];
                while !bytes.is_empty() && matches!(stream.read(&mut asked).await, Ok(read) if read > 0) {
                    let _ = stream.write_all(bytes.as_bytes()).await;
                }
            });
        }
    });
    let server = settings::RedisServer {
        host: "127.0.0.1".to_owned(),
        port,
        tls: false,
        user: None,
        password: None,
        database: 0,
    };
    open(&settings::Redis::Server(server), &options())
}

#[tokio::test]
async fn tls_with_a_certificate_that_nobody_vouches_for_is_refused() {
    let certificates = crate::certificate::make();
    let path = |name: &str| certificates.path().join(name).display().to_string();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (tls_port, certificate, key) = (port.to_string(), path("certificate.pem"), path("key.pem"));
    let tls = ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let _server =
        Server::with(&[&tls[..], &["--tls-auth-clients", "no", "--tls-ca-cert-file", &certificate]].concat())
            .await;
    let settings = settings::RedisServer {
        host: "localhost".to_owned(),
        port,
        tls: true,
        user: None,
        password: None,
        database: 0,
    };
    let failure = fails(open(&settings::Redis::Server(settings), &options()).ping()).await;
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.contains("certificate"), "{failure}");
}

#[tokio::test]
async fn who_listens_hears_across_restarts_and_is_told_of_the_gap() {
    let mut server = Server::start().await;
    let (replica, other) = (server.kv(), server.kv());
    let mut line = replica.subscribe(&["news"]).unwrap();
    let next = async |line: &mut engify_clients::kv::Subscription| {
        timeout(PATIENCE, line.next()).await.expect("something to be heard")
    };
    let news = |message: &str| Heard::Message { channel: "news".to_owned(), message: message.to_owned() };
    assert_eq!(next(&mut line).await, Heard::Listening);
    other.delete_and_publish(&["a"], "news", "1").await.unwrap();
    other.publish("gossip", "no").await.unwrap();
    assert_eq!(next(&mut line).await, news("1"));
    server.restart().await;
    assert_eq!([next(&mut line).await, next(&mut line).await], [Heard::Lost, Heard::Listening]);
    recovers(&other).await;
    other.publish("news", "2").await.unwrap();
    assert_eq!(next(&mut line).await, news("2"));
    // A line that is silent without being broken is found out by its own beats.
    server.freeze();
    assert_eq!(next(&mut line).await, Heard::Lost);
    server.thaw();
    assert_eq!(next(&mut line).await, Heard::Listening);
}
