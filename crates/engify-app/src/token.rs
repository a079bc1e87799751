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

#[cfg(test)]
mod tests {
    use engify_core::Clock;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_made_has_the_form_and_is_kept_as_something_else(seed in any::<u64>(), other in any::<u64>()) {
            let token = |seed| make(&Ids::seeded(Clock::system(), seed));
            let (one, two) = (token(seed), token(other));
            prop_assert!(has_form(one.reveal()));
            prop_assert!(!hash(one.reveal()).contains(one.reveal()));
            prop_assert_eq!(hash(one.reveal()) == hash(two.reveal()), seed == other);
        }

        #[test]
        fn only_64_hex_digits_have_the_form(text in prop_oneof!["[0-9a-fA-F]{60,68}", "[0-9a-g]{64}", "\\PC{0,70}"]) {
            let digits = text.chars().filter(char::is_ascii_hexdigit).count();
            prop_assert_eq!(has_form(&text), digits == 64 && text.len() == 64);
        }
    }
}
