//! Every query that the program can make, by name. Nothing outside this file and those below it builds a [`Query`].

use engify_core::Time;
use engify_core::account::{Device, Session, User};
use engify_core::api_key::{ApiKey, KeyUsage};
use engify_core::audit::{Action, AuditBlock, AuditEntry, Outcome};
use engify_core::factor::{Ceremony, HalfSession, Passkey};
use engify_core::identity::{LinkedIdentity, OauthTicket};
use engify_core::ids::{ApiKeyId, OrganizationId, PromptId, UserId};
use engify_core::link::Link;
use engify_core::message::{Message, MessageState};
use engify_core::organization::{Domain, Invitation, OpenDomain, Organization};
use engify_core::permission::Role;
use engify_core::prompt::{Favorite, Prompt, PromptVersion, Rating};
use engify_core::provider_key::ProviderKey;
use engify_core::run::Run;
use engify_core::tenancy::{Audience, Scope};
use engify_core::words::{Email, Slug};

use crate::collection::Direction::{Ascending, Descending};
use crate::collection::{Entity, folded};
use crate::query::Query;

mod operations;
mod samples;

pub use operations::{
    JobFilter, backups, drills, job_by_key, jobs, jobs_expired, jobs_in_lane, made_since, ratings_on,
    run_figures_since, schedules_waiting,
};
pub use samples::{Sample, samples};

/// The account with this address. There is no actor yet when somebody signs in.
pub fn user_by_email(email: &Email) -> Query<User> {
    Query::new("user_by_email", Scope::Everything("sign-in finds the account before there is an actor"))
        .equal("email", email.as_str())
        .limit(1)
}

/// The accounts with this role: whether there is a super admin yet.
pub fn users_by_role(role: Role) -> Query<User> {
    Query::new("users_by_role", Scope::Everything("the installation counts its administrators"))
        .equal("role", role.as_str())
}

/// The members of an organization, by name.
pub fn users_of_organization(organization: &OrganizationId) -> Query<User> {
    Query::new("users_of_organization", Scope::Organization(organization.clone()))
        .sorted("nameKey", Ascending)
}

/// The organization with this slug.
pub fn organization_by_slug(slug: &Slug) -> Query<Organization> {
    Query::new("organization_by_slug", Scope::Everything("slugs are unique over all organizations"))
        .equal("slug", slug.as_str())
        .limit(1)
}

/// Every organization, for what is done for each of them, and for super admins.
pub fn organizations_all() -> Query<Organization> {
    Query::new("organizations_all", Scope::Everything("upkeep of the whole installation"))
        .sorted("_id", Ascending)
}

/// Organizations whose names begin so, by name. Only super admins get here.
pub fn organizations_by_name(beginning: &str) -> Query<Organization> {
    let scope = Scope::Everything("super admins see every organization");
    beginning_with(Query::new("organizations_by_name", scope), "nameKey", beginning)
}

/// The invitations of an organization, newest first.
pub fn invitations_of(organization: &OrganizationId) -> Query<Invitation> {
    Query::new("invitations_of", Scope::Organization(organization.clone())).sorted("_id", Descending)
}

/// The invitations of an organization whose links still work: each takes a seat.
pub fn invitations_open(organization: &OrganizationId, now: Time) -> Query<Invitation> {
    Query::new("invitations_open", Scope::Organization(organization.clone()))
        .at_least("expiresAt", now.to_string())
        .sorted("expiresAt", Ascending)
}

/// The invitation of this address into this organization.
pub fn invitation_to(organization: &OrganizationId, email: &Email) -> Query<Invitation> {
    Query::new("invitation_to", Scope::Organization(organization.clone()))
        .equal("email", email.as_str())
        .limit(1)
}

/// The invitation whose link has this token.
pub fn invitation_by_token(hash: &str) -> Query<Invitation> {
    Query::new("invitation_by_token", Scope::Everything("the token is what tells which invitation it is"))
        .equal("tokenHash", hash)
        .limit(1)
}

/// The organizations that whoever has an address of this domain may join.
pub fn open_domains(domain: &Domain) -> Query<OpenDomain> {
    Query::new("open_domains", Scope::Everything("an open domain is there to be found"))
        .equal("domain", domain.as_str())
}

/// The sessions of a person.
pub fn sessions_of(user: &UserId) -> Query<Session> {
    Query::new("sessions_of", Scope::Owner(user.clone()))
}

/// Sessions that ended before `now`, for clean-up.
pub fn sessions_expired(now: Time) -> Query<Session> {
    Query::new("sessions_expired", Scope::Everything("clean-up of ended sessions"))
        .below("expiresAt", now.to_string())
        .sorted("expiresAt", Ascending)
}

