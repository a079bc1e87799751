//! Organizations: who owns one, whom it admits, how long it keeps things, and its invitations.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Time;
use crate::ids::{InvitationId, OrganizationId, UserId};
use crate::permission::Role;
use crate::words::{Email, Slug};

/// The most members of one organization, whatever its seats.
pub const MOST_SEATS: u32 = 100_000;
/// The most domains of one organization.
pub const MOST_DOMAINS: usize = 50;
/// The longest retention that can be set, days: a hundred years.
pub const LONGEST_RETENTION: u32 = 36_500;

/// A team that shares prompts, keys and limits.
///
/// What later versions added has a default, so that documents of earlier ones load.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: OrganizationId,
    /// As people call it, 1 to 100 characters.
    pub name: String,
    /// Its name in addresses; unique.
    pub slug: Slug,
    /// Whose it is: always a member and an `org_admin`. None only where no owner was recorded.
    #[serde(default)]
    pub owner_id: Option<UserId>,
    /// Whom it admits, how many, and how long it keeps things.
    #[serde(flatten)]
    pub settings: OrganizationSettings,
    /// Grows with every change of membership or settings; 0 where none was recorded. Two changes at once: one wins.
    #[serde(default)]
    pub revision: u64,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// What an organization's administrator sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OrganizationSettings {
    /// Mail domains that are the organization's own, at most [`MOST_DOMAINS`].
    pub domains: Vec<Domain>,
    /// Whoever has a proven address of these domains may join without an invitation.
    pub domain_join: bool,
    /// Only addresses of these domains may be invited or given an account.
    pub domain_only: bool,
    /// The most members and open invitations together, 1 to [`MOST_SEATS`]; none for as many as there may be at all.
    pub seats: Option<u32>,
    /// Runs are deleted this many days after they were made; none to keep them.
    pub data_retention_days: Option<u32>,
    /// Lines of the audit log are pruned this many days after they were written; none for as long as the installation keeps its
    /// own (`AUDIT_RETENTION_DAYS`).
    pub audit_retention_days: Option<u32>,
}

impl OrganizationSettings {
    /// How many members and open invitations fit.
    pub fn places(&self) -> u64 {
        u64::from(self.seats.unwrap_or(MOST_SEATS))
    }

    /// Whether the address belongs to one of the organization's own domains.
    pub fn has_domain_of(&self, email: &Email) -> bool {
        self.domains.iter().any(|domain| domain.holds(email))
    }
}

/// A mail domain in lower case, with at least one dot, at most 253 bytes. Subdomains are domains of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, schemars::JsonSchema)]
pub struct Domain(String);

impl Domain {
    /// Takes a domain as people type it; a leading `@` is dropped.
    ///
    /// # Errors
    /// Says what a domain looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_start_matches('@').to_lowercase();
        let fits = text.contains('.') && Email::parse(&format!("a@{text}")).is_ok();
        if fits { Ok(Self(text)) } else { Err("is not a mail domain such as example.com".to_owned()) }
    }

    /// The domain of an address.
    pub fn of(email: &Email) -> Self {
        Self(email.as_str().rsplit_once('@').map_or_else(String::new, |(_, domain)| domain.to_owned()))
    }

    /// The domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn holds(&self, email: &Email) -> bool {
        email.as_str().rsplit_once('@').is_some_and(|(_, domain)| domain == self.0)
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Domain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A domain through which people may join an organization by themselves. There is one while the organization's settings
/// say so, and only so that it can be found by the domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenDomain {
    /// `<domain>:<organization>`.
    #[serde(rename = "_id")]
    pub id: String,
    /// The domain.
    pub domain: Domain,
    /// The organization.
    pub organization_id: OrganizationId,
}

impl OpenDomain {
    /// The domain, open for this organization.
    pub fn new(domain: &Domain, organization: &OrganizationId) -> Self {
        let id = format!("{domain}:{organization}");
        Self { id, domain: domain.clone(), organization_id: organization.clone() }
    }
}

/// An open invitation. One that was accepted or revoked is deleted; the audit log remembers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: InvitationId,
    /// Into which organization; one invitation for each address there.
    pub organization_id: OrganizationId,
    /// Whom: only an account with this address may accept.
    pub email: Email,
    /// As what: one of the organization's roles.
    pub role: Role,
    /// SHA-256 of the token in the link, hex; unique. The token itself is only in the mail.
    pub token_hash: String,
    /// By whom.
    pub invited_by: UserId,
    /// When it was first sent.
    pub created_at: Time,
    /// When it was last sent.
    pub sent_at: Time,
    /// When its link ends.
    pub expires_at: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_holds_its_own_addresses_and_no_others() {
        let domain = Domain::parse(" @Example.COM ").unwrap();
        for (email, held) in [
            ("ana@example.com", true),
            ("ana@EXAMPLE.com", true),
            ("ana@mail.example.com", false),
            ("ana@notexample.com", false),
            ("example.com@evil.example", false),
        ] {
            assert_eq!(domain.holds(&Email::parse(email).unwrap()), held, "{email}");
        }
        for bad in ["", "com", "a b.example", "-a.example", "ana@example.com", "exa_mple.com"] {
            assert!(Domain::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_document_from_before_owners_and_settings_loads() {
        let old = serde_json::json!({
            "_id": "o", "name": "Acme", "slug": "acme",
            "createdAt": "2026-11-22T18:04:05.000Z", "updatedAt": "2026-11-22T18:04:05.000Z",
        });
        let organization: Organization = serde_json::from_value(old).unwrap();
        assert_eq!(organization.settings, OrganizationSettings::default());
        assert_eq!((organization.owner_id, organization.revision), (None, 0));
    }
}
