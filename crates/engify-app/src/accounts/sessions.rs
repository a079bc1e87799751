//! Sessions: how they begin, whom they belong to, how they end.

use std::time::Duration;

use engify_core::account::{Session, User};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::tenancy::Scope;
use engify_core::{Error, Result, Secret, Time};
use engify_store::{Batch, Patch, queries};
use serde_json::json;

use crate::ctx::{Ctx, Identity};
use crate::doors::Doors;
use crate::{App, cache, token};

/// A session ends after this long, whatever its use.
const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// A session ends after this long without use.
const SESSION_IDLE: Duration = Duration::from_secs(14 * 24 * 3600);
/// "Last seen" is written at most this often.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// Begins a session for a person just proven.
pub(crate) fn new_session(ctx: &Ctx, user: &User) -> (Session, Secret<String>) {
    let token = token::make(ctx.app().ids());
    let now = ctx.now();
    let mut session = Session {
        id: token::hash(token.reveal()),
        user_id: user.id.clone(),
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus(SESSION_LIFE),
        address: ctx.origin.address.clone(),
        place: ctx.origin.place.clone(),
        agent: ctx.origin.agent.clone(),
        proven_at: Some(now),
    };
    session.expires_at = end(ctx.app(), &session, user);
    (session, token)
}

/// When a session ends for good. An administrator's ends `ADMIN_SESSION_MAX_AGE_MINUTES` after it began, also where they
/// became one in the middle of it.
fn end(app: &App, session: &Session, user: &User) -> Time {
    if !user.role.is_admin() {
        return session.expires_at;
    }
    let minutes = u64::from(app.settings().security.admin_session_minutes);
    session.expires_at.min(session.created_at.plus(Duration::from_secs(minutes * 60)))
}

fn holds(app: &App, session: &Session, user: &User) -> bool {
    let now = app.clock().now();
    end(app, session, user) > now && session.last_seen_at.plus(SESSION_IDLE) > now
}

/// Who a session cookie belongs to; nobody for one that is unknown, ended, idle too long, or of a disabled account.
///
/// # Errors
/// `database_unavailable`: a valid session is never taken for an invalid one because a database is away.
pub async fn by_session(app: &App, token: &str) -> Result<Option<Identity>> {
    if !token::has_form(token) {
        return Ok(None);
    }
    let Some(session) = cache::session(app, &token::hash(token)).await? else { return Ok(None) };
    let Some(user) = cache::user(app, &session.user_id).await?.filter(|user| user.disabled_at.is_none())
    else {
        return Ok(None);
    };
    if !holds(app, &session, &user) {
        return Ok(None);
    }
    let ends = end(app, &session, &user);
    let session = if ends == session.expires_at {
        session
    } else {
        Session { expires_at: ends, ..(*session).clone() }.into()
    };
    let now = app.clock().now();
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

/// The caller's sessions that still hold, the last used first.
///
/// # Errors
/// `unauthenticated`.
pub async fn sessions(ctx: &Ctx) -> Result<Vec<Session>> {
    let person = ctx.person()?;
    let mut sessions = ctx.app().store().find(&queries::sessions_of(&person.user.id).limit(200)).await?.items;
    sessions.retain(|session| holds(ctx.app(), session, &person.user));
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
/// `unauthenticated`; `not_found` for one that is not the caller's, or has ended.
pub async fn end_sessions(ctx: &Ctx, ending: Ending) -> Result<usize> {
    let person = ctx.person()?;
    let doors = Doors::sessions_of(ctx.app(), &person.user).await?;
    let doors = match &ending {
        Ending::One(id) => doors.only(id),
        Ending::Others => doors.but(person.session.as_deref()),
    };
    let (ended, _) = doors.count();
    if ended == 0 && matches!(ending, Ending::One(_)) {
        return Err(Error::not_found("session"));
    }
    let target = Target::new("user", &person.user.id);
    let audit = ctx.audit(Action::SessionsEnded, Outcome::Success, target, json!({ "sessions": ended }));
    ctx.app().store().write(doors.close(Batch::new(), ctx.now())?.insert(&audit)?).await?;
    doors.forget(ctx.app()).await;
    Ok(ended)
}
