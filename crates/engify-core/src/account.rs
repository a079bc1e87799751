//! People and their sessions.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::factor::FactorKind;
use crate::ids::{OrganizationId, UserId};
use crate::permission::Role;
use crate::secret::{self, Secret};
use crate::words::Email;

/// A person with an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: UserId,
    /// Lower case; unique.
    pub email: Email,
    /// As people call them, 1 to 100 characters.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where they belong.
    pub organization_id: Option<OrganizationId>,
    /// Argon2id, PHC format; none for a person who only comes in through an identity provider or a passkey.
    #[serde(default, with = "secret::at_rest::optional")]
    pub password_hash: Option<Secret<String>>,
    /// The kinds of second factor that are enrolled, each once: the door must know without a second read.
    #[serde(default)]
    pub factors: Vec<FactorKind>,
    /// When the address was proven; none until then.
    pub email_verified_at: Option<Time>,
    /// When an administrator switched the account off.
    pub disabled_at: Option<Time>,
    /// The last successful sign-in.
    pub last_sign_in_at: Option<Time>,
    /// When the account was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// A signed-in browser. The cookie's token is never stored: `_id` is its SHA-256 as hex.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// SHA-256 of the token, hex.
    #[serde(rename = "_id")]
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// When it began.
    pub created_at: Time,
    /// Roughly when it was last used; written at most once a minute.
    pub last_seen_at: Time,
    /// The absolute end, whatever the use.
    pub expires_at: Time,
    /// Where it began.
    pub address: String,
    /// The country where it began, ISO 3166-1 alpha-2, where a trusted proxy says so.
    pub place: Option<String>,
    /// The browser's own words, cut to 200 characters.
    pub agent: String,
    /// When its person last showed a factor, or the password where there is none; none is long ago.
    pub proven_at: Option<Time>,
}

/// A kind of browser at a kind of place from which somebody signed in before: `_id` is a hash of both and of whose it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// SHA-256 of person, browser and network, hex.
    #[serde(rename = "_id")]
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was first seen.
    pub created_at: Time,
}

/// A thing that happens once in the life of an installation: `_id` names it (`first_super_admin`, `seed`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Milestone {
    /// What happened.
    #[serde(rename = "_id")]
    pub id: String,
    /// When.
    pub created_at: Time,
}
