//! From named values to a checked record: the one place that knows a prompt's fields by all their names.
//!
//! Every format hands over the same shape, field names with JSON values. Names are compared without case, spaces,
//! dashes and underscores, so that `isFeatured`, `is_featured` and `Is Featured` are one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use engify_core::clock::Time;
use engify_core::error::Detail;
use engify_core::extended;
use engify_core::prompt::{Difficulty, Draft, Variable, limits};
use engify_core::tenancy::Visibility;
use engify_core::words::Slug;
use serde_json::{Map, Value};

use super::{Fault, Record, readable, variables};

/// How many ignored names a record reports, and how many characters of each.
const REPORTED: (usize, usize) = (50, 60);

const TITLE: &[&str] = &["title", "name", "act"];
const CONTENT: &[&str] = &["content", "prompt", "text", "body", "template"];
const DESCRIPTION: &[&str] = &["description", "summary"];
const DIFFICULTY: &[&str] = &["difficulty", "level"];
const FEATURED: &[&str] = &["featured", "isfeatured"];

/// The columns of which a CSV file needs one, for messages.
pub(super) const CONTENT_NAMES: &str = "content, prompt, text, body or template";

/// Whether a column of this name holds the prompt itself.
pub(super) fn is_content(name: &str) -> bool {
    CONTENT.contains(&plain_name(name).as_str())
}

/// A record's named values, each taken once.
pub(super) struct Fields {
    line: u64,
    /// Plain name → name as written, value. Nulls are left out: they are the same as nothing.
    values: BTreeMap<String, (String, Value)>,
    ignored: Vec<String>,
}

impl Fields {
    /// The fields of a JSON or YAML object.
    pub(super) fn new(line: u64, map: Map<String, Value>) -> Self {
        let mut fields = Self { line, values: BTreeMap::new(), ignored: Vec::new() };
        for (name, value) in map {
            let value = extended::plain(value);
            if value.is_null() {
                continue;
            }
            match fields.values.entry(plain_name(&name)) {
                Entry::Vacant(place) => drop(place.insert((name, value))),
                Entry::Occupied(_) => fields.ignore(&name),
            }
        }
        fields
    }

