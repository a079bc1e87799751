//! What every reply tells browsers, and which writes are not taken from them.

use axum::body::Body;
use engify_testkit::TestApp;
use http::{HeaderMap, Method};
use serde_json::json;

use crate::client::{Client, PASSWORD};

const FILLED: &str = "1";

fn path_of(route: &engify_web::route::Route) -> String {
    let parts = route.path.split('/').map(|part| if part.starts_with('{') { FILLED } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[track_caller]
fn is_hardened(what: &str, headers: &HeaderMap, https: bool) {
    let has = |name: &str| headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
    let policy = has("content-security-policy");
    for wanted in [
        "default-src 'none'",
        "base-uri 'none'",
        "object-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(wanted), "{what}: {policy}");
    }
    for loose in ["unsafe", "http:", "https:", " *"] {
        assert!(!policy.contains(loose), "{what}: {policy}");
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(has(name), value, "{what}: {name}");
    }
    assert!(has("permissions-policy").contains("camera=()"), "{what}");
    assert!(!has("cache-control").is_empty(), "{what} says how long it may be kept");
    assert_eq!(has("strict-transport-security").is_empty(), !https, "{what}");
    assert!(!has("x-request-id").is_empty(), "{what}");
    assert!(!headers.contains_key("server") && !headers.contains_key("x-powered-by"), "{what}");
}

#[tokio::test]
async fn every_reply_of_every_route_is_hardened() {
    let test = TestApp::with(&[
        ("NEXTAUTH_URL", "https://engify.example.com"),
        ("SECURITY_CONTACT", "mailto:x@example.com"),
    ])
    .await;
    let stranger = Client::of(&test);
    let admin = stranger.admin(&test).await.over_https();
    let json = [("content-type", "application/json")];
    let signs_out = |path: &str| path.contains("signout") || path.contains("logout");
    for route in engify_web::routes().into_iter().filter(|route| !signs_out(route.path)) {
        for (who, client) in [("a stranger", &stranger), ("the admin", &admin)] {
            let (status, headers, _) =
                client.open(route.method.clone(), &path_of(&route), &json, Body::from("{}")).await;
            let what = format!("{} {} for {who}: {status}", route.method, route.path);
            is_hardened(&what, &headers, true);
            let keeps = headers["cache-control"].to_str().unwrap();
            let for_all = keeps.starts_with("public");
            assert!(who == "a stranger" || for_all || keeps == "no-store", "{what}: {keeps}");
            if let Some(cookie) = headers.get("set-cookie") {
                let cookie = cookie.to_str().unwrap();
                for wanted in ["__Host-", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
                    assert!(cookie.contains(wanted), "{what}: {cookie}");
                }
                assert!(!cookie.contains("Domain"), "{what}: {cookie}");
            }
        }
    }
    let page = stranger.get("/").await;
    for word in page.text.split('"').filter(|word| word.starts_with("/assets/")) {
        is_hardened(word, &stranger.get(word).await.headers, true);
    }
    for (what, reply) in [
        ("a page again, kept", stranger.get("/").await),
        ("nothing here", stranger.get("/no/such/page").await),
        ("a wrong method", stranger.delete("/prompts").await),
        ("no JSON", stranger.send(Method::POST, "/api/auth/signin", &[], Body::from("x")).await),
        ("a bad key", stranger.with_key("egf_wrong").get("/api/prompts").await),
        (
            "another site",
            stranger
                .send(Method::POST, "/api/prompts", &[("sec-fetch-site", "cross-site")], Body::empty())
                .await,
        ),
    ] {
        is_hardened(what, &reply.headers, true);
    }
    let test = TestApp::start().await;
    is_hardened("plain http", &Client::of(&test).get("/").await.headers, false);
}

#[tokio::test]
async fn pages_hold_no_inline_script_or_style() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    for route in engify_web::routes().into_iter().filter(|route| route.is_page && route.method == Method::GET)
    {
        let (_, headers, body) = admin.open(Method::GET, &path_of(&route), &[], Body::empty()).await;
        if headers.get("content-type").is_none_or(|kind| !kind.as_bytes().starts_with(b"text/html")) {
            continue;
        }
        let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        let page = String::from_utf8(bytes.to_vec()).unwrap();
        for inline in [" style=", " onclick=", " onload=", "javascript:", "<style"] {
            assert!(!page.contains(inline), "{}: {inline}", route.path);
        }
        assert!(
            page.split("<script")
                .skip(1)
                .all(|script| script.trim_start().starts_with("src=") || script.contains("src=\"/assets/")),
            "{}",
            route.path
        );
    }
}

#[tokio::test]
async fn writes_of_other_sites_are_refused_and_all_others_taken() {
    let test = TestApp::with(&[("NEXTAUTH_URL", "http://people.example.com:8080")]).await;
    let ana = Client::of(&test).signed_up("ana").await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let json = ("content-type", "application/json");
    let host = ("host", "inside.local");
    for (headers, refused) in [
        (vec![("sec-fetch-site", "cross-site")], true),
        (vec![("sec-fetch-site", "same-site")], true),
        (vec![("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], true),
        (vec![("origin", "https://evil.example")], true),
        (vec![("origin", "null")], true),
        (vec![("origin", "http://people.example.com")], true),
        (vec![("origin", "http://people.example.com:8080.evil.example")], true),
        (vec![("sec-fetch-site", "same-origin")], false),
        (vec![("sec-fetch-site", "none")], false),
        // Behind a proxy that names us otherwise.
        (vec![("origin", "http://people.example.com:8080")], false),
        (vec![("origin", "http://people.example.com:8080"), ("sec-fetch-site", "cross-site")], false),
        (vec![("origin", "http://inside.local")], false),
        (vec![], false),
    ] {
        for kind in [form, json] {
            let sent: Vec<_> = headers.iter().copied().chain([kind, host]).collect();
            let api = ana.send(Method::POST, "/api/prompts", &sent, Body::from("{}")).await;
            let page = ana.send(Method::POST, "/settings/profile", &sent, Body::from("name=Ana")).await;
            for reply in [&api, &page] {
                assert_eq!(reply.status == 403, refused, "{sent:?}: {} {}", reply.status, reply.text);
            }
            if refused {
                assert_eq!(api.refused(403), "cross_origin");
            }
        }
    }
    assert_eq!(
        ana.send(Method::GET, "/prompts", &[("sec-fetch-site", "cross-site")], Body::empty()).await.status,
        200,
        "links from elsewhere work"
    );
}

#[tokio::test]
async fn what_is_sent_is_never_part_of_a_page() {
    let test = TestApp::start().await;
    let admin = Client::of(&test).admin(&test).await;
    const RAW: [&str; 2] = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>"];
    let fields = [
        "q", "category", "role", "tag", "sort", "cursor", "next", "done", "token", "user", "action",
        "outcome", "target", "address", "from", "to", "tab", "provider", "model", "status", "a", "b",
        "format", "limit", "featured", "window", "name",
    ];
    for raw in RAW {
        let escaped: String = url::form_urlencoded::byte_serialize(raw.as_bytes()).collect();
        for route in engify_web::routes().into_iter().filter(|route| route.method == Method::GET) {
            let path: Vec<String> = route
                .path
                .split('/')
                .map(|part| if part.starts_with('{') { escaped.replace('+', "%20") } else { part.to_owned() })
                .collect();
            let path = path.join("/");
            let mut addresses = vec![path.clone()];
            addresses.extend(fields.iter().map(|field| format!("{path}?{field}={escaped}")));
            addresses.push(format!("{path}?{escaped}=1"));
            for address in addresses {
                let (_, headers, body) = admin.open(Method::GET, &address, &[], Body::empty()).await;
                let kind = headers
                    .get("content-type")
                    .map(|kind| kind.to_str().unwrap().to_owned())
                    .unwrap_or_default();
                for (name, value) in &headers {
                    assert!(!String::from_utf8_lossy(value.as_bytes()).contains('<'), "{address}: {name}");
                }
                if kind.starts_with("text/html") {
                    let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
                    assert!(!String::from_utf8_lossy(&bytes).contains(raw), "{address}");
                } else {
                    assert!(
                        !kind.contains("svg") && !kind.contains("xml") || route.path.starts_with("/assets"),
                        "{address}: {kind}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn who_finds_a_weakness_learns_where_to_report_it() {
    let test = TestApp::with(&[("SECURITY_CONTACT", "security@example.com")]).await;
    let reply = Client::of(&test).get("/.well-known/security.txt").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(
        reply.text,
        "Contact: mailto:security@example.com\nExpires: 2027-05-21T00:00:00.000Z\nPreferred-Languages: en\n\
         Canonical: http://localhost:3000/.well-known/security.txt\n"
    );
    let test = TestApp::start().await;
    assert_eq!(
        Client::of(&test).get("/.well-known/security.txt").await.status,
        404,
        "nobody promised to answer"
    );
}

#[tokio::test]
async fn refusals_are_in_the_audit_log_and_bounded() {
    let test = TestApp::with(&[("NEXT_PUBLIC_ALLOW_SIGNUP", "true")]).await;
    let admin = Client::of(&test).admin(&test).await;
    let ana = admin.signed_up("ana").await;
    ana.get("/api/admin/stats").await.refused(403);
    let stranger = ana.stranger().from(9);
    for _ in 0..30 {
        stranger.with_key("egf_wrong").get("/api/prompts").await.refused(401);
    }
    for _ in 0..25 {
        stranger.post("/api/auth/signin", &json!({ "email": "x@example.com", "password": PASSWORD })).await;
    }
    engify_app::audit::settle(&engify_app::Ctx::system(&test.app, "test")).await.unwrap();
    let of = async |query: &str| {
        admin.get(&format!("/api/admin/audit?limit=100&{query}")).await.with(200)["data"].clone()
    };
    let access = of("action=access_refused").await;
    assert_eq!(access[0]["target"], json!({ "kind": "route", "id": "GET /api/admin/stats" }));
    assert_eq!(access[0]["details"], json!({ "lacks": "system:read" }));
    let keys = of("action=api_key_refused&outcome=refused&address=198.51.100.9").await;
    assert_eq!(keys.as_array().map(Vec::len), Some(10), "a stranger does not fill the log");
    let limited = of("action=user_signed_in&outcome=refused").await;
    assert!(limited.to_string().contains("invalid_credentials"), "{limited}");
}
