//! Every query with example arguments, so that a test can ask both databases how they would answer each one.
//!
//! A query function without a sample fails a test.

use engify_core::audit::{Action, Outcome};
use engify_core::backup::{BackupState, DrillKind};
use engify_core::ids::{ApiKeyId, OrganizationId, PromptId, UserId};
use engify_core::job::{JobState, Priority};
use engify_core::message::MessageState;
use engify_core::organization::Domain;
use engify_core::permission::Role;
use engify_core::prompt::Prompt;
use engify_core::provider_key::ProviderKey;
use engify_core::tenancy::{Audience, Scope};
use engify_core::words::{Email, Slug};
use engify_core::{Ids, Time};
use serde_json::Value;

use super::{AuditFilter, JobFilter, RunFilter};
use crate::adapter::Find;
use crate::collection::Entity;
use crate::query::{Cursor, Query};

/// One query with example arguments, without its document type.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The name of the function in [`crate::queries`].
    pub name: &'static str,
    /// Which of its forms, in words.
    pub form: String,
    pub(crate) find: Find,
}

/// The forms of all queries that the program can make. `ids` only names documents that need not exist.
///
/// # Errors
/// Never in practice: the example words are well-formed.
pub fn samples(ids: &Ids, now: Time) -> Result<Vec<Sample>, String> {
    let (user, organization, prompt) = (UserId::make(ids), OrganizationId::make(ids), PromptId::make(ids));
    let (email, slug) = (Email::parse("ana@example.com")?, Slug::parse("code-review")?);
    let everything = || Scope::Everything("a sample");
    let scopes = [
        ("stranger", Scope::visible_to(None, None)),
        ("member", Scope::visible_to(Some(&user), Some(&organization))),
        ("everything", everything()),
    ];
    let mut all = Samples(Vec::new());
    all.add("", super::user_by_email(&email));
    all.add("", super::users_by_role(Role::SuperAdmin));
    all.add("", super::users_of_organization(&organization));
    for (who, scope) in [("everybody", everything()), ("members", Scope::Organization(organization.clone()))]
    {
        for (form, role) in [("", None), (" of a role", Some(Role::OrgAdmin))] {
            let form = format!("{who}{form}");
            all.add(&form, super::users(scope.clone(), role));
            all.add(&form, super::users_by_name(scope.clone(), "ana", role));
            all.add(&form, super::users_by_last_name(scope.clone(), "ana", role));
            all.add(&form, super::users_by_address(scope.clone(), "ana", role));
        }
    }
    all.add("", super::organization_by_slug(&slug));
    all.add("", super::organizations_all());
    all.add("", super::organizations_by_name("acme"));
    all.add("", super::invitations_of(&organization));
    all.add("", super::invitations_open(&organization, now));
    all.add("", super::invitation_to(&organization, &email));
    all.add("", super::invitation_by_token("0123"));
    all.add("", super::open_domains(&Domain::of(&email)));
    all.add("", super::sessions_of(&user));
    all.add("", super::sessions_expired(now));
    all.add("", super::api_key_by_hash("0123"));
    all.add("", super::api_keys_of(&user));
    all.add("", super::api_keys_ending(now, now));
    all.add("", super::key_usage_of(&user, &ApiKeyId::make(ids), "2026-11-22"));
    all.add("of a person", super::provider_keys_of(&Audience::User(user.clone())));
    all.add("of an organization", super::provider_keys_of(&Audience::Organization(organization.clone())));
    all.add("of the provider keys", super::all_of::<ProviderKey>());
    for (who, scope) in scopes {
        all.add(who, super::prompt_by_slug(scope.clone(), &slug));
        all.add(who, super::prompts_all(scope));
    }
    all.add("", super::prompts_of(&user));
    all.add("", super::versions_of(&prompt));
    all.add("", super::version_of(&prompt, 1));
    all.add("", super::favorites_of(&user));
    all.add("", super::favorites_on(&prompt));
    all.add("", super::version_ids_of(&prompt));
    all.add("", super::rating_ids_on(&prompt));
    all.add("", super::run_by_run_id(&user, "run-1"));
    for (who, scope) in
        [("owner", Scope::Owner(user.clone())), ("organization", Scope::Organization(organization.clone()))]
    {
        for (form, filter) in run_filters(&prompt, now) {
            all.add(&format!("{who}, {form}"), super::runs(scope.clone(), &filter));
        }
        all.add(who, super::run_figures(scope, now));
    }
    for (who, scope) in [("everything", everything()), ("organization", Scope::Organization(organization))] {
        for (form, filter) in audit_filters(&user, now) {
            all.add(&format!("{who}, {form}"), super::audit_entries(scope.clone(), &filter));
        }
    }
    all.add("", super::identity_by_subject("https://login.example.com", "7"));
    all.add("", super::identities_of(&user));
    all.add("", super::oauth_tickets_expired(now));
    all.add("due", super::messages_due(now));
    all.add("", super::messages_waiting());
    all.add("all", super::messages(None));
    all.add("in a state", super::messages(Some(MessageState::Failed)));
    all.add("", super::message_by_reference("SM0"));
    all.add("", super::messages_expired(now));
    all.add("", super::links_of(&user));
    all.add("", super::links_expired(now));
    all.add("", super::devices_of(&user));
    all.add("", super::audit_walk());
    all.add("", super::audit_blocks(1));
    all.add("", super::audit_head());
    all.add("", super::passkeys_of(&user));
    all.add("", super::ceremonies_expired(now));
    all.add("", super::half_sessions_of(&user));
    all.add("", super::half_sessions_expired(now));
    all.add("all", super::backups(None));
    all.add("in a state", super::backups(Some(BackupState::Verified)));
    all.add("all", super::drills(None));
    all.add("of a kind", super::drills(Some(DrillKind::Restore)));
    all.add("", super::jobs_in_lane(Priority::High));
    all.add("", super::job_by_key("schedule:cleanup"));
    let kind = Some("cleanup".to_owned());
    all.add("all", super::jobs(&JobFilter::default()));
    all.add("in a state", super::jobs(&JobFilter { state: Some(JobState::Dead), kind: None }));
    all.add("of a kind", super::jobs(&JobFilter { state: None, kind: kind.clone() }));
    all.add("of a kind in a state", super::jobs(&JobFilter { state: Some(JobState::Dead), kind }));
    all.add("", super::jobs_expired(now));
    all.add("", super::schedules_waiting());
    all.add("of the prompts", super::made_since::<Prompt>(now));
    all.add("", super::run_figures_since(now));
    all.add("", super::ratings_on(&prompt));
    Ok(all.0)
}

