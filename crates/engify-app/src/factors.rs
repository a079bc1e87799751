//! Second factors: enrolling, showing and removing them.
//!
//! One document a person holds what is enrolled, and a revision that grows with every change of it or of the person's
//! passkeys. Whatever uses a code up writes that document in the transaction of what the code opens, under the condition
//! that the revision is the one that was read: a code that arrives twice at once opens one thing.

use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::{FactorKind, Factors, Method, Passkey};
use engify_core::ids::UserId;
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Time};
use engify_store::{Batch, Patch, queries};
use serde_json::json;

use crate::ctx::{Ctx, Identity};
use crate::doors::Doors;
use crate::messages::{self, Deed, Letter};
use crate::{App, users};

pub mod passkeys;
pub mod recovery;
mod reset;
pub mod sms;
pub mod totp;
mod verify;

pub use reset::reset;
pub(crate) use reset::strip;
pub(crate) use verify::vouched;
pub use verify::{Verified, verify};

/// The most passkeys of one person.
const MOST_PASSKEYS: u32 = 20;

/// What somebody has enrolled.
#[derive(Debug)]
pub struct Status {
    /// The kinds that are enrolled; empty while the password alone opens the account.
    pub factors: Vec<FactorKind>,
    /// What can be shown at the second step.
    pub methods: Vec<Method>,
    /// Whether the account must have a factor.
    pub required: bool,
    /// When the authenticator app was enrolled.
    pub totp_since: Option<Time>,
    /// The phone that gets codes, so that only its owner recognises it.
    pub phone: Option<String>,
    /// The passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
}

/// What the caller has enrolled.
///
/// # Errors
/// `unauthenticated`.
pub async fn status(ctx: &Ctx) -> Result<Status> {
    let person = ctx.person()?;
    status_of(ctx.app(), &person.user).await
}

/// What somebody has enrolled, for administrators: whether the account is safe, not what its factors are made of.
///
/// # Errors
/// `forbidden` for whoever does not administer the person; `not_found`.
pub async fn status_for(ctx: &Ctx, user: &str) -> Result<Status> {
    let user = users::reached(ctx, user, Permission::UsersRead).await?;
    status_of(ctx.app(), &user).await
}

async fn status_of(app: &App, user: &User) -> Result<Status> {
    let held = held(app, &user.id).await?;
    Ok(Status {
        factors: user.factors.clone(),
        methods: methods_of(user, &held),
        required: is_required(app, user),
        totp_since: held.totp.as_ref().map(|totp| totp.created_at),
        phone: held.phone.as_ref().map(|phone| phone.number.masked()),
        passkeys: passkeys_of(app, &user.id).await?,
        recovery_codes: held.recovery_codes.len(),
    })
}

/// Whether an account must have a second factor.
fn is_required(app: &App, user: &User) -> bool {
    app.settings().security.admin_mfa_required && user.role.is_admin()
}

/// What the caller can show: at the second step, or to be fresh again. Nothing for whoever has neither factor nor password:
/// they come in through an identity provider, and signing in again is their proof.
///
/// # Errors
/// `unauthenticated` where nobody is signed in or half-way.
pub async fn methods(ctx: &Ctx) -> Result<Vec<Method>> {
    let user = verify::asker(ctx)?;
    Ok(proofs(&user, &held(ctx.app(), &user.id).await?))
}

/// The password counts where there is no second factor.
fn proofs(user: &User, held: &Factors) -> Vec<Method> {
    if user.factors.is_empty() {
        return user.password_hash.iter().map(|_| Method::Password).collect();
    }
    methods_of(user, held)
}

/// What somebody can show at the second step.
pub(crate) async fn methods_for(app: &App, user: &User) -> Result<Vec<Method>> {
    Ok(methods_of(user, &held(app, &user.id).await?))
}

fn methods_of(user: &User, held: &Factors) -> Vec<Method> {
    let codes = (!held.recovery_codes.is_empty()).then_some(Method::RecoveryCode);
    user.factors.iter().copied().map(Method::from).chain(codes).collect()
}

/// Removes one kind of factor from the caller's account, or all of them, and ends the caller's other sessions.
///
/// # Errors
/// `fresh_factor_required`; `not_found` where nothing of the kind is enrolled; `last_factor` where the account must have one.
pub async fn disable(ctx: &Ctx, kind: Option<FactorKind>) -> Result<()> {
    let Browser { person, .. } = browser(ctx)?;
    ctx.require_fresh()?;
    let app = ctx.app();
    let going = |one: FactorKind| kind.is_none_or(|kind| kind == one);
    if !person.user.factors.iter().any(|one| going(*one)) {
        return Err(Error::not_found("second factor"));
    }
    let mut held = held(app, &person.user.id).await?;
    if going(FactorKind::Totp) {
        (held.totp, held.totp_pending) = (None, None);
    }
    if going(FactorKind::Sms) {
        (held.phone, held.phone_pending) = (None, None);
    }
    let passkeys = passkeys_of(app, &person.user.id).await?;
    let (gone, left) = if going(FactorKind::Passkey) { (passkeys, 0) } else { (Vec::new(), passkeys.len()) };
    let mine = || Scope::Owner(person.user.id.clone());
    let batch = gone.iter().fold(Batch::new(), |batch, key| batch.delete::<Passkey>(mine(), &key.id));
    let details = json!({ "factor": kind.map_or("all", FactorKind::as_str) });
    remove(ctx, held, left, batch, details).await
}