/// The key with this hash: who is calling.
pub fn api_key_by_hash(hash: &str) -> Query<ApiKey> {
    Query::new("api_key_by_hash", Scope::Everything("a key is what tells who the actor is"))
        .equal("keyHash", hash)
        .limit(1)
}

/// The keys of a person, newest first.
pub fn api_keys_of(user: &UserId) -> Query<ApiKey> {
    Query::new("api_keys_of", Scope::Owner(user.clone())).sorted("_id", Descending)
}

/// The prompt with this slug, if the caller may see it.
pub fn prompt_by_slug(scope: Scope, slug: &Slug) -> Query<Prompt> {
    Query::new("prompt_by_slug", scope).equal("slug", slug.as_str()).limit(1)
}

/// All prompts, newest first: export and re-indexing. For one person's own there is [`prompts_of`].
pub fn prompts_all(scope: Scope) -> Query<Prompt> {
    Query::new("prompts_all", scope).sorted("createdAt", Descending)
}

/// A person's own prompts, newest first.
pub fn prompts_of(user: &UserId) -> Query<Prompt> {
    Query::new("prompts_of", Scope::Owner(user.clone())).sorted("createdAt", Descending)
}

/// The versions of a prompt, newest first. Whether the caller may see the prompt is settled before.
pub fn versions_of(prompt: &PromptId) -> Query<PromptVersion> {
    Query::new("versions_of", Scope::Everything("the prompt itself was read in the caller's scope"))
        .equal("promptId", prompt.as_str())
        .sorted("version", Descending)
}

/// One version of a prompt.
pub fn version_of(prompt: &PromptId, version: u32) -> Query<PromptVersion> {
    Query::new("version_of", Scope::Everything("the prompt itself was read in the caller's scope"))
        .equal("promptId", prompt.as_str())
        .equal("version", version)
        .limit(1)
}

/// What a person keeps at hand, newest first.
pub fn favorites_of(user: &UserId) -> Query<Favorite> {
    Query::new("favorites_of", Scope::Owner(user.clone())).sorted("createdAt", Descending)
}

/// Who keeps a prompt: for its deletion.
pub fn favorites_on(prompt: &PromptId) -> Query<Favorite> {
    Query::new("favorites_on", Scope::Everything("a deleted prompt leaves every list"))
        .equal("promptId", prompt.as_str())
}

/// The ids of a prompt's versions, newest first: for its deletion.
pub fn version_ids_of(prompt: &PromptId) -> Query<PromptVersion> {
    Query::new("version_ids_of", Scope::Everything("the prompt itself was read in the caller's scope"))
        .equal("promptId", prompt.as_str())
        .sorted("version", Descending)
        .only(&["version"])
}

/// The ids of a prompt's ratings: for its deletion.
pub fn rating_ids_on(prompt: &PromptId) -> Query<Rating> {
    Query::new("rating_ids_on", Scope::Everything("a deleted prompt takes its ratings along"))
        .equal("promptId", prompt.as_str())
        .only(&["promptId"])
}

/// The run that the owner calls `run_id`: whether a request is a replay.
pub fn run_by_run_id(user: &UserId, run_id: &str) -> Query<Run> {
    Query::new("run_by_run_id", Scope::Owner(user.clone())).equal("runId", run_id).limit(1)
}

/// Runs in scope ([`Scope::Owner`] or [`Scope::Organization`]), newest first.
pub fn runs(scope: Scope, narrowed: &RunFilter) -> Query<Run> {
    let mut query = Query::new("runs", scope)
        .equal_if("promptId", narrowed.prompt.as_ref().map(PromptId::as_str))
        .equal_if("provider", narrowed.provider.as_deref())
        .equal_if("model", narrowed.model.as_deref())
        .equal_if("status", narrowed.status.as_deref())
        .sorted("createdAt", Descending);
    if let Some(since) = narrowed.since {
        query = query.at_least("createdAt", since.to_string());
    }
    if let Some(before) = narrowed.before {
        query = query.below("createdAt", before.to_string());
    }
    query
}

/// The figures of runs without their texts, for charts of a period.
pub fn run_figures(scope: Scope, since: Time) -> Query<Run> {
    Query::new("run_figures", scope)
        .at_least("createdAt", since.to_string())
        .sorted("createdAt", Descending)
        .only(&["createdAt", "provider", "model", "status", "usage", "cost", "latencyMs"])
}

