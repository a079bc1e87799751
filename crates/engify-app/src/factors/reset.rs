//! Taking all second factors off somebody's account: for people who lost every one of them.

use engify_core::Result;
use engify_core::account::User;
use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::{Factors, Passkey};
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_store::{Batch, Patch};
use serde_json::json;

use super::passkeys_of;
use crate::ctx::Ctx;
use crate::doors::Doors;
use crate::messages::{self, Deed, Letter};
use crate::users;

/// Removes every second factor of somebody and ends all their sessions. They sign in with the password alone afterwards,
/// so whoever asks for this must know by another way that it is they who ask. Answers how many sessions ended.
///
/// # Errors
/// `forbidden` without `users:write`; `outranked`; `fresh_factor_required`; `not_found`.
pub async fn reset(ctx: &Ctx, user: &str) -> Result<usize> {
    ctx.require_for(Permission::UsersWrite, Action::FactorsReset, Target::new("user", user)).await?;
    let user = users::reached(ctx, user, Permission::UsersWrite).await?;
    users::check_rank(ctx, user.role)?;
    ctx.require_fresh()?;
    let app = ctx.app();
    let doors = Doors::sessions_of(app, &user).await?;
    let batch = strip(ctx, doors.close(Batch::new(), ctx.now())?, &user).await?;
    let details = json!({ "had": user.factors, "sessionsEnded": doors.count().0 });
    let target = Target::new("user", &user.id);
    let audit = ctx
        .audit(Action::FactorsReset, Outcome::Success, target, details)
        .concerning(user.organization_id.as_ref());
    let batch = batch.insert(&audit)?;
    // Where an administrator sits is nobody else's business.
    let by =
        Deed { device: "an administrator's".to_owned(), address: "not told".to_owned(), ..Deed::now(ctx) };
    let what =
        "An administrator removed all second factors from your account, and ended its sessions.".to_owned();
    let batch = messages::post(ctx, batch, (&user).into(), &Letter::FactorsChanged { what, deed: by })?;
    app.store().write(batch).await?;
    doors.forget(app).await;
    Ok(doors.count().0)
}

/// Adds the removal of every second factor of an account.
pub(crate) async fn strip(ctx: &Ctx, batch: Batch, user: &User) -> Result<Batch> {
    let everything = || Scope::Everything("all factors of an account go");
    let passkeys = passkeys_of(ctx.app(), &user.id).await?;
    let batch = passkeys.iter().fold(batch, |batch, key| batch.delete::<Passkey>(everything(), &key.id));
    let patch = Patch::new(everything(), &user.id)
        .set("factors", Vec::<String>::new())?
        .set("updatedAt", ctx.now())?;
    Ok(batch.delete::<Factors>(everything(), &user.id).patch::<User>(patch))
}
