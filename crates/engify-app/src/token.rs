//! Tokens that whoever holds one may show: of sessions, links in letters, invitations, ceremonies, ways back from identity
//! providers. 32 random bytes as 64 hex digits; the store keeps their SHA-256 only.

use engify_core::{Ids, Secret};
use sha2::{Digest, Sha256};

/// A fresh token.
pub(crate) fn make(ids: &Ids) -> Secret<String> {
    Secret::new(hex::encode(ids.random::<32>()))
}

/// What the store knows of a token: SHA-256, hex. Tokens have 256 random bits, so a slow hash would add nothing.
pub(crate) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// Whether a text can be a token at all: what cannot is not looked up.
pub(crate) fn has_form(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