/// Narrowing of the list of runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this prompt.
    pub prompt: Option<PromptId>,
    /// On this provider.
    pub provider: Option<String>,
    /// On this model.
    pub model: Option<String>,
    /// That ended so.
    pub status: Option<String>,
    /// Not before.
    pub since: Option<Time>,
    /// Before.
    pub before: Option<Time>,
}

/// Narrowing of the audit log.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// By this person.
    pub user: Option<UserId>,
    /// Of this kind.
    pub action: Option<Action>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// Done to something of this kind.
    pub target_kind: Option<String>,
    /// Done to this.
    pub target: Option<String>,
    /// From this address.
    pub address: Option<String>,
    /// Not before.
    pub since: Option<Time>,
    /// Before.
    pub before: Option<Time>,
}

/// The audit log in scope ([`Scope::Everything`] or [`Scope::Organization`]), newest first.
pub fn audit_entries(scope: Scope, narrowed: &AuditFilter) -> Query<AuditEntry> {
    let mut query = Query::new("audit_entries", scope)
        .equal_if("userId", narrowed.user.as_ref().map(UserId::as_str))
        .equal_if("action", narrowed.action.map(Action::as_str))
        .equal_if("outcome", narrowed.outcome.map(Outcome::as_str))
        .equal_if("target.kind", narrowed.target_kind.as_deref())
        .equal_if("target.id", narrowed.target.as_deref())
        .equal_if("address", narrowed.address.as_deref())
        .sorted("createdAt", Descending);
    if let Some(since) = narrowed.since {
        query = query.at_least("createdAt", since.to_string());
    }
    if let Some(before) = narrowed.before {
        query = query.below("createdAt", before.to_string());
    }
    query
}

/// Every line of the audit log in the order of ids: for the proof that none was added behind the chain's back.
pub fn audit_walk() -> Query<AuditEntry> {
    Query::new("audit_walk", Scope::Everything("the chain is the installation's")).sorted("_id", Ascending)
}

/// The blocks of the audit log's chain from this number on, first to last.
pub fn audit_blocks(from: u64) -> Query<AuditBlock> {
    Query::new("audit_blocks", Scope::Everything("the chain is the installation's"))
        .at_least("_id", AuditBlock::id_of(from))
        .sorted("_id", Ascending)
}

/// The newest block of the audit log's chain.
pub fn audit_head() -> Query<AuditBlock> {
    Query::new("audit_head", Scope::Everything("the chain is the installation's"))
        .sorted("_id", Descending)
        .limit(1)
}

/// People in scope, newest first: administration.
pub fn users(scope: Scope, role: Option<Role>) -> Query<User> {
    Query::new("users", scope).equal_if("role", role.map(Role::as_str)).sorted("_id", Descending)
}

/// People in scope whose names begin so.
pub fn users_by_name(scope: Scope, beginning: &str, role: Option<Role>) -> Query<User> {
    let query = Query::new("users_by_name", scope).equal_if("role", role.map(Role::as_str));
    beginning_with(query, "nameKey", beginning)
}

/// People in scope the last word of whose name begins so.
pub fn users_by_last_name(scope: Scope, beginning: &str, role: Option<Role>) -> Query<User> {
    let query = Query::new("users_by_last_name", scope).equal_if("role", role.map(Role::as_str));
    beginning_with(query, "lastNameKey", beginning)
}

/// People in scope whose addresses begin so.
pub fn users_by_address(scope: Scope, beginning: &str, role: Option<Role>) -> Query<User> {
    let query = Query::new("users_by_address", scope).equal_if("role", role.map(Role::as_str));
    beginning_with(query, "email", beginning)
}

/// What begins with a text, in order: from the text itself to the last text that begins with it.
fn beginning_with<E: Entity>(query: Query<E>, field: &'static str, beginning: &str) -> Query<E> {
    let beginning = folded(beginning);
    let last = format!("{beginning}{}", char::MAX);
    query.at_least(field, beginning).below(field, last).sorted(field, Ascending)
}

/// The linked account of this person at this issuer: who comes in.
pub fn identity_by_subject(issuer: &str, subject: &str) -> Query<LinkedIdentity> {
    Query::new("identity_by_subject", Scope::Everything("the identity tells who the actor is"))
        .equal("issuer", issuer)
        .equal("subject", subject)
        .limit(1)
}

/// The identities that open a person's account.
pub fn identities_of(user: &UserId) -> Query<LinkedIdentity> {
    Query::new("identities_of", Scope::Owner(user.clone()))
}

