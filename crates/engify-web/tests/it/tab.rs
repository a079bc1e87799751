//! A browser's tab: keeps every cookie, sends forms, goes where it is sent when the test says so.

use std::collections::BTreeMap;

use axum::body::Body;
use engify_testkit::TestApp;
use http::{Method, header};
use url::form_urlencoded::Serializer;

use crate::client::{Client, Reply};

/// A tab.
#[derive(Clone)]
pub(crate) struct Tab {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Tab {
    /// A new browser.
    pub(crate) fn of(test: &TestApp) -> Self {
        Self { client: Client::of(test), cookies: BTreeMap::new() }
    }

    /// Another browser on the same server.
    pub(crate) fn elsewhere(&self) -> Self {
        Self { client: self.client.clone(), cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.send(Method::POST, path, &[kind], Body::from(form)).await
    }

    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Reply {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = headers.to_vec();
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        let reply = self.client.send(method, path, &headers, body).await;
        for cookie in reply.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        reply
    }

    /// Who is signed in.
    pub(crate) async fn person(&mut self) -> Option<serde_json::Value> {
        let session = self.get("/api/auth/session").await.with(200);
        session["user"].as_object().map(|_| session["user"].clone())
    }
}

impl Reply {
    /// Where this reply sends the browser.
    #[track_caller]
    pub(crate) fn goes(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// A page with this status that says so.
    #[track_caller]
    pub(crate) fn says(&self, status: u16, words: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert!(self.text.contains(words), "{words:?} is not in {}", self.text);
    }
}
