//! What issuers say of people, for fuzzers. See [`crate::fuzzing`].

use super::claims::{self, Claims};

/// Two lines of JSON: the claims of an ID token, and those of the userinfo endpoint.
pub fn id_claims(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut line =
        || lines.next().and_then(|line| serde_json::from_slice::<Claims>(line).ok()).unwrap_or_default();
    let (token, info) = (line(), line());
    let said =
        |claims: &Claims| claims.get("email_verified").is_some_and(|said| said == true || said == "true");
    for way in ["groups", "realm_access.roles", ""] {
        let person = claims::person("7", &token, &info, way, false);
        assert!(
            !person.email_verified || person.email.is_some() && (said(&token) || said(&info)),
            "{person:?}"
        );
        let name = person.name.as_deref().unwrap_or("x");
        assert!((1..=100).contains(&name.chars().count()) && !name.contains(char::is_control), "{name:?}");
        assert!(person.groups.len() <= 1000);
    }
}
