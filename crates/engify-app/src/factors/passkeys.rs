//! Passkeys (WebAuthn): enrolling them, and signing in with them, with or without a password before.
//!
//! Every ceremony demands that the authenticator verified its user (finger, face, PIN), so a passkey is possession and
//! knowledge at once, and opens an account by itself. The cryptography is the library's; what is kept, for whom and for
//! how long is ours.

use std::sync::Arc;

use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::{Method, Passkey};
use engify_core::ids::UserId;
use engify_core::settings::Settings;
use engify_core::tenancy::Scope;
use engify_core::words::line;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, Patch};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::{
    Passkey as Credential, PublicKeyCredential, RegisterPublicKeyCredential, Uuid, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::recovery::{self, Codes};
use super::verify::{self, Verified};
use super::{Browser, MOST_PASSKEYS, browser, held, is_race, kinds, passkeys_of, raced, remove, saved, tell};
use crate::App;
use crate::accounts::device_name;
use crate::ctx::Ctx;
use crate::doors::Doors;
use crate::tries;

mod ceremony;

pub use ceremony::Started;
use ceremony::State;

/// The part of this installation in ceremonies; none where its address is one that browsers make no passkeys for.
pub(crate) fn relying_party(settings: &Settings) -> Option<Webauthn> {
    let origin = url::Url::parse(&settings.core.url).ok()?;
    let host = origin.domain()?.to_owned();
    // A developer's machine serves on whatever port is free.
    let local = host == "localhost";
    let builder = WebauthnBuilder::new(&host, &origin).ok()?;
    builder.rp_name("Engify").allow_any_port(local).build().ok()
}

fn webauthn(app: &App) -> Result<&Webauthn> {
    app.webauthn().ok_or_else(|| {
        let message = "Passkeys need an address with a name, and https unless it is localhost. \
                       Ask whoever runs this installation to set NEXTAUTH_URL to such a one.";
        Error::new(Kind::Conflict, "passkeys_unavailable", message)
    })
}

/// Whether browsers can make passkeys for this installation's address.
pub fn are_possible(app: &App) -> bool {
    app.webauthn().is_some()
}

/// A passkey just enrolled.
#[derive(Debug)]
pub struct Enrolled {
    /// What is kept of it.
    pub passkey: Passkey,
    /// Recovery codes, where there were none yet.
    pub codes: Codes,
}

/// Begins to enrol a passkey. The answer's options are for `navigator.credentials.create`.
///
/// # Errors
/// `fresh_factor_required`; `too_many_passkeys`; `passkeys_unavailable`.
pub async fn register_start(ctx: &Ctx) -> Result<Started> {
    let user = &browser(ctx)?.person.user;
    ctx.require_fresh()?;
    let there = passkeys_of(ctx.app(), &user.id).await?;
    if there.len() >= MOST_PASSKEYS as usize {
        let message = format!("You have {MOST_PASSKEYS} passkeys; delete one that is not used any more.");
        return Err(Error::new(Kind::Conflict, "too_many_passkeys", message));
    }
    let known =
        there.iter().map(credential).map(|known| Ok(known?.cred_id().clone())).collect::<Result<_>>()?;
    let (options, state) = webauthn(ctx.app())?
        .start_passkey_registration(handle(&user.id), user.email.as_str(), &user.name, Some(known))
        .map_err(Error::internal)?;
    let mut options = serde_json::to_value(options).map_err(Error::internal)?;
    // A passkey that its device lists by itself signs in without a name; one that cannot is still a second factor.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("preferred");
    ceremony::begin(ctx, Some(&user.id), &State::Register(state), options).await
}

/// Enrols the passkey that the browser made. Without a name it is called after the browser. The first factor ends the
/// caller's other sessions.
///
/// # Errors
/// `fresh_factor_required`; `ceremony_over`; `invalid_passkey`; `invalid_request` for the name.
pub async fn register_finish(ctx: &Ctx, token: &str, name: &str, answer: Value) -> Result<Enrolled> {
    let Browser { person, session } = browser(ctx)?;
    let user = &person.user;
    ctx.require_fresh()?;
    let app = ctx.app();
    let name = if name.trim().is_empty() { device_name(&ctx.origin.agent) } else { name.to_owned() };
    let name = named(&name)?;
    let answer: RegisterPublicKeyCredential = read(answer)?;
    let State::Register(state) = ceremony::take(ctx, token, Some(&user.id)).await? else {
        return Err(ceremony::over());
    };
    let made = webauthn(app)?.finish_passkey_registration(&answer, &state).map_err(refused)?;
    let passkey = Passkey {
        id: id(made.cred_id().as_ref()),
        user_id: user.id.clone(),
        name,
        credential: serde_json::to_string(&made).map_err(Error::internal)?,
        created_at: ctx.now(),
        last_used_at: None,
    };
    let mut held = held(app, &user.id).await?;
    let codes = recovery::make_first(app.ids(), &mut held);
    let kinds = kinds(&held, passkeys_of(app, &user.id).await?.len() + 1);
    let details = json!({ "factor": "passkey", "name": passkey.name, "recoveryCodes": codes.len() });
    let audit = ctx.audit(Action::FactorEnrolled, Outcome::Success, Target::new("user", &user.id), details);
    // Sessions that were begun without a factor end with the first one.
    let doors = if user.factors.is_empty() {
        Some(Doors::sessions_of(app, user).await?.but(Some(session)))
    } else {
        None
    };
    let batch = Batch::new().insert(&passkey)?.and(saved(ctx, held, &kinds)?).insert(&audit)?;
    let batch = doors.iter().try_fold(batch, |batch, doors| doors.close(batch, ctx.now()))?;
    let batch = tell(ctx, batch, user, "A passkey was added to your account.")?;
    app.store().write(batch).await.map_err(raced)?;
    app.caches().user_changed(user.id.as_str()).await;
    if let Some(doors) = doors {
        doors.forget(app).await;
    }
    Ok(Enrolled { passkey, codes })
}

/// Begins to prove who one is by a passkey: of the account that is half-way in or signed in, else of whichever account the
/// passkey that comes belongs to. The answer's options are for `navigator.credentials.get`.
///
/// # Errors
/// `passkeys_unavailable`; `not_found` where the account has none.
pub async fn prove_start(ctx: &Ctx) -> Result<Started> {
    let webauthn = webauthn(ctx.app())?;
    let Some(user) = asker(ctx)? else {
        let (options, state) = webauthn.start_discoverable_authentication().map_err(Error::internal)?;
        let mut options = serde_json::to_value(options).map_err(Error::internal)?;
        // The library means passkeys offered beside a text field; here a button asks for one.
        options.as_object_mut().map(|options| options.remove("mediation"));
        return ceremony::begin(ctx, None, &State::Whoever(state), options).await;
    };
    let known: Vec<Credential> =
        passkeys_of(ctx.app(), &user.id).await?.iter().map(credential).collect::<Result<_>>()?;
    if known.is_empty() {
        return Err(Error::not_found("passkey"));
    }
    let (options, state) = webauthn.start_passkey_authentication(&known).map_err(Error::internal)?;
    let options = serde_json::to_value(options).map_err(Error::internal)?;
    ceremony::begin(ctx, Some(&user.id), &State::Known(state), options).await
}

/// Opens what the passkey proves: completes a sign-in, begins one without a password, or makes a session fresh.
///
/// # Errors
/// `ceremony_over`; `invalid_passkey`; `rate_limited`; `account_disabled`.
pub async fn prove_finish(ctx: &Ctx, token: &str, answer: Value) -> Result<Verified> {
    let app = ctx.app();
    // Nobody guesses a signature: this count is for noise, and an account's own would let a stranger make its owner wait.
    let attempt = app.tries().begin(&[(tries::ADDRESS, &ctx.origin.counted())]).await?;
    let answer: PublicKeyCredential = read(answer)?;
    let asker = asker(ctx)?;
    let state = ceremony::take(ctx, token, asker.as_ref().map(|user| &user.id)).await?;
    let everything = Scope::Everything("the passkey tells who comes");
    let kept = app.store().get::<Passkey>(&everything, &id(answer.get_credential_id())).await?;
    let Some(kept) = kept.filter(|kept| asker.as_ref().is_none_or(|user| user.id == kept.user_id)) else {
        return Err(unknown());
    };
    let mut known = credential(&kept)?;
    let webauthn = webauthn(app)?;
    let result = match state {
        State::Known(state) => webauthn.finish_passkey_authentication(&answer, &state),
        State::Whoever(state) => {
            let (owner, _) = webauthn.identify_discoverable_authentication(&answer).map_err(refused)?;
            if owner != handle(&kept.user_id) {
                return Err(unknown());
            }
            webauthn.finish_discoverable_authentication_v2(&answer, state, &known)
        }
        State::Register(_) => return Err(ceremony::over()),
    };
    let result = result.map_err(refused)?;
    known.update_credential(&result);
    let patch = Patch::new(Scope::Owner(kept.user_id.clone()), &kept.id)
        .when("credential", &kept.credential)?
        .set("credential", serde_json::to_string(&known).map_err(Error::internal)?)?
        .set("lastUsedAt", ctx.now())?;
    let user = app.store().get::<User>(&everything, kept.user_id.as_str()).await?.ok_or_else(unknown)?;
    let opened = verify::open(ctx, user, Method::Passkey, Batch::new().patch::<Passkey>(patch)).await;
    match opened {
        Ok(verified) => {
            attempt.right().await;
            Ok(verified)
        }
        Err(fault) if is_race(&fault) => Err(ceremony::over()),
        Err(fault) => Err(fault),
    }
}

/// The caller's passkeys, oldest first.
///
/// # Errors
/// `unauthenticated`.
pub async fn list(ctx: &Ctx) -> Result<Vec<Passkey>> {
    passkeys_of(ctx.app(), &ctx.person()?.user.id).await
}

/// Gives one of the caller's passkeys another name.
///
/// # Errors
/// `not_found`; `invalid_request`.
pub async fn rename(ctx: &Ctx, id: &str, name: &str) -> Result<Passkey> {
    let user = &browser(ctx)?.person.user;
    let name = named(name)?;
    let mut passkey = own(ctx, &user.id, id).await?;
    let patch = Patch::new(Scope::Owner(user.id.clone()), &passkey.id).set("name", &name)?;
    ctx.app().store().write(Batch::new().patch::<Passkey>(patch)).await.map_err(raced)?;
    passkey.name = name;
    Ok(passkey)
}

/// Deletes one of the caller's passkeys and ends their other sessions.
///
/// # Errors
/// `not_found`; `fresh_factor_required`; `last_factor` where the account must have one.
pub async fn delete(ctx: &Ctx, id: &str) -> Result<()> {
    let user = &browser(ctx)?.person.user;
    let passkey = own(ctx, &user.id, id).await?;
    ctx.require_fresh()?;
    let left = passkeys_of(ctx.app(), &user.id).await?.len().saturating_sub(1);
    let batch = Batch::new().delete::<Passkey>(Scope::Owner(user.id.clone()), &passkey.id);
    let held = held(ctx.app(), &user.id).await?;
    remove(ctx, held, left, batch, json!({ "factor": "passkey", "name": passkey.name })).await
}

async fn own(ctx: &Ctx, user: &UserId, id: &str) -> Result<Passkey> {
    let passkey = ctx.app().store().get::<Passkey>(&Scope::Owner(user.clone()), id).await?;
    passkey.ok_or_else(|| Error::not_found("passkey"))
}

fn named(name: &str) -> Result<String> {
    line(name, 1, 60).map_err(|issue| Error::field("name", issue))
}

/// Who proves: the account that is half-way in or signed in at a browser; nobody yet where neither is.
fn asker(ctx: &Ctx) -> Result<Option<Arc<User>>> {
    match (ctx.half_way(), ctx.identity()) {
        (None, None) => Ok(None),
        _ => verify::asker(ctx).map(Some),
    }
}

/// A person's name towards authenticators: 128 bits that say nothing and never change.
fn handle(user: &UserId) -> Uuid {
    let digest = Sha256::new().chain_update("engify passkey owner:").chain_update(user.as_str()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(bytes)
}

/// The document's id for a credential's.
fn id(credential: &[u8]) -> String {
    hex::encode(Sha256::digest(credential))
}

fn credential(passkey: &Passkey) -> Result<Credential> {
    serde_json::from_str(&passkey.credential).map_err(Error::internal)
}

fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T> {
    serde_json::from_value(answer).map_err(|fault| {
        Error::field(
            "credential",
            format!("is not what a browser answers, as PublicKeyCredential.toJSON() writes it: {fault}"),
        )
    })
}

fn unknown() -> Error {
    let message =
        "This passkey opens no account here. Sign in another way and enrol it under Settings, Security.";
    Error::new(Kind::Unauthenticated, "invalid_passkey", message)
}

fn refused(fault: WebauthnError) -> Error {
    let message = match fault {
        WebauthnError::InvalidRPOrigin | WebauthnError::InvalidRPIDHash => {
            "The passkey was made for another address than NEXTAUTH_URL; open this site at that address."
        }
        WebauthnError::UserNotVerified => {
            "The device did not check that it is you. Set up a PIN, finger or face on it, then try again."
        }
        WebauthnError::CredentialPossibleCompromise => {
            "This passkey's counter went backwards: it may have been copied. Delete it and enrol a new one."
        }
        _ => "The passkey's answer does not hold. Try again.",
    };
    Error::new(Kind::Unauthenticated, "invalid_passkey", message).because(fault)
}
