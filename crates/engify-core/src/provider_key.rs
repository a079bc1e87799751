//! Keys of AI providers that people and organizations bring. The key itself is sealed; nothing here opens it.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{Ids, OrganizationId, ProviderKeyId, UserId};
use crate::permission::words;
use crate::sealed::Sealed;
use crate::secret::Secret;
use crate::tenancy::{Audience, Tenancy, Visibility};

words! {
    /// Whose key a run is made with. A caller's own goes before their organization's, that before the installation's.
    KeySource, "a source of keys", {
        /// The caller's own.
        Own = "own",
        /// Their organization's.
        Organization = "organization",
        /// The installation's: its settings.
        Installation = "installation",
    }
}

/// A provider's key at rest. One for each owner and provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderKey {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: ProviderKeyId,
    /// Whose it is: a person's (private) or an organization's. The audience names the owner.
    #[serde(flatten)]
    pub tenancy: Tenancy,
    /// `openai`, `anthropic`, …
    pub provider: String,
    /// The key, sealed for [`ProviderKey::place`].
    pub sealed: Sealed,
    /// The last four characters, for recognition.
    pub hint: String,
    /// When it was first stored.
    pub created_at: Time,
    /// When it was last replaced.
    pub updated_at: Time,
    /// Roughly when a run last used it; written at most once a minute.
    pub last_used_at: Option<Time>,
    /// What came of trying it last; none since it was replaced.
    pub last_test: Option<KeyTest>,
}

/// What came of trying a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyTest {
    /// When.
    pub tested_at: Time,
    /// Whether the provider took it.
    pub ok: bool,
    /// `works`, `bad_format`, `bad_key`, `rate_limited`, `timeout`, `upstream`, `unreadable`.
    pub reason: String,
}

impl ProviderKey {
    /// A key not yet stored. `seal` is given the place that the key is sealed for.
    ///
    /// # Errors
    /// Those of `seal`.
    pub fn make<E>(
        ids: &Ids,
        tenancy: Tenancy,
        provider: &str,
        key: &Secret<String>,
        now: Time,
        seal: impl FnOnce(&str, &Secret<String>) -> Result<Sealed, E>,
    ) -> Result<Self, E> {
        let sealed = seal(&place(&tenancy.audience, provider), key)?;
        Ok(Self {
            id: ProviderKeyId::make(ids),
            tenancy,
            provider: provider.to_owned(),
            sealed,
            hint: hint(key),
            created_at: now,
            updated_at: now,
            last_used_at: None,
            last_test: None,
        })
    }

    /// Where the sealed key belongs: bound to owner and provider, so that a document copied to another owner does not open.
    pub fn place(&self) -> String {
        place(&self.tenancy.audience, &self.provider)
    }
}

fn place(owner: &Audience, provider: &str) -> String {
    format!("provider_key:{owner}:{provider}")
}

/// The last four characters of a key; nothing of one that is shorter than 12.
pub fn hint(key: &Secret<String>) -> String {
    let count = key.reveal().chars().count();
    key.reveal().chars().skip(if count < 12 { count } else { count - 4 }).collect()
}

/// The ownership of a person's own key. It stays theirs whatever organization they belong to.
pub fn of_person(user: &UserId) -> Tenancy {
    Tenancy::new(Some(user.clone()), None, Visibility::Private)
}

/// The ownership of an organization's key. No person owns it.
pub fn of_organization(organization: &OrganizationId) -> Tenancy {
    Tenancy::new(None, Some(organization.clone()), Visibility::Organization)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_never_gives_a_short_key_away() {
        let of = |key: &str| hint(&Secret::new(key.to_owned()));
        assert_eq!([of("sk-proj-0123456789"), of("sk-12345678"), of("")], ["6789", "", ""]);
    }
}
