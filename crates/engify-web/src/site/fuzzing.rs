//! What stands in an address, for fuzzers. See [`crate::fuzzing`].

use super::{escape, local, oauth};
use crate::extract;

/// A query string, read as what identity providers send back and as the way to go on. The way stays within this site.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = extract::query::<oauth::Back>(&text);
    let pairs: Vec<(String, String)> = extract::query(&text).unwrap_or_default();
    for path in pairs.into_iter().map(|(_, value)| value).chain([text.into_owned()]) {
        let Some(next) = local(Some(path)) else { continue };
        let base = url::Url::parse("https://prompts.example.com/login");
        let gone = base.as_ref().ok().and_then(|base| base.join(&next).ok());
        let host = gone.as_ref().and_then(|url| url.host_str());
        assert_eq!(host, Some("prompts.example.com"), "{next:?} leads away");
        assert!(!escape(&next).contains(['&', '"', '<', '\r', '\n']), "{next:?}");
    }
}
