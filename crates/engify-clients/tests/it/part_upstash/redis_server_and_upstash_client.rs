//! The vendor's own client, `@upstash/redis`, against our double.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::parts::part;
use crate::redis_server::{Server, upstash};
use crate::upstash_double::{TOKEN, Upstash};

const PROGRAM: &str = r#"
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const [folder, url, token] = process.argv.slice(1);
const require = createRequire(folder + "/");
const { Redis } = require("@upstash/redis");
const { version } = JSON.parse(readFileSync(folder + "/@upstash/redis/package.json"));
if (version !== "1.39.0") throw new Error(version);
const say = (what, value) => console.log(what, JSON.stringify(value));

const redis = new Redis({ url, token });
say("set", await redis.set("k", { a: 1, text: "Grüße", base64: "eyJhIjoxfQ==" }, { ex: 60, nx: true }));
say("again", await redis.set("k", 2, { nx: true }));
say("get", await redis.get("k"));
say("many", await Promise.all([redis.incrby("n", 5), redis.get("nothing"), redis.hset("h", { f: "v" })]));
say("hash", await redis.hgetall("h"));
const plain = new Redis({ url, token, enableAutoPipelining: false, responseEncoding: false });
say("one at a time", [await plain.set("p", "eyJhIjoxfQ=="), await plain.get("n"), await plain.ttl("k") > 0]);
say("pipeline", await redis.pipeline().set("a", "1").incr("a").get("a").exec());
say("transaction", await redis.multi().incr("a").incr("a").mget("a", "nothing").exec());
say("script", await redis.eval("return {KEYS[1], ARGV[1], 7}", ["key"], ["argument"]));
say("scan", await redis.scan(0, { match: "p*" }));
const fault = (call) => call.then(() => "no fault", (error) => error.message.split(",")[0]);
say("fault", await fault(plain.lpush("a", "x")));
say("faults", await redis.pipeline().lpush("a", "x").get("a").exec({ keepErrors: true }).then((all) => all.map((one) => one.error ? "fault" : one.result)));
const stranger = (path) => fetch(url + path, { method: "POST", headers: { authorization: "Bearer wrong" }, body: "[]" });
say("stranger", await Promise.all(["/", "/pipeline", "/multi-exec"].map(async (path) => (await stranger(path)).status)));
say("wrong token", await fault(new Redis({ url, token: "wrong" }).get("k")));
"#;

const SAID: &str = r#"set "OK"
again null
get {"a":1,"text":"Grüße","base64":"eyJhIjoxfQ=="}
many [5,null,1]
hash {"f":"v"}
one at a time ["OK",5,true]
pipeline ["OK",2,2]
transaction [3,4,[4,null]]
script ["key","argument",7]
scan ["0",["p"]]
fault "WRONGTYPE Operation against a key holding the wrong kind of value"
faults ["fault",4]
stranger [401,401,401]
wrong token "WRONGPASS invalid or missing auth token"
"#;

#[tokio::test]
async fn the_official_client_accepts_the_double() {
    let redis = Server::start().await;
    let rest = Upstash::in_front_of(redis.port).await;
    let output = Command::new("node")
        .args(["--input-type=module", "-e", PROGRAM])
        .arg(part("node/node_modules"))
        .args([&rest.url, TOKEN])
        .env("UPSTASH_DISABLE_TELEMETRY", "1")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("node is not installed: the client needs it");
    let (said, fault) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{fault}");
    assert_eq!(said, SAID);
    // And the other way: what that client reads of ours is what we wrote, as base64.
    let kv = upstash(rest.url, TOKEN);
    kv.set("ours", "text".into(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(redis.say(&["GET", "engify:ours"]), "dGV4dA==");
}