/// Writes a removal: what is left, the end of the other sessions, the audit line.
async fn remove(
    ctx: &Ctx,
    mut held: Factors,
    passkeys: usize,
    with: Batch,
    details: serde_json::Value,
) -> Result<()> {
    let person = ctx.person()?;
    let kinds = kinds(&held, passkeys);
    if kinds.is_empty() {
        if is_required(ctx.app(), &person.user) {
            let message = "Administrators of this installation need a second factor. Enrol another one before you remove the last.";
            return Err(Error::new(Kind::Conflict, "last_factor", message));
        }
        held.recovery_codes.clear();
    }
    let doors = Doors::sessions_of(ctx.app(), &person.user).await?.but(person.session.as_deref());
    let target = Target::new("user", &person.user.id);
    let audit = ctx.audit(Action::FactorRemoved, Outcome::Success, target, details);
    let batch = doors.close(with.and(saved(ctx, held, &kinds)?), ctx.now())?.insert(&audit)?;
    let batch = tell(ctx, batch, &person.user, "A second factor was removed from your account.")?;
    ctx.app().store().write(batch).await.map_err(raced)?;
    doors.forget(ctx.app()).await;
    Ok(())
}

/// Adds the letter that tells somebody of a change of their factors.
fn tell(ctx: &Ctx, batch: Batch, user: &User, what: &str) -> Result<Batch> {
    let letter = Letter::FactorsChanged { what: what.to_owned(), deed: Deed::now(ctx) };
    messages::post(ctx, batch, user.into(), &letter)
}

/// A person at a browser, with the session there.
struct Browser<'a> {
    person: &'a Identity,
    session: &'a engify_core::account::Session,
}

fn browser(ctx: &Ctx) -> Result<Browser<'_>> {
    let person = ctx.at_browser()?;
    let session = person.session.as_deref().ok_or_else(Error::unauthenticated)?;
    Ok(Browser { person, session })
}

/// What a person has enrolled, as it is now.
async fn held(app: &App, user: &UserId) -> Result<Factors> {
    let everything = Scope::Everything("factors are read for the person who signs in or is signed in");
    let held = app.store().get::<Factors>(&everything, user.as_str()).await?;
    Ok(held.unwrap_or_else(|| Factors::none(user.clone(), app.clock().now())))
}

async fn passkeys_of(app: &App, user: &UserId) -> Result<Vec<Passkey>> {
    let mut passkeys = app.store().find(&queries::passkeys_of(user).limit(MOST_PASSKEYS)).await?.items;
    passkeys.sort_by_key(|passkey| passkey.created_at);
    Ok(passkeys)
}

/// The kinds that are enrolled.
fn kinds(held: &Factors, passkeys: usize) -> Vec<FactorKind> {
    let enrolled = |kind: &FactorKind| match kind {
        FactorKind::Totp => held.totp.is_some(),
        FactorKind::Passkey => passkeys > 0,
        FactorKind::Sms => held.phone.is_some(),
    };
    FactorKind::ALL.iter().copied().filter(enrolled).collect()
}

/// The write of what a person has enrolled, and of its kinds into the account.
fn saved(ctx: &Ctx, held: Factors, kinds: &[FactorKind]) -> Result<Batch> {
    let account = Scope::Everything("the factors of an account change");
    let patch = Patch::new(account, &held.id).set("factors", kinds)?.set("updatedAt", ctx.now())?;
    Ok(used(ctx, held)?.patch::<User>(patch))
}

/// The write of what a person has enrolled where the kinds stay. Fails with `stale`, or `duplicate` for the first one,
/// where somebody else wrote since it was read.
fn used(ctx: &Ctx, held: Factors) -> Result<Batch> {
    let before = held.revision;
    let after = Factors { revision: before + 1, updated_at: ctx.now(), ..held };
    if before == 0 {
        return Batch::new().insert(&after);
    }
    let patch = Patch::new(Scope::Everything("the factors of an account change"), &after.id)
        .when("revision", before)?
        .set("revision", after.revision)?
        .set("totp", &after.totp)?
        .set("totpPending", &after.totp_pending)?
        .set("phone", &after.phone)?
        .set("phonePending", &after.phone_pending)?
        .set("recoveryCodes", &after.recovery_codes)?
        .set("updatedAt", after.updated_at)?;
    Ok(Batch::new().patch::<Factors>(patch))
}

/// Two changes at once, in words that say what to do.
fn raced(fault: Error) -> Error {
    if !is_race(&fault) {
        return fault;
    }
    let message =
        "Your second factors were changed by another request at the same time. Look at them and try again.";
    Error::new(Kind::Conflict, "factors_changed", message)
}

fn is_race(fault: &Error) -> bool {
    matches!(fault.code(), "stale" | "duplicate")
}
