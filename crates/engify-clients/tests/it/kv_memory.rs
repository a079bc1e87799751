//! Shared memory that is the memory of this process.

use engify_clients::kv::{Heard, Kv, KvOptions};
use engify_core::{Clock, Ids};

use crate::kv_cases;

fn memory() -> Kv {
    let clock = Clock::system();
    Kv::memory(&KvOptions::default(), clock.clone(), Ids::system(clock))
}

#[tokio::test]
async fn it_keeps_every_promise() {
    kv_cases::all(&memory()).await;
}

#[tokio::test]
async fn who_listens_hears_what_others_publish() {
    let kv = memory();
    let mut line = kv.subscribe(&["news"]).unwrap();
    assert_eq!(line.next().await, Heard::Listening);
    kv.publish("gossip", "no").await.unwrap();
    kv.publish("news", "yes").await.unwrap();
    let heard = Heard::Message { channel: "news".to_owned(), message: "yes".to_owned() };
    assert_eq!(line.next().await, heard);
}

#[tokio::test]
async fn it_says_how_much_it_holds() {
    let kv = memory();
    kv.set("a", vec![0; 1000].into(), KvOptions::default().beat).await.unwrap();
    let info = kv.info().await.unwrap();
    assert!(info.used_memory.unwrap() > 1000 && info.max_memory == Some(64 << 20), "{info:?}");
}
