//! The JSON of entities: what callers may see of them, `_id` shown as `id`.

use engify_app::Identity;
use engify_app::prompts::Card;
use engify_core::Time;
use engify_core::account::User;
use engify_core::api_key::{ApiKey, KeyLimits, PlainKey};
use engify_core::audit::AuditEntry;
use engify_core::permission::{Permission, Role};
use engify_core::prompt::{Difficulty, Draft, Prompt, PromptVersion, Variable};
use engify_core::provider_key::KeySource;
use engify_core::run::{NanoUsd, Run, RunStatus, Usage};
use engify_core::tenancy::Visibility;
use schemars::JsonSchema;
use serde::Serialize;

mod backup;
mod job;
mod message;

pub(crate) use backup::{BackupView, DrillView, EndingView};
pub(crate) use job::{JobView, ScheduleView};
pub(crate) use message::MessageView;

mod tenants;

pub(crate) use tenants::{InvitationView, LetterView, MemberView, OrganizationView, UserDetailView};

/// A person, as they see themselves.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserView {
    id: String,
    email: String,
    name: String,
    role: Role,
    organization_id: Option<String>,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.to_string(),
            name: user.name.clone(),
            role: user.role,
            organization_id: user.organization_id.as_ref().map(ToString::to_string),
        }
    }
}

/// A person, as administrators see them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserRow {
    #[serde(flatten)]
    user: UserView,
    created_at: Time,
    last_sign_in_at: Option<Time>,
    disabled_at: Option<Time>,
}

impl From<&User> for UserRow {
    fn from(user: &User) -> Self {
        Self {
            user: user.into(),
            created_at: user.created_at,
            last_sign_in_at: user.last_sign_in_at,
            disabled_at: user.disabled_at,
        }
    }
}

/// A session: who, and until when. `user` is null for strangers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionView {
    user: Option<UserView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
}

impl SessionView {
    pub(crate) fn new(user: &User, expires: Time) -> Self {
        Self { user: Some(user.into()), expires: Some(expires) }
    }

    pub(crate) fn of(identity: Option<&Identity>) -> Self {
        let expires = identity.and_then(|identity| {
            let by_key = identity.key.as_ref().and_then(|key| key.expires_at);
            identity.session.as_ref().map(|session| session.expires_at).or(by_key)
        });
        Self { user: identity.map(|identity| identity.user.as_ref().into()), expires }
    }
}

/// One of the caller's sessions.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OneSession {
    pub(crate) id: String,
    pub(crate) created_at: Time,
    pub(crate) last_seen_at: Time,
    pub(crate) expires_at: Time,
    pub(crate) address: String,
    /// The country, where a proxy in front says it.
    pub(crate) place: Option<String>,
    /// The browser and its system in words.
    pub(crate) device: String,
    pub(crate) agent: String,
    pub(crate) current: bool,
}

/// A prompt in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PromptRow {
    id: String,
    slug: String,
    title: String,
    description: String,
    category: String,
    role: String,
    tags: Vec<String>,
    pattern: Option<String>,
    difficulty: Difficulty,
    featured: bool,
    visibility: Visibility,
    author: String,
    version: u32,
    uses: u64,
    rating: Option<f64>,
    rating_count: u64,
    created_at: Time,
    updated_at: Time,
}

impl From<Card> for PromptRow {
    #[expect(clippy::cast_precision_loss, reason = "a mean of small integers")]
    fn from(card: Card) -> Self {
        Self {
            rating: (card.rating_count > 0).then(|| card.rating_sum as f64 / card.rating_count as f64),
            id: card.id,
            slug: card.slug,
            title: card.title,
            description: card.description,
            category: card.category,
            role: card.role,
            tags: card.tags,
            pattern: card.pattern,
            difficulty: card.difficulty,
            featured: card.featured,
            visibility: card.visibility,
            author: card.author,
            version: card.version,
            uses: card.uses,
            rating_count: card.rating_count,
            created_at: card.created_at,
            updated_at: card.updated_at,
        }
    }
}

/// A prompt, whole.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PromptView {
    id: String,
    slug: String,
    title: String,
    description: String,
    content: String,
    category: String,
    role: String,
    tags: Vec<String>,
    pattern: Option<String>,
    difficulty: Difficulty,
    variables: Vec<Variable>,
    featured: bool,
    visibility: Visibility,
    author: String,
    version: u32,
    uses: u64,
    rating: Option<f64>,
    rating_count: u64,
    created_at: Time,
    updated_at: Time,
}