fn run_filters(prompt: &PromptId, now: Time) -> Vec<(&'static str, RunFilter)> {
    let prompt = Some(prompt.clone());
    vec![
        ("all", RunFilter::default()),
        ("of a prompt", RunFilter { prompt: prompt.clone(), ..RunFilter::default() }),
        ("on a provider", RunFilter { provider: Some("openai".to_owned()), ..RunFilter::default() }),
        ("on a model", RunFilter { model: Some("gpt".to_owned()), ..RunFilter::default() }),
        ("with a status", RunFilter { status: Some("failed".to_owned()), ..RunFilter::default() }),
        ("of a period", RunFilter { since: Some(now), before: Some(now), ..RunFilter::default() }),
        ("of a prompt and a period", RunFilter { prompt, since: Some(now), ..RunFilter::default() }),
    ]
}

fn audit_filters(user: &UserId, now: Time) -> Vec<(&'static str, AuditFilter)> {
    let (user, action) = (Some(user.clone()), Some(Action::UserCreated));
    let text = |text: &str| Some(text.to_owned());
    vec![
        ("all", AuditFilter::default()),
        ("by a person", AuditFilter { user: user.clone(), ..AuditFilter::default() }),
        ("of a kind", AuditFilter { action, ..AuditFilter::default() }),
        ("refused", AuditFilter { outcome: Some(Outcome::Refused), ..AuditFilter::default() }),
        ("on something", AuditFilter { target: text("my-prompt"), ..AuditFilter::default() }),
        (
            "on a prompt",
            AuditFilter { target_kind: text("prompt"), target: text("my-prompt"), ..AuditFilter::default() },
        ),
        ("from an address", AuditFilter { address: text("203.0.113.7"), ..AuditFilter::default() }),
        ("of a period", AuditFilter { since: Some(now), before: Some(now), ..AuditFilter::default() }),
        (
            "by a person, of a kind, of a period",
            AuditFilter { user, action, since: Some(now), ..AuditFilter::default() },
        ),
    ]
}

struct Samples(Vec<Sample>);

impl Samples {
    /// The query, and the same behind a cursor where it is a list.
    fn add<E: Entity>(&mut self, form: &str, query: Query<E>) {
        let find = query.erased();
        if find.limit > 1 {
            let value = Value::from("2026-11-22T18:04:05.123Z");
            let cursor = Cursor { query: find.name.to_owned(), value, id: "0".to_owned() };
            let find = query.after(Some(cursor)).erased();
            self.0.push(Sample { name: find.name, form: format!("{form}, next page"), find });
        }
        self.0.push(Sample { name: find.name, form: form.to_owned(), find });
    }
}
