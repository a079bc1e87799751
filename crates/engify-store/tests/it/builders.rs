//! Entities for tests, each different from the one before.

use std::sync::atomic::{AtomicU64, Ordering};

use engify_core::account::{Device, Milestone, Session, User};
use engify_core::api_key::{ApiKey, KeyLimits, KeyUsage};
use engify_core::audit::{Action, AuditEntry, Outcome, Target};
use engify_core::ids::{
    ApiKeyId, AuditId, InvitationId, MessageId, OrganizationId, PromptId, RunId, UserId, VersionId,
};
use engify_core::link::{Link, Purpose};
use engify_core::message::{Channel, Message, MessageFailure, MessageKind, MessageState, Receiver};
use engify_core::organization::{Domain, Invitation, OpenDomain, Organization, OrganizationSettings};
use engify_core::permission::Role;
use engify_core::prompt::{Draft, Favorite, Prompt, PromptVersion, Rating, Source};
use engify_core::provider_key::ProviderKey;
use engify_core::run::{Run, RunStatus, Usage};
use engify_core::tenancy::{Scope, Tenancy, Visibility};
use engify_core::words::{Email, Slug};
use engify_core::{Clock, Ids, Sealed, Secret, Time};

/// 22 November 2026, 18:04:05.123: not a whole second, on purpose.
pub(crate) fn noon() -> Time {
    "2026-11-22T18:04:05.123Z".parse().expect("a time")
}

pub(crate) fn ids() -> Ids {
    Ids::system(Clock::system())
}

pub(crate) fn everything() -> Scope {
    Scope::Everything("a test looks at all of it")
}

fn next() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) fn user() -> User {
    User {
        id: UserId::make(&ids()),
        email: Email::parse(&format!("user-{}@example.com", next())).expect("an address"),
        name: "Ana Ángel 😀".to_owned(),
        role: Role::User,
        organization_id: None,
        password_hash: Some(Secret::new("$argon2id$…".to_owned())),
        factors: Vec::new(),
        email_verified_at: Some(noon()),
        disabled_at: None,
        last_sign_in_at: None,
        created_at: noon(),
        updated_at: noon(),
    }
}

pub(crate) fn organization() -> Organization {
    Organization {
        id: OrganizationId::make(&ids()),
        name: "Acme".to_owned(),
        slug: Slug::parse(&format!("acme-{}", next())).expect("a slug"),
        owner_id: None,
        settings: OrganizationSettings::default(),
        revision: 1,
        created_at: noon(),
        updated_at: noon(),
    }
}

pub(crate) fn invitation(organization: &OrganizationId, user: &UserId) -> Invitation {
    Invitation {
        id: InvitationId::make(&ids()),
        organization_id: organization.clone(),
        email: Email::parse("dora@example.com").expect("an address"),
        role: Role::OrgMember,
        token_hash: "ab".repeat(32),
        invited_by: user.clone(),
        created_at: noon(),
        sent_at: noon(),
        expires_at: noon(),
    }
}

pub(crate) fn open_domain(organization: &OrganizationId) -> OpenDomain {
    OpenDomain::new(&Domain::parse("example.com").expect("a domain"), organization)
}

pub(crate) fn milestone() -> Milestone {
    Milestone { id: "seed".to_owned(), created_at: noon() }
}

pub(crate) fn session(user: &UserId) -> Session {
    Session {
        id: format!("{:064x}", next()),
        user_id: user.clone(),
        created_at: noon(),
        last_seen_at: noon(),
        expires_at: noon(),
        address: "127.0.0.1".to_owned(),
        place: None,
        agent: "a browser".to_owned(),
        proven_at: Some(noon()),
    }
}

pub(crate) fn api_key(user: &UserId) -> ApiKey {
    ApiKey {
        id: ApiKeyId::make(&ids()),
        tenancy: private(user),
        name: "laptop".to_owned(),
        prefix: "egf_01234567".to_owned(),
        key_hash: format!("{:064x}", next()),
        scopes: Vec::new(),
        expires_at: None,
        last_used_at: Some(noon()),
        revoked_at: None,
        replaced_by: None,
        allowed_addresses: Vec::new(),
        limits: KeyLimits::default(),
        reminded_days: None,
        created_at: noon(),
    }
}

/// Sealed text is only text to a store.
pub(crate) fn provider_key(tenancy: Tenancy, provider: &str) -> ProviderKey {
    let seal = |place: &str, _: &Secret<String>| {
        let text = format!("{place} {}", next());
        Ok::<_, ()>(Sealed { key_id: "0123abcd".to_owned(), nonce: "00".to_owned(), text })
    };
    let key = Secret::new("sk-0123456789".to_owned());
    ProviderKey::make(&ids(), tenancy, provider, &key, noon(), seal).expect("a key")
}

