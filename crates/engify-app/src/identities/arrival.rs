//! The second leg: somebody is back from a provider.

use engify_clients::identity::{Attempt, Person, Provider};
use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::identity::{LinkedIdentity, OauthStep, OauthTicket, ProvenPerson};
use engify_core::ids::UserId;
use engify_core::permission::Role;
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Error, Kind, Result, Secret, Time};
use engify_store::{Batch, queries};
use serde_json::json;

use super::departure::{callback, place};
use super::linking::new_identity;
use super::ticket::{self, Purpose};
use super::{failed, mapping, opens_another, refused, standing, taken};
use crate::Ctx;
use crate::accounts::{self, Admission};
use crate::ctx::FRESH;
use crate::factors;
use crate::organizations::insist;
use crate::token;

/// What the browser brings back in its address, and what it kept.
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// What ties it to the request.
    pub state: String,
    /// What the provider turns into a person.
    pub code: Option<String>,
    /// The provider's word for why there is no code (RFC 6749 §4.1.2.1).
    pub error: Option<String>,
    /// The issuer, where it names itself (RFC 9207).
    pub issuer: Option<String>,
    /// What the browser keeps in a cookie.
    pub browser: Option<String>,
}

/// What follows from it.
#[derive(Debug)]
pub enum Arrival {
    /// The person is admitted; then they go on to the path, if they came for one.
    Admitted(Admission, Option<String>),
    /// The account that has their address, or the caller's own, is to be linked: the token of a ticket for [`super::link`].
    Asked(Secret<String>),
    /// It opens the caller's own account now, or did before.
    Known(Option<String>),
    /// The caller's session is fresh again.
    Confirmed(Option<String>),
}

/// Meets somebody who is back from a provider.
///
/// # Errors
/// `oauth_state_mismatch`, `oauth_expired`; `oauth_denied` where the person or the provider said no; `oauth_code_refused`;
/// `identity_provider_…`; `email_unverified`, `domain_not_allowed`, `signup_closed`, `identity_taken`, `account_disabled`.
pub async fn finish(ctx: &Ctx, provider: &str, returned: Returned) -> Result<Arrival> {
    let provider = ctx.app().identity_providers().named(provider)?;
    match arrive(ctx, provider, returned).await {
        // Who is switched off is written down where everybody is admitted.
        Err(error)
            if matches!(error.kind(), Kind::Forbidden | Kind::Conflict | Kind::Upstream)
                && error.code() != "account_disabled" =>
        {
            Err(refused(ctx, provider, error).await)
        }
        arrival => arrival,
    }
}

async fn arrive(ctx: &Ctx, provider: &Provider, returned: Returned) -> Result<Arrival> {
    let browser = returned.browser.as_deref();
    let ticket = ticket::held(ctx, &returned.state, browser).await?;
    let OauthStep::Provider { nonce, verifier } = &ticket.step else { return Err(ticket::mismatch()) };
    // A state that was made for one provider is no proof for another.
    if ticket.provider != provider.id() || returned.issuer.as_ref().is_some_and(|it| it != provider.issuer())
    {
        return Err(ticket::mismatch());
    }
    ticket::spend(ctx, ticket::used(ctx, &ticket)?).await?;
    let code = returned.code.filter(|code| returned.error.is_none() && !code.is_empty());
    let code = code.ok_or_else(|| denied(provider, returned.error.as_deref()))?;
    let verifier = ctx.app().vault().open(&place(nonce), verifier)?;
    let callback = callback(ctx.app(), provider);
    let attempt = Attempt { state: &returned.state, nonce, verifier: &verifier, callback: &callback };
    let person = provider.redeem(&code, &attempt).await.map_err(failed)?;
    let person = proven(ctx, provider, person)?;
    let browser = Secret::new(browser.unwrap_or_default().to_owned());
    recognise(ctx, provider, person, ticket, browser).await
}

/// The person, if their address is proven and may come in this way.
fn proven(ctx: &Ctx, provider: &Provider, person: Person) -> Result<ProvenPerson> {
    let label = provider.label();
    let Some(email) = person.email.filter(|_| person.email_verified) else {
        let message =
            format!("{label} does not say that your address is proven. Prove it there, then begin again.");
        return Err(Error::new(Kind::Forbidden, "email_unverified", message));
    };
    if !mapping::is_allowed(&ctx.app().settings().identity, &email) {
        let message = format!(
            "Addresses of {} may not sign in with {label} here. Use an address of your organization.",
            mapping::domain(&email)
        );
        return Err(Error::new(Kind::Forbidden, "domain_not_allowed", message));
    }
    let name = person.name.unwrap_or_else(|| local_part(&email));
    let issuer = provider.issuer().to_owned();
    let (subject, groups, proven_at) = (person.subject, person.groups, person.proven_at);
    Ok(ProvenPerson { issuer, subject, email, name, groups, proven_at })
}

fn local_part(email: &Email) -> String {
    email.as_str().split('@').next().unwrap_or_default().chars().take(100).collect()
}

