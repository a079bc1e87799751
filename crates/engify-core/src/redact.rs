//! Striking secrets and personal data out of free text, by their shape: mail addresses, phone and card numbers, keys and
//! tokens, passwords in addresses.
//!
//! The second line of defence: what has a type ([`Secret`](crate::Secret)) does not get into a text at all. One pass from left to
//! right, linear in the length of the text; where nothing is found, nothing is copied. Works on plain text and on lines of
//! JSON alike, and leaves JSON valid.

use std::borrow::Cow;

/// How keys begin that are told apart by their beginning, and how many characters must follow to be a key. Ours (`egf_`)
/// may be named by their first eight characters.
const KEYS: &[(&[u8], usize)] = &[
    (b"sk-", 16),
    (b"sk_live_", 16),
    (b"AIza", 20),
    (b"AKIA", 16),
    (b"gsk_", 16),
    (b"ghp_", 20),
    (b"r8_", 16),
    (b"SG.", 16),
    (b"egf_", 9),
    (b"eyJ", 40),
    (b"whsec_", 16),
];
/// The schemes of `Authorization` whose credentials follow.
const SCHEMES: &[&[u8]] = &[b"Bearer ", b"bearer ", b"Basic ", b"basic "];
/// Names before `=` whose values are secret.
const NAMES: &[&[u8]] =
    &[b"token", b"secret", b"password", b"passwd", b"pwd", b"apikey", b"api_key", b"code_verifier", b"sig"];
/// The shortest value of such a name that is taken for a secret.
const SHORTEST: usize = 8;
/// A password in an address is looked for this far behind `://`.
const FAR: usize = 256;

