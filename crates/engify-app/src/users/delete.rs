//! Deleting an account and what is only its owner's.

use engify_core::account::{Device, User};
use engify_core::api_key::ApiKey;
use engify_core::audit::{Action, Target};
use engify_core::factor::{Factors, Passkey};
use engify_core::identity::LinkedIdentity;
use engify_core::link::Link;
use engify_core::permission::{Permission, Role};
use engify_core::prompt::Favorite;
use engify_core::provider_key::ProviderKey;
use engify_core::run::Run;
use engify_core::tenancy::{Audience, Scope, Visibility};
use engify_core::{Error, Kind, Result};
use engify_store::queries::RunFilter;
use engify_store::{Batch, Entity, Query, queries};
use serde_json::json;

use super::change::{changeable, disable, line_on};
use crate::doors::{Doors, all};
use crate::{Ctx, prompts};

/// How many documents go in one batch.
const STEP: u32 = 200;

/// Deletes somebody's account with their sessions, keys of every kind, links, favourites, private prompts and private runs. What they made
/// public or shared with an organization stays under their name. The account is switched off first, so that nothing is
/// added meanwhile; a deletion that is broken off is finished by asking again.
///
/// # Errors
/// `not_found`; `forbidden` for everybody but super admins; `fresh_factor_required`; `own_account`; `owner_protected`; `last_super_admin`.
pub async fn delete(ctx: &Ctx, id: &str) -> Result<()> {
    ctx.require_for(Permission::UsersWrite, Action::UserUpdated, Target::new("user", id)).await?;
    let user = changeable(ctx, id).await?;
    if ctx.role() != Some(Role::SuperAdmin) {
        let message = "Only super admins delete accounts. You can remove this person from your organization.";
        return Err(Error::new(Kind::Forbidden, "forbidden", message));
    }
    ctx.require_fresh()?;
    disable(ctx, id).await?;
    let own = || Scope::Owner(user.id.clone());
    let private = |visibility| visibility == Visibility::Private;
    for prompt in all(ctx.app(), queries::prompts_of(&user.id)).await? {
        if private(prompt.tenancy.visibility) {
            ctx.app().store().write(prompts::deletion(ctx, own(), &prompt).await?).await?;
        }
    }
    purge::<Run>(ctx, queries::runs(own(), &RunFilter::default()), &own(), |run| {
        private(run.tenancy.visibility)
    })
    .await?;
    purge::<Favorite>(ctx, queries::favorites_of(&user.id), &own(), |_| true).await?;
    purge::<ApiKey>(ctx, queries::api_keys_of(&user.id), &own(), |_| true).await?;
    let keys = Audience::User(user.id.clone());
    let of_keys = Scope::Audiences(vec![keys.clone()]);
    purge::<ProviderKey>(ctx, queries::provider_keys_of(&keys), &of_keys, |_| true).await?;
    ctx.app().caches().provider_keys_changed(&keys.to_string()).await;
    purge::<LinkedIdentity>(ctx, queries::identities_of(&user.id), &own(), |_| true).await?;
    purge::<Passkey>(ctx, queries::passkeys_of(&user.id), &own(), |_| true).await?;
    purge::<Link>(ctx, queries::links_of(&user.id), &own(), |_| true).await?;
    purge::<Device>(ctx, queries::devices_of(&user.id), &own(), |_| true).await?;
    let doors = Doors::sessions_of(ctx.app(), &user).await?;
    let scope = Scope::Everything("whom the caller may delete was settled before");
    let audit = line_on(ctx, Action::UserUpdated, &user, json!({ "deleted": true, "role": user.role }));
    let batch = doors
        .close(Batch::new(), ctx.now())?
        .delete::<Factors>(scope.clone(), &user.id)
        .delete::<User>(scope, &user.id)
        .insert(&audit)?;
    let position = ctx.app().store().write(batch).await?;
    doors.forget(ctx.app()).await;
    ctx.app().caches().library_changed(position);
    tracing::info!(user.id = %user.id, "account.deleted");
    Ok(())
}

/// Removes what a query finds and `gone` says of it, page by page.
async fn purge<E: Entity>(
    ctx: &Ctx,
    query: Query<E>,
    scope: &Scope,
    gone: impl Fn(&E) -> bool,
) -> Result<()> {
    let mut query = query.limit(STEP);
    loop {
        let page = ctx.app().store().find(&query).await?;
        let mut batch = Batch::new();
        for one in page.items.iter().filter(|one| gone(one)) {
            batch = batch.delete::<E>(scope.clone(), one.id());
        }
        ctx.app().store().write(batch).await?;
        if page.next.is_none() {
            return Ok(());
        }
        // A cursor is a place in the order, which stays where it is when what was before it is gone.
        query = query.after(page.next);
    }
}
