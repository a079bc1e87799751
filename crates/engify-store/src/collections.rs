//! The typed collections: every entity of core with its collection and indexes, declared once.

use engify_core::account::{Device, Milestone, Session, User};
use engify_core::api_key::{ApiKey, KeyUsage};
use engify_core::audit::{AuditBlock, AuditEntry};
use engify_core::backup::{Backup, Drill, Shipping};
use engify_core::factor::{Ceremony, Factors, HalfSession, Passkey};
use engify_core::identity::{LinkedIdentity, OauthTicket};
use engify_core::job::{Job, Schedule};
use engify_core::link::Link;
use engify_core::message::Message;
use engify_core::organization::{Invitation, OpenDomain, Organization};
use engify_core::prompt::{Favorite, Prompt, PromptVersion, Rating};
use engify_core::provider_key::ProviderKey;
use engify_core::run::Run;

use crate::Doc;
use crate::collection::Direction::{Ascending as Asc, Descending as Desc};
use crate::collection::{Collection, Derived, Direction, Entity, Index, IndexKind, folded, last_word};

/// The collection of this name.
pub fn named(name: &str) -> Option<&'static Collection> {
    ALL.iter().find(|collection| collection.name == name)
}

const fn plain(fields: &'static [(&'static str, Direction)]) -> Index {
    Index { fields, kind: IndexKind::Plain }
}

const fn unique(fields: &'static [(&'static str, Direction)]) -> Index {
    Index { fields, kind: IndexKind::Unique }
}

// What people and organizations are found by: the beginning of their name; people also by that of its last word.
const PERSON_KEYS: &[Derived] = &[NAME_KEY, Derived { from: "name", to: "lastNameKey", make: last_word }];
const ORGANIZATION_KEYS: &[Derived] = &[NAME_KEY];
const NAME_KEY: Derived = Derived { from: "name", to: "nameKey", make: folded };

macro_rules! collections {
    ($($entity:ident $(($flag:ident))? in $name:literal by $id:expr => [$($index:expr),* $(,)?] $(and $derived:expr)?;)+) => {
        $(impl Entity for $entity {
            const COLLECTION: Collection = Collection {
                name: $name,
                indexes: &[$($index),*],
                journaled: collections!(@journaled $($flag)?),
                derived: collections!(@derived $($derived)?),
            };

            fn id(&self) -> &str {
                let id: fn(&$entity) -> &str = $id;
                id(self)
            }
        })+

        /// Every collection there is.
        pub const ALL: &[Collection] = &[$($entity::COLLECTION),+];

        /// Whether a document is one of this collection's, as the program reads them.
        ///
        /// # Errors
        /// Says what is missing or wrong.
        pub fn fits(collection: &str, doc: &Doc) -> Result<(), String> {
            let doc = serde_json::Value::Object(doc.clone());
            match collection {
                $($name => serde_json::from_value::<$entity>(doc).map(drop).map_err(|fault| fault.to_string()),)+
                _ => Err("is in no collection of ours".to_owned()),
            }
        }
    };
    (@journaled) => { true };
    (@journaled unjournaled) => { false };
    (@derived) => { &[] };
    (@derived $derived:expr) => { $derived };
}