/// The text with secrets and personal data struck out.
///
/// ```
/// let told = engify_core::redact::redact("mail to ana@example.com failed with key sk-0123456789abcdef0123");
/// assert_eq!(told, "mail to [redacted:mail] failed with key [redacted:key]");
/// ```
pub fn redact(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut kept, mut at) = (0, 0);
    while at < bytes.len() {
        let Some(found) = look(bytes, kept, at) else {
            at += 1;
            continue;
        };
        // Both ends stand beside ASCII, so that they are no half of a character.
        out.push_str(text.get(kept..found.start).unwrap_or_default());
        out.push_str(found.word);
        (kept, at) = (found.end, found.end);
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// A place to strike out, and what to put there.
struct Found {
    start: usize,
    end: usize,
    word: &'static str,
}

impl Found {
    fn new(start: usize, end: usize, word: &'static str) -> Option<Self> {
        Some(Self { start, end, word })
    }
}

/// What is at this byte. Most bytes decide it alone.
fn look(bytes: &[u8], kept: usize, at: usize) -> Option<Found> {
    match bytes[at] {
        b'@' => mail(bytes, kept, at),
        b':' => password(bytes, at),
        b'=' => named(bytes, kept, at),
        b'+' | b'(' | b'0'..=b'9' => number(bytes, at),
        b's' | b'A' | b'g' | b'r' | b'S' | b'e' | b'w' => key(bytes, at),
        b'B' | b'b' => credential(bytes, at),
        _ => None,
    }
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._%+-'".contains(&byte)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.~+/=".contains(&byte)
}

/// How many bytes from here on are of this kind.
fn run(bytes: &[u8], from: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.get(from..).unwrap_or_default().iter().take_while(|byte| is(**byte)).count()
}

/// How many bytes from here on are an escape's of JSON, whose backslash is the byte before: 1 of `\n`, 5 of `\u0006`.
fn escape(bytes: &[u8], at: usize) -> usize {
    if at == 0 || bytes[at - 1] != b'\\' {
        return 0;
    }
    match bytes.get(at) {
        Some(b'n' | b'r' | b't' | b'b' | b'f') => 1,
        Some(b'u') if bytes.get(at + 1..at + 5).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 5,
        _ => 0,
    }
}

/// Whether an escape ends right before this byte.
fn is_behind_escape(bytes: &[u8], at: usize) -> bool {
    [1, 5].into_iter().any(|length| at > length && escape(bytes, at - length) == length)
}

/// Whether a word can begin here: behind a letter it goes on, unless that letter is the end of an escape.
fn begins(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    is_behind_escape(bytes, at) || !(bytes[before].is_ascii_alphanumeric() || bytes[before] == b'_')
}

/// An address around the `@` at `at`.
fn mail(bytes: &[u8], kept: usize, at: usize) -> Option<Found> {
    let local = bytes[kept..at].iter().rev().take_while(|byte| is_local(**byte)).count();
    let domain = run(bytes, at + 1, |byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let name = &bytes[at + 1..at + 1 + domain];
    // A dot at the end is the sentence's.
    let name = name.strip_suffix(b".").unwrap_or(name);
    let ending = name.iter().rposition(|byte| *byte == b'.')?;
    let top = &name[ending + 1..];
    let is_mail = local > 0 && ending > 0 && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
    // The letters of an escape are not the address's.
    let start = at - local + if at - local > kept { escape(bytes, at - local) } else { 0 };
    if is_mail && start < at { Found::new(start, at + 1 + name.len(), "[redacted:mail]") } else { None }
}

/// `user:password@` behind `://`.
fn password(bytes: &[u8], at: usize) -> Option<Found> {
    if !bytes[at..].starts_with(b"://") {
        return None;
    }
    let from = at + 3;
    let authority = run(&bytes[..bytes.len().min(from + FAR)], from, |byte| {
        !byte.is_ascii_whitespace() && !b"/?#\"\\<>".contains(&byte)
    });
    // A password may hold an `@` of its own: the last one is the divider.
    let end = bytes[from..from + authority].iter().rposition(|byte| *byte == b'@')?;
    Found::new(from, from + end, "[redacted:password]")
}

/// The value of a name that says it is secret: `token=…`.
fn named(bytes: &[u8], kept: usize, at: usize) -> Option<Found> {
    let before = &bytes[kept..at];
    let is_name = |name: &&&[u8]| {
        let head = before.len().checked_sub(name.len());
        head.is_some_and(|head| before[head..].eq_ignore_ascii_case(name))
    };
    NAMES.iter().find(is_name)?;
    let quoted = usize::from(bytes.get(at + 1) == Some(&b'"'));
    let from = at + 1 + quoted;
    let length = run(bytes, from, |byte| {
        !byte.is_ascii_whitespace() && byte.is_ascii() && !b"&\"\\,;<>'[]".contains(&byte)
    });
    if length < SHORTEST {
        return None;
    }
    Found::new(from, from + length, "[redacted:secret]")
}

/// A key that is told by how it begins.
fn key(bytes: &[u8], at: usize) -> Option<Found> {
    let (begin, least) = KEYS.iter().find(|(begin, _)| bytes[at..].starts_with(begin))?;
    if !begins(bytes, at) {
        return None;
    }
    let length = run(bytes, at + begin.len(), |byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if length < *least {
        return None;
    }
    Found::new(at, at + begin.len() + length, "[redacted:key]")
}

/// What stands behind `Bearer` or `Basic`.
fn credential(bytes: &[u8], at: usize) -> Option<Found> {
    let scheme = SCHEMES.iter().find(|scheme| bytes[at..].starts_with(scheme))?;
    let from = at + scheme.len();
    let length = run(bytes, from, is_token);
    if !begins(bytes, at) || length < SHORTEST {
        return None;
    }
    Found::new(from, from + length, "[redacted:token]")
}

/// A card's or a phone's number, in groups or not.
fn number(bytes: &[u8], at: usize) -> Option<Found> {
    let open = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+(".contains(&byte);
    let inside = at > 0 && open(bytes[at - 1]);
    if inside && !is_behind_escape(bytes, at) {
        return None;
    }
    let mut digits = [0; 20];
    let (mut count, mut end, mut groups, mut size) = (0, at, [0_u8; 8], 0);
    let plus = bytes[at] == b'+';
    let mut next = at + usize::from(plus);
    let mut found = None;
    loop {
        match bytes.get(next) {
            Some(byte @ b'0'..=b'9') if count < digits.len() => {
                digits[count] = byte - b'0';
                count += 1;
                next += 1;
                end = next;
                if let Some(group) = groups.get_mut(size) {
                    *group += 1;
                }
                continue;
            }
            // A number may be followed by another, so that each end of a group may be that of the number; but for what goes on
            // as a word, or behind a decimal point.
            Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'_' => {}
            Some(b'.') if bytes.get(next + 1).is_some_and(u8::is_ascii_digit) => {}
            _ if next == end => {
                let word = numbered(plus, &digits[..count], groups[..3] == [3, 3, 4]);
                found = word.map(|word| (end, word)).or(found);
            }
            _ => {}
        }
        match bytes.get(next) {
            // Brackets hold the area, near the beginning; later they begin another number.
            Some(b'(') if count > 5 => break,
            Some(b' ' | b'-' | b'(' | b')' | b'.') if next - end < 2 => {
                if groups.get(size).is_some_and(|group| *group > 0) {
                    size += 1;
                }
                next += 1;
            }
            _ => break,
        }
    }
    let (end, word) = found?;
    Found::new(at, end, in_json(bytes, at, word))
}

/// A bare number of a JSON line becomes text there.
fn in_json(bytes: &[u8], at: usize, word: &'static str) -> &'static str {
    let before = bytes.get(at.saturating_sub(3)..at).unwrap_or_default();
    match (before, word) {
        ([escape, b'"', b':'], "[redacted:card]") if *escape != b'\\' => "\"[redacted:card]\"",
        _ => word,
    }
}

/// What these digits are, if anything that is struck out.
fn numbered(plus: bool, digits: &[u8], as_american: bool) -> Option<&'static str> {
    if !plus && is_card(digits) {
        return Some("[redacted:card]");
    }
    let is_phone = if plus { (8..=15).contains(&digits.len()) } else { as_american && digits.len() == 10 };
    is_phone.then_some("[redacted:phone]")
}

/// Whether digits are a card's: the lengths and beginnings of the large schemes, and Luhn's check.
fn is_card(digits: &[u8]) -> bool {
    let fits = match digits {
        [4, ..] => matches!(digits.len(), 13 | 16 | 19),
        [5, 1..=5, ..] | [2, 2..=7, ..] | [3, 5, ..] => digits.len() == 16,
        [3, 4 | 7, ..] => digits.len() == 15,
        [3, 0 | 6 | 8, ..] => digits.len() == 14,
        [6, ..] => (16..=19).contains(&digits.len()),
        _ => false,
    };
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| {
        let doubled = u32::from(*digit) * if place % 2 == 1 { 2 } else { 1 };
        if doubled > 9 { doubled - 9 } else { doubled }
    });
    fits && weighed.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_the_shape_of_a_secret_is_struck_out() {
        for (text, told) in [
            ("to ana.b+c@mail.example.com.", "to [redacted:mail]."),
            (r#"{"m":"a\nana@example.com"}"#, r#"{"m":"a\n[redacted:mail]"}"#),
            (
                r#"{"m":"a\u0006ana@example.com\bb@example.com"}"#,
                r#"{"m":"a\u0006[redacted:mail]\b[redacted:mail]"}"#,
            ),
            (r#"{"m":"\u001bsk-abcdefghijklmnop1234"}"#, r#"{"m":"\u001b[redacted:key]"}"#),
            ("call +49 170 1234567 now", "call [redacted:phone] now"),
            ("call (555) 123-4567", "call [redacted:phone]"),
            ("+1 (555) 123-45671 (555) 123-4567", "[redacted:phone] [redacted:phone]"),
            ("+15551234567 20261123", "[redacted:phone] 20261123"),
            ("555 123 4567 200", "[redacted:phone] 200"),
            ("4111 1111 1111 1111 123", "[redacted:card] 123"),
            ("{\"n\":4111111111111111.5}", "{\"n\":4111111111111111.5}"),
            ("card 4111 1111 1111 1111.", "card [redacted:card]."),
            (r#"{"n":4111111111111111,"x":1}"#, r#"{"n":"[redacted:card]","x":1}"#),
            ("sk-ant-api03-abcdefghij0123456789", "[redacted:key]"),
            ("key=sk-proj-abcdefghijklmnop1234", "key=[redacted:key]"),
            (r#"{"m":"x\nsk-abcdefghijklmnop1234"}"#, r#"{"m":"x\n[redacted:key]"}"#),
            ("AIzaSyA-0123456789abcdefghijklmnop", "[redacted:key]"),
            ("gsk_0123456789abcdefghij, r8_0123456789abcdefghij", "[redacted:key], [redacted:key]"),
            ("SG.abcdefghij.klmnopqrstuvwxyz", "[redacted:key]"),
            ("egf_0123456789abcdefghij", "[redacted:key]"),
            ("authorization: Bearer abc.def-0123", "authorization: Bearer [redacted:token]"),
            ("mongodb://ana:p@ss:word@host:27017/x", "mongodb://[redacted:password]@host:27017/x"),
            ("/setup?token=0123456789abcdef&x=1", "/setup?token=[redacted:secret]&x=1"),
            ("password=\"hunter2hunter2\"", "password=\"[redacted:secret]\""),
        ] {
            assert_eq!(redact(text), told);
            assert_eq!(redact(told), told, "once is enough");
        }
    }

    #[test]
    fn what_only_looks_like_it_stays() {
        for text in [
            "2026-11-22T12:00:00.000Z INFO http.request http.method=GET http.path=/api/prompts http.duration_ms=0.412",
            r#"{"timestamp":"2026-11-22T12:00:00.000000Z","request.id":"0a1b2c3d-1f","user.id":"019ab123-4567-7890-8123-456789012345"}"#,
            "listening on 127.0.0.1:3000, peer 203.0.113.77:51234, took 1732276800000 ms, 1732276800000000000 ns",
            "key egf_01234567 was used; desk-top, ask-me, a task-force-of-seventeen",
            "4111 1111 1111 1112 fails the check; 0.4111111111111111; max_tokens=4000; token=short",
            "https://example.com/a@b/c, @here, a@b, 10:30+02:00",
            "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ] {
            assert_eq!(redact(text), text);
            assert!(matches!(redact(text), Cow::Borrowed(_)), "nothing is copied");
        }
    }

    #[test]
    fn hostile_text_takes_no_longer_than_its_length() {
        for piece in [
            "@", "a@", "a.a@", "://", "://a@", "+1", "1 ", "1-", "(", "sk-", "sk-a ", "token=", "Bearer ",
            "eyJ", "é@",
        ] {
            let short = redact(&piece.repeat(1000)).len();
            let long = redact(&piece.repeat(100_000)).len();
            assert!(long <= short * 110 + 1000, "{piece:?}: {short} {long}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_through_and_twice_is_once(text in "\\PC{0,200}") {
            let once = redact(&text).into_owned();
            prop_assert_eq!(redact(&once).into_owned(), once);
        }

        #[test]
        fn a_secret_is_found_wherever_it_stands(
            before in "[a-zäß ,.:;\n\"]{0,30}[ ,:;\"\n]", after in "[ ,;\"\n][a-zäß ,.:;]{0,30}", body in "[A-Za-z0-9]{20,40}", which in 0..KEYS.len(),
        ) {
            let (begin, _) = KEYS[which];
            let long = format!("{body}{body}");
            let secret = format!("{}{long}", std::str::from_utf8(begin).unwrap());
            for text in [
                format!("{before}{secret}{after}"),
                format!("{before}Bearer {long}{after}"),
                format!("{before}x{long}@example.org{after}"),
                format!("{before}mongodb+srv://root:{long}@host{after}"),
            ] {
                let told = redact(&text).into_owned();
                prop_assert!(!told.contains(&long), "{} -> {}", text, told);
                prop_assert!(told.ends_with(&after), "{} -> {}", text, told);
            }
        }

        #[test]
        fn json_stays_json(message in "\\PC{0,60}", mail in "[a-z]{1,8}@[a-z]{1,8}\\.com", number in 0u64..u64::MAX) {
            let line = serde_json::json!({ "message": format!("{message} {mail}"), "n": number, "card": 4_111_111_111_111_111_u64 });
            let told = redact(&line.to_string()).into_owned();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&told).is_ok(), "{}", told);
        }
    }
}
