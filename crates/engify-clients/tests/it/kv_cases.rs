//! What shared memory promises, whatever it is: one list, run against memory, Redis and Upstash's REST.

use std::time::Duration;

use bytes::Bytes;
use engify_clients::kv::{FailureKind, Kv, MAX_KEY, MAX_VALUE, Quota};

use crate::redis_server::{fails, until};

const LONG: Duration = Duration::from_secs(300);
const SHORT: Duration = Duration::from_millis(150);
const HOUR: Duration = Duration::from_secs(3600);

/// Runs all of them.
pub(crate) async fn all(kv: &Kv) {
    kv.ping().await.unwrap();
    values_come_back_byte_for_byte_until_they_end(kv).await;
    what_is_deleted_is_gone(kv).await;
    one_at_a_time_holds_a_lock(kv).await;
    a_lock_that_ended_is_not_freed_for_its_next_holder(kv).await;
    of_a_crowd_that_swaps_one_succeeds(kv).await;
    a_counter_lives_from_its_first_count(kv).await;
    exactly_the_limit_passes_a_crowd(kv).await;
    what_was_used_counts_even_above_the_limit(kv).await;
    a_scan_finds_ours_and_nothing_else(kv).await;
    what_is_too_large_is_refused(kv).await;
}

async fn values_come_back_byte_for_byte_until_they_end(kv: &Kv) {
    let all: Vec<u8> = (0..=255).collect();
    for value in
        [Bytes::from(all), Bytes::new(), "Grüße 🌍 eyJhIjoxfQ==".into(), vec![0xff; MAX_VALUE].into()]
    {
        kv.set("value", value.clone(), LONG).await.unwrap();
        assert!(kv.get("value").await.unwrap() == Some(value));
    }
    assert_eq!(kv.get("nothing").await.unwrap(), None);
    kv.set("value", "short".into(), SHORT).await.unwrap();
    until("the value to end", async || kv.get("value").await.unwrap().is_none()).await;
}

async fn what_is_deleted_is_gone(kv: &Kv) {
    for key in ["one", "two"] {
        kv.set(key, key.into(), LONG).await.unwrap();
    }
    assert_eq!(kv.delete(&["one", "two", "three"]).await.unwrap(), 2);
    assert_eq!((kv.get("one").await.unwrap(), kv.delete(&[]).await.unwrap()), (None, 0));
    kv.set("one", "1".into(), LONG).await.unwrap();
    kv.delete_and_publish(&["one"], "news", "one").await.unwrap();
    assert_eq!(kv.get("one").await.unwrap(), None);
}

async fn of_a_crowd_that_swaps_one_succeeds(kv: &Kv) {
    let (first, second) = (Bytes::from_static(b"\x00\xff"), Bytes::from_static(b"2"));
    for (old, new) in [(None, &first), (Some(&first), &second)] {
        let crowd = (0..16).map(|_| kv.swap("swapped", old, new.clone(), LONG));
        let swapped = futures_util::future::join_all(crowd).await;
        assert_eq!(swapped.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
        assert_eq!(kv.get("swapped").await.unwrap().as_ref(), Some(new));
    }
    assert!(!kv.swap("swapped", None, first.clone(), LONG).await.unwrap(), "there is something");
    assert!(kv.swap("swapped", Some(&second), first, SHORT).await.unwrap());
    until("the value to end", async || kv.get("swapped").await.unwrap().is_none()).await;
}

async fn one_at_a_time_holds_a_lock(kv: &Kv) {
    let lock = kv.lock("lock", LONG).await.unwrap().unwrap();
    assert_eq!(kv.lock("lock", LONG).await.unwrap(), None);
    assert!(kv.unlock(lock.clone()).await.unwrap());
    assert!(!kv.unlock(lock).await.unwrap());
    let crowd = (0..16).map(|_| kv.lock("lock", LONG));
    let held = futures_util::future::join_all(crowd).await;
    assert_eq!(held.into_iter().filter(|lock| lock.as_ref().unwrap().is_some()).count(), 1);
}

async fn a_lock_that_ended_is_not_freed_for_its_next_holder(kv: &Kv) {
    let first = kv.lock("brief", SHORT).await.unwrap().unwrap();
    until("the lock to end", async || kv.lock("brief", LONG).await.unwrap().is_some()).await;
    assert!(!kv.unlock(first).await.unwrap());
    assert_eq!(kv.lock("brief", LONG).await.unwrap(), None, "the second still holds it");
}

async fn a_counter_lives_from_its_first_count(kv: &Kv) {
    for expected in [2, 4, 6] {
        assert_eq!(kv.increment("counter", 2, LONG).await.unwrap(), expected);
    }
    kv.increment("brief counter", 1, SHORT).await.unwrap();
    // Counting on does not lengthen its life.
    until("the counter to begin again", async || kv.increment("brief counter", 1, SHORT).await.unwrap() == 1)
        .await;
}

async fn exactly_the_limit_passes_a_crowd(kv: &Kv) {
    let quota = Quota { max: 20, window: HOUR };
    let crowd = (0..64).map(|_| kv.take("crowd", quota, 1));
    let standings = futures_util::future::join_all(crowd).await;
    let allowed = standings.iter().filter(|standing| standing.as_ref().unwrap().allowed).count();
    assert_eq!(allowed, 20);
    let refused = kv.take("crowd", quota, 1).await.unwrap();
    assert_eq!((refused.allowed, refused.remaining), (false, 0));
    assert!(refused.wait >= refused.reset && refused.reset <= HOUR, "{refused:?}");
    assert!(kv.take("somebody else", quota, 20).await.unwrap().allowed, "callers do not share");
}

async fn what_was_used_counts_even_above_the_limit(kv: &Kv) {
    let quota = Quota { max: 1000, window: HOUR };
    let after = kv.take_anyway("tokens", quota, 1200).await.unwrap();
    assert_eq!((after.allowed, after.remaining), (false, 0));
    assert!(!kv.take("tokens", quota, 1).await.unwrap().allowed);
    assert_eq!(kv.take("tokens", quota, 0).await.unwrap().remaining, 0);
}

async fn a_scan_finds_ours_and_nothing_else(kv: &Kv) {
    for key in ["page:1", "page:2", "page*:3", "other"] {
        kv.set(key, "x".into(), LONG).await.unwrap();
    }
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = kv.scan("page:", cursor.as_deref()).await.unwrap();
        found.extend(page.keys);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, ["page:1", "page:2"]);
    assert_eq!(kv.scan("page*", None).await.unwrap().keys, ["page*:3"]);
}

async fn what_is_too_large_is_refused(kv: &Kv) {
    let long = "k".repeat(MAX_KEY);
    let large = Bytes::from(vec![0; MAX_VALUE + 1]);
    assert_eq!(fails(kv.get(&long)).await.kind, FailureKind::TooLarge);
    assert_eq!(fails(kv.set("large", large, LONG)).await.kind, FailureKind::TooLarge);
    assert_eq!(kv.get("large").await.unwrap(), None);
}
