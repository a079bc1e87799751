//! GitHub's OAuth 2: no ID token, so its API says who the access token is of. The token is used for that and forgotten.

use engify_core::words::Email;
use serde::Deserialize;
use url::Url;

use super::oauth::{self, Client, Showing};
use super::wire::Wire;
use super::{Attempt, Failure, FailureKind, Person, claims};

/// What we ask for: who it is, and their addresses.
const SCOPES: &str = "read:user user:email";

/// GitHub, or a GitHub Enterprise Server.
#[derive(Debug)]
pub(super) struct GitHub {
    base_url: String,
    api_base_url: String,
    client: Client,
    wire: Wire,
}

/// The part of `GET /user` that we read. Logins change hands; the number does not.
#[derive(Deserialize)]
struct Account {
    id: u64,
    login: String,
    name: Option<String>,
}

/// One of `GET /user/emails`.
#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

impl GitHub {
    pub(super) fn new(base_url: &str, api_base_url: &str, client: Client, wire: Wire) -> Self {
        Self { base_url: base_url.to_owned(), api_base_url: api_base_url.to_owned(), client, wire }
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(super) fn authorization_url(&self, attempt: &Attempt<'_>) -> Result<String, Failure> {
        let endpoint = Url::parse(&format!("{}/login/oauth/authorize", self.base_url));
        let endpoint = endpoint.map_err(|fault| self.wire.failure(FailureKind::Misconfigured, fault))?;
        Ok(oauth::authorization_url(&endpoint, &self.client, SCOPES, attempt).into())
    }

    pub(super) async fn redeem(&self, code: &str, attempt: &Attempt<'_>) -> Result<Person, Failure> {
        let endpoint = format!("{}/login/oauth/access_token", self.base_url);
        let tokens =
            oauth::redeem(&self.wire, &endpoint, (&self.client, Showing::Form), code, attempt).await?;
        let account: Account = self.ask("/user", &tokens.access_token).await?;
        let addresses: Vec<Address> = self.ask("/user/emails", &tokens.access_token).await?;
        let primary = addresses.into_iter().find(|address| address.primary);
        Ok(Person {
            subject: account.id.to_string(),
            email_verified: primary.as_ref().is_some_and(|address| address.verified),
            email: primary.and_then(|address| Email::parse(&address.email).ok()),
            name: account.name.as_deref().and_then(claims::named).or_else(|| claims::named(&account.login)),
            groups: Vec::new(),
            proven_at: None,
        })
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, path: &str, token: &str) -> Result<T, Failure> {
        self.wire.get(&format!("{}{path}", self.api_base_url), token).await
    }
}
