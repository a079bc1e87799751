//! Replies kept for callers who are not signed in, whole and compressed, until the library changes or their time is up;
//! what one replica makes, the others give too.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Buf as _, Bytes};
use engify_app::cache::{Backing, Family, Tiered};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::assets::{self, Assets};
use crate::coding::Coding;
use crate::route::Route;

/// How many bytes all kept replies may take.
const CAPACITY: u64 = 8 * 1024 * 1024;
/// Larger replies are not kept.
pub(crate) const LARGEST: usize = 1024 * 1024;
/// Shorter bodies are sent as they are.
const WORTH_PACKING: usize = 256;

/// A good reply as it was made.
pub(crate) struct Kept {
    pub(crate) route: &'static str,
    pub(crate) figures: Figures,
    headers: HeaderMap,
    body: Bytes,
    packed: [OnceLock<Packed>; 3],
}

/// A reply in one coding, ready to be sent.
pub(crate) struct Packed {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Kept {
    /// A reply with status 200.
    pub(crate) fn new(route: &'static str, headers: HeaderMap, body: Bytes) -> Arc<Self> {
        let (figures, packed) = (Figures::default(), Default::default());
        Arc::new(Self { route, figures, headers, body, packed })
    }

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

    /// The reply as the handler gave it.
    pub(crate) fn reply(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        response.headers_mut().clone_from(&self.headers);
        response
    }

    /// The same where nothing newer can be had: it says so, and how old it is.
    pub(crate) fn stale_reply(&self, age: Duration) -> Response {
        let mut response = self.reply();
        let headers = response.headers_mut();
        headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
        headers.insert(header::WARNING, HeaderValue::from_static("110 engify \"Response is stale\""));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
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
pub(crate) type PageCache = Tiered<Replies>;

/// Good replies to strangers.
pub(crate) struct Replies {
    /// The paths of the routes that keep replies.
    paths: Vec<&'static str>,
}

/// What stands before the body of a reply in shared memory, as JSON behind its length.
#[derive(Serialize, Deserialize)]
struct Head {
    route: String,
    headers: Vec<(String, String)>,
}

impl Replies {
    /// An empty cache. Pages name assets by their content, so that only the same assets go with them.
    pub(crate) fn cache(routes: &[Route], assets: &Assets, backing: Backing) -> PageCache {
        let kept = routes.iter().filter(|route| route.policy.cache.is_some());
        let salt = format!("{}-{}", env!("CARGO_PKG_VERSION"), assets.fingerprint());
        Tiered::new(Self { paths: kept.map(|route| route.path).collect() }, backing, CAPACITY, &salt)
    }
}

impl Family for Replies {
    const NAME: &'static str = "reply";
    type Value = Arc<Kept>;

    fn weight(kept: &Arc<Kept>) -> usize {
        2 * kept.body.len() + 1024
    }

    fn encode(kept: &Arc<Kept>) -> Option<Vec<u8>> {
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = kept.headers.iter().map(pair).collect::<Option<_>>()?;
        let head = serde_json::to_vec(&Head { route: kept.route.to_owned(), headers }).ok()?;
        let length = u32::try_from(head.len()).ok()?.to_be_bytes();
        Some([&length, &*head, &*kept.body].concat())
    }

    fn decode(&self, mut bytes: Bytes) -> Option<Arc<Kept>> {
        let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
        if bytes.len() < length {
            return None;
        }
        let head: Head = serde_json::from_slice(&bytes.split_to(length)).ok()?;
        let route = self.paths.iter().find(|path| **path == head.route)?;
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        for (name, value) in head.headers {
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        }
        Some(Kept::new(route, headers, bytes))
    }
}
