//! Prompts as files: what is written here reads back as the same prompts.
//!
//! One list of named values feeds all four formats. YAML is written here, because front matter should look as people
//! write it: words plain, everything that could be mistaken in double quotes.

use engify_core::cells;
use engify_core::prompt::{Draft, Variable};
use serde_json::Value;

use super::{Exported, Format};

/// Values by name, in the order in which they are written.
type Named = Vec<(&'static str, Value)>;

/// All prompts in one file. Markdown holds one prompt a file, so of several only the first would read back: call
/// [`markdown`] for each of them and name the files by their slugs.
pub fn write(format: Format, prompts: &[Exported]) -> Vec<u8> {
    let text = match format {
        Format::Markdown => prompts.iter().map(markdown).collect(),
        Format::Json => {
            let objects: Vec<String> = prompts.iter().map(|prompt| object(named(prompt))).collect();
            if objects.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", objects.join(",\n")) }
        }
        Format::JsonLines => prompts.iter().map(|prompt| object(named(prompt)) + "\n").collect(),
        Format::Csv => csv(prompts),
    };
    text.into_bytes()
}

/// One prompt as a Markdown file with front matter, to be named `<slug>.md`.
pub fn markdown(prompt: &Exported) -> String {
    let mut text = "---\n".to_owned();
    let mut content = String::new();
    for (name, value) in named(prompt) {
        match value {
            Value::String(body) if name == "content" => content = body,
            Value::Array(list) if list.iter().any(Value::is_object) => {
                text.push_str(&format!("{name}:\n"));
                for entry in list {
                    nested(&mut text, &entry);
                }
            }
            value => text.push_str(&format!("{name}: {}\n", yaml(&value))),
        }
    }
    text.push_str("---\n");
    // A blank line right after the front matter belongs to the file, so a prompt that starts with one needs one more.
    if content.starts_with('\n') {
        text.push('\n');
    }
    text + &content + "\n"
}

/// What every format says about a prompt.
fn named(prompt: &Exported) -> Named {
    let Exported { slug, draft, featured, visibility } = prompt;
    let Draft { title, description, content, category, role, tags, pattern, difficulty, variables } = draft;
    let mut named: Named = vec![
        ("slug", slug.as_str().into()),
        ("title", title.as_str().into()),
        ("description", description.as_str().into()),
        ("category", category.as_str().into()),
        ("role", role.as_str().into()),
        ("tags", tags.iter().map(String::as_str).collect()),
    ];
    named.extend(pattern.as_deref().map(|pattern| ("pattern", pattern.into())));
    named.push(("difficulty", difficulty.as_str().into()));
    named.push(("featured", (*featured).into()));
    named.push(("visibility", visibility.as_str().into()));
    let variables: Vec<Value> = variables
        .iter()
        .map(|variable| {
            variable_named(variable).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        })
        .collect();
    named.push(("variables", Value::Array(variables)));
    named.push(("content", content.as_str().into()));
    named
}

fn variable_named(variable: &Variable) -> Named {
    let Variable { name, label, kind, required, default, help, options, min, max } = variable;
    let mut named: Named = vec![
        ("name", name.as_str().into()),
        ("label", label.as_str().into()),
        ("type", kind.as_str().into()),
        ("required", (*required).into()),
    ];
    named.extend(default.as_deref().map(|text| ("default", text.into())));
    named.extend(help.as_deref().map(|text| ("help", text.into())));
    if !options.is_empty() {
        named.push(("options", options.iter().map(String::as_str).collect()));
    }
    named.extend(min.map(|number| ("min", self::number(number))));
    named.extend(max.map(|number| ("max", self::number(number))));
    named
}

/// Whole numbers without `.0`, as people write them.
#[expect(clippy::cast_possible_truncation, reason = "only numbers that i64 holds exactly are converted")]
fn number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        Value::from(number as i64)
    } else {
        Value::from(number)
    }
}

/// A JSON object on one line, its fields in the given order.
fn object(named: Named) -> String {
    let fields: Vec<String> = named.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// An object as an entry of a YAML list.
fn nested(text: &mut String, entry: &Value) {
    const ORDER: [&str; 9] =
        ["name", "label", "type", "required", "default", "help", "options", "min", "max"];
    let fields = ORDER.iter().filter_map(|name| Some((name, entry.get(name)?)));
    for (at, (name, value)) in fields.enumerate() {
        let lead = if at == 0 { "  - " } else { "    " };
        text.push_str(&format!("{lead}{name}: {}\n", yaml(value)));
    }
}

/// A value on one line of YAML.
fn yaml(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(yaml).collect();
            format!("[{}]", list.join(", "))
        }
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// Whether text needs no quotes in YAML, wherever it stands.
fn is_plain(text: &str) -> bool {
    const TAKEN: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "nan", "inf", "infinity"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ';' | '/' | '(' | ')'))
        && text.len() > 1
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
}

/// Text in double quotes, everything that is not printable by YAML's rules escaped.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                out.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A header row and a row for each prompt. Lists of words are joined with `;`, variables are JSON.
fn csv(prompts: &[Exported]) -> String {
    const COLUMNS: [&str; 12] = [
        "slug",
        "title",
        "description",
        "category",
        "role",
        "tags",
        "pattern",
        "difficulty",
        "featured",
        "visibility",
        "variables",
        "content",
    ];
    let mut text = COLUMNS.join(",") + "\n";
    for prompt in prompts {
        let named = named(prompt);
        let value = |column: &str| named.iter().find(|(name, _)| *name == column).map(|(_, value)| value);
        let row: Vec<String> =
            COLUMNS.iter().map(|column| value(column).map(cell).unwrap_or_default()).collect();
        text.push_str(&row.join(","));
        text.push('\n');
    }
    text
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(";")
        }
        other => other.to_string(),
    };
    cells::cell(&text)
}
