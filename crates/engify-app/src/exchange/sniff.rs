//! What a file is by its first bytes, whatever its name says. It tells only what can never be a file of prompts; which format
//! a text is in is the name's to say and the reader's to find true.

use serde_json::value::RawValue;

use super::Format;

/// How files begin that are no text, and what they are.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "is a ZIP archive or an office file"),
    (b"\xD0\xCF\x11\xE0", "is an office file"),
    (b"\x1F\x8B", "is packed with gzip"),
    (b"\x28\xB5\x2F\xFD", "is packed with zstd"),
    (b"BZh9", "is packed with bzip2"),
    (b"%PDF-", "is a PDF"),
    (b"\x89PNG", "is a picture"),
    (b"GIF8", "is a picture"),
    (b"\xFF\xD8\xFF", "is a picture"),
    (b"SQLite format 3\0", "is a SQLite database"),
    (b"\x7FELF", "is a program"),
    (b"MZ\x90\0", "is a program"),
];

/// Fails for what is no text, and for a text that is plainly in another format than `format`.
///
/// # Errors
/// Says what it is and what would be right.
pub(super) fn check(format: Format, bytes: &[u8]) -> Result<(), String> {
    if let Some((_, what)) = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return Err(format!(
            "{what}, whatever its name says; prompts come as text, as Markdown, JSON or CSV"
        ));
    }
    // Of two bytes for each letter, one is a zero. A zero further on is one bad record's, which does not stop the others.
    if !has_mark(bytes) && bytes.iter().take(4).any(|byte| *byte == 0) {
        return Err("begins with a zero, as UTF-16 does; save it as UTF-8".to_owned());
    }
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).trim_ascii_start();
    let is_json =
        || matches!(text.first(), Some(b'{' | b'[')) && serde_json::from_slice::<&RawValue>(text).is_ok();
    match format {
        Format::Csv if is_json() => Err("holds JSON; give it the ending .json".to_owned()),
        Format::Markdown if is_page(text) => Err("is a web page; save what it says as text".to_owned()),
        _ => Ok(()),
    }
}

/// Whether a text says itself that it is UTF-16; the reader has a word for that.
fn has_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF])
}

/// Whether a text is a whole HTML document. Markdown may hold HTML, but does not begin as one.
fn is_page(text: &[u8]) -> bool {
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    begins(b"<!doctype html") || begins(b"<html")
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn a_file_is_what_its_bytes_say() {
        for (name, bytes, what) in [
            ("prompts.csv", &b"PK\x03\x04\x14\0rest"[..], "ZIP archive or an office file"),
            ("prompts.json", b"\x1F\x8B\x08rest", "packed with gzip"),
            ("prompts.md", b"%PDF-1.7 text", "is a PDF"),
            ("prompts.md", b"\x89PNG\r\n", "is a picture"),
            ("prompts.md", b"\n<!DOCTYPE html><title>x</title>", "is a web page"),
            ("prompts.csv", b"[{\"title\": \"a\", \"content\": \"b\"}]", "the ending .json"),
            ("prompts.md", b"S\0a\0v\0e\0", "save it as UTF-8"),
        ] {
            let refusal = read(name, bytes).expect_err(name);
            assert!(refusal.reason.contains(what) && refusal.line == 0, "{name}: {refusal}");
        }
        for (name, text) in [
            ("prompt.md", "{\"title\": \"of JSON\"}"),
            ("prompt.md", "Explain `<html>`."),
            ("prompts.csv", "[title],content\na,b"),
            ("prompt.md", "PK is a packer."),
            ("prompts.csv", "title,content\na,b\0c\nd,e"),
        ] {
            assert!(read(name, text.as_bytes()).is_ok(), "{name}: {text}");
        }
    }
}
