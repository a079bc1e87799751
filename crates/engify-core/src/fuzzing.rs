//! What fuzzers and property tests feed with bytes: one function for each parser of this crate that reads what strangers
//! send. A function asserts what must hold whatever comes; that it returns at all is the first of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::address::AddressRange;
use crate::api_key::PlainKey;
use crate::settings;
use crate::tenancy::Audience;
use crate::words::{Email, Phone, Slug};
use crate::{Time, redact, template};

/// A target: its name, and what takes its bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this crate.
pub const TARGETS: &[Target] = &[
    ("address_range", address_range),
    ("api_key", api_key),
    ("redactor", redactor),
    ("settings", settings),
    ("template", template),
    ("words", words),
];

/// Bytes as text, as every parser of ours gets it.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// An entry of an allow-list reads back the same, and holds the address that it names.
pub fn address_range(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(range) = text.parse::<AddressRange>() else { return };
    let written = range.to_string();
    assert_eq!(written.parse(), Ok(range), "{text} was read as {written}");
    let first = written.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
    assert!(first.is_some_and(|first| range.contains(first)), "{written} lacks its own address");
}

/// Whatever is taken for a key is one, to the last character.
pub fn api_key(bytes: &[u8]) {
    let text = text(bytes);
    if let Some(key) = PlainKey::parse(&text) {
        assert!(key.reveal() == text && text.starts_with(&key.prefix()) && text.is_ascii());
    }
}

/// Any text comes through, and a line of JSON stays one.
pub fn redactor(bytes: &[u8]) {
    let text = text(bytes);
    let once = redact::redact(&text);
    assert!(once == text || once.contains("[redacted:"), "{text:?} became {once:?}");
    let line = serde_json::Value::from(text.as_ref()).to_string();
    assert!(serde_json::from_str::<serde_json::Value>(&redact::redact(&line)).is_ok(), "{line}");
}

/// Lines `NAME=value`: settings, or faults that repeat no secret.
pub fn settings(bytes: &[u8]) {
    const MARK: &str = "hunter2-mark";
    let text = text(bytes);
    let given: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let _ = settings::load(|name| given.get(name).map(|value| (*value).to_owned()));
    let is_secret =
        |name: &str| settings::SETTINGS.iter().any(|setting| setting.secret && setting.name == name);
    let marked = |name: &str| {
        let value = *given.get(name)?;
        Some(if is_secret(name) { format!("{value}{MARK}") } else { value.to_owned() })
    };
    for fault in settings::load(marked).err().unwrap_or_default() {
        assert!(!fault.issue.contains(MARK), "{} repeats its value: {}", fault.name, fault.issue);
    }
}

/// The pieces of a template are the template, and only names are blanks.
pub fn template(bytes: &[u8]) {
    let text = text(bytes);
    let mut rest = text.as_ref();
    for piece in template::pieces(&text) {
        match piece {
            template::Piece::Text(part) => {
                assert!(rest.starts_with(part), "{part:?} is not next in {rest:?}");
                rest = &rest[part.len()..];
            }
            template::Piece::Blank(name) => {
                assert!(template::is_name(name), "{name:?} is no name");
                let end = rest.find("}}").map_or(rest.len(), |at| at + 2);
                assert!(
                    rest.starts_with("{{") && rest[..end].contains(name),
                    "{name:?} is not next in {rest:?}"
                );
                rest = &rest[end..];
            }
        }
    }
    assert_eq!(rest, "");
}

/// Addresses, numbers, names in addresses, times and audiences read back as they are shown.
pub fn words(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(email) = Email::parse(&text) {
        assert_eq!(Email::parse(email.as_str()).as_ref(), Ok(&email));
        assert!(email.as_str().len() <= 254 && email.as_str().matches('@').count() == 1, "{text:?}");
        assert!(
            !email.as_str().contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c))
        );
    }
    if let Ok(phone) = Phone::parse(&text) {
        assert_eq!(Phone::parse(phone.as_str()).as_ref(), Ok(&phone));
        assert!(phone.as_str()[1..].bytes().all(|byte| byte.is_ascii_digit()));
    }
    if let Ok(slug) = Slug::parse(&text) {
        assert_eq!(slug.as_str(), text);
    }
    assert!(Slug::parse(Slug::from_title(&text).as_str()).is_ok(), "{text:?} makes no slug");
    assert!(
        Slug::parse(Slug::from_title(&text).numbered(u32::MAX).as_str()).is_ok(),
        "{text:?} cannot be numbered"
    );
    if let Ok(time) = text.parse::<Time>() {
        assert_eq!(time.to_string().parse::<Time>().as_ref(), Ok(&time));
        assert_eq!(time.to_string().len(), 24, "text order must be time order");
    }
    if let Ok(audience) = text.parse::<Audience>() {
        assert_eq!(audience.to_string(), text);
    }
}
