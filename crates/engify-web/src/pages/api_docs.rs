//! The API's reference, drawn from its OpenAPI document: no foreign script, works offline, follows the strict policy.

use engify_core::prompt::Prompt;
use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::markdown;
use crate::ui::{Frame, Head, copy_button, figures, frame, heading};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// Schemas that refer to each other without end are drawn this deep.
const DEPTH: usize = 5;

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    body: &'a Value,
}

/// `/api-docs`, from an OpenAPI 3.1 document.
pub fn page(at: &Frame<'_>, document: &Value, url: &str) -> Markup {
    let groups = by_tag(document);
    let version = document.pointer("/info/version").and_then(Value::as_str).unwrap_or("");
    let body = html! {
        (heading("API", html! { span.small.faint { "version " (version) } a.btn href="/api/openapi.json" { "OpenAPI document" } }))
        @if let Some(about) = document.pointer("/info/description").and_then(Value::as_str) { div.prose.lead { (markdown::text(about)) } }
        div.docs {
            nav.docs-nav aria-label="Operations" {
                @for (tag, operations) in &groups {
                    details open {
                        summary { (figures::label(tag)) }
                        @for operation in operations { a href={ "#" (anchor(operation)) } { (verb(operation.method)) span.mono { (operation.path) } } }
                    }
                }
            }
            div.stack.gap-24 {
                @for (tag, operations) in &groups {
                    section.stack.gap-16 {
                        h2.docs-tag { (figures::label(tag)) }
                        @for operation in operations { (one(document, operation, url)) }
                    }
                }
            }
        }
    };
    frame(
        at,
        &Head::new(
            "API",
            "Every route of the Engify API with its parameters, bodies, replies and a curl line.",
        ),
        body,
    )
}

