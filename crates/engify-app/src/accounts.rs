//! Accounts: signing up, in and out, sessions, profile and password.

use std::sync::Arc;
use std::time::Duration;

use engify_core::account::{Session, User};
use engify_core::audit::{Action, Outcome, Target, changed};
use engify_core::error::Faults;
use engify_core::ids::UserId;
use engify_core::permission::Role;
use engify_core::tenancy::Scope;
use engify_core::words::{Email, line};
use engify_core::{Error, Kind, Result, Secret, Time};
use engify_store::{Batch, Patch, queries};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::ctx::{Actor, Ctx, Identity, Origin};
use crate::limits::presets;
use crate::messages::{Deed, Letter};
use crate::{App, cache, messages, passwords};

mod address;
mod devices;
mod links;
mod recovery;
mod standing;

pub use address::{change_address, check_address, resend, verify_address};
pub use devices::name as device_name;
pub(crate) use recovery::welcome;
pub use recovery::{check_reset, forgot_password, reset_password};
pub(crate) use standing::still_holds;

/// A session ends after this long, whatever its use.
const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// A session ends after this long without use.
const SESSION_IDLE: Duration = Duration::from_secs(14 * 24 * 3600);
/// "Last seen" is written at most this often.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// A session just begun: the only moment its token is known.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub user: Arc<User>,
    /// The cookie's value.
    pub token: Secret<String>,
    /// The absolute end.
    pub expires: Time,
}

/// What a sign-up form says.
#[derive(Debug)]
pub struct SignUp {
    /// The address, as typed.
    pub email: String,
    /// The password, as typed.
    pub password: Secret<String>,
    /// The name, as typed.
    pub name: String,
}

/// Makes an account and signs it in.
///
/// # Errors
/// `signup_closed`; `invalid_request` with the fields; `email_taken`; `rate_limited`.
pub async fn sign_up(ctx: &Ctx, form: SignUp) -> Result<SignedIn> {
    let app = ctx.app();
    if !app.settings().public.allow_signup {
        let details = json!({ "why": "signup_closed" });
        crate::audit::note_refusal(ctx, Action::UserCreated, Target::new("user", "new"), details).await;
        let message = "Sign-up is closed here. Ask an administrator of this installation for an account.";
        return Err(Error::new(Kind::Forbidden, "signup_closed", message));
    }
    let user = new_user(ctx, form, Role::User).await?;
    let (session, token) = new_session(ctx, &user);
    let target = Target::new("user", &user.id);
    let batch = Batch::new().insert(&user)?.insert(&session)?.insert(&ctx.audit(
        Action::UserCreated,
        Outcome::Success,
        target,
        json!({ "role": user.role.as_str() }),
    ))?;
    let batch = devices::note(ctx, address::welcome(ctx, batch, &user)?, &user).await?;
    app.store().write(batch).await.map_err(|fault| named_taken(fault, "email"))?;
    tracing::info!(user.id = %user.id, "account.created");
    Ok(SignedIn { expires: session.expires_at, user: Arc::new(user), token })
}

/// A duplicate address, in the words of the form.
pub(crate) fn named_taken(fault: Error, field: &str) -> Error {
    if fault.code() != "duplicate" {
        return fault;
    }
    Error::new(
        Kind::Conflict,
        "email_taken",
        "There is an account with this address already; sign in instead.",
    )
    .detail(field, "is taken")
}

/// Checks a form and makes the account it describes, not yet stored.
pub(crate) async fn new_user(ctx: &Ctx, form: SignUp, role: Role) -> Result<User> {
    let mut faults = Faults::default();
    let email = faults.take("email", Email::parse(&form.email));
    let name = faults.take("name", line(&form.name, 1, 100));
    let known = [form.name.as_str(), form.email.as_str(), "engify"];
    faults.take("password", passwords::check_new(form.password.reveal(), &known));
    let (Some(email), Some(name), true) = (email, name, faults.is_empty()) else {
        faults.check()?;
        return Err(Error::internal("a form without faults has all fields"));
    };
    let hash = ctx.app().hasher().hash(form.password).await?;
    Ok(account(ctx, email, name, role, Some(hash)))
}