pub(crate) fn key_usage(user: &UserId) -> KeyUsage {
    KeyUsage { requests: 7, ..KeyUsage::none(user, &ApiKeyId::make(&ids()), "2026-11-22") }
}

pub(crate) fn private(user: &UserId) -> Tenancy {
    Tenancy::new(Some(user.clone()), None, Visibility::Private)
}

pub(crate) fn public() -> Tenancy {
    Tenancy::new(None, None, Visibility::Public)
}

pub(crate) fn draft(title: &str, content: &str) -> Draft {
    Draft {
        title: title.to_owned(),
        description: format!("What {title} is for"),
        content: content.to_owned(),
        category: "engineering".to_owned(),
        role: "engineer".to_owned(),
        tags: vec!["quality".to_owned()],
        pattern: None,
        difficulty: engify_core::prompt::Difficulty::default(),
        variables: Vec::new(),
    }
}

pub(crate) fn prompt(title: &str, tenancy: Tenancy) -> Prompt {
    let id = PromptId::make(&ids());
    Prompt {
        slug: Slug::from_title(&format!("{} {title}", &id.as_str()[24..])),
        id,
        tenancy,
        draft: draft(title, "Look at {{code}} and say what you would change."),
        featured: false,
        version: 1,
        author: "Ana".to_owned(),
        source: Source::User,
        uses: 0,
        rating_sum: 0,
        rating_count: 0,
        created_at: noon(),
        updated_at: noon(),
    }
}

pub(crate) fn version(prompt: &Prompt) -> PromptVersion {
    PromptVersion {
        id: VersionId::make(&ids()),
        prompt_id: prompt.id.clone(),
        version: prompt.version,
        draft: prompt.draft.clone(),
        author_id: None,
        author: "Ana".to_owned(),
        note: "first".to_owned(),
        created_at: noon(),
    }
}

pub(crate) fn rating(prompt: &Prompt, user: &UserId) -> Rating {
    Rating {
        id: format!("{}:{user}", prompt.id),
        prompt_id: prompt.id.clone(),
        user_id: user.clone(),
        stars: 5,
        created_at: noon(),
    }
}

pub(crate) fn favorite(prompt: &Prompt, user: &UserId) -> Favorite {
    Favorite {
        id: format!("{}:{user}", prompt.id),
        prompt_id: prompt.id.clone(),
        user_id: user.clone(),
        created_at: noon(),
    }
}

pub(crate) fn run(user: &UserId) -> Run {
    Run {
        id: RunId::make(&ids()),
        tenancy: private(user),
        run_id: format!("run-{}", next()),
        key_id: None,
        prompt_id: None,
        prompt_slug: None,
        prompt_version: None,
        provider: "dry-run".to_owned(),
        model: "none".to_owned(),
        key_source: None,
        status: RunStatus::Completed,
        failure: None,
        system_prompt: None,
        prompt: "Say hello".to_owned(),
        response: "Hello".to_owned(),
        usage: Usage { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3, estimated: true },
        cost: None,
        latency_ms: 1.5,
        first_token_ms: None,
        temperature: Some(0.7),
        max_tokens: None,
        created_at: noon(),
    }
}

pub(crate) fn audit_entry(user: &UserId) -> AuditEntry {
    AuditEntry {
        id: AuditId::make(&ids()),
        user_id: Some(user.clone()),
        organization_id: None,
        key_id: None,
        action: Action::UserCreated,
        outcome: Outcome::Success,
        target: Target::new("user", user),
        address: "127.0.0.1".to_owned(),
        agent: "a test".to_owned(),
        request_id: "r-1".to_owned(),
        details: serde_json::json!({"nested": {"deep": [1, 2.5, null, true]}}),
        created_at: noon(),
    }
}

pub(crate) fn message(user: &UserId) -> Message {
    Message {
        id: MessageId::make(&ids()),
        channel: Channel::Mail,
        kind: MessageKind::ResetPassword,
        to: Receiver::new("ana@example.com"),
        user_id: Some(user.clone()),
        content: Some(Sealed {
            key_id: "01234567".to_owned(),
            nonce: "00".to_owned(),
            text: "00".to_owned(),
        }),
        state: MessageState::Queued,
        attempts: 1,
        next_try_at: Some(noon()),
        useful_until_at: Some(noon()),
        failure: Some(MessageFailure { kind: "away".to_owned(), message: "It is away.".to_owned() }),
        reference: None,
        created_at: noon(),
        sent_at: None,
        expires_at: noon(),
    }
}

pub(crate) fn link(user: &UserId) -> Link {
    Link {
        id: format!("link-{}", next()),
        purpose: Purpose::ResetPassword,
        user_id: user.clone(),
        email: Email::parse("ana@example.com").expect("an address"),
        created_at: noon(),
        expires_at: noon(),
        used_at: None,
    }
}

pub(crate) fn device(user: &UserId) -> Device {
    Device { id: format!("device-{}", next()), user_id: user.clone(), created_at: noon() }
}