/// Whom a proven person is to us.
async fn recognise(
    ctx: &Ctx,
    provider: &Provider,
    person: ProvenPerson,
    ticket: OauthTicket,
    browser: Secret<String>,
) -> Result<Arrival> {
    let store = ctx.app().store();
    let known = store.first(&queries::identity_by_subject(&person.issuer, &person.subject)).await?;
    let next = ticket.next;
    if ticket.confirms {
        let own = known.filter(|identity| ticket.user_id.as_ref() == Some(&identity.user_id));
        own.ok_or_else(|| not_theirs(provider))?;
        return vouch(ctx, provider, &person).await.map(|()| Arrival::Confirmed(next));
    }
    match (ticket.user_id, known) {
        (Some(own), Some(identity)) if identity.user_id == own => Ok(Arrival::Known(next)),
        (Some(_), Some(_)) => Err(opens_another(provider)),
        (Some(own), None) => ask(ctx, provider, (own, person), next, &browser).await,
        (None, Some(identity)) => {
            let scope = Scope::Everything("the identity tells who comes in");
            let user = store.get::<User>(&scope, identity.user_id.as_str()).await?;
            let user = user.ok_or_else(|| Error::not_found("account"))?;
            Ok(Arrival::Admitted(admit(ctx, provider, user, &identity, &person).await?, next))
        }
        (None, None) => match store.first(&queries::user_by_email(&person.email)).await? {
            Some(user) => ask(ctx, provider, (user.id, person), next, &browser).await,
            None => Ok(Arrival::Admitted(welcome(ctx, provider, &person).await?, next)),
        },
    }
}

/// Makes the caller's session fresh, if the provider really asked them again.
async fn vouch(ctx: &Ctx, provider: &Provider, person: &ProvenPerson) -> Result<()> {
    match person.proven_at.filter(|at| ctx.now().since(*at) < FRESH) {
        Some(at) => factors::vouched(ctx, provider.id(), at).await,
        None => {
            let message = format!(
                "{} did not ask you again who you are, so that this proves nothing. Sign out there and here, then sign in again.",
                provider.label()
            );
            Err(Error::new(Kind::Forbidden, "not_asked_again", message))
        }
    }
}

fn not_theirs(provider: &Provider) -> Error {
    let label = provider.label();
    let message =
        format!("This {label} account is not one that opens yours. Confirm with the one that does.");
    Error::new(Kind::Conflict, "wrong_identity", message)
}

/// Puts a person aside until they have proven that the account of `owner` is theirs.
async fn ask(
    ctx: &Ctx,
    provider: &Provider,
    (owner, person): (UserId, ProvenPerson),
    next: Option<String>,
    browser: &Secret<String>,
) -> Result<Arrival> {
    let token = token::make(ctx.app().ids());
    let purpose = Purpose {
        provider: provider.id(),
        step: OauthStep::Proof(person),
        user: Some(owner),
        confirms: false,
        next,
    };
    ticket::issue(ctx, &token, browser, purpose).await?;
    Ok(Arrival::Asked(token))
}

/// Brings an account to what the provider says now, and admits the person as anybody else.
pub(super) async fn admit(
    ctx: &Ctx,
    provider: &Provider,
    mut user: User,
    identity: &LinkedIdentity,
    person: &ProvenPerson,
) -> Result<Admission> {
    if user.disabled_at.is_none() {
        user = standing::refresh(ctx, provider, &user.id, identity, person).await?;
    }
    accounts::admit(ctx, user, json!({ "by": provider.id() }), proven_at(ctx, person)).await
}

/// Since when they have proven who they are: a provider that let them through silently says when it asked them last.
fn proven_at(ctx: &Ctx, person: &ProvenPerson) -> Time {
    person.proven_at.unwrap_or(ctx.now())
}

/// Makes the account of somebody who has none, without a password, and admits them.
async fn welcome(ctx: &Ctx, provider: &Provider, person: &ProvenPerson) -> Result<Admission> {
    let user = insist(|| made(ctx, provider, person)).await?;
    tracing::info!(user.id = %user.id, through = provider.id(), "account.created");
    accounts::admit(ctx, user, json!({ "by": provider.id() }), proven_at(ctx, person)).await
}

async fn made(ctx: &Ctx, provider: &Provider, person: &ProvenPerson) -> Result<User> {
    let given = standing::given(ctx, provider, person, None).await?;
    if !ctx.app().settings().public.allow_signup && given.organization.is_none() {
        let message = "Sign-up is closed here. Ask an administrator of this installation for an account.";
        return Err(Error::new(Kind::Forbidden, "signup_closed", message));
    }
    let mut user = accounts::account(ctx, person.email.clone(), person.name.clone(), Role::User, None);
    user.email_verified_at = Some(ctx.now());
    let mut identity = new_identity(ctx, provider.id(), &user.id, person);
    standing::renew(&mut user, &mut identity, given);
    let line = |action, details| {
        ctx.as_person(&user).audit(action, Outcome::Success, Target::new("user", &user.id), details)
    };
    let mut batch = Batch::new()
        .insert(&user)?
        .insert(&identity)?
        .insert(&line(Action::UserCreated, json!({ "role": user.role, "through": provider.id() })))?
        .insert(&line(Action::IdentityLinked, json!({ "through": provider.id() })))?;
    if let Some(home) = standing::home_of(ctx, &user).await? {
        batch = batch.and(standing::entered(ctx, provider, &user, &home)?);
    }
    ctx.app().store().write(batch).await.map_err(|fault| taken(provider, fault))?;
    Ok(user)
}

/// The provider says no, in a word of its own that is written down and not shown.
fn denied(provider: &Provider, word: Option<&str>) -> Error {
    let label = provider.label();
    let message = match word {
        Some("access_denied") => {
            format!("The sign-in was cancelled at {label}. Begin again, or sign in another way.")
        }
        _ => format!("{label} did not confirm this sign-in. Begin again, or sign in another way."),
    };
    let cause: String = word.unwrap_or("no code").chars().filter(char::is_ascii_graphic).take(100).collect();
    Error::new(Kind::Forbidden, "oauth_denied", message).because(cause)
}
