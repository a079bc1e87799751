//! Identity providers as operators configure them: who may say who a person is, and what follows from it.

use crate::permission::Role;
use crate::secret::Secret;
use crate::words::Slug;

/// Sign-in through others.
#[derive(Debug, Clone, Default)]
pub struct IdentitySettings {
    /// Those that are configured, in the order of their buttons.
    pub providers: Vec<IdentityProvider>,
    /// What membership in a group gives. Groups are compared as they are written.
    pub roles: Vec<(String, Role)>,
    /// Where members of a group, or people of a domain, belong; the first that fits counts.
    pub organizations: Vec<(String, Slug)>,
    /// Domains of addresses that may come in this way, lower case; empty for all.
    pub allowed_domains: Vec<String>,
}

/// One identity provider.
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    /// `google`, `github` or `oidc`: its name in addresses and in the database.
    pub id: &'static str,
    /// On its button.
    pub label: String,
    /// What the provider calls us.
    pub client_id: String,
    /// How the provider knows that it is us.
    pub client_secret: Secret<String>,
    /// What it speaks.
    pub protocol: IdentityProtocol,
}

/// What an identity provider speaks.
#[derive(Debug, Clone)]
pub enum IdentityProtocol {
    /// OpenID Connect, everything found through the issuer's discovery document.
    OpenId {
        /// The issuer exactly as it writes itself, a slash at the end included.
        issuer: String,
        /// What is asked for; `openid` is among them.
        scopes: Vec<String>,
        /// The claim that lists groups.
        groups_claim: String,
        /// Whether an address counts as proven where the issuer says nothing of it.
        trusts_email: bool,
    },
    /// GitHub's OAuth 2 with its own API.
    GitHub {
        /// Where people sign in, without a slash at the end.
        base_url: String,
        /// Where its API is, without a slash at the end.
        api_base_url: String,
    },
}
