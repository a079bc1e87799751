//! What an issuer says of a person, as JSON, and what we take from it.

use engify_core::Time;
use engify_core::words::{Email, line};
use serde_json::{Map, Value};

use super::Person;

/// Claims about one person.
pub(super) type Claims = Map<String, Value>;

/// The most groups that are looked at.
const GROUPS: usize = 1_000;

/// An address and whether the issuer says that it is the person's; none where it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    email: Email,
    verified: Option<bool>,
}

/// The address in these claims.
pub(super) fn address(claims: &Claims) -> Option<Address> {
    let email = Email::parse(claims.get("email")?.as_str()?).ok()?;
    let verified = claims.get("email_verified").and_then(|said| match said {
        Value::Bool(said) => Some(*said),
        // Some issuers (Amazon Cognito) write booleans as text.
        Value::String(said) => said.parse().ok(),
        _ => None,
    });
    Some(Address { email, verified })
}

/// Whether these claims alone say all that we ask.
pub(super) fn suffice(claims: &Claims, groups_claim: &str, trusts_email: bool) -> bool {
    let proven = address(claims).is_some_and(|address| address.verified.is_some() || trusts_email);
    proven && claims.contains_key("name") && at(claims, groups_claim).is_some()
}

/// The person of an ID token's claims, completed by those of the userinfo endpoint. An address and the word on whether it is
/// proven are taken from the same place: one issuer's answer must not vouch for the address in another.
pub(super) fn person(
    subject: &str,
    token: &Claims,
    info: &Claims,
    groups_claim: &str,
    trusts_email: bool,
) -> Person {
    let (in_token, in_info) = (address(token), address(info));
    let complete = in_token.as_ref().is_some_and(|address| address.verified.is_some());
    let address = if complete { in_token } else { in_info.or(in_token) };
    let text =
        |name: &str| [token, info].iter().find_map(|claims| claims.get(name)?.as_str().map(str::to_owned));
    let name = ["name", "preferred_username", "nickname"].iter().find_map(|name| named(&text(name)?));
    let groups = at(token, groups_claim).or_else(|| at(info, groups_claim)).map(groups).unwrap_or_default();
    Person {
        subject: subject.to_owned(),
        email_verified: address.as_ref().is_some_and(|address| address.verified.unwrap_or(trusts_email)),
        email: address.map(|address| address.email),
        name,
        groups,
        proven_at: token.get("auth_time").and_then(Value::as_i64).map(seconds),
    }
}

fn seconds(epoch: i64) -> Time {
    Time::from_millis(epoch.saturating_mul(1000))
}

/// A name that is fit to be shown: cut to 100 characters, none where nothing is left.
pub(super) fn named(text: &str) -> Option<String> {
    let cut: String = text.trim().chars().filter(|c| !c.is_control()).take(100).collect();
    line(&cut, 1, 100).ok()
}

/// A claim by its whole name, or by a way of names through nested ones (`realm_access.roles`). The whole name comes first:
/// some issuers name claims by addresses, which have dots.
fn at<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        at(claims.get(first)?.as_object()?, rest)
    })
}

fn groups(claim: &Value) -> Vec<String> {
    match claim {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).take(GROUPS).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        value.as_object().cloned().unwrap()
    }

    fn read(token: Value, info: Value) -> Person {
        person("7", &claims(token), &claims(info), "groups", false)
    }

    #[test]
    fn an_address_counts_as_proven_only_where_the_issuer_says_so() {
        let verified = |claim: Value| read(claim, json!({})).email_verified;
        assert!(verified(json!({ "email": "ana@example.com", "email_verified": true })));
        assert!(verified(json!({ "email": "ana@example.com", "email_verified": "true" })));
        assert!(!verified(json!({ "email": "ana@example.com", "email_verified": "false" })));
        assert!(!verified(json!({ "email": "ana@example.com", "email_verified": 1 })));
        assert!(!verified(json!({ "email": "ana@example.com" })));
        assert!(!verified(json!({ "email": "not an address", "email_verified": true })));
    }

    #[test]
    fn trusting_an_issuer_never_overrules_its_no() {
        let read = |claim: Value| person("7", &claims(claim), &Claims::new(), "groups", true).email_verified;
        assert!(read(json!({ "email": "ana@example.com" })));
        assert!(!read(json!({ "email": "ana@example.com", "email_verified": false })));
    }

    #[test]
    fn one_answer_does_not_vouch_for_the_address_in_another() {
        let token = json!({ "email": "victim@example.com" });
        let info = json!({ "email": "ana@example.com", "email_verified": true });
        let person = read(token, info);
        assert_eq!(person.email.unwrap().as_str(), "ana@example.com");
        let person = read(json!({ "email": "victim@example.com" }), json!({ "email_verified": true }));
        assert!(!person.email_verified);
    }

    #[test]
    fn only_the_token_says_when_somebody_was_asked() {
        let asked = |token: Value, info: Value| read(token, info).proven_at.map(|at| at.millis());
        assert_eq!(asked(json!({ "auth_time": 1_763_800_000 }), json!({})), Some(1_763_800_000_000));
        assert_eq!(asked(json!({ "auth_time": "now" }), json!({ "auth_time": 1_763_800_000 })), None);
    }

    #[test]
    fn groups_are_found_by_name_and_by_way() {
        let all = claims(json!({
            "groups": ["a", 7, "b"], "role": "one", "realm_access": { "roles": ["deep"] }, "https://acme.com/groups": ["dotted"]
        }));
        let read = |name: &str| person("7", &all, &Claims::new(), name, false).groups;
        assert_eq!(read("groups"), ["a", "b"]);
        assert_eq!(read("role"), ["one"]);
        assert_eq!(read("realm_access.roles"), ["deep"]);
        assert_eq!(read("https://acme.com/groups"), ["dotted"]);
        assert!(read("elsewhere.deep").is_empty());
    }

    #[test]
    fn names_are_one_line_and_not_endless() {
        assert_eq!(named(" Ana\u{0}\nLee ").as_deref(), Some("AnaLee"));
        assert_eq!(named(&"x".repeat(500)).map(|name| name.len()), Some(100));
        assert_eq!(named(" \n "), None);
    }
}
