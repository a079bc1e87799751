//! From the first proof to a session. Whoever has a second factor gets half a session first, which opens nothing but the
//! second step; completing it makes a session with a token of its own, so that no token from before is worth anything.

use std::sync::Arc;
use std::time::Duration;

use engify_core::account::{Session, User};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::{HalfSession, Method};
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Secret, Time};
use engify_store::{Batch, Patch};
use serde_json::{Value, json};

use super::sessions::new_session;
use super::{SignedIn, devices};
use crate::App;
use crate::ctx::{Actor, Ctx, Identity};
use crate::{factors, token};

/// How long the second step may take.
const HALF_LIFE: Duration = Duration::from_secs(10 * 60);
/// What tells the token of half a session from a whole one's, so that no door is knocked at in vain.
const HALF: &str = "half_";

/// What the first proof leads to.
#[derive(Debug)]
pub enum Admission {
    /// A session.
    Whole(SignedIn),
    /// Half a session: a second factor is asked for.
    Half(HalfWay),
}

/// Half a session just begun: the only moment its token is known.
#[derive(Debug)]
pub struct HalfWay {
    /// What can be shown next.
    pub methods: Vec<Method>,
    /// The cookie's value.
    pub token: Secret<String>,
    /// The end.
    pub expires: Time,
}

/// Somebody who showed the first factor and not the second.
#[derive(Debug, Clone)]
pub struct HalfIdentity {
    /// The account. Nothing of it may be shown yet but what the second step needs.
    pub user: Arc<User>,
    /// The sign-in.
    pub half: Arc<HalfSession>,
}

/// Lets in whoever just proved to be `user` by a first factor (`details` says which): with half a session where a second
/// one is enrolled. Every way of signing in ends here. `proven_at` is when they last showed what only they can show.
///
/// # Errors
/// `account_disabled`.
pub(crate) async fn admit(ctx: &Ctx, user: User, details: Value, proven_at: Time) -> Result<Admission> {
    refuse_disabled(ctx, &user).await?;
    if user.factors.is_empty() {
        return enter(ctx, user, details, Batch::new(), proven_at).await.map(Admission::Whole);
    }
    let app = ctx.app();
    let now = ctx.now();
    let token = Secret::new(format!("{HALF}{}", token::make(app.ids()).reveal()));
    let half = HalfSession {
        id: token::hash(token.reveal()),
        user_id: user.id.clone(),
        created_at: now,
        expires_at: now.plus(HALF_LIFE),
    };
    app.store().write(Batch::new().insert(&half)?).await?;
    let methods = factors::methods_for(app, &user).await?;
    Ok(Admission::Half(HalfWay { methods, token, expires: half.expires_at }))
}

/// Begins the session of somebody who proved enough. `with` happens in the same transaction.
///
/// # Errors
/// `account_disabled`; `stale` where `with` came too late.
pub(crate) async fn enter(
    ctx: &Ctx,
    user: User,
    details: Value,
    with: Batch,
    proven_at: Time,
) -> Result<SignedIn> {
    refuse_disabled(ctx, &user).await?;
    let app = ctx.app();
    let (session, token) = new_session(ctx, &user);
    let session = Session { proven_at: Some(proven_at.min(ctx.now())), ..session };
    let seen =
        Patch::new(Scope::Everything("the person signs in"), &user.id).set("lastSignInAt", ctx.now())?;
    let actor = Actor::Person(Identity { user: Arc::new(user.clone()), session: None, key: None });
    let target = Target::new("user", &user.id);
    let audit = Ctx::new(app, actor, ctx.origin.clone()).audit(
        Action::UserSignedIn,
        Outcome::Success,
        target,
        details,
    );
    let batch = with.insert(&session)?.patch::<User>(seen.or_skip()).insert(&audit)?;
    app.store().write(devices::note(ctx, batch, &user).await?).await?;
    Ok(SignedIn { expires: session.expires_at, user: Arc::new(user), token })
}

/// The end of half a session, for the batch that begins the whole one.
pub(crate) fn spent(half: &HalfSession) -> Batch {
    Batch::new().delete::<HalfSession>(Scope::Owner(half.user_id.clone()), &half.id)
}

async fn refuse_disabled(ctx: &Ctx, user: &User) -> Result<()> {
    if user.disabled_at.is_none() {
        return Ok(());
    }
    let details = json!({ "why": "account_disabled" });
    let target = Target::new("user", &user.id);
    ctx.app().recorder().note(ctx.audit(Action::UserSignedIn, Outcome::Refused, target, details)).await;
    let message = "This account is switched off. Ask an administrator of this installation.";
    Err(Error::new(Kind::Forbidden, "account_disabled", message))
}

/// Whose half session a cookie names; nobody's for one that is unknown, ended, or of a disabled account. Read anew each
/// time: it is asked for seldom.
pub(super) async fn by_half(app: &App, token: &str) -> Result<Option<HalfIdentity>> {
    if !token.strip_prefix(HALF).is_some_and(token::has_form) {
        return Ok(None);
    }
    let everything = Scope::Everything("the cookie tells who is half-way in");
    let Some(half) = app.store().get::<HalfSession>(&everything, &token::hash(token)).await? else {
        return Ok(None);
    };
    if half.expires_at <= app.clock().now() {
        return Ok(None);
    }
    let user = app.store().get::<User>(&everything, half.user_id.as_str()).await?;
    let user = user.filter(|user| user.disabled_at.is_none());
    Ok(user.map(|user| HalfIdentity { user: Arc::new(user), half: Arc::new(half) }))
}
