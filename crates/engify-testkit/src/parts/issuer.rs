//! oidc-provider: a certified OpenID Connect issuer, with the people that a test wants, and a browser that signs in there.

use std::collections::BTreeMap;
use std::path::Path;

use engify_clients::http::{ClientOptions, client};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, Url};
use serde_json::Value;
use tempfile::TempDir;

use super::server::{Launch, Server};
use super::shelf;

/// What the issuer calls us, and how it knows that it is us.
pub const CLIENT: (&str, &str) = ("engify", "oidc-client-secret");

/// A running issuer.
pub struct Issuer {
    server: Server,
    people: TempDir,
}

/// What somebody does on the issuer's pages.
#[derive(Debug, Clone, Copy)]
pub enum Visit<'a> {
    /// Signs in as this person and consents.
    SignIn(&'a str),
    /// Changes their mind.
    Cancel,
}

impl Issuer {
    /// An issuer that sends browsers back to `callback`.
    ///
    /// # Panics
    /// When it is not installed or does not start, with the reason.
    #[must_use]
    pub(super) fn start(callback: &str) -> Self {
        let people = TempDir::with_prefix("engify-issuer-").expect("a folder for the issuer's people");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("parts/oidc-provider.mjs");
        let program = script.to_str().expect("a path in UTF-8");
        let launch = Launch { name: "oidc-provider", program, grace: 0, scratch: None };
        let server = Server::start(&launch, |command, port| {
            command
                .arg(port.to_string())
                .arg(callback)
                .arg(people.path().join("people.json"))
                .env("ENGIFY_PARTS", shelf());
        });
        Self { server, people }
    }

    /// Its name and address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// Who there is from now on: login and claims.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn knows(&self, people: &Value) {
        std::fs::write(self.people.path().join("people.json"), people.to_string())
            .expect("the issuer's people");
    }

    /// Opens `url` in a browser of its own and returns the address that the issuer sends it back to.
    ///
    /// # Panics
    /// When the issuer does something else.
    pub async fn visit(&self, url: &str, visit: Visit<'_>) -> Url {
        let mut browser =
            Browser { client: client(ClientOptions::default()).expect("a client"), cookies: BTreeMap::new() };
        let (mut page, mut reply) = browser.get(url.parse().expect("an address")).await;
        loop {
            if let Some(next) = reply.headers().get(LOCATION) {
                let next = page.join(next.to_str().expect("an address")).expect("an address");
                if !next.as_str().starts_with(&self.url()) {
                    return next;
                }
                (page, reply) = browser.get(next).await;
                continue;
            }
            let text = reply.text().await.expect("a page");
            let prompt =
                ["login", "consent"].into_iter().find(|one| text.contains(&format!("value=\"{one}\"")));
            (page, reply) = match (prompt, visit) {
                (Some("login"), Visit::SignIn(login)) => {
                    browser.post(page.clone(), format!("prompt=login&login={login}&password=any")).await
                }
                (Some("consent"), Visit::SignIn(_)) => {
                    browser.post(page.clone(), "prompt=consent".to_owned()).await
                }
                (Some(_), Visit::Cancel) => {
                    browser.get(format!("{page}/abort").parse().expect("an address")).await
                }
                _ => panic!("{page} shows something else:\n{text}"),
            };
        }
    }
}

/// Keeps cookies, whatever their paths: the issuer's have names of their own at each step.
struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    async fn get(&mut self, url: Url) -> (Url, Response) {
        let request = self.client.get(url.clone());
        (url, self.send(request).await)
    }

    async fn post(&mut self, url: Url, form: String) -> (Url, Response) {
        let request = self
            .client
            .post(url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        (url, self.send(request).await)
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let reply = request.header(COOKIE, cookies.join("; ")).send().await.expect("a reply of the issuer");
        for cookie in reply.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }
}
