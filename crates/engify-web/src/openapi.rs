//! The API's description, OpenAPI 3.1, made from the same route values that the server is made of.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::policy::Access;
use crate::reply::FailureBody;
use crate::route::Route;
use crate::{api, site};

/// The groups of operations, in the order in which somebody new needs them.
const GROUPS: [&str; 16] = [
    "Prompts",
    "Patterns",
    "AI",
    "API keys",
    "Provider keys",
    "Accounts",
    "Second factors",
    "Passkeys",
    "Organizations",
    "Invitations",
    "Users",
    "Administration",
    "Jobs",
    "Backups",
    "Webhooks",
    "System",
];

/// The document; `server` is the address that people use.
pub fn document(server: &str) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let failure = generator.subschema_for::<FailureBody>();
    let mut paths: BTreeMap<&'static str, Map<String, Value>> = BTreeMap::new();
    // Browsers walk some of the API's paths; those stand among the pages.
    let walked = site::routes().into_iter().filter(|route| route.path.starts_with("/api/"));
    for route in api::routes().into_iter().chain(walked).filter(|route| !route.docs.hidden) {
        let operation = operation(&route, &mut generator, &failure);
        paths.entry(route.path).or_default().insert(route.method.as_str().to_lowercase(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Engify",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Lists answer {success, data, nextCursor}; failures answer {error, message, details, requestId}. \
                            Sign in with a session cookie or with Authorization: Bearer egf_…",
        },
        "servers": [{ "url": server }],
        "tags": GROUPS.map(|name| json!({ "name": name })),
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "session": { "type": "apiKey", "in": "cookie", "name": "engify_session" },
                "key": { "type": "http", "scheme": "bearer", "bearerFormat": "egf_…" },
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator, failure: &Schema) -> Value {
    let mut parameters = path_parameters(route.path);
    if let Some(query) = route.docs.query {
        parameters.extend(query_parameters(&query(generator)));
    }
    let mut responses = Map::new();
    for (status, what, schema) in &route.docs.replies {
        let mut reply = json!({ "description": what });
        if let Some(schema) = schema {
            let mut content = json!({ "application/json": { "schema": schema(generator) } });
            if route.docs.streams {
                content["text/event-stream"] = json!({ "schema": { "type": "string" } });
            }
            reply["content"] = content;
        } else if *status == StatusCode::OK {
            reply["content"] = json!({ "*/*": {} });
        }
        responses.insert(status.as_u16().to_string(), reply);
    }
    for status in route.failures() {
        let description = status.canonical_reason().unwrap_or("Failure");
        let reply =
            json!({ "description": description, "content": { "application/json": { "schema": failure } } });
        responses.entry(status.as_u16().to_string()).or_insert(reply);
    }
    let access = match route.policy.access {
        Access::Public => "Open to everybody.".to_owned(),
        Access::SignedIn if route.policy.by_key => "Needs a session or an API key.".to_owned(),
        Access::SignedIn => "Needs a session; API keys are refused.".to_owned(),
        Access::Needs(permission) if permission.is_everybodys() => {
            format!("Open to everybody; API keys need the scope {permission}.")
        }
        Access::Needs(permission) => format!("Needs the permission {permission}."),
        Access::Metrics => "Needs METRICS_TOKEN as bearer token, or the permission system:read.".to_owned(),
        Access::Cron => "Needs CRON_SECRET as bearer token.".to_owned(),
    };
    let limit = route.policy.limit.map_or_else(String::new, |limit| {
        format!(" At most {} requests in {} seconds.", limit.max, limit.window.as_secs())
    });
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [route.docs.tag],
        "summary": route.docs.summary,
        "description": format!("{access}{limit}"),
        "responses": responses,
        "security": match route.policy.access {
            Access::Public => json!([{}, { "session": [] }, { "key": [] }]),
            Access::Needs(permission) if permission.is_everybodys() => {
                json!([{}, { "session": [] }, { "key": [] }])
            }
            Access::SignedIn if !route.policy.by_key => json!([{ "session": [] }]),
            Access::SignedIn | Access::Needs(_) | Access::Metrics => json!([{ "session": [] }, { "key": [] }]),
            Access::Cron => json!([{ "key": [] }]),
        },
    });
    if !parameters.is_empty() {
        operation["parameters"] = Value::from(parameters);
    }
    if let Some(body) = route.docs.body {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body(generator) } } });
    } else if route.path.ends_with("/import") {
        operation["requestBody"] =
            json!({ "required": true, "content": { "text/plain": { "schema": { "type": "string" } } } });
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let path = route
        .path
        .trim_start_matches("/api")
        .trim_start_matches('/')
        .replace(['{', '}'], "")
        .replace(['/', '-', '.'], "_");
    let verb = match route.method {
        Method::GET => "get",
        Method::POST => "post",
        Method::PATCH => "patch",
        Method::PUT => "put",
        _ => "delete",
    };
    format!("{verb}_{path}")
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect()
}

fn query_parameters(schema: &Schema) -> Vec<Value> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    properties
        .iter()
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            let description = schema.get("description").cloned().unwrap_or_default();
            // In a query there is no null: what is optional is left out.
            if let Some(kinds) = schema.get_mut("type")
                && let Some(kind) = kinds.as_array().and_then(|kinds| kinds.iter().find(|kind| **kind != "null").cloned())
            {
                *kinds = kind;
            }
            json!({ "name": name, "in": "query", "required": required.contains(&Value::from(name.as_str())), "description": description, "schema": schema })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_stands_in_a_group() {
        for route in api::routes().iter().filter(|route| !route.docs.hidden) {
            assert!(GROUPS.contains(&route.docs.tag), "{} {}", route.method, route.path);
        }
    }
}
