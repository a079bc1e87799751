//! What AI providers answer, as a stream and whole, for fuzzers. See [`crate::fuzzing`].

use http::StatusCode;

use super::replicate::Prediction;
use super::{Endpoint, Event, Failure, Provider, anthropic, google, openai, reply, stream};

/// The four wire formats at their own addresses.
fn endpoints() -> impl Iterator<Item = Endpoint> {
    [Provider::OpenAi, Provider::Anthropic, Provider::Google, Provider::Replicate]
        .into_iter()
        .filter_map(|provider| Endpoint::new(provider, provider.default_base_url(), None).ok())
}

/// A stream of server-sent events tells the same wherever the network cuts it: the first byte says where.
pub fn provider_stream(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let at = usize::from(*first).min(bytes.len());
    let (head, tail) = bytes.split_at(at);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    for endpoint in endpoints() {
        let whole = stream::told(&endpoint, &[bytes]);
        assert_eq!(stream::told(&endpoint, &[head, tail]), whole, "cut at {at}");
        assert_eq!(stream::told(&endpoint, &single), whole, "byte by byte");
        assert!(whole.0.iter().all(|event| matches!(event, Event::Delta(text) if !text.is_empty())));
    }
}

/// A whole answer, read as each format's success, and as each status's failure: what is shown of it is one line and short.
pub fn provider_answer(bytes: &[u8]) {
    let shown = |failure: &Failure| {
        let text = failure.to_string();
        assert!(text.chars().count() < 1000 && !text.contains(char::is_control), "{text:?}");
    };
    for endpoint in endpoints() {
        let answers = [
            openai::completion(&endpoint, bytes),
            anthropic::completion(&endpoint, bytes),
            google::completion(&endpoint, bytes),
        ];
        answers.iter().filter_map(|answer| answer.as_ref().err()).for_each(shown);
        if let Ok(prediction) = serde_json::from_slice::<Prediction>(bytes)
            && let Err(failure) = prediction.completion(&endpoint)
        {
            shown(&failure);
        }
        for status in [None, Some(StatusCode::BAD_REQUEST), Some(StatusCode::TOO_MANY_REQUESTS)] {
            shown(&reply::refusal(&endpoint, status, bytes, None).failure);
        }
    }
}
