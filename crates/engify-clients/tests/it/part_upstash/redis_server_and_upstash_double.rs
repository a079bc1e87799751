//! Our double of Upstash's REST: every promise, and every way to fail.

use std::time::Duration;

use engify_clients::kv::FailureKind;

use crate::kv_cases;
use crate::redis_server::{Server, fails, recovers, upstash};
use crate::upstash_double::{TOKEN, Upstash};

const LONG: Duration = Duration::from_secs(300);

#[tokio::test]
async fn it_keeps_every_promise() {
    let redis = Server::start().await;
    let rest = Upstash::in_front_of(redis.port).await;
    kv_cases::all(&upstash(rest.url.clone(), TOKEN)).await;
}

#[tokio::test]
async fn it_offers_no_subscription() {
    let redis = Server::start().await;
    let rest = Upstash::in_front_of(redis.port).await;
    assert!(upstash(rest.url, TOKEN).subscribe(&["news"]).is_none());
}

#[tokio::test]
async fn what_redis_behind_it_refuses_has_the_same_names() {
    let redis = Server::with(&["--replicaof", "127.0.0.1", "1"]).await;
    let rest = Upstash::in_front_of(redis.port).await;
    let kv = upstash(rest.url.clone(), TOKEN);
    assert_eq!(fails(kv.set("a", "b".into(), LONG)).await.kind, FailureKind::ReadOnly);
    assert_eq!(fails(kv.increment("a", 1, LONG)).await.kind, FailureKind::ReadOnly);
    assert_eq!(fails(kv.delete_and_publish(&["a"], "news", "a")).await.kind, FailureKind::ReadOnly);
    redis.say(&["REPLICAOF", "NO", "ONE"]);
    recovers(&kv).await;
    redis.say(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(fails(kv.set("a", "b".into(), LONG)).await.kind, FailureKind::OutOfMemory);
    assert_eq!(fails(kv.increment("a", 1, LONG)).await.kind, FailureKind::OutOfMemory);
}

#[tokio::test]
async fn the_token_is_asked_for_on_every_route() {
    let redis = Server::start().await;
    let rest = Upstash::in_front_of(redis.port).await;
    let stranger = upstash(rest.url, "stranger");
    assert_eq!(fails(stranger.get("a")).await.kind, FailureKind::Auth);
    assert_eq!(fails(stranger.delete_and_publish(&["a"], "news", "a")).await.kind, FailureKind::Auth);
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_named() {
    let redis = Server::start().await;
    let large: &'static str = "x".repeat(3 << 20).leak();
    let cases = [
        (429, r#"{"error":"ERR max requests limit exceeded"}"#, FailureKind::Refused),
        (400, r#"{"error":"ERR max daily request limit exceeded. Limit: 10000"}"#, FailureKind::Refused),
        (413, r#"{"error":"too large"}"#, FailureKind::TooLarge),
        (400, r#"{"error":"ERR max request size exceeded"}"#, FailureKind::TooLarge),
        (502, "<html>Bad Gateway</html>", FailureKind::Refused),
        (404, r#"{"message":"no"}"#, FailureKind::Garbage),
        (200, "<html>Sign in</html>", FailureKind::Garbage),
        (200, r#"{"result":{"a":1}}"#, FailureKind::Garbage),
        (200, r#"{"result":"%%%"}"#, FailureKind::Garbage),
        (200, "[]", FailureKind::Garbage),
        (302, "", FailureKind::Garbage),
        (200, large, FailureKind::TooLarge),
    ];
    for (status, body, kind) in cases {
        let rest = Upstash::in_front_of(redis.port).await;
        rest.answers(status, body);
        let failure = fails(upstash(rest.url, TOKEN).get("a")).await;
        assert_eq!(failure.kind, kind, "{status}: {failure}");
    }
    let nobody = upstash("http://127.0.0.1:1".to_owned(), TOKEN);
    assert_eq!(fails(nobody.get("a")).await.kind, FailureKind::Refused);
}
