//! `@humanwhocodes/upstash-redis-server`: what commands mean. It knows no transactions and no token beyond `/`.

use std::process::Stdio;
use std::time::Duration;

use engify_clients::kv::{FailureKind, Kv, Quota};
use tokio::process::{Child, Command};

use crate::parts::part;
use crate::redis_server::{Server, fails, until, upstash};

const LONG: Duration = Duration::from_secs(300);
const TOKEN: &str = "token";

struct Rest {
    url: String,
    _child: Child,
    redis: Server,
}

impl Rest {
    async fn start() -> Self {
        let redis = Server::start().await;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("node")
            .arg(part("node/node_modules/.bin/upstash-redis-server"))
            .env("URS_TOKEN", TOKEN)
            .env("PORT", port.to_string())
            .env("REDIS_URL", format!("redis://127.0.0.1:{}", redis.port))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node is not installed: upstash-redis-server needs it");
        let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        until("upstash-redis-server to listen", listens).await;
        Self { url: format!("http://127.0.0.1:{port}"), _child: child, redis }
    }

    fn kv(&self) -> Kv {
        upstash(self.url.clone(), TOKEN)
    }
}

#[tokio::test]
async fn commands_mean_there_what_they_mean_to_redis() {
    let rest = Rest::start().await;
    let kv = rest.kv();
    kv.set("value", vec![0, 255, 10].into(), LONG).await.unwrap();
    assert_eq!(kv.get("value").await.unwrap().unwrap().as_ref(), [0, 255, 10]);
    assert_eq!(rest.redis.say(&["GET", "engify:value"]), "AP8K", "kept as base64");
    let lock = kv.lock("lock", LONG).await.unwrap().unwrap();
    assert_eq!(kv.lock("lock", LONG).await.unwrap(), None);
    assert!(kv.unlock(lock).await.unwrap());
    assert_eq!(kv.increment("counter", 3, LONG).await.unwrap(), 3);
    let quota = Quota { max: 2, window: Duration::from_secs(3600) };
    for allowed in [true, true, false] {
        assert_eq!(kv.take("limit", quota, 1).await.unwrap().allowed, allowed);
    }
    kv.publish("news", "x").await.unwrap();
    assert_eq!(kv.scan("coun", None).await.unwrap().keys, ["counter"]);
    assert_eq!(kv.delete(&["value", "counter"]).await.unwrap(), 2);
    assert!(kv.info().await.unwrap().version.unwrap().starts_with("7."));
}

#[tokio::test]
async fn a_wrong_token_is_named_and_never_shown() {
    let rest = Rest::start().await;
    let failure = fails(upstash(rest.url.clone(), "battery-staple").get("x")).await;
    assert_eq!(failure.kind, FailureKind::Auth);
    assert!(failure.message.contains("UPSTASH_REDIS_REST_TOKEN"), "{failure}");
    assert!(!failure.message.contains("battery-staple"), "{failure}");
}