collections! {
    User in "users" by |user| user.id.as_str() => [
        unique(&[("email", Asc)]),
        plain(&[("organizationId", Asc)]),
        plain(&[("role", Asc)]),
        plain(&[("nameKey", Asc)]),
        plain(&[("lastNameKey", Asc)]),
        plain(&[("organizationId", Asc), ("nameKey", Asc)]),
        plain(&[("organizationId", Asc), ("lastNameKey", Asc)]),
        plain(&[("organizationId", Asc), ("email", Asc)]),
    ] and PERSON_KEYS;
    Organization in "organizations" by |organization| organization.id.as_str() => [
        unique(&[("slug", Asc)]),
        plain(&[("nameKey", Asc)]),
    ] and ORGANIZATION_KEYS;
    Invitation in "invitations" by |invitation| invitation.id.as_str() => [
        unique(&[("organizationId", Asc), ("email", Asc)]),
        unique(&[("tokenHash", Asc)]),
        plain(&[("organizationId", Asc), ("expiresAt", Asc)]),
    ];
    OpenDomain in "open_domains" by |domain| &domain.id => [
        plain(&[("domain", Asc)]),
    ];
    Milestone in "milestones" by |milestone| &milestone.id => [];
    Session in "sessions" by |session| &session.id => [
        plain(&[("userId", Asc)]),
        plain(&[("expiresAt", Asc)]),
    ];
    ApiKey in "api_keys" by |key| key.id.as_str() => [
        plain(&[("userId", Asc)]),
        unique(&[("keyHash", Asc)]),
        plain(&[("expiresAt", Asc)]),
    ];
    Prompt in "prompts" by |prompt| prompt.id.as_str() => [
        plain(&[("category", Asc), ("role", Asc)]),
        plain(&[("featured", Asc), ("createdAt", Desc)]),
        Index { fields: &[("title", Asc), ("description", Asc)], kind: IndexKind::Text },
        unique(&[("slug", Asc)]),
        plain(&[("userId", Asc), ("createdAt", Desc)]),
        plain(&[("createdAt", Desc)]),
        plain(&[("audience", Asc), ("createdAt", Desc)]),
    ];
    PromptVersion in "prompt_versions" by |version| version.id.as_str() => [
        unique(&[("promptId", Asc), ("version", Desc)]),
    ];
    Rating in "ratings" by |rating| &rating.id => [
        plain(&[("promptId", Asc)]),
    ];
    Favorite in "favorites" by |favorite| &favorite.id => [
        plain(&[("userId", Asc), ("createdAt", Desc)]),
        plain(&[("promptId", Asc)]),
    ];
    Run in "ai_runs" by |run| run.id.as_str() => [
        unique(&[("userId", Asc), ("runId", Asc)]),
        plain(&[("userId", Asc), ("createdAt", Desc)]),
        plain(&[("organizationId", Asc), ("createdAt", Desc)]),
        plain(&[("promptId", Asc), ("createdAt", Desc)]),
    ];
    AuditEntry in "audit_logs" by |entry| entry.id.as_str() => [
        plain(&[("userId", Asc), ("createdAt", Desc)]),
        plain(&[("action", Asc), ("createdAt", Desc)]),
        plain(&[("createdAt", Desc)]),
        plain(&[("organizationId", Asc), ("createdAt", Desc)]),
        plain(&[("outcome", Asc), ("createdAt", Desc)]),
        plain(&[("target.id", Asc), ("createdAt", Desc)]),
        plain(&[("address", Asc), ("createdAt", Desc)]),
    ];
    LinkedIdentity in "identities" by |identity| identity.id.as_str() => [
        unique(&[("issuer", Asc), ("subject", Asc)]),
        plain(&[("userId", Asc)]),
    ];
    OauthTicket in "oauth_tickets" by |ticket| &ticket.id => [
        plain(&[("expiresAt", Asc)]),
    ];
    Message in "messages" by |message| message.id.as_str() => [
        plain(&[("state", Asc), ("nextTryAt", Asc)]),
        plain(&[("state", Asc), ("createdAt", Desc)]),
        plain(&[("createdAt", Desc)]),
        plain(&[("reference", Asc)]),
        plain(&[("expiresAt", Asc)]),
    ];
    Link in "links" by |link| &link.id => [
        plain(&[("userId", Asc)]),
        plain(&[("expiresAt", Asc)]),
    ];
    Device in "devices" by |device| &device.id => [
        plain(&[("userId", Asc)]),
    ];
    ProviderKey in "provider_keys" by |key| key.id.as_str() => [
        unique(&[("audience", Asc), ("provider", Asc)]),
        plain(&[("audience", Asc)]),
    ];
    KeyUsage in "key_usage" by |usage| &usage.id => [
        plain(&[("keyId", Asc), ("day", Asc)]),
    ];
    AuditBlock in "audit_chain" by |block| &block.id => [];
    Factors in "factors" by |factors| factors.id.as_str() => [];
    Passkey in "passkeys" by |passkey| &passkey.id => [
        plain(&[("userId", Asc)]),
    ];
    Ceremony in "ceremonies" by |ceremony| &ceremony.id => [
        plain(&[("expiresAt", Asc)]),
    ];
    HalfSession in "half_sessions" by |half| &half.id => [
        plain(&[("userId", Asc)]),
        plain(&[("expiresAt", Asc)]),
    ];
    Backup in "backups" by |backup| backup.id.as_str() => [
        plain(&[("createdAt", Desc)]),
        plain(&[("state", Asc), ("createdAt", Desc)]),
    ];
    Drill in "drills" by |drill| drill.id.as_str() => [
        plain(&[("startedAt", Desc)]),
        plain(&[("kind", Asc), ("startedAt", Desc)]),
    ];
    Job in "jobs" by |job| job.id.as_str() => [
        plain(&[("lane", Asc), ("dueAt", Asc)]),
        unique(&[("singleton", Asc)]),
        unique(&[("slot", Asc)]),
        plain(&[("state", Asc), ("createdAt", Desc)]),
        plain(&[("kind", Asc), ("createdAt", Desc)]),
        plain(&[("createdAt", Desc)]),
        plain(&[("expiresAt", Asc)]),
    ];
    Schedule in "schedules" by |schedule| &schedule.id => [
        plain(&[("nextAt", Asc)]),
    ];
    Shipping (unjournaled) in "shipping" by |shipping| &shipping.id => [];
}
