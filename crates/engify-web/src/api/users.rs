//! People, as administrators see and change them: those of their organization, super admins everybody.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use engify_app::factors;
use engify_app::limits::presets;
use engify_app::users::{self, NewUser, Search};
use engify_core::permission::Permission;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limit;
use crate::extract::{Caller, Json, Query};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply};
use crate::route::Route;
use crate::views::{UserDetailView, UserRow};

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::UsersRead);
    const WRITE: Policy = Policy::needs(Permission::UsersWrite).limit(presets::WRITE);
    const ROLES: Policy = Policy::needs(Permission::UsersManageRoles).limit(presets::WRITE);
    const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
    vec![
        Route::get("/api/v2/users", READ, list)
            .named(
                "Users",
                "People with accounts: newest first, or those whose name or address begins with a text",
            )
            .query::<ListQuery>()
            .gives::<List<UserRow>>(StatusCode::OK, "the organization's, or all for super admins"),
        Route::post("/api/v2/users", WRITE, create)
            .named("Users", "Make an account; its owner gets a letter to choose a password")
            .takes::<NewUserBody>()
            .gives::<Done<UserRow>>(StatusCode::CREATED, "the account")
            .refuses(&[StatusCode::CONFLICT, StatusCode::NOT_FOUND]),
        Route::get("/api/v2/users/export", READ.limit(presets::IMPORT).deadline(120), export)
            .named("Users", "The newest 10 000 people as CSV")
            .gives_nothing(StatusCode::OK, "the file"),
        Route::get("/api/v2/users/{id}", READ, one)
            .named("Users", "One person with sessions and the number of keys")
            .gives::<UserDetailView>(StatusCode::OK, "the person"),
        Route::patch("/api/v2/users/{id}", WRITE, edit)
            .named("Users", "Change somebody's name")
            .takes::<EditBody>()
            .gives::<Done<UserRow>>(StatusCode::OK, "changed"),
        Route::delete("/api/v2/users/{id}", WRITE.deadline(120), delete)
            .named("Users", "Delete an account with what is only its owner's; for super admins")
            .gives::<Done<()>>(StatusCode::OK, "deleted")
            .refuses(CONFLICT),
        Route::post("/api/v2/users/{id}/role", ROLES, set_role)
            .named("Users", "Change somebody's role; their sessions end")
            .takes::<RoleBody>()
            .gives::<Done<UserRow>>(StatusCode::OK, "changed")
            .refuses(CONFLICT),
        Route::post("/api/v2/users/{id}/disable", WRITE, disable)
            .named("Users", "Switch an account off; its sessions end")
            .gives::<Done<UserRow>>(StatusCode::OK, "it is off")
            .refuses(CONFLICT),
        Route::post("/api/v2/users/{id}/enable", WRITE, enable)
            .named("Users", "Switch an account on again")
            .gives::<Done<UserRow>>(StatusCode::OK, "it is on"),
        Route::post("/api/v2/users/{id}/end-sessions", WRITE, end_sessions)
            .named("Users", "End somebody's sessions")
            .gives::<Done<Ended>>(StatusCode::OK, "ended"),
        Route::post("/api/v2/users/{id}/reset-factors", WRITE, reset_factors)
            .named("Users", "Take all second factors off an account; its sessions end")
            .gives::<Done<Ended>>(StatusCode::OK, "the password alone opens it now"),
    ]
}

/// Whom to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// The beginning of a name, of its last word, or of an address.
    q: Option<String>,
    /// Of this role.
    role: Option<String>,
    /// 1 to 100; 50 where it is left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn list(caller: Caller, Query(query): Query<ListQuery>) -> Reply {
    let search = Search { text: query.q.unwrap_or_default(), role: query.role };
    let page = users::list(&caller.0, &search, limit(query.limit)?, query.cursor.as_deref()).await?;
    Ok(List::new(page.items.iter().map(UserRow::from).collect(), page.next).reply())
}

/// Whom to make an account for.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUserBody {
    /// Where the letter goes.
    email: String,
    /// 1 to 100 characters.
    name: String,
    /// `org_member` in an organization and `user` outside where it is left out.
    role: Option<String>,
    /// One's own where it is left out; super admins make accounts outside organizations then.
    organization_id: Option<String>,
}

async fn create(caller: Caller, Json(body): Json<NewUserBody>) -> Reply {
    let new = NewUser {
        email: body.email,
        name: body.name,
        role: body.role.unwrap_or_default(),
        organization: body.organization_id,
    };
    let user = users::create(&caller.0, new).await?;
    Ok(Done::reply(StatusCode::CREATED, UserRow::from(&user)))
}

async fn export(caller: Caller) -> Reply {
    Ok(csv(users::export(&caller.0).await?))
}

/// A file for spreadsheets.
pub(crate) fn csv(text: String) -> Response {
    const KIND: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
    const NAME: HeaderValue = HeaderValue::from_static("attachment; filename=\"users.csv\"");
    const CACHE: HeaderValue = HeaderValue::from_static("no-store");
    let headers =
        [(header::CONTENT_TYPE, KIND), (header::CONTENT_DISPOSITION, NAME), (header::CACHE_CONTROL, CACHE)];
    (headers, text).into_response()
}

async fn one(caller: Caller, Path(id): Path<String>) -> Reply {
    let detail = users::get(&caller.0, &id).await?;
    Ok(crate::reply::json(StatusCode::OK, &UserDetailView::from(detail)))
}

/// What is said differently.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EditBody {
    /// 1 to 100 characters.
    name: String,
}

async fn edit(caller: Caller, Path(id): Path<String>, Json(body): Json<EditBody>) -> Reply {
    let user = users::rename(&caller.0, &id, &body.name).await?;
    Ok(Done::reply(StatusCode::OK, UserRow::from(&user)))
}

async fn delete(caller: Caller, Path(id): Path<String>) -> Reply {
    users::delete(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}

/// The new role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RoleBody {
    /// Not above the caller's own; `org_…` for members only, `free`, `user` and `pro` for people without an organization.
    role: String,
}

async fn set_role(caller: Caller, Path(id): Path<String>, Json(body): Json<RoleBody>) -> Reply {
    let user = users::set_role(&caller.0, &id, &body.role).await?;
    Ok(Done::reply(StatusCode::OK, UserRow::from(&user)))
}

async fn disable(caller: Caller, Path(id): Path<String>) -> Reply {
    let user = users::disable(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, UserRow::from(&user)))
}

async fn enable(caller: Caller, Path(id): Path<String>) -> Reply {
    let user = users::enable(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, UserRow::from(&user)))
}

/// How many sessions ended.
#[derive(Serialize, JsonSchema)]
struct Ended {
    sessions: usize,
}

async fn end_sessions(caller: Caller, Path(id): Path<String>) -> Reply {
    let sessions = users::end_sessions(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, Ended { sessions }))
}

async fn reset_factors(caller: Caller, Path(id): Path<String>) -> Reply {
    let sessions = factors::reset(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, Ended { sessions }))
}
