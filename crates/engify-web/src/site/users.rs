//! People, for administrators.

use axum::extract::Path;
use axum::response::Response;
use engify_app::limits::presets;
use engify_app::users::{self, NewUser, Search};
use engify_app::{Ctx, factors};
use engify_core::permission::{Permission, Role};
use engify_core::{Error, Result};
use maud::Markup;
use serde::Deserialize;

use super::form::{Fields, Wrong};
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::api::users::csv;
use crate::extract::Query;
use crate::pages::users::{self as pages, NewUserView, UserView, UsersView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// How many people a page lists.
const PAGE: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::UsersRead);
    const WRITE: Policy = Policy::needs(Permission::UsersWrite).limit(presets::WRITE);
    const ROLES: Policy = Policy::needs(Permission::UsersManageRoles).limit(presets::WRITE);
    vec![
        Route::get("/opshub/users", READ, list).page(),
        Route::get("/opshub/users/export", READ.limit(presets::IMPORT).deadline(120), export).page(),
        Route::get("/opshub/users/new", WRITE, blank).page(),
        Route::post("/opshub/users/new", WRITE, create).page(),
        Route::get("/opshub/users/{id}", READ, one).page(),
        Route::post("/opshub/users/{id}", WRITE, rename).page(),
        Route::post("/opshub/users/{id}/role", ROLES, set_role).page(),
        Route::post("/opshub/users/{id}/disable", WRITE, disable).page(),
        Route::post("/opshub/users/{id}/enable", WRITE, enable).page(),
        Route::post("/opshub/users/{id}/end-sessions", WRITE, end_sessions).page(),
        Route::post("/opshub/users/{id}/reset-factors", WRITE, reset_factors).page(),
        Route::post("/opshub/users/{id}/delete", WRITE.deadline(120), delete).page(),
    ]
}

/// Whom to list, as it stands in the address.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    q: String,
    role: String,
    cursor: Option<String>,
}

async fn list(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let cursor = asked.cursor.filter(|cursor| !cursor.is_empty());
    let search = Search { text: asked.q.trim().to_owned(), role: Some(asked.role.clone()) };
    let page = users::list(&visit.ctx, &search, PAGE, cursor.as_deref()).await?;
    let total = if search.text.is_empty() { Some(users::count(&visit.ctx, &search).await?) } else { None };
    let view =
        UsersView { users: &page.items, total, text: search.text, role: asked.role, cursor, next: page.next };
    Ok(ok(pages::list(&visit.frame(), &view)))
}

async fn export(visit: Visit) -> Reply {
    Ok(csv(users::export(&visit.ctx).await?))
}

async fn blank(visit: Visit) -> Response {
    ok(pages::new(&visit.frame(), &NewUserView { roles: new_roles(&visit.ctx), ..NewUserView::default() }))
}

async fn create(visit: Visit, fields: Fields) -> Reply {
    let new = NewUser {
        email: fields.text("email"),
        name: fields.text("name"),
        role: fields.text("role"),
        organization: None,
    };
    let (email, name, role) = (new.email.clone(), new.name.clone(), new.role.clone());
    match users::create(&visit.ctx, new).await {
        Ok(user) => Ok(Said::UserMade.at(&format!("/opshub/users/{}", user.id))),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let problem = Some(wrong.problem(&["name", "email", "role"]));
            let view = NewUserView {
                email,
                name,
                role,
                roles: new_roles(&visit.ctx),
                faults: wrong.faults(&[]),
                problem,
            };
            Ok(wrong.reply(pages::new(&visit.frame(), &view)))
        }
    }
}

/// The roles that a new account can have: those of the caller's organization, or, for super admins, those outside.
fn new_roles(ctx: &Ctx) -> Vec<Role> {
    let outside = ctx.role() == Some(Role::SuperAdmin);
    let fits = |role: &Role| if outside { !role.is_of_organization() } else { role.is_of_organization() };
    let mut roles: Vec<Role> = Role::ALL.iter().copied().filter(fits).collect();
    roles.sort_by_key(|role| (*role != Role::User, *role));
    roles
}

async fn one(visit: Visit, Path(id): Path<String>) -> Reply {
    Ok(ok(page(&visit, &id, None).await?))
}

/// The page of one person; with the name as typed and what is wrong, after a form that did not go through.
async fn page(visit: &Visit, id: &str, wrong: Option<(&Wrong, Option<String>)>) -> Result<Markup> {
    let ctx = &visit.ctx;
    let detail = users::get(ctx, id).await?;
    let outranked = ctx.role() < Some(detail.user.role);
    let typed = wrong.as_ref().and_then(|(_, name)| name.clone());
    let view = UserView {
        user: &detail.user,
        organization: detail.organization.as_ref(),
        owner: detail.owner,
        sessions: &detail.sessions,
        keys: detail.keys as u64,
        roles: users::roles_for(ctx, &detail),
        may_change: ctx.allows(Permission::UsersWrite) && !outranked,
        may_delete: ctx.role() == Some(Role::SuperAdmin),
        name: typed.unwrap_or_else(|| detail.user.name.clone()),
        faults: wrong.as_ref().map(|(wrong, _)| wrong.faults(&[])).unwrap_or_default(),
        problem: wrong.as_ref().map(|(wrong, _)| wrong.problem(&["name", "role"])),
    };
    Ok(pages::one(&visit.frame(), &view))
}

/// What came of a form on somebody's page: said on that page, whether it went through or not.
async fn settled<T>(visit: Visit, id: &str, done: Result<T>, said: Said, typed: Option<String>) -> Reply {
    let path = format!("/opshub/users/{id}");
    let Err(error) = done else { return Ok(said.at(&path)) };
    let wrong = Wrong::of(error)?;
    let visit = visit.at(&path);
    let markup = page(&visit, id, Some((&wrong, typed))).await?;
    Ok(wrong.reply(markup))
}

async fn rename(visit: Visit, Path(id): Path<String>, fields: Fields) -> Reply {
    let name = fields.text("name");
    let done = users::rename(&visit.ctx, &id, &name).await;
    settled(visit, &id, done, Said::Saved, Some(name)).await
}

async fn set_role(visit: Visit, Path(id): Path<String>, fields: Fields) -> Reply {
    let done = users::set_role(&visit.ctx, &id, &fields.text("role")).await;
    settled(visit, &id, done, Said::RoleChanged, None).await
}

async fn disable(visit: Visit, Path(id): Path<String>) -> Reply {
    let done = users::disable(&visit.ctx, &id).await;
    settled(visit, &id, done, Said::SwitchedOff, None).await
}

async fn enable(visit: Visit, Path(id): Path<String>) -> Reply {
    let done = users::enable(&visit.ctx, &id).await;
    settled(visit, &id, done, Said::SwitchedOn, None).await
}

async fn end_sessions(visit: Visit, Path(id): Path<String>) -> Reply {
    let done = users::end_sessions(&visit.ctx, &id).await;
    settled(visit, &id, done, Said::SessionsEnded, None).await
}

async fn reset_factors(visit: Visit, Path(id): Path<String>) -> Reply {
    let done = factors::reset(&visit.ctx, &id).await;
    settled(visit, &id, done, Said::FactorsReset, None).await
}

async fn delete(visit: Visit, Path(id): Path<String>) -> Reply {
    let done: Result<(), Error> = users::delete(&visit.ctx, &id).await;
    match done {
        Ok(()) => Ok(Said::UserDeleted.at("/opshub/users")),
        failed => settled(visit, &id, failed, Said::UserDeleted, None).await,
    }
}
