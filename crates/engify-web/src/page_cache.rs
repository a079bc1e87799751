//! Replies kept for callers who are not signed in, whole and compressed, until the library changes or their time is up.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use moka::sync::Cache;

use crate::assets;
use crate::coding::Coding;

/// How many bytes all kept replies may take.
const CAPACITY: u64 = 8 * 1024 * 1024;
/// Larger replies are not kept.
pub(crate) const LARGEST: usize = 1024 * 1024;

/// A reply as it was made.
pub(crate) struct Kept {
    pub(crate) status: StatusCode,
    pub(crate) route: &'static str,
    pub(crate) figures: Figures,
    headers: HeaderMap,
    body: Bytes,
    packed: [OnceLock<Packed>; 3],
    generation: u64,
    until: Instant,
}

/// A reply in one coding, ready to be sent.
pub(crate) struct Packed {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Shorter bodies are sent as they are.
const WORTH_PACKING: usize = 256;

impl Kept {
    /// The reply in this coding with all its headers, made once when first asked for.
    pub(crate) fn packed(&self, coding: Coding, common: &HeaderMap) -> &Packed {
        let coding = if self.body.len() < WORTH_PACKING { Coding::Plain } else { coding };
        self.packed[coding as usize].get_or_init(|| {
            let body = match coding {
                Coding::Brotli => assets::brotli(&self.body, 5),
                Coding::Gzip => assets::gzip(&self.body),
                Coding::Plain => self.body.clone(),
            };
            let mut headers = self.headers.clone();
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, cookie, authorization"));
            if let Some(name) = coding.name() {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
            }
            for (name, value) in common {
                headers.entry(name).or_insert_with(|| value.clone());
            }
            Packed { headers, body }
        })
    }
}

/// The figures that a kept reply counts in, looked up once.
#[derive(Default)]
pub(crate) struct Figures(OnceLock<(metrics::Counter, metrics::Histogram)>);

impl Figures {
    pub(crate) fn count(&self, route: &'static str, took: Duration) {
        let (requests, seconds) = self.0.get_or_init(|| {
            let requests = metrics::counter!("engify_http_requests_total", "route" => route, "method" => "GET", "status" => "2xx");
            (requests, metrics::histogram!("engify_http_request_seconds", "route" => route))
        });
        requests.increment(1);
        seconds.record(took.as_secs_f64());
    }
}

/// Kept replies by path and query.
pub(crate) struct PageCache(Cache<String, Arc<Kept>>);

impl PageCache {
    pub(crate) fn new() -> Self {
        let weight = |key: &String, kept: &Arc<Kept>| {
            u32::try_from(key.len() + 2 * kept.body.len() + 1024).unwrap_or(u32::MAX)
        };
        Self(
            Cache::builder()
                .max_capacity(CAPACITY)
                .weigher(weight)
                .time_to_live(Duration::from_secs(600))
                .build(),
        )
    }

    /// The reply to this address, if it is still true.
    pub(crate) fn get(&self, key: &str, generation: u64) -> Option<Arc<Kept>> {
        let kept = self.0.get(key)?;
        (kept.generation == generation && kept.until > Instant::now()).then_some(kept)
    }

    /// Keeps a reply. `generation` is the library's before the reply was made.
    pub(crate) fn put(
        &self,
        key: String,
        generation: u64,
        ttl: Duration,
        reply: (StatusCode, HeaderMap, Bytes, &'static str),
    ) {
        let (status, headers, body, route) = reply;
        let until = Instant::now() + ttl;
        self.0.insert(
            key,
            Arc::new(Kept {
                status,
                headers,
                body,
                route,
                figures: Figures::default(),
                packed: Default::default(),
                generation,
                until,
            }),
        );
    }
}