    /// Gives the field `name` a value, whatever the file said.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.values.insert(plain_name(name), (name.to_owned(), value));
    }

    /// Gives the field `name` a value where the file has none under that name or its aliases.
    pub(super) fn set_default(&mut self, name: &str, value: impl FnOnce() -> String) {
        let aliases: &[&str] = match name {
            "title" => TITLE,
            "description" => DESCRIPTION,
            _ => &[name],
        };
        if !aliases.iter().any(|alias| self.values.contains_key(*alias)) {
            self.set(name, Value::String(value()));
        }
    }

    /// Notes a field that a prompt has no room for.
    pub(super) fn ignore(&mut self, name: &str) {
        if self.ignored.len() < REPORTED.0 {
            self.ignored.push(name.chars().filter(|c| !c.is_control()).take(REPORTED.1).collect());
        }
    }

    fn take(&mut self, names: &[&str]) -> Option<(String, Value)> {
        names.iter().find_map(|name| self.values.remove(*name))
    }

    fn fault(&self, field: &str, reason: impl Into<String>) -> Fault {
        Fault::field(self.line, field.chars().take(REPORTED.1).collect::<String>(), reason)
    }

    /// A field that holds text.
    fn text(&mut self, names: &[&str]) -> Result<Option<String>, Fault> {
        match self.take(names) {
            None => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text)),
            Some((name, other)) => Err(self.fault(&name, format!("is {}; it takes text", kind(&other)))),
        }
    }

    fn featured(&mut self) -> Result<Option<bool>, Fault> {
        match self.take(FEATURED) {
            None => Ok(None),
            Some((_, Value::Bool(flag))) => Ok(Some(flag)),
            Some((name, other)) => {
                Err(self.fault(&name, format!("is {}; it takes true or false", kind(&other))))
            }
        }
    }

    /// A field that holds one of a few words.
    fn word<T>(&mut self, names: &[&str], parse: fn(&str) -> Result<T, String>) -> Result<Option<T>, Fault> {
        let name = names.iter().find(|name| self.values.contains_key(**name)).copied().unwrap_or_default();
        match self.text(names)?.map(|text| text.trim().to_lowercase()) {
            None => Ok(None),
            Some(text) if text.is_empty() => Ok(None),
            Some(text) => parse(&text).map(Some).map_err(|reason| self.fault(name, reason)),
        }
    }

    /// A list of words, or text with `,`, `;` or line breaks between them.
    fn tags(&mut self) -> Result<Vec<String>, Fault> {
        let (name, tags): (String, Vec<String>) = match self.take(&["tags"]) {
            None => return Ok(Vec::new()),
            Some((name, Value::String(text))) => {
                (name, text.split([',', ';', '\n']).take(limits::TAGS * 8).map(str::to_owned).collect())
            }
            Some((name, Value::Array(list))) => {
                let mut tags = Vec::new();
                for (at, tag) in list.into_iter().enumerate().take(limits::TAGS * 8) {
                    match tag {
                        Value::Null => {}
                        Value::String(tag) => tags.push(tag),
                        other => {
                            let reason = format!("is {}; a tag is text", kind(&other));
                            return Err(self.fault(&format!("tags.{at}"), reason));
                        }
                    }
                }
                (name, tags)
            }
            Some((name, other)) => {
                let reason = format!("is {}; it takes a list of words", kind(&other));
                return Err(self.fault(&name, reason));
            }
        };
        let tags: Vec<String> = tags
            .iter()
            .map(|tag| tag.trim().trim_start_matches('#').to_owned())
            .filter(|tag| !tag.is_empty())
            .collect();
        // Checked here as well, so that a list of a million tags costs no million messages.
        if tags.len() > limits::TAGS {
            return Err(self.fault(&name, format!("takes at most {} tags", limits::TAGS)));
        }
        Ok(tags)
    }

    fn variables(&mut self) -> Result<Vec<Variable>, Fault> {
        let Some((_, value)) = self.take(&["variables"]) else { return Ok(Vec::new()) };
        let mut ignored = Vec::new();
        let variables = variables::read(value, &mut ignored).map_err(|(field, reason)| Fault {
            line: self.line,
            field: Some(field),
            reason,
        })?;
        for name in &ignored {
            self.ignore(name);
        }
        Ok(variables)
    }

    /// The slug as the file says it, or one made from the title.
    fn slug(&mut self, title: &str) -> Result<(Slug, bool), Fault> {
        match self.text(&["slug"])?.map(|slug| slug.trim().to_lowercase().replace(['_', ' '], "-")) {
            None => Ok((readable::slug(title), false)),
            Some(slug) if slug.is_empty() => Ok((readable::slug(title), false)),
            Some(slug) => match Slug::parse(&slug) {
                Ok(slug) => Ok((slug, true)),
                Err(reason) => Err(self.fault("slug", reason)),
            },
        }
    }

    /// The record, or the first thing that is wrong with it.
    pub(super) fn into_record(mut self) -> Result<Record, Fault> {
        let content = self.text(CONTENT)?.filter(|content| !content.is_empty());
        let Some(content) = content else {
            return Err(self.fault("content", format!("is missing; a prompt comes as {CONTENT_NAMES}")));
        };
        // Before anything looks for blanks in it: that is work for text of a sane length only.
        let content = engify_core::words::block(&content, limits::CONTENT.0, limits::CONTENT.1)
            .map_err(|reason| self.fault("content", reason))?;
        let title = match self.text(TITLE)? {
            Some(title) => one_line(&title),
            None => match self.values.get("slug") {
                Some((_, Value::String(slug))) => readable::title(slug),
                _ => return Err(self.fault("title", "is missing; a prompt needs a title, name or act")),
            },
        };
        let (slug, slug_given) = self.slug(&title)?;
        let draft = Draft {
            title,
            content,
            description: one_line(&self.text(DESCRIPTION)?.unwrap_or_default()),
            category: self.text(&["category"])?.unwrap_or_default(),
            role: self.text(&["role"])?.unwrap_or_default(),
            tags: self.tags()?,
            pattern: self.text(&["pattern"])?,
            difficulty: self.word(DIFFICULTY, Difficulty::parse)?.unwrap_or_default(),
            variables: self.variables()?,
        };
        let draft = draft.check().map_err(|error| {
            let (field, reason) = summary(error.details());
            Fault { line: self.line, field, reason }
        })?;
        let featured = self.featured()?;
        let visibility = self.word(&["visibility"], Visibility::parse)?;
        let created_at = self.created_at();
        for (name, _) in std::mem::take(&mut self.values).into_values() {
            self.ignore(&name);
        }
        let Self { line, ignored, .. } = self;
        Ok(Record { line, slug, slug_given, draft, featured, visibility, created_at, ignored })
    }

    /// A time that cannot be read costs the time, not the prompt.
    fn created_at(&mut self) -> Option<Time> {
        let (name, value) = self.take(&["createdat"])?;
        let time = value.as_str().and_then(|text| text.trim().parse().ok());
        if time.is_none() {
            self.ignore(&name);
        }
        time
    }
}

/// All faults in one sentence, the first of them named as the field.
fn summary(details: &[Detail]) -> (Option<String>, String) {
    let Some((first, others)) = details.split_first() else {
        return (None, "is not as a prompt should be".to_owned());
    };
    let mut reason = first.issue.clone();
    for other in others.iter().take(4) {
        reason.push_str(&format!("; {} {}", other.field, other.issue));
    }
    if others.len() > 4 {
        reason.push_str(&format!("; and {} more", others.len() - 4));
    }
    (Some(first.field.clone()).filter(|field| !field.is_empty()), reason)
}

/// Line breaks and tabs as spaces: folded and wrapped text from elsewhere is still one line.
fn one_line(text: &str) -> String {
    text.trim().replace("\r\n", " ").replace(['\n', '\t'], " ")
}

/// A field's name without what differs between habits of writing.
fn plain_name(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect::<String>()
        .trim()
        .to_owned()
}

/// What a value is, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number (put it in quotes to make it text)",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
