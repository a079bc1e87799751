//! A caller of the server: keeps its cookie, speaks JSON.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use engify_testkit::TestApp;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A reply, read whole.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|fault| panic!("{fault}: {}", self.text))
    }

    /// The body of a reply with this status.
    #[track_caller]
    pub(crate) fn with(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The stable word of a failure with this status.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> String {
        let body = self.with(status);
        let request_id = body["requestId"].as_str().unwrap_or_default();
        assert_eq!(self.headers["x-request-id"], request_id, "a failure names its request");
        body["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The fields that a refusal names.
    pub(crate) fn fields(&self) -> Vec<String> {
        let details = self.json()["details"].clone();
        details
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| one["field"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

/// A caller.
#[derive(Clone)]
pub(crate) struct Client {
    server: engify_web::Server,
    cookie: Option<String>,
    key: Option<String>,
    address: SocketAddr,
}

/// A password that is good enough.
pub(crate) const PASSWORD: &str = "violet tractor hums at noon";

impl Client {
    /// A stranger.
    pub(crate) fn of(test: &TestApp) -> Self {
        let server = engify_web::server(&test.app, engify_web::Options::default());
        Self { server, cookie: None, key: None, address: SocketAddr::from(([203, 0, 113, 7], 4711)) }
    }

    /// The same server, nobody signed in.
    pub(crate) fn stranger(&self) -> Self {
        Self { cookie: None, key: None, ..self.clone() }
    }

    /// The same server, from another address.
    pub(crate) fn from(&self, last: u8) -> Self {
        Self { address: SocketAddr::from(([198, 51, 100, last], 4711)), ..self.clone() }
    }

    /// The same server, from the machine that it runs on.
    pub(crate) fn here(&self) -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 4711)), ..self.clone() }
    }

    /// The same server, from an IPv6 address.
    pub(crate) fn at_six(&self, address: &str) -> Self {
        Self { address: SocketAddr::new(address.parse().expect("an address"), 4711), ..self.clone() }
    }

    /// The same person where people come over https: the cookie has the name that browsers enforce there.
    pub(crate) fn over_https(&self) -> Self {
        let cookie = self.cookie.as_ref().map(|cookie| format!("__Host-{cookie}"));
        Self { cookie, ..self.clone() }
    }

    /// The same caller at another server.
    pub(crate) fn at(&self, other: &Self) -> Self {
        Self { server: other.server.clone(), ..self.clone() }
    }

    /// The same server with an API key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { cookie: None, key: Some(key.to_owned()), ..self.clone() }
    }

    /// Somebody at an address of their own: sign-ups and sign-ins are limited by it.
    pub(crate) fn of_name(&self, name: &str) -> Self {
        let mut client = self.stranger();
        client.address.set_ip(
            std::net::Ipv4Addr::from(
                0xC000_0200
                    | u32::try_from(name.len()).unwrap_or(0) << 4
                    | u32::from(name.as_bytes()[0]) << 12,
            )
            .into(),
        );
        client
    }

    /// Somebody who comes back and signs in.
    pub(crate) async fn signed_in(&self, email: &str) -> Self {
        let mut client = self.stranger();
        let reply = client.post("/api/auth/signin", &json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        client.keep_cookie(&reply);
        client
    }

    /// Somebody who just signed up.
    pub(crate) async fn signed_up(&self, name: &str) -> Self {
        let mut client = self.of_name(name);
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD, "name": name });
        let reply = client.post("/api/auth/signup", &body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        client.keep_cookie(&reply);
        client
    }

    /// The first super admin, through the set-up link.
    pub(crate) async fn admin(&self, test: &TestApp) -> Self {
        let ctx =
            engify_app::Ctx::new(&test.app, engify_app::Actor::Anonymous, engify_app::Origin::default());
        let form = engify_app::accounts::SignUp {
            email: "root@example.com".to_owned(),
            password: engify_core::Secret::new(PASSWORD.to_owned()),
            name: "Root".to_owned(),
        };
        let signed_in = engify_app::setup::first_admin(&ctx, test.setup_token.reveal(), form)
            .await
            .expect("a first admin");
        Self {
            cookie: Some(format!("engify_session={}", signed_in.token.reveal())),
            key: None,
            ..self.clone()
        }
    }

    pub(crate) fn keep_cookie(&mut self, reply: &Reply) {
        let cookie = reply.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
        self.cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.json(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.json(Method::PATCH, path, body).await
    }

    pub(crate) async fn json(&self, method: Method, path: &str, body: &Value) -> Reply {
        self.send(method, path, &[("content-type", "application/json")], Body::from(body.to_string())).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Reply {
        let (status, headers, body) = self.open(method, path, headers, body).await;
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        Reply { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// Sends a request and leaves the reply's body unread.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> (StatusCode, HeaderMap, Body) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let mut request = request.body(body).expect("a request");
        request.extensions_mut().insert(ConnectInfo(self.address));
        let reply = self.server.clone().oneshot(request).await.expect("a reply");
        let (parts, body) = reply.into_parts();
        (parts.status, parts.headers, body)
    }
}