/// How to run this prompt from a program.
pub(super) fn curl_hint(prompt: &Prompt) -> Markup {
    let variables: Map<String, Value> =
        prompt.draft.variables.iter().map(|variable| (variable.name.clone(), "…".into())).collect();
    let body = serde_json::json!({ "promptSlug": prompt.slug.as_str(), "variables": variables, "provider": "dry-run", "model": "dry-run" });
    let body = serde_json::to_string_pretty(&body).unwrap_or_default();
    html! {
        section.stack {
            h2 { "From a program" }
            div.code-line {
                pre tabindex="0" { code #curl { "curl $ENGIFY_URL/api/v2/ai/execute \\\n  -H \"Authorization: Bearer $ENGIFY_API_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '" (body) "'" } }
                (copy_button("#curl", "Copy"))
            }
        }
    }
}

fn by_tag(document: &Value) -> Vec<(String, Vec<Operation<'_>>)> {
    let mut groups: Vec<(String, Vec<Operation<'_>>)> = Vec::new();
    let paths = document.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        for method in METHODS {
            let Some(body) = item.get(method) else { continue };
            let tag = body.pointer("/tags/0").and_then(Value::as_str).unwrap_or("other");
            let operation = Operation { method, path, body };
            match groups.iter_mut().find(|(known, _)| known == tag) {
                Some((_, operations)) => operations.push(operation),
                None => groups.push((tag.to_owned(), vec![operation])),
            }
        }
    }
    let order = document.get("tags").and_then(Value::as_array);
    let place = |tag: &str| order.and_then(|tags| tags.iter().position(|known| known["name"] == tag));
    groups.sort_by_key(|(tag, _)| place(tag).unwrap_or(usize::MAX));
    groups
}

fn anchor(operation: &Operation<'_>) -> String {
    let path = operation.path.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    format!("{}{path}", operation.method)
}

fn verb(method: &str) -> Markup {
    html! { span class={ "verb " (method) } { (method.to_uppercase()) } }
}

fn one(document: &Value, operation: &Operation<'_>, url: &str) -> Markup {
    let text = |name: &str| operation.body.get(name).and_then(Value::as_str).unwrap_or("");
    let parameters = operation.body.get("parameters").and_then(Value::as_array);
    let request = operation
        .body
        .pointer("/requestBody/content")
        .and_then(Value::as_object)
        .and_then(|kinds| kinds.values().next());
    let id = anchor(operation);
    html! {
        section.card.operation id=(id) {
            header { h3 { (verb(operation.method)) span.mono { (operation.path) } } span.small.faint { (access(document, operation.body)) } }
            div.body.stack.gap-16 {
                @if !text("summary").is_empty() { p { b { (text("summary")) } } }
                @if !text("description").is_empty() { div.prose.quiet { (markdown::text(text("description"))) } }
                @if let Some(parameters) = parameters.filter(|list| !list.is_empty()) { (parameter_table(document, parameters)) }
                @if let Some(schema) = request.and_then(|kind| kind.get("schema")) { div { h4 { "Body" } (properties(document, schema, 0)) } }
                @if let Some(replies) = operation.body.get("responses").and_then(Value::as_object) { (responses(document, replies)) }
                @let curl_id = format!("curl-{id}");
                div.code-line { pre tabindex="0" { code id=(curl_id) { (curl(document, operation, request, url)) } } (copy_button(&format!("#{curl_id}"), "Copy")) }
            }
        }
    }
}

fn access(document: &Value, body: &Value) -> String {
    if let Some(access) = body.get("x-access").and_then(Value::as_str) {
        return access.to_owned();
    }
    let security = body.get("security").or_else(|| document.get("security")).and_then(Value::as_array);
    match security {
        Some(list)
            if !list.is_empty() && !list.iter().any(|way| way.as_object().is_some_and(Map::is_empty)) =>
        {
            "session or API key".to_owned()
        }
        _ => "public".to_owned(),
    }
}

fn parameter_table(document: &Value, parameters: &[Value]) -> Markup {
    html! {
        div {
            h4 { "Parameters" }
            table.data.props { tbody { @for parameter in parameters {
                @let parameter = resolved(document, parameter);
                @let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
                @let kind = format!("{}, in the {}", kind(document, parameter.get("schema").unwrap_or(&Value::Null)), text("in"));
                (property_row(&text("name"), &kind, parameter.get("required") == Some(&Value::Bool(true)), &text("description")))
            } } }
        }
    }
}

fn responses(document: &Value, replies: &Map<String, Value>) -> Markup {
    html! {
        div {
            h4 { "Replies" }
            @for (code, reply) in replies {
                @let reply = resolved(document, reply);
                @let schema = reply.get("content").and_then(Value::as_object).and_then(|kinds| kinds.values().next()).and_then(|kind| kind.get("schema"));
                @let words = reply.get("description").and_then(Value::as_str).unwrap_or("");
                @match schema.filter(|schema| !is_failure(schema)) {
                    Some(schema) => details.reply { summary { code { (code) } " " (words) } (properties(document, schema, 0)) },
                    None => p.reply { code { (code) } " " (words) },
                }
            }
        }
    }
}

/// The body of failures is the same everywhere and stands once, in the introduction.
fn is_failure(schema: &Value) -> bool {
    schema.get("$ref").and_then(Value::as_str).is_some_and(|reference| reference.ends_with("/FailureBody"))
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn properties(document: &Value, schema: &Value, depth: usize) -> Markup {
    let schema = resolved(document, schema);
    let items = schema.get("items").map(|items| resolved(document, items));
    let object = items.unwrap_or(schema);
    let needed = |name: &str| {
        object.get("required").and_then(Value::as_array).is_some_and(|list| list.iter().any(|n| n == name))
    };
    html! {
        @match object.get("properties").and_then(Value::as_object) {
            Some(properties) if depth < DEPTH => table.data.props { tbody { @for (name, inner) in properties {
                @let about = resolved(document, inner).get("description").or_else(|| inner.get("description")).and_then(Value::as_str).unwrap_or("");
                (property_row(name, &kind(document, inner), needed(name), about))
                @if has_properties(document, inner) { tr { td.inner colspan="3" { details { summary { "fields of " code { (name) } } (properties_of(document, inner, depth + 1)) } } } }
            } } },
            _ => p.small.faint { (kind(document, schema)) },
        }
    }
}

fn properties_of(document: &Value, schema: &Value, depth: usize) -> Markup {
    if depth < DEPTH {
        properties(document, schema, depth)
    } else {
        html! { "…" }
    }
}

fn has_properties(document: &Value, schema: &Value) -> bool {
    let schema = resolved(document, schema);
    let object = schema.get("items").map_or(schema, |items| resolved(document, items));
    object.get("properties").is_some()
}

fn property_row(name: &str, kind: &str, required: bool, about: &str) -> Markup {
    html! {
        tr {
            td.main { code { (name) } @if required { " " span.small.warn { "required" } } }
            td data-label="Type" { span.small.faint { (kind) } }
            td data-label="About" { span.quiet { (with_code(about)) } }
        }
    }
}

/// A sentence whose words between backticks are code.
fn with_code(text: &str) -> Markup {
    html! {
        @for (place, piece) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

fn kind(document: &Value, schema: &Value) -> String {
    let schema = resolved(document, schema);
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words
            .iter()
            .map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(" | ");
    }
    for union in ["oneOf", "anyOf"] {
        if let Some(list) = schema.get(union).and_then(Value::as_array) {
            return list.iter().map(|one| kind(document, one)).collect::<Vec<_>>().join(" or ");
        }
    }
    let format =
        schema.get("format").and_then(Value::as_str).map(|format| format!(" ({format})")).unwrap_or_default();
    match schema.get("type") {
        Some(Value::String(word)) if word == "array" => {
            format!("array of {}", kind(document, schema.get("items").unwrap_or(&Value::Null)))
        }
        Some(Value::String(word)) => format!("{word}{format}"),
        Some(Value::Array(words)) => {
            words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ") + &format
        }
        _ => "any".to_owned(),
    }
}

fn curl(document: &Value, operation: &Operation<'_>, request: Option<&Value>, url: &str) -> String {
    let mut line = format!("curl {url}{}", operation.path);
    if operation.method != "get" {
        line = format!("curl -X {} {url}{}", operation.method.to_uppercase(), operation.path);
    }
    if access(document, operation.body) != "public" {
        line += " \\\n  -H \"Authorization: Bearer $ENGIFY_API_KEY\"";
    }
    if let Some(request) = request {
        let sample = request
            .get("example")
            .cloned()
            .unwrap_or_else(|| example(document, request.get("schema").unwrap_or(&Value::Null), 0));
        line += &format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{sample}'");
    }
    line
}

/// A body that shows the shape: required fields only, with examples where the document gives some.
fn example(document: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolved(document, schema);
    let given = schema
        .get("example")
        .or_else(|| schema.pointer("/examples/0"))
        .or_else(|| schema.pointer("/enum/0"))
        .or_else(|| schema.get("default"));
    if let Some(given) = given.filter(|given| !given.is_null()) {
        return given.clone();
    }
    let word = match schema.get("type") {
        Some(Value::Array(words)) => words.first().and_then(Value::as_str),
        Some(word) => word.as_str(),
        None => None,
    };
    match word {
        Some("object") if depth < DEPTH => {
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let properties = schema.get("properties").and_then(Value::as_object);
            let wanted =
                properties.into_iter().flatten().filter(|(name, _)| required.contains(&name.as_str()));
            wanted
                .map(|(name, inner)| (name.clone(), example(document, inner, depth + 1)))
                .collect::<Map<_, _>>()
                .into()
        }
        Some("array") => Value::Array(Vec::new()),
        Some("integer" | "number") => 1.into(),
        Some("boolean") => true.into(),
        Some("object") => Value::Object(Map::new()),
        _ => "…".into(),
    }
}
