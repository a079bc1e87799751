//! The first start: indexes, the shipped library, and the link that makes the first super admin.

use engify_core::account::{Milestone, User};
use engify_core::audit::{Action, Outcome, Target};
use engify_core::permission::Role;
use engify_core::tenancy::Scope;
use engify_core::words::Email;
use engify_core::{Error, Kind, Result, Secret};
use engify_store::{Batch, Patch, collections, queries};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::accounts::{self, SignUp, SignedIn};
use crate::ctx::Ctx;
use crate::doors::Doors;
use crate::{App, doors, jobs, messages, prompts};

const FIRST_ADMIN: &str = "first_super_admin";
const SEEDED: &str = "seed";
const SEARCHABLE: &str = "names_searchable";

/// What a first start did.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// How many prompts were put into the empty library.
    pub seeded: usize,
    /// The token of the set-up link; none once there is a super admin.
    pub setup_token: Option<Secret<String>>,
}

/// Makes an installation ready to serve: indexes are made where they are missing, an empty library is filled once, and
/// the courier begins to carry letters.
///
/// # Errors
/// Those of the store.
pub async fn prepare(app: &App) -> Result<Prepared> {
    let everything = Scope::Everything("the installation prepares itself");
    let mut prepared = Prepared::default();
    // Some indexes keep promises (of two of a kind, one gets in), so what a newer program declares is made before it serves.
    let declared: Vec<_> = collections::ALL.iter().map(|one| (one.name, one.indexes)).collect();
    let hash = hex::encode(Sha256::digest(format!("{declared:?}")));
    let indexed = format!("indexes:{}", &hash[..16]);
    if app.store().get::<Milestone>(&everything, &indexed).await?.is_none() {
        app.store().ensure_indexes().await?;
        let done = Milestone { id: indexed, created_at: app.clock().now() };
        app.store().write(Batch::new().put(&done)?).await?;
    }
    if app.store().get::<Milestone>(&everything, SEEDED).await?.is_none() {
        prepared.seeded = prompts::seed(&Ctx::system(app, "first start")).await?.created;
        let done = Milestone { id: SEEDED.to_owned(), created_at: app.clock().now() };
        app.store().write(Batch::new().put(&done)?).await?;
    }
    if app.store().get::<Milestone>(&everything, SEARCHABLE).await?.is_none() {
        make_names_searchable(app).await?;
        let done = Milestone { id: SEARCHABLE.to_owned(), created_at: app.clock().now() };
        app.store().write(Batch::new().put(&done)?).await?;
    }
    jobs::declare(app).await?;
    prepared.setup_token = token(app).await?;
    messages::start(app);
    let store = app.store().clone();
    tokio::spawn(async move {
        // The first search would do it otherwise, and its caller would wait.
        if let Err(fault) = store.warm_search().await {
            tracing::warn!(error = %fault, "search.not_warmed: the first search fills the index");
        }
    });
    Ok(prepared)
}

/// Writes every name once more, so that what the store derives from it is there also for people who were stored before
/// it did.
async fn make_names_searchable(app: &App) -> Result<()> {
    let everything = || Scope::Everything("the installation prepares itself");
    for user in doors::all(app, queries::users(everything(), None)).await? {
        let patch = Patch::new(everything(), &user.id).when("name", &user.name)?.set("name", &user.name)?;
        app.store().write(Batch::new().patch::<User>(patch.or_skip())).await?;
    }
    Ok(())
}

/// The set-up link's token while there is no super admin: derived from the secret, so that every replica and every
/// restart knows it, and worthless as soon as one exists.
async fn token(app: &App) -> Result<Option<Secret<String>>> {
    if app.store().count(&queries::users_by_role(Role::SuperAdmin)).await? > 0 {
        return Ok(None);
    }
    let mut hash = Sha256::new();
    hash.update(b"engify first super admin\0");
    hash.update(app.secret().reveal());
    Ok(Some(Secret::new(hex::encode(&hash.finalize()[..24]))))
}

/// Whether a set-up link opens anything.
///
/// # Errors
/// Those of the store.
pub async fn is_open(app: &App, given: &str) -> Result<bool> {
    Ok(token(app).await?.is_some_and(|token| token.matches(given)))
}

