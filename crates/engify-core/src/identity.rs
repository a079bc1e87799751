//! Accounts at identity providers that open accounts here, and people on their way through a provider.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{IdentityId, OrganizationId, UserId};
use crate::permission::Role;
use crate::sealed::Sealed;
use crate::words::Email;

/// An account at an identity provider, linked to one of ours. Issuer and subject together are unique: the same subject
/// of another issuer is somebody else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkedIdentity {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: IdentityId,
    /// Whose account it opens.
    pub user_id: UserId,
    /// `google`, `github` or `oidc`.
    pub provider: String,
    /// Who says so: the issuer's own name, or GitHub's address.
    pub issuer: String,
    /// The person's name there that never changes; at most 255 characters (OpenID Connect Core §2).
    pub subject: String,
    /// The proven address that the provider named last.
    pub email: Email,
    /// The role that the provider's groups gave last: only what a mapping gave, a mapping takes away.
    pub mapped_role: Option<Role>,
    /// The organization that groups or domain gave last.
    pub mapped_organization: Option<OrganizationId>,
    /// When it was linked.
    pub created_at: Time,
    /// When somebody last came in through it.
    pub last_used_at: Time,
}

/// A step of somebody's way through an identity provider. Good for one use, by the browser that began it. The token
/// itself is never stored: `_id` is its SHA-256 as hex.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OauthTicket {
    /// SHA-256 of the token, hex.
    #[serde(rename = "_id")]
    pub id: String,
    /// SHA-256 of the browser's cookie, hex.
    pub browser: String,
    /// `google`, `github` or `oidc`.
    pub provider: String,
    /// Where they are.
    pub step: OauthStep,
    /// The account to link, or to confirm; none while somebody only signs in.
    pub user_id: Option<UserId>,
    /// Whether they only prove anew that the account is theirs.
    #[serde(default)]
    pub confirms: bool,
    /// The path to go on to afterwards.
    pub next: Option<String>,
    /// When it was used.
    pub used_at: Option<Time>,
    /// When it ends, used or not.
    pub expires_at: Time,
}

/// Where somebody is on their way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "camelCase")]
pub enum OauthStep {
    /// With the provider; the token is the `state` of the request.
    Provider {
        /// Ties the ID token to this request.
        nonce: String,
        /// PKCE's secret half, sealed.
        verifier: Sealed,
    },
    /// Back, and asked to prove that the account to be linked is theirs.
    Proof(ProvenPerson),
}

/// Somebody as an identity provider proved them to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenPerson {
    /// Who says so.
    pub issuer: String,
    /// Who it is, in the issuer's words.
    pub subject: String,
    /// Their address, proven.
    pub email: Email,
    /// As people call them.
    pub name: String,
    /// The groups they are in.
    pub groups: Vec<String>,
    /// When they last showed the provider who they are, where it says so.
    #[serde(default)]
    pub proven_at: Option<Time>,
}