/// Ways through identity providers that ended before `now`, for clean-up.
pub fn oauth_tickets_expired(now: Time) -> Query<OauthTicket> {
    Query::new("oauth_tickets_expired", Scope::Everything("clean-up of ended tickets"))
        .below("expiresAt", now.to_string())
        .sorted("expiresAt", Ascending)
}

const COURIER: Scope = Scope::Everything("the courier carries everybody's messages");

/// Messages whose turn it is, the longest waiting first.
pub fn messages_due(now: Time) -> Query<Message> {
    Query::new("messages_due", COURIER)
        .equal("state", MessageState::Queued.as_str())
        .below("nextTryAt", now.plus(std::time::Duration::from_millis(1)).to_string())
        .sorted("nextTryAt", Ascending)
}

/// Messages that wait for a try, the next first.
pub fn messages_waiting() -> Query<Message> {
    Query::new("messages_waiting", COURIER)
        .equal("state", MessageState::Queued.as_str())
        .sorted("nextTryAt", Ascending)
}

/// Messages, newest first, for administrators.
pub fn messages(state: Option<MessageState>) -> Query<Message> {
    Query::new("messages", Scope::Everything("system:read is an administrator's permission"))
        .equal_if("state", state.map(MessageState::as_str))
        .sorted("createdAt", Descending)
}

/// The message that the server which took it calls so.
pub fn message_by_reference(reference: &str) -> Query<Message> {
    Query::new("message_by_reference", COURIER).equal("reference", reference).limit(1)
}

/// Messages whose time here is over, for clean-up.
pub fn messages_expired(now: Time) -> Query<Message> {
    Query::new("messages_expired", COURIER).below("expiresAt", now.to_string()).sorted("expiresAt", Ascending)
}

/// The links that were sent to a person.
pub fn links_of(user: &UserId) -> Query<Link> {
    Query::new("links_of", Scope::Owner(user.clone()))
}

/// Links that stopped working before `now`, for clean-up.
pub fn links_expired(now: Time) -> Query<Link> {
    Query::new("links_expired", COURIER).below("expiresAt", now.to_string()).sorted("expiresAt", Ascending)
}

/// Where a person signed in before.
pub fn devices_of(user: &UserId) -> Query<Device> {
    Query::new("devices_of", Scope::Owner(user.clone()))
}

/// The provider keys of one owner, a person or an organization, by provider.
pub fn provider_keys_of(owner: &Audience) -> Query<ProviderKey> {
    Query::new("provider_keys_of", Scope::Audiences(vec![owner.clone()])).sorted("provider", Ascending)
}

/// API keys that end from `from` on and before `until`, the first to end first: for reminders.
pub fn api_keys_ending(from: Time, until: Time) -> Query<ApiKey> {
    Query::new("api_keys_ending", Scope::Everything("the installation reminds the owners of all keys"))
        .at_least("expiresAt", from.to_string())
        .below("expiresAt", until.to_string())
        .sorted("expiresAt", Ascending)
}

/// What a key of this person was used for since a day (`2026-11-22`), oldest first.
pub fn key_usage_of(user: &UserId, key: &ApiKeyId, since: &str) -> Query<KeyUsage> {
    Query::new("key_usage_of", Scope::Owner(user.clone()))
        .equal("keyId", key.as_str())
        .at_least("day", since)
        .sorted("day", Ascending)
}

/// Every document of a collection, oldest first: what is encrypted is encrypted anew, stored keys are all tried.
pub fn all_of<E: Entity>() -> Query<E> {
    Query::new("all_of", Scope::Everything("the operator looks after the whole installation"))
        .sorted("_id", Ascending)
}

/// The passkeys of a person, oldest first.
pub fn passkeys_of(user: &UserId) -> Query<Passkey> {
    Query::new("passkeys_of", Scope::Owner(user.clone()))
}

/// Passkey ceremonies that ended before `now`, for clean-up.
pub fn ceremonies_expired(now: Time) -> Query<Ceremony> {
    Query::new("ceremonies_expired", Scope::Everything("clean-up of ended ceremonies"))
        .below("expiresAt", now.to_string())
        .sorted("expiresAt", Ascending)
}

/// The sign-ins of a person that wait for their second step.
pub fn half_sessions_of(user: &UserId) -> Query<HalfSession> {
    Query::new("half_sessions_of", Scope::Owner(user.clone()))
}

/// Sign-ins whose time for the second step ended before `now`, for clean-up.
pub fn half_sessions_expired(now: Time) -> Query<HalfSession> {
    Query::new("half_sessions_expired", Scope::Everything("clean-up of sign-ins that stopped half-way"))
        .below("expiresAt", now.to_string())
        .sorted("expiresAt", Ascending)
}
