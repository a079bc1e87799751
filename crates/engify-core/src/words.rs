//! Newtypes for text that came from outside: a value of one of these types was parsed, so nobody checks it again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Serde by `parse` and `as_str`.
macro_rules! parsed {
    ($name:ident) => {
        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A mail address in lower case, at most 254 bytes (RFC 5321 §4.5.3.1.3). Debug shows only the domain.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);
parsed!(Email);

impl Email {
    /// An address of this machine, where there is no other.
    pub(crate) fn local() -> Self {
        Self("engify@localhost".to_owned())
    }

    /// Trims, lower-cases and checks the shape `local@domain`; it does not prove that the box exists.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        let fault = || "is not a mail address such as ana@example.com".to_owned();
        let (local, domain) = text.rsplit_once('@').ok_or_else(fault)?;
        let local_fits = !local.is_empty()
            && local.len() <= 64
            && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..");
        let label_fits = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let domain_fits = domain.split('.').all(label_fits);
        if local_fits && domain_fits && text.len() <= 254 { Ok(Self(text)) } else { Err(fault()) }
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…@{}", self.0.rsplit_once('@').map_or("", |(_, domain)| domain))
    }
}

/// A phone number in E.164: `+` and 7 to 15 digits, the first not 0. Debug shows only its last two.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);
parsed!(Phone);

impl Phone {
    /// Drops spaces, dashes, dots and brackets, and checks the shape; it does not prove that the phone exists.
    ///
    /// # Errors
    /// Says what a number looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text: String =
            text.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        let digits = text.strip_prefix('+').unwrap_or_default();
        let fits = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if fits {
            Ok(Self(text))
        } else {
            Err("is not a phone number with its country, such as +15005550006".to_owned())
        }
    }

    /// As people recognise their own without others reading it: `+…06`.
    pub fn masked(&self) -> String {
        format!("+…{}", &self.0[self.0.len() - 2..])
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// A name in addresses: `a-z 0-9 -`, 1 to 80 characters, no dash at either end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(String);
parsed!(Slug);

impl Slug {
    /// Takes a slug as it is.
    ///
    /// # Errors
    /// Says what a slug looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=80).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err("takes 1 to 80 of a-z, 0-9 and -, no - at either end".to_owned())
        }
    }

    /// Makes a slug from a title; falls back to `prompt` where nothing usable is left.
    pub fn from_title(title: &str) -> Self {
        let mut slug = String::with_capacity(title.len().min(80));
        for c in title.to_lowercase().chars() {
            if slug.len() >= 72 {
                break;
            }
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let slug = slug.trim_matches('-');
        Self(if slug.is_empty() { "prompt".to_owned() } else { slug.to_owned() })
    }

    /// The same slug with `-<n>` behind it, shortened to fit.
    #[must_use]
    pub fn numbered(&self, n: u32) -> Self {
        let tail = format!("-{n}");
        let head = &self.0[..self.0.len().min(80 - tail.len())];
        Self(format!("{}{tail}", head.trim_end_matches('-')))
    }
}

/// Checks one line of text for people: trimmed, `min..=max` characters, no control characters, nothing that breaks a line
/// or turns the direction of what follows.
///
/// # Errors
/// Says which bound is broken.
pub fn line(text: &str, min: usize, max: usize) -> Result<String, String> {
    let text = text.trim();
    let count = text.chars().count();
    if count < min || count > max {
        return Err(format!("takes {min} to {max} characters, this has {count}"));
    }
    if text.chars().any(|c| c.is_control() || turns_or_breaks(c)) {
        return Err("takes one line without control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// Unicode's separators of lines and paragraphs, and what overrides the direction of writing: a name with one of them makes
/// the words around it read as something else. Joiners stay: names of some languages need them.
fn turns_or_breaks(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Checks a block of text: `min..=max` characters, no control characters but line break and tab; CRLF becomes LF.
///
/// # Errors
/// Says which bound is broken.
pub fn block(text: &str, min: usize, max: usize) -> Result<String, String> {
    let text = text.replace("\r\n", "\n");
    let count = text.chars().count();
    if count < min || count > max {
        return Err(format!("takes {min} to {max} characters, this has {count}"));
    }
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        Some(c) => Err(format!("contains the control character U+{:04X}; remove it", u32::from(c))),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_neither_breaks_its_line_nor_turns_what_follows() {
        for turned in
            ["Ana\u{202E}gpj.exe", "\u{2066}Ana", "Ana\u{2028}Bcc: eve@example.com", "Ana\r\nBcc: x"]
        {
            assert!(line(turned, 1, 100).is_err(), "{turned:?}");
        }
        for name in ["Ana-María", "نگار\u{200C}ی", "דנה", "李 小龙", "👩\u{200D}💻"] {
            assert_eq!(line(name, 1, 100).as_deref(), Ok(name));
        }
    }
}
