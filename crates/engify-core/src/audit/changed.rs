//! What an action changed, for a line of the audit log: the fields that differ, before and after, secrets left out.
//!
//! A [`Secret`](crate::Secret) has no JSON form, so that most secrets cannot get here at all. What is stored by name (hashes, sealed
//! text) and personal data are struck out by the field's name, at any depth.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Parts of field names whose values are never written down, only that they changed.
const SECRET: &[&str] = &[
    "password",
    "secret",
    "token",
    "hash",
    "sealed",
    "credential",
    "recovery",
    "totp",
    "passkey",
    "apikey",
    "nonce",
    "code",
];
/// Parts of field names whose values are shown masked.
const PERSONAL: &[&str] = &["email", "phone"];
/// Longer texts are cut: the log tells that and what changed, not the whole document.
const LONGEST: usize = 300;
/// Fields that change with every write and say nothing.
const NOISE: &[&str] = &["_id", "updatedAt"];

/// The fields that differ between two states of a thing, as `{"before":{…},"after":{…}}`. For a thing that was made,
/// `before` is `&()`; for one that was removed, `after` is.
///
/// ```
/// let before = serde_json::json!({ "role": "user", "passwordHash": "x", "name": "Ana" });
/// let after = serde_json::json!({ "role": "pro", "passwordHash": "y", "name": "Ana" });
/// assert_eq!(
///     engify_core::audit::changed(&before, &after),
///     serde_json::json!({ "before": { "passwordHash": "[redacted]", "role": "user" },
///                         "after": { "passwordHash": "[redacted]", "role": "pro" } })
/// );
/// ```
pub fn changed(before: &impl Serialize, after: &impl Serialize) -> Value {
    let (before, after) = (fields(before), fields(after));
    let differs = |name: &String| before.get(name) != after.get(name) && !NOISE.contains(&name.as_str());
    let of = |side: &Map<String, Value>| -> Map<String, Value> {
        let kept = side.iter().filter(|(name, _)| differs(name));
        kept.map(|(name, value)| (name.clone(), shown(name, value))).collect()
    };
    json!({ "before": of(&before), "after": of(&after) })
}

/// A thing's fields; none where it is no object, as `()` is none.
fn fields(thing: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(thing) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// A value as the log may hold it.
fn shown(name: &str, value: &Value) -> Value {
    let is_time = name.ends_with("At");
    let name = name.to_ascii_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match value {
        Value::Null => Value::Null,
        // When something was done to a secret is no secret, nor is whether it is there.
        Value::Bool(_) => value.clone(),
        Value::String(_) if is_time => value.clone(),
        _ if is(SECRET) => "[redacted]".into(),
        Value::String(text) if is(PERSONAL) => masked(text).into(),
        Value::String(text) if text.chars().count() > LONGEST => {
            let head: String = text.chars().take(LONGEST).collect();
            format!("{head}… ({} characters)", text.chars().count()).into()
        }
        Value::Array(items) => items.iter().map(|item| shown(&name, item)).collect(),
        Value::Object(inner) => {
            inner.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Enough to recognise, not enough to write to: `a…@example.com`, `…89`.
fn masked(text: &str) -> String {
    match text.split_once('@') {
        Some((name, domain)) => format!("{}…@{domain}", name.chars().take(1).collect::<String>()),
        None => {
            let count = text.chars().count();
            format!("…{}", text.chars().skip(count.saturating_sub(2)).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_differs_is_told_and_addresses_are_masked() {
        let before =
            json!({ "_id": "1", "email": "ana@example.com", "name": "Ana", "updatedAt": "x", "seats": 3 });
        let after =
            json!({ "_id": "1", "email": "ben@example.com", "name": "Ana", "updatedAt": "y", "seats": null });
        assert_eq!(
            changed(&before, &after),
            json!({ "before": { "email": "a…@example.com", "seats": 3 }, "after": { "email": "b…@example.com", "seats": null } })
        );
        assert_eq!(
            changed(&(), &json!({ "name": "Ana" })),
            json!({ "before": {}, "after": { "name": "Ana" } })
        );
    }

    #[test]
    fn secrets_are_struck_out_at_any_depth() {
        let after = json!({ "settings": { "smtpPassword": "hunter2", "list": [{ "apiKeySealed": "abc" }] }, "keyHashes": ["h"] });
        let told = changed(&(), &after).to_string();
        for secret in ["hunter2", "abc", "\"h\""] {
            assert!(!told.contains(secret), "{told}");
        }
    }

    proptest! {
        #[test]
        fn no_value_of_a_secret_field_gets_through(value in "[a-z]{12,20}", prefix in "[a-z]{0,5}", at in 0..SECRET.len()) {
            let name = format!("{prefix}{}", SECRET[at]);
            let told = changed(&(), &json!({ name: { "inner": [value] } })).to_string();
            prop_assert!(!told.contains(&value), "{told}");
        }
    }
}