/// Checks a set-up link before its form is shown.
///
/// # Errors
/// `setup_closed` where the token is wrong or there is a super admin.
pub async fn check_link(app: &App, given: &str) -> Result<()> {
    if is_open(app, given).await? { Ok(()) } else { Err(closed()) }
}

fn closed() -> Error {
    let message = "This set-up link is used up or not of this installation. Make an administrator with `engify admin setup`.";
    Error::new(Kind::Forbidden, "setup_closed", message)
}

/// Makes the first super admin through the link. Of two at once, one wins.
///
/// # Errors
/// `setup_closed` where the token is wrong or there is a super admin; `invalid_request`.
pub async fn first_admin(ctx: &Ctx, given: &str, form: SignUp) -> Result<SignedIn> {
    let app = ctx.app();
    if let Err(refusal) = check_link(app, given).await {
        let details = json!({ "why": refusal.code() });
        crate::audit::note_refusal(ctx, Action::AdminCreated, Target::new("user", "new"), details).await;
        return Err(refusal);
    }
    let user = accounts::new_user(ctx, form, Role::SuperAdmin).await?;
    let (session, token) = accounts::new_session(ctx, &user);
    let target = Target::new("user", &user.id);
    let batch = Batch::new()
        .insert(&Milestone { id: FIRST_ADMIN.to_owned(), created_at: ctx.now() })?
        .insert(&user)?
        .insert(&session)?
        .insert(&ctx.audit(Action::AdminCreated, Outcome::Success, target, json!({ "through": "link" })))?;
    app.store().write(batch).await.map_err(|fault| {
        let by_milestone = fault.details().iter().any(|detail| detail.field.contains("milestones"));
        if by_milestone { closed() } else { accounts::named_taken(fault, "email") }
    })?;
    Ok(SignedIn { expires: session.expires_at, user: user.into(), token })
}

/// Makes a super admin, or makes an existing account one with a new password: `engify admin setup`.
///
/// # Errors
/// `invalid_request`.
pub async fn admin(ctx: &Ctx, form: SignUp) -> Result<(User, bool)> {
    let mut user = accounts::new_user(ctx, form, Role::SuperAdmin).await?;
    let existing = ctx.app().store().first(&queries::user_by_email(&user.email)).await?;
    let target = |user: &User| Target::new("user", &user.id);
    let made = existing.is_none();
    // Another password and another role: whoever is signed in with the old ones signs in again.
    let mut doors = None;
    let batch = if let Some(existing) = existing {
        let scope = Scope::Everything("the operator makes an administrator");
        let patch = Patch::new(scope, &existing.id)
            .set("role", Role::SuperAdmin)?
            .set("name", &user.name)?
            .set("passwordHash", user.password_hash.as_ref().map(Secret::reveal))?
            .set("disabledAt", serde_json::Value::Null)?
            .set("updatedAt", ctx.now())?;
        user.id = existing.id.clone();
        doors = Some(Doors::sessions_of(ctx.app(), &existing).await?);
        let audit = ctx.audit(
            Action::AdminCreated,
            Outcome::Success,
            target(&user),
            json!({ "through": "command line", "was": existing.role }),
        );
        Batch::new().patch::<User>(patch).insert(&audit)?
    } else {
        let audit = ctx.audit(
            Action::AdminCreated,
            Outcome::Success,
            target(&user),
            json!({ "through": "command line" }),
        );
        Batch::new().insert(&user)?.insert(&audit)?
    };
    let milestone = Milestone { id: FIRST_ADMIN.to_owned(), created_at: ctx.now() };
    let batch = match &doors {
        Some(doors) => doors.close(batch, ctx.now())?,
        None => batch,
    };
    ctx.app().store().write(batch.put(&milestone)?).await?;
    if let Some(doors) = doors {
        doors.forget(ctx.app()).await;
    }
    Ok((user, made))
}

/// What there is to know of an account: `engify admin check-user`.
///
/// # Errors
/// `not_found`; `invalid_request` for what is no address.
pub async fn check_user(ctx: &Ctx, email: &str) -> Result<User> {
    ctx.require(engify_core::permission::Permission::UsersRead)?;
    let email = Email::parse(email).map_err(|issue| Error::field("email", issue))?;
    ctx.app().store().first(&queries::user_by_email(&email)).await?.ok_or_else(|| Error::not_found("account"))
}