/// An account as it begins, not yet stored.
pub(crate) fn account(
    ctx: &Ctx,
    email: Email,
    name: String,
    role: Role,
    password_hash: Option<Secret<String>>,
) -> User {
    let now = ctx.now();
    User {
        id: UserId::make(ctx.app().ids()),
        email,
        name,
        role,
        organization_id: None,
        password_hash,
        email_verified_at: None,
        disabled_at: None,
        last_sign_in_at: Some(now),
        created_at: now,
        updated_at: now,
    }
}

/// Signs in with address and password. The answer and its time are the same for an unknown address and a wrong password.
///
/// # Errors
/// `invalid_credentials`; `account_disabled` (only with the right password); `rate_limited`.
pub async fn sign_in(ctx: &Ctx, email: &str, password: Secret<String>) -> Result<SignedIn> {
    let app = ctx.app();
    limited(ctx, presets::SIGN_IN, &ctx.origin.address, "unread").await?;
    let wrong = || {
        let message =
            "The address or the password is not right. After several wrong tries, wait some minutes.";
        Error::new(Kind::Unauthenticated, "invalid_credentials", message)
    };
    let parsed = Email::parse(email).ok();
    let account =
        parsed.as_ref().map_or_else(String::new, |email| hex::encode(Sha256::digest(email.as_str())));
    // Wrong tries count against account and address together, so that a stranger elsewhere cannot lock anybody out.
    let bucket = format!("{account}@{}", ctx.origin.address);
    limited(ctx, presets::SIGN_IN_ACCOUNT, &bucket, &masked(&account)).await?;
    let user = match &parsed {
        Some(email) => app.store().first(&queries::user_by_email(email)).await?,
        None => None,
    };
    let too_long = password.reveal().chars().count() > passwords::MAX;
    let password = if too_long { Secret::new(String::new()) } else { password };
    let right =
        app.hasher().verify(password, user.as_ref().and_then(|user| user.password_hash.clone())).await?;
    // Whoever administers the account's organization sees who tries its door.
    let organization = user.as_ref().and_then(|user| user.organization_id.clone());
    let (Some(user), true) = (user, right) else {
        let details = json!({ "why": "invalid_credentials" });
        let mut line =
            ctx.audit(Action::UserSignedIn, Outcome::Refused, Target::new("user", masked(&account)), details);
        line.organization_id = organization;
        app.recorder().note(line).await;
        metrics::counter!("engify_sign_in_failures_total").increment(1);
        return Err(wrong());
    };
    let target = Target::new("user", &user.id);
    if user.disabled_at.is_some() {
        let details = json!({ "why": "account_disabled" });
        app.recorder().note(ctx.audit(Action::UserSignedIn, Outcome::Refused, target, details)).await;
        let message = "This account is switched off. Ask an administrator of this installation.";
        return Err(Error::new(Kind::Forbidden, "account_disabled", message));
    }
    let (session, token) = new_session(ctx, &user);
    let seen =
        Patch::new(Scope::Everything("the person signs in"), &user.id).set("lastSignInAt", ctx.now())?;
    let audit = Actor::Person(Identity { user: Arc::new(user.clone()), session: None, key: None });
    let audit = Ctx::new(app, audit, ctx.origin.clone()).audit(
        Action::UserSignedIn,
        Outcome::Success,
        target,
        json!({}),
    );
    let batch = Batch::new().insert(&session)?.patch::<User>(seen.or_skip()).insert(&audit)?;
    app.store().write(devices::note(ctx, batch, &user).await?).await?;
    Ok(SignedIn { expires: session.expires_at, user: Arc::new(user), token })
}

/// How the log names an account that nobody has proven to be theirs: the beginning of the address's hash.
fn masked(account: &str) -> String {
    if account.is_empty() { "unreadable".to_owned() } else { account.chars().take(12).collect() }
}

/// Takes one try; one that is too many is in the audit log.
async fn limited(ctx: &Ctx, limit: crate::limits::Limit, who: &str, account: &str) -> Result<()> {
    let Err(refusal) = ctx.app().limiter().take(limit, who, 1) else { return Ok(()) };
    let details = json!({ "why": refusal.code(), "limit": limit.name });
    crate::audit::note_refusal(ctx, Action::UserSignedIn, Target::new("user", account), details).await;
    Err(refusal)
}

