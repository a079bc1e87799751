//! Whether a caller is still who they were when their request came: for replies that go on for a while.

use crate::cache;
use crate::ctx::{Actor, Ctx};

/// Whether the session or key, the account and its role still hold. Where that cannot be told, they do not.
pub(crate) async fn still_holds(ctx: &Ctx) -> bool {
    let (app, now) = (ctx.app(), ctx.now());
    let identity = match &ctx.actor {
        Actor::System(_) => return true,
        Actor::Anonymous | Actor::HalfWay(_) => return false,
        Actor::Person(identity) => identity,
    };
    let by_session = match &identity.session {
        Some(session) => match cache::session(app, &session.id).await {
            Ok(found) => found.is_some_and(|session| session.expires_at > now),
            Err(_) => false,
        },
        None => true,
    };
    let by_key = match &identity.key {
        Some(key) => match cache::key(app, &key.key_hash).await {
            Ok(found) => found.is_some_and(|key| key.is_live(now)),
            Err(_) => false,
        },
        None => true,
    };
    let user = cache::user(app, &identity.user.id).await.ok().flatten();
    let same = user.is_some_and(|user| {
        user.disabled_at.is_none()
            && user.role == identity.user.role
            && user.organization_id == identity.user.organization_id
    });
    by_session && by_key && same
}
