//! Identity providers: somebody else says who a person is. Every OpenID Connect issuer (Google is one), and GitHub's OAuth 2.
//!
//! A sign-in has two legs. The first is an address to send the browser to ([`Provider::authorization_url`]); the second turns
//! the code that the browser brings back into a person ([`Provider::redeem`]). What must be remembered between them is the
//! caller's to keep, in an [`Attempt`]. This module refuses to know accounts, cookies and what a group means here.

use engify_core::settings::{IdentityProtocol, IdentityProvider};
use engify_core::words::Email;
use engify_core::{Clock, Secret, Time};

use crate::http::{self, ClientOptions};

mod claims;
mod failure;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod github;
mod oauth;
mod openid;
mod wire;

pub use failure::{Failure, FailureKind};
use github::GitHub;
use openid::OpenId;
use wire::Wire;

/// One provider that is configured. Keeps what its issuer published, for an hour.
#[derive(Debug)]
pub struct Provider {
    id: &'static str,
    label: String,
    protocol: Protocol,
}

#[derive(Debug)]
enum Protocol {
    OpenId(Box<OpenId>),
    GitHub(GitHub),
}

/// What one sign-in was begun with. All three texts are random and used once.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Comes back with the browser: what ties the answer to the request.
    pub state: &'a str,
    /// Comes back inside the ID token: what ties the token to the request.
    pub nonce: &'a str,
    /// PKCE: only who knows it can redeem the code (RFC 7636, 43 to 128 characters of the unreserved set).
    pub verifier: &'a Secret<String>,
    /// Where the provider sends the browser back to.
    pub callback: &'a str,
}

/// Who came back, in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Never changes and is never given to somebody else at the same issuer; at most 255 characters.
    pub subject: String,
    /// Their address; none where the provider gave none that is one.
    pub email: Option<Email>,
    /// Whether the provider says that the address is theirs.
    pub email_verified: bool,
    /// As people call them, where the provider knows; one line, at most 100 characters.
    pub name: Option<String>,
    /// At most 1,000 groups.
    pub groups: Vec<String>,
    /// When they last showed the provider who they are, where it says so: long ago where it let them through silently.
    pub proven_at: Option<Time>,
}

impl Provider {
    /// The provider of these settings. `clock` judges whether tokens have ended.
    ///
    /// # Errors
    /// Those of [`http::client`]: TLS cannot be set up.
    pub fn new(settings: &IdentityProvider, clock: &Clock) -> Result<Self, String> {
        let wire = Wire::new(http::client(ClientOptions::default())?, &settings.label);
        let client = oauth::Client { id: settings.client_id.clone(), secret: settings.client_secret.clone() };
        let protocol = match &settings.protocol {
            IdentityProtocol::OpenId { issuer, scopes, groups_claim, trusts_email } => {
                let asked = openid::Asked {
                    issuer: issuer.clone(),
                    scopes: scopes.clone(),
                    groups_claim: groups_claim.clone(),
                    trusts_email: *trusts_email,
                };
                Protocol::OpenId(Box::new(OpenId::new(asked, client, wire, clock.clone())?))
            }
            IdentityProtocol::GitHub { base_url, api_base_url } => {
                Protocol::GitHub(GitHub::new(base_url, api_base_url, client, wire))
            }
        };
        Ok(Self { id: settings.id, label: settings.label.clone(), protocol })
    }

    /// `google`, `github` or `oidc`.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// What people call it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Who says who a person is: the issuer's name, or GitHub's address. Subjects are unique within it.
    pub fn issuer(&self) -> &str {
        match &self.protocol {
            Protocol::OpenId(openid) => openid.issuer(),
            Protocol::GitHub(github) => github.base_url(),
        }
    }

    /// Where to send the browser. Asks the issuer for its addresses where they are not known.
    ///
    /// # Errors
    /// See [`FailureKind`].
    pub async fn authorization_url(&self, attempt: &Attempt<'_>) -> Result<String, Failure> {
        match &self.protocol {
            Protocol::OpenId(openid) => openid.authorization_url(attempt).await,
            Protocol::GitHub(github) => github.authorization_url(attempt),
        }
    }

    /// Whether the provider can be made to ask a person again, and says when it did. GitHub and Google cannot.
    pub fn asks_again(&self) -> bool {
        self.id == "oidc"
    }

    /// Where to send the browser of somebody whom the provider shall ask again who they are, however lately they signed in
    /// there (OpenID Connect Core §3.1.2.1). Only for one that [`Provider::asks_again`].
    ///
    /// # Errors
    /// See [`FailureKind`].
    pub async fn confirmation_url(&self, attempt: &Attempt<'_>) -> Result<String, Failure> {
        Ok(self.authorization_url(attempt).await? + "&prompt=login&max_age=0")
    }

    /// Turns a code into a person. A code is good for one call.
    ///
    /// # Errors
    /// See [`FailureKind`].
    pub async fn redeem(&self, code: &str, attempt: &Attempt<'_>) -> Result<Person, Failure> {
        match &self.protocol {
            Protocol::OpenId(openid) => openid.redeem(code, attempt).await,
            Protocol::GitHub(github) => github.redeem(code, attempt).await,
        }
    }
}
