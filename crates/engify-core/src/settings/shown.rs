//! The settings as operators may see them: a secret's value leaves only as its hint.

use serde::Serialize;

use super::{SETTINGS, Setting};
use crate::secret::Secret;

/// One setting with its value as an operator may see it.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Shown {
    /// The environment variable.
    pub name: &'static str,
    /// The heading it stands under.
    pub group: &'static str,
    /// The value; a secret's is `set (…last 4)`; the default where it is not set; null where there is no default.
    pub value: Option<String>,
    /// `process`, `.env.local`, `.env`, `command line` or `default`.
    pub source: &'static str,
    /// Whether the value is hidden.
    pub secret: bool,
}

/// Every setting, in the order of the table. `value` answers with what is set and where it was found.
pub fn show(value: impl Fn(&str) -> Option<(String, &'static str)>) -> Vec<Shown> {
    SETTINGS
        .iter()
        .map(|setting| {
            let found = value(setting.name).filter(|(text, _)| !text.trim().is_empty());
            let (value, source) = match found {
                Some((text, source)) => (Some(visible(setting, text)), source),
                None => (Some(setting.default.to_owned()).filter(|text| !text.is_empty()), "default"),
            };
            Shown { name: setting.name, group: setting.group.title(), value, source, secret: setting.secret }
        })
        .collect()
}

fn visible(setting: &Setting, text: String) -> String {
    if setting.secret { Secret::new(text.trim().to_owned()).hint() } else { without_credentials(&text) }
}

/// An address without the user and password that somebody may have put into it.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_inside_an_address_are_not_shown() {
        assert_eq!(without_credentials("https://ana:pw@proxy:8080/v1"), "https://…@proxy:8080/v1");
        assert_eq!(without_credentials("https://host/path@home"), "https://host/path@home");
        assert_eq!(without_credentials("development"), "development");
    }

    #[test]
    fn an_empty_value_is_the_default() {
        let shown = show(|name| (name == "PORT").then(|| (" ".to_owned(), "process")));
        let port = shown.iter().find(|one| one.name == "PORT").unwrap();
        assert_eq!((port.value.as_deref(), port.source), (Some("3000"), "default"));
    }
}