/// Begins a session for a person just proven.
pub(crate) fn new_session(ctx: &Ctx, user: &User) -> (Session, Secret<String>) {
    let app = ctx.app();
    let token = Secret::new(hex::encode(app.ids().random::<32>()));
    let now = ctx.now();
    let life = if user.role.is_admin() {
        Duration::from_secs(u64::from(app.settings().security.admin_session_minutes) * 60)
    } else {
        SESSION_LIFE
    };
    let session = Session {
        id: hash(token.reveal()),
        user_id: user.id.clone(),
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus(life),
        address: ctx.origin.address.clone(),
        agent: ctx.origin.agent.clone(),
    };
    (session, token)
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// Who a session cookie belongs to; nobody for one that is unknown, ended, idle too long, or of a disabled account.
///
/// # Errors
/// `database_unavailable`: a valid session is never taken for an invalid one because a database is away.
pub async fn by_session(app: &App, token: &str) -> Result<Option<Identity>> {
    if token.len() != 64 || !token.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let Some(session) = cache::session(app, &hash(token)).await? else { return Ok(None) };
    let now = app.clock().now();
    if session.expires_at <= now || session.last_seen_at.plus(SESSION_IDLE) <= now {
        return Ok(None);
    }
    let Some(user) = cache::user(app, &session.user_id).await?.filter(|user| user.disabled_at.is_none())
    else {
        return Ok(None);
    };
    if now.since(session.last_seen_at) > SEEN_EVERY {
        let patch =
            Patch::new(Scope::Owner(session.user_id.clone()), &session.id).set("lastSeenAt", now)?.or_skip();
        app.store().write(Batch::new().patch::<Session>(patch)).await?;
        app.caches().session_changed(&session.id).await;
    }
    Ok(Some(Identity { user, session: Some(session), key: None }))
}

/// Ends the caller's own session.
///
/// # Errors
/// Those of the store.
pub async fn sign_out(ctx: &Ctx) -> Result<()> {
    let Some(Identity { user, session: Some(session), .. }) = ctx.identity() else { return Ok(()) };
    let audit = ctx.audit(Action::UserSignedOut, Outcome::Success, Target::new("user", &user.id), json!({}));
    let batch = Batch::new().delete::<Session>(Scope::Owner(user.id.clone()), &session.id).insert(&audit)?;
    ctx.app().store().write(batch).await?;
    ctx.app().caches().session_changed(&session.id).await;
    Ok(())
}

/// The caller's sessions that still hold.
///
/// # Errors
/// `unauthenticated`.
pub async fn sessions(ctx: &Ctx) -> Result<Vec<Session>> {
    let person = ctx.person()?;
    let now = ctx.now();
    let mut sessions = ctx.app().store().find(&queries::sessions_of(&person.user.id).limit(200)).await?.items;
    sessions.retain(|session| session.expires_at > now);
    sessions.sort_by_key(|session| std::cmp::Reverse(session.last_seen_at));
    Ok(sessions)
}

/// Which sessions to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// One, by its id.
    One(String),
    /// All but the caller's own.
    Others,
}

/// Ends sessions of the caller.
///
/// # Errors
/// `unauthenticated`.
pub async fn end_sessions(ctx: &Ctx, ending: Ending) -> Result<usize> {
    let person = ctx.person()?;
    let own = person.session.as_ref().map(|session| session.id.clone());
    let ended: Vec<Session> = sessions(ctx)
        .await?
        .into_iter()
        .filter(|session| match &ending {
            Ending::One(id) => &session.id == id,
            Ending::Others => Some(&session.id) != own.as_ref(),
        })
        .collect();
    let mut batch = Batch::new();
    for session in &ended {
        batch = batch.delete::<Session>(Scope::Owner(person.user.id.clone()), &session.id);
    }
    let details = json!({ "sessions": ended.len() });
    let audit =
        ctx.audit(Action::UserSignedOut, Outcome::Success, Target::new("user", &person.user.id), details);
    ctx.app().store().write(batch.insert(&audit)?).await?;
    for session in &ended {
        ctx.app().caches().session_changed(&session.id).await;
    }
    Ok(ended.len())
}