impl From<&Prompt> for PromptView {
    fn from(prompt: &Prompt) -> Self {
        let draft = prompt.draft.clone();
        Self {
            id: prompt.id.to_string(),
            slug: prompt.slug.to_string(),
            title: draft.title,
            description: draft.description,
            content: draft.content,
            category: draft.category,
            role: draft.role,
            tags: draft.tags,
            pattern: draft.pattern,
            difficulty: draft.difficulty,
            variables: draft.variables,
            featured: prompt.featured,
            visibility: prompt.tenancy.visibility,
            author: prompt.author.clone(),
            version: prompt.version,
            uses: prompt.uses,
            rating: prompt.rating(),
            rating_count: prompt.rating_count,
            created_at: prompt.created_at,
            updated_at: prompt.updated_at,
        }
    }
}

/// A version of a prompt.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionView {
    id: String,
    version: u32,
    author: String,
    note: String,
    created_at: Time,
    #[serde(flatten)]
    draft: Draft,
}

impl From<PromptVersion> for VersionView {
    fn from(version: PromptVersion) -> Self {
        Self {
            id: version.id.to_string(),
            version: version.version,
            author: version.author,
            note: version.note,
            created_at: version.created_at,
            draft: version.draft,
        }
    }
}

/// An API key; never the key itself.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyView {
    id: String,
    name: String,
    prefix: String,
    scopes: Vec<Permission>,
    expires_at: Option<Time>,
    last_used_at: Option<Time>,
    revoked_at: Option<Time>,
    created_at: Time,
    /// Addresses and blocks that it may come from; empty for all.
    allowed_addresses: Vec<String>,
    /// Its own limits, within its owner's.
    limits: KeyLimits,
    live: bool,
}

impl KeyView {
    pub(crate) fn new(key: &ApiKey, now: Time) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            scopes: key.scopes.clone(),
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            created_at: key.created_at,
            allowed_addresses: key.allowed_addresses.iter().map(ToString::to_string).collect(),
            limits: key.limits,
            live: key.is_live(now),
        }
    }
}

/// A key just made: the one reply that shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MadeKeyView {
    id: String,
    name: String,
    key: String,
    prefix: String,
    scopes: Vec<Permission>,
    expires_at: Option<Time>,
}

impl MadeKeyView {
    pub(crate) fn new(key: &ApiKey, plain: &PlainKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            key: plain.reveal().to_owned(),
            prefix: key.prefix.clone(),
            scopes: key.scopes.clone(),
            expires_at: key.expires_at,
        }
    }
}

/// A run of the history.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunView {
    id: String,
    run_id: String,
    prompt_slug: Option<String>,
    prompt_version: Option<u32>,
    provider: String,
    model: String,
    /// Whose key it was made with; null for a dry run.
    key_source: Option<KeySource>,
    status: RunStatus,
    failure: Option<String>,
    system_prompt: Option<String>,
    prompt: String,
    response: String,
    usage: Usage,
    cost: Option<f64>,
    latency: f64,
    first_token_latency: Option<f64>,
    temperature: Option<f64>,
    max_tokens: Option<u32>,
    visibility: Visibility,
    created_at: Time,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.to_string(),
            run_id: run.run_id,
            prompt_slug: run.prompt_slug,
            prompt_version: run.prompt_version,
            provider: run.provider,
            model: run.model,
            key_source: run.key_source,
            status: run.status,
            failure: run.failure,
            system_prompt: run.system_prompt,
            prompt: run.prompt,
            response: run.response,
            usage: run.usage,
            cost: run.cost.map(|cost| NanoUsd(cost.prompt_nanos.0 + cost.completion_nanos.0).usd()),
            latency: run.latency_ms,
            first_token_latency: run.first_token_ms,
            temperature: run.temperature,
            max_tokens: run.max_tokens,
            visibility: run.tenancy.visibility,
            created_at: run.created_at,
        }
    }
}

/// A line of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditView {
    id: String,
    user_id: Option<String>,
    organization_id: Option<String>,
    key_id: Option<String>,
    action: engify_core::audit::Action,
    outcome: engify_core::audit::Outcome,
    target: engify_core::audit::Target,
    address: String,
    agent: String,
    request_id: String,
    details: serde_json::Value,
    created_at: Time,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            user_id: entry.user_id.map(|id| id.to_string()),
            organization_id: entry.organization_id.map(|id| id.to_string()),
            key_id: entry.key_id.map(|id| id.to_string()),
            action: entry.action,
            outcome: entry.outcome,
            target: entry.target,
            address: entry.address,
            agent: entry.agent,
            request_id: entry.request_id,
            details: entry.details,
            created_at: entry.created_at,
        }
    }
}
