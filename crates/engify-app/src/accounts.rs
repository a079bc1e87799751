//! Accounts: signing up, in and out, sessions, profile and password.

use std::sync::Arc;

use engify_core::account::User;
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

use crate::ctx::{Actor, Ctx, Origin};
use crate::doors::Doors;
use crate::limits::{Standing, presets};
use crate::messages::{Deed, Letter};
use crate::{App, messages, passwords, tries};

mod address;
mod admission;
mod devices;
mod links;
mod recovery;
mod sessions;
mod standing;

pub use address::{change_address, check_address, resend, verify_address};
pub use admission::{Admission, HalfIdentity, HalfWay};
pub(crate) use admission::{admit, enter, spent};
pub use devices::name as device_name;
pub(crate) use recovery::welcome;
pub use recovery::{check_reset, forgot_password, reset_password};
pub(crate) use sessions::new_session;
pub use sessions::{Ending, by_session, end_sessions, sessions, sign_out};
pub(crate) use standing::still_holds;

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
        factors: Vec::new(),
        email_verified_at: None,
        disabled_at: None,
        last_sign_in_at: Some(now),
        created_at: now,
        updated_at: now,
    }
}

/// Signs in with address and password: with half a session where a second factor is enrolled. The answer and its time are
/// the same for an unknown address and a wrong password.
///
/// # Errors
/// `invalid_credentials`; `account_disabled` (only with the right password); `rate_limited`.
pub async fn sign_in(ctx: &Ctx, email: &str, password: Secret<String>) -> Result<Admission> {
    let app = ctx.app();
    let address = ctx.origin.counted();
    let parsed = Email::parse(email).ok();
    let account =
        parsed.as_ref().map_or_else(String::new, |email| hex::encode(Sha256::digest(email.as_str())));
    // Wrong tries count against account and address together, so that a stranger elsewhere cannot lock anybody out.
    let bucket = format!("{account}@{address}");
    let attempt = match app.limiter().take(presets::SIGN_IN, &address, 1).await {
        Ok(_) => app.tries().begin(&[(tries::PASSWORD, &bucket), (tries::ADDRESS, &address)]).await,
        Err(refusal) => Err(refusal),
    };
    let attempt = match attempt {
        Ok(attempt) => attempt,
        Err(refusal) => return Err(too_often(ctx, refusal, &masked(&account)).await),
    };
    let user = match &parsed {
        Some(email) => app.store().first(&queries::user_by_email(email)).await?,
        None => None,
    };
    let right = knows_password(app, password, user.as_ref()).await?;
    // Whoever administers the account's organization sees who tries its door.
    let organization = user.as_ref().and_then(|user| user.organization_id.clone());
    let (Some(user), true) = (user, right) else {
        let details = json!({ "why": "invalid_credentials" });
        let mut line =
            ctx.audit(Action::UserSignedIn, Outcome::Refused, Target::new("user", masked(&account)), details);
        line.organization_id = organization;
        app.recorder().note(line).await;
        metrics::counter!("engify_sign_in_failures_total").increment(1);
        let message =
            "The address or the password is not right. After several wrong tries, wait some minutes.";
        return Err(Error::new(Kind::Unauthenticated, "invalid_credentials", message));
    };
    attempt.right().await;
    admit(ctx, user, json!({ "by": "password" }), ctx.now()).await
}

/// What is left of the tries to sign in from the caller's address.
pub async fn sign_ins_left(ctx: &Ctx) -> Standing {
    ctx.app().limiter().standing(presets::SIGN_IN, &ctx.origin.counted()).await
}

/// Whether this is the password of that account. It takes just as long where there is none.
pub(crate) async fn knows_password(app: &App, password: Secret<String>, user: Option<&User>) -> Result<bool> {
    let too_long = password.reveal().chars().count() > passwords::MAX;
    let password = if too_long { Secret::new(String::new()) } else { password };
    app.hasher().verify(password, user.and_then(|user| user.password_hash.clone())).await
}

/// How the log names an account that nobody has proven to be theirs: the beginning of the address's hash.
fn masked(account: &str) -> String {
    if account.is_empty() { "unreadable".to_owned() } else { account.chars().take(12).collect() }
}

/// A try that is one too many is in the audit log.
async fn too_often(ctx: &Ctx, refusal: Error, account: &str) -> Error {
    let details = json!({ "why": refusal.code() });
    crate::audit::note_refusal(ctx, Action::UserSignedIn, Target::new("user", account), details).await;
    refusal
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
    if person.user.password_hash.is_none() {
        return Err(no_password());
    }
    let attempt = app.tries().begin(&[(tries::PASSWORD, person.user.id.as_str())]).await?;
    let mut faults = Faults::default();
    if knows_password(app, old, Some(&person.user)).await? {
        attempt.right().await;
    } else {
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
    let doors = Doors::sessions_of(app, &person.user).await?.but(person.session.as_deref());
    let details = json!({ "sessionsEnded": doors.count().0 });
    let audit = ctx.audit(Action::PasswordChanged, Outcome::Success, target, details);
    let batch = doors.close(Batch::new(), ctx.now())?.patch::<User>(patch).insert(&audit)?;
    let letter = Letter::PasswordChanged { deed: Deed::now(ctx) };
    app.store().write(messages::post(ctx, batch, person.user.as_ref().into(), &letter)?).await?;
    doors.forget(app).await;
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
    let actor = match credential {
        Credential::None => None,
        Credential::Session(token) => match by_session(app, token).await? {
            Some(person) => Some(Actor::Person(person)),
            None => admission::by_half(app, token).await?.map(Actor::HalfWay),
        },
        Credential::Key(text) => match crate::keys::by_key(app, text).await {
            Ok(identity) => Some(Actor::Person(identity)),
            Err(refusal) => return Err(told(app, origin, text, refusal).await),
        },
    };
    Ok(Ctx::new(app, actor.unwrap_or(Actor::Anonymous), origin))
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