/// Changes the caller's name.
///
/// # Errors
/// `unauthenticated`; `invalid_request`.
pub async fn rename(ctx: &Ctx, name: &str) -> Result<()> {
    let person = ctx.person()?;
    let name = line(name, 1, 100).map_err(|issue| Error::field("name", issue))?;
    let scope = Scope::Everything("the person changes their own account");
    let patch = Patch::new(scope, &person.user.id).set("name", &name)?.set("updatedAt", ctx.now())?;
    let audit = ctx.audit(
        Action::UserUpdated,
        Outcome::Success,
        Target::new("user", &person.user.id),
        changed(&json!({ "name": person.user.name }), &json!({ "name": name })),
    );
    ctx.app().store().write(Batch::new().patch::<User>(patch).insert(&audit)?).await?;
    ctx.app().caches().user_changed(person.user.id.as_str()).await;
    Ok(())
}

/// Changes the caller's password and ends all their other sessions.
///
/// # Errors
/// `unauthenticated`; `no_password` where there is none to change; `invalid_request` where the old one is wrong or the
/// new one is weak.
pub async fn change_password(ctx: &Ctx, old: Secret<String>, new: Secret<String>) -> Result<()> {
    let person = ctx.person()?;
    let app = ctx.app();
    app.limiter().take(presets::SIGN_IN_ACCOUNT, person.user.id.as_str(), 1)?;
    let Some(hash) = person.user.password_hash.clone() else { return Err(no_password()) };
    let mut faults = Faults::default();
    if !app.hasher().verify(old, Some(hash)).await? {
        faults.push("currentPassword", "is not your password");
    }
    let known = [person.user.name.as_str(), person.user.email.as_str(), "engify"];
    faults.take("newPassword", passwords::check_new(new.reveal(), &known));
    faults.check()?;
    let hash = app.hasher().hash(new).await?;
    let scope = Scope::Everything("the person changes their own account");
    let patch =
        Patch::new(scope, &person.user.id).set("passwordHash", hash.reveal())?.set("updatedAt", ctx.now())?;
    let target = Target::new("user", &person.user.id);
    let audit = ctx.audit(Action::PasswordChanged, Outcome::Success, target, json!({}));
    let batch = Batch::new().patch::<User>(patch).insert(&audit)?;
    let letter = Letter::PasswordChanged { deed: Deed::now(ctx) };
    app.store().write(messages::post(ctx, batch, person.user.as_ref().into(), &letter)?).await?;
    app.caches().user_changed(person.user.id.as_str()).await;
    end_sessions(ctx, Ending::Others).await?;
    Ok(())
}

fn no_password() -> Error {
    let message = "This account has no password yet: its owner comes in another way. Choose one through \"Forgot the password\" on the sign-in page.";
    Error::new(Kind::Conflict, "no_password", message)
}

/// A caller's context, from whatever credential came with the request.
///
/// # Errors
/// `database_unavailable`; `invalid_api_key` for a key that opens nothing.
pub async fn resolve(app: &App, credential: Credential<'_>, origin: Origin) -> Result<Ctx> {
    let identity = match credential {
        Credential::None => None,
        Credential::Session(token) => by_session(app, token).await?,
        Credential::Key(text) => match crate::keys::by_key(app, text).await {
            Ok(identity) => Some(identity),
            Err(refusal) => return Err(told(app, origin, text, refusal).await),
        },
    };
    let actor = identity.map_or(Actor::Anonymous, Actor::Person);
    Ok(Ctx::new(app, actor, origin))
}

/// A key that opens nothing, told to the audit log: by its prefix, where it has the shape of a key.
async fn told(app: &App, origin: Origin, text: &str, refusal: Error) -> Error {
    if refusal.kind() == Kind::Unauthenticated {
        let known = engify_core::api_key::PlainKey::parse(text).map(|key| key.prefix());
        let target = Target::new("api_key", known.unwrap_or_else(|| "unreadable".to_owned()));
        let details = json!({ "why": refusal.message() });
        let stranger = Ctx::new(app, Actor::Anonymous, origin);
        crate::audit::note_refusal(&stranger, Action::ApiKeyRefused, target, details).await;
    }
    refusal
}

/// What came with a request.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A session cookie's value.
    Session(&'a str),
    /// An API key.
    Key(&'a str),
}
