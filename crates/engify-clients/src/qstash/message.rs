//! A message as QStash takes it: where to, what, and how hard to try.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// A call that QStash shall make. The body is text: a batch carries it inside JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Where to, an http or https address.
    pub url: String,
    /// What.
    pub body: String,
    /// Its `Content-Type`; none says `text/plain`.
    pub content_type: Option<String>,
    /// Wait so long first, whole seconds.
    pub delay: Option<Duration>,
    /// How often to try again when the call fails; none leaves it to the plan.
    pub retries: Option<u32>,
    /// How long the call may take, whole seconds.
    pub timeout: Option<Duration>,
    /// A second message with the same word is taken and thrown away.
    pub deduplication_id: Option<String>,
    /// Is called with the answer.
    pub callback: Option<String>,
    /// Is called when all tries have failed.
    pub failure_callback: Option<String>,
    /// Headers that the call carries.
    pub forward: Vec<(String, String)>,
}

impl Message {
    /// The headers that say all this, in lower case.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let seconds = |time: Duration| format!("{}s", time.as_secs());
        let content_type = self.content_type.as_deref().unwrap_or("text/plain");
        let mut headers = vec![
            ("content-type".to_owned(), content_type.to_owned()),
            ("upstash-method".to_owned(), "POST".to_owned()),
        ];
        let optional = [
            ("upstash-delay", self.delay.map(seconds)),
            ("upstash-retries", self.retries.map(|count| count.to_string())),
            ("upstash-timeout", self.timeout.map(seconds)),
            ("upstash-deduplication-id", self.deduplication_id.clone()),
            ("upstash-callback", self.callback.clone()),
            ("upstash-failure-callback", self.failure_callback.clone()),
        ];
        headers.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let forward = self.forward.iter();
        headers.extend(
            forward.map(|(name, value)| {
                (format!("upstash-forward-{}", name.to_ascii_lowercase()), value.clone())
            }),
        );
        headers
    }

    /// As one of a batch.
    pub(super) fn in_batch(&self) -> Value {
        let headers: Map<String, Value> =
            self.headers().into_iter().map(|(name, value)| (name, value.into())).collect();
        json!({ "destination": self.url, "headers": headers, "body": self.body })
    }
}
