//! What the readers of JSON and of query strings complain of, in words for whoever wrote the request.

/// A reader's complaint as what is wrong with a field. What is not known here is passed on as it is.
pub(super) fn of(complaint: &str) -> String {
    // serde_json adds where in the text; the field says it better.
    let complaint = complaint.split(" at line ").next().unwrap_or_default();
    match complaint {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            return "takes a whole number, 0 or above".to_owned();
        }
        "number too large to fit in target type" => return "is too large a number".to_owned(),
        "unsupported value" => return "is given more than once; give one".to_owned(),
        _ => {}
    }
    if complaint.starts_with("missing field") {
        return "is missing".to_owned();
    }
    let expected = |prefix: &str| complaint.strip_prefix(prefix)?.split_once(", expected ");
    if let Some((_, known)) = expected("unknown field ") {
        return format!("is unknown here (known: {})", plain(known));
    }
    if let Some((_, known)) = expected("unknown variant ") {
        return format!("is none of {}", plain(known));
    }
    match expected("invalid type: ").or_else(|| expected("invalid value: ")) {
        Some((given, wanted)) => format!("takes {}, not {}", kind(wanted), plain(given)),
        None => complaint.to_owned(),
    }
}

/// A list of names without its quotes and its grammar.
fn plain(text: &str) -> String {
    text.trim_start_matches("one of ").replace('`', "")
}

/// The type that was wanted, in JSON's words instead of Rust's.
fn kind(wanted: &str) -> String {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or above".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        _ if wanted.starts_with("struct ") || wanted.starts_with("internally tagged enum ") => {
            "an object".to_owned()
        }
        _ => plain(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_the_program_reaches_a_caller() {
        for (complaint, words) in [
            ("missing field `name`", "is missing"),
            ("unknown field `x`, expected one of `a`, `b`", "is unknown here (known: a, b)"),
            ("unknown field `x`, expected `a` at line 1 column 9", "is unknown here (known: a)"),
            ("unknown variant `x`, expected one of `a`, `b`", "is none of a, b"),
            ("invalid type: integer `1`, expected a string", "takes a string, not integer 1"),
            ("invalid value: integer `-1`, expected u32", "takes a whole number, 0 or above, not integer -1"),
            ("invalid type: sequence, expected struct Body", "takes an object, not sequence"),
            ("invalid digit found in string", "takes a whole number, 0 or above"),
            ("unsupported value", "is given more than once; give one"),
            ("is not a mail address", "is not a mail address"),
        ] {
            assert_eq!(of(complaint), words);
        }
    }
}
