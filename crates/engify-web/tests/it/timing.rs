//! Nobody learns who has an account from what a sign-in or a forgotten password does, or from how long it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use engify_testkit::TestApp;
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::json;

use crate::client::Client;

/// Who is asked for: somebody who is there, and two who are not. The difference between those two is the noise.
const WHO: [&str; 3] = ["ana@example.com", "eva@example.com", "eve@example.com"];

/// Counts how often passwords are checked.
#[derive(Default)]
struct Checks(Arc<Count>);

#[derive(Default)]
struct Count(AtomicU64);

impl CounterFn for Count {
    fn increment(&self, by: u64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    fn absolute(&self, to: u64) {
        self.0.store(to, Ordering::SeqCst);
    }
}

impl Recorder for Checks {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "engify_password_checks_total" {
            Counter::from_arc(Arc::clone(&self.0))
        } else {
            Counter::noop()
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn a_sign_in_checks_one_password_whoever_it_is_for() {
    let test = TestApp::start().await;
    let stranger = Client::of(&test).signed_up("ana").await.stranger();
    let checks = Checks::default();
    let count = Arc::clone(&checks.0);
    let _here = metrics::set_default_local_recorder(&checks);
    let long = "x".repeat(500);
    for (done, (email, password)) in
        [(WHO[0], "wrong"), (WHO[1], "wrong"), (WHO[0], &long), (WHO[1], &long), ("no address", "wrong")]
            .into_iter()
            .enumerate()
    {
        stranger
            .post("/api/auth/signin", &json!({ "email": email, "password": password }))
            .await
            .refused(401);
        assert_eq!(count.0.load(Ordering::SeqCst), done as u64 + 1, "{email}");
    }
}

/// How many tries of each: few in every run, the full number with `--deep`.
#[expect(clippy::disallowed_methods, reason = "a test asks how thorough it shall be")]
fn tries() -> usize {
    if std::env::var_os("ENGIFY_DEEP").is_some() { 200 } else { 24 }
}

#[tokio::test]
async fn a_sign_in_takes_as_long_whoever_it_is_for() {
    let ask = async |client: &Client, email: &str| {
        client
            .post("/api/auth/signin", &json!({ "email": email, "password": "not the right one" }))
            .await
            .status
            .as_u16()
    };
    told_apart("sign-in", 401, ask).await;
}

#[tokio::test]
async fn a_forgotten_password_takes_as_long_whoever_it_is_for() {
    let ask = async |client: &Client, email: &str| {
        client.post("/api/auth/forgot-password", &json!({ "email": email })).await.status.as_u16()
    };
    told_apart("forgot-password", 200, ask).await;
}

/// Asks for each in turn, in changing order, and compares: the median of the paired differences between who is there and
/// who is not must lie within the noise, which is what the same median comes to between two who are both not there.
#[expect(clippy::print_stdout, reason = "the figures belong into the report")]
async fn told_apart(what: &str, status: u16, ask: impl AsyncFn(&Client, &str) -> u16) {
    let test = TestApp::start().await;
    let stranger = Client::of(&test).signed_up("ana").await.stranger();
    let mut took: [Vec<f64>; 3] = Default::default();
    for round in 0..tries() {
        // From elsewhere and later, so that no limit is met.
        test.clock.advance(Duration::from_secs(3600));
        let client = stranger.from(u8::try_from(round % 250).unwrap_or(0));
        for turn in 0..3 {
            let who = (round + turn) % 3;
            let begun = Instant::now();
            let answered = ask(&client, WHO[who]).await;
            took[who].push(begun.elapsed().as_secs_f64() * 1e6);
            assert_eq!(answered, status, "{what} of {}", WHO[who]);
            engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
            test.mailbox().await;
        }
    }
    let pairs = |one: usize, other: usize| -> Vec<f64> {
        took[one].iter().zip(&took[other]).map(|(one, other)| one - other).collect()
    };
    let (known, unknown) = (median(&pairs(0, 1)).abs(), median(&pairs(1, 2)).abs());
    let noise = noise(&pairs(1, 2));
    println!(
        "{what}: medians {:.0} µs (there), {:.0} µs (not there), {:.0} µs (not there either); paired difference {known:.0} µs, \
         between two that are not there {unknown:.0} µs; noise {noise:.0} µs of {} tries",
        median(&took[0]),
        median(&took[1]),
        median(&took[2]),
        took[0].len()
    );
    assert!(known <= noise, "{what}: {known:.0} µs is more than the noise of {noise:.0} µs");
}

/// The largest median difference that comes about when each pair of two equals is swapped or not by a coin, in 2000 throws.
/// Pairs of two who differ would not do: swapped by a coin, most of them still differ by as much one way or the other.
fn noise(pairs: &[f64]) -> f64 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut coin = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state & 1 == 1
    };
    let throws = (0..2000).map(|_| {
        let swapped: Vec<f64> = pairs.iter().map(|pair| if coin() { -pair } else { *pair }).collect();
        median(&swapped).abs()
    });
    throws.fold(0.0, f64::max)
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[test]
fn a_difference_that_is_always_there_is_found_and_mere_jitter_is_not() {
    let mut state = 7_u64;
    let mut jitter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((state >> 40) as u32) / f64::from(1 << 24) * 200.0 - 100.0
    };
    let equal: Vec<f64> = (0..200).map(|_| jitter()).collect();
    let later: Vec<f64> = (0..200).map(|_| jitter() + 60.0).collect();
    let alike: Vec<f64> = (0..200).map(|_| jitter()).collect();
    let noise = noise(&equal);
    assert!(median(&later).abs() > noise, "60 µs of difference in 100 µs of jitter: noise {noise:.0} µs");
    assert!(median(&alike).abs() <= noise, "{:.0} µs, noise {noise:.0} µs", median(&alike));
}
