//! Organizations and their members.

use axum::extract::Path;
use engify_app::limits::presets;
use engify_app::organizations::{self, Edit, NewOrganization};
use engify_core::permission::Permission;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Paging, limit};
use crate::extract::{Caller, Json, Query};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply, json};
use crate::route::Route;
use crate::views::{MemberView, OrganizationView};

pub(super) fn routes() -> Vec<Route> {
    const READ: Policy = Policy::needs(Permission::OrganizationRead);
    const JOIN: Policy = Policy::needs(Permission::OrganizationJoin).limit(presets::WRITE);
    const MANAGE: Policy = Policy::needs(Permission::OrganizationManage).limit(presets::WRITE);
    const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
    vec![
        Route::get("/api/v2/organizations", READ, list)
            .named("Organizations", "The caller's own organization; all of them for super admins")
            .query::<ListQuery>()
            .gives::<List<OrganizationView>>(StatusCode::OK, "organizations"),
        Route::post("/api/v2/organizations", JOIN, create)
            .named("Organizations", "Make an organization; the caller, who must belong to none, owns it")
            .takes::<NewBody>()
            .gives::<OrganizationView>(StatusCode::CREATED, "the organization")
            .refuses(CONFLICT),
        Route::get("/api/v2/organizations/joinable", JOIN, joinable)
            .named(
                "Organizations",
                "The organizations that the caller may join through their own mail domain",
            )
            .gives::<List<OrganizationView>>(StatusCode::OK, "organizations"),
        Route::get("/api/v2/organizations/{id}", READ, one)
            .named("Organizations", "One organization")
            .gives::<OrganizationView>(StatusCode::OK, "the organization"),
        Route::patch("/api/v2/organizations/{id}", MANAGE, edit)
            .named("Organizations", "Change an organization's name, domains, seats and retention")
            .takes::<EditBody>()
            .gives::<OrganizationView>(StatusCode::OK, "the organization")
            .refuses(CONFLICT),
        Route::delete("/api/v2/organizations/{id}", MANAGE.deadline(120), delete)
            .named("Organizations", "Delete an organization; for its owner and super admins")
            .query::<Name>()
            .gives::<Done<()>>(StatusCode::OK, "deleted")
            .refuses(CONFLICT),
        Route::get("/api/v2/organizations/{id}/members", READ, members)
            .named("Organizations", "The members, by name")
            .query::<Paging>()
            .gives::<List<MemberView>>(StatusCode::OK, "members"),
        Route::delete("/api/v2/organizations/{id}/members/{user}", MANAGE, remove)
            .named("Organizations", "Remove a member; their sessions and keys end")
            .gives::<Done<()>>(StatusCode::OK, "removed")
            .refuses(CONFLICT),
        Route::post("/api/v2/organizations/{id}/transfer", MANAGE, transfer)
            .named("Organizations", "Make another member the owner; for the owner and super admins")
            .takes::<ToBody>()
            .gives::<OrganizationView>(StatusCode::OK, "the organization")
            .refuses(CONFLICT),
        Route::post("/api/v2/organizations/{id}/leave", JOIN, leave)
            .named("Organizations", "Leave one's organization; one's keys and other sessions end")
            .gives::<Done<()>>(StatusCode::OK, "left")
            .refuses(CONFLICT),
        Route::post("/api/v2/organizations/{id}/join", JOIN, join)
            .named("Organizations", "Join an organization through one's own mail domain")
            .gives::<OrganizationView>(StatusCode::OK, "the organization")
            .refuses(CONFLICT),
    ]
}

/// Which organizations.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// The beginning of the name.
    q: Option<String>,
    /// 1 to 100; 50 where it is left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn list(caller: Caller, Query(query): Query<ListQuery>) -> Reply {
    let beginning = query.q.unwrap_or_default();
    let page =
        organizations::list(&caller.0, &beginning, limit(query.limit)?, query.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.into_iter().map(OrganizationView::from).collect(), next).reply())
}

/// A new organization.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewBody {
    /// 1 to 100 characters.
    name: String,
    /// Made from the name where it is left out.
    slug: Option<String>,
}

async fn create(caller: Caller, Json(body): Json<NewBody>) -> Reply {
    let new = NewOrganization { name: body.name, slug: body.slug };
    let organization = organizations::create(&caller.0, new).await?;
    Ok(json(StatusCode::CREATED, &OrganizationView::from(organization)))
}

async fn joinable(caller: Caller) -> Reply {
    let open = organizations::joinable(&caller.0).await?;
    Ok(List::new(open.into_iter().map(OrganizationView::from).collect(), None).reply())
}

async fn one(caller: Caller, Path(id): Path<String>) -> Reply {
    let overview = organizations::get(&caller.0, &id).await?;
    Ok(json(StatusCode::OK, &OrganizationView::from(overview)))
}

/// What is said differently; what is left out stays. A limit of 0 takes the limit away.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EditBody {
    /// 1 to 100 characters.
    name: Option<String>,
    /// Its name in addresses.
    slug: Option<String>,
    /// Mail domains of its own, at most 50.
    domains: Option<Vec<String>>,
    /// Whether addresses of these domains, once proven, may join by themselves.
    domain_join: Option<bool>,
    /// Whether only addresses of these domains may be invited.
    domain_only: Option<bool>,
    /// The most members and open invitations together; 0 for no limit.
    seats: Option<u32>,
    /// Days until runs are deleted; 0 to keep them.
    data_retention_days: Option<u32>,
    /// Days until lines of the audit log are pruned; 0 for as long as the installation keeps its own.
    audit_retention_days: Option<u32>,
}

async fn edit(caller: Caller, Path(id): Path<String>, Json(body): Json<EditBody>) -> Reply {
    let edit = Edit {
        name: body.name,
        slug: body.slug,
        domains: body.domains,
        domain_join: body.domain_join,
        domain_only: body.domain_only,
        seats: body.seats,
        data_retention_days: body.data_retention_days,
        audit_retention_days: body.audit_retention_days,
    };
    let organization = organizations::edit(&caller.0, &id, edit).await?;
    Ok(json(StatusCode::OK, &OrganizationView::from(organization)))
}

/// The organization's name, typed by whoever means it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Name {
    /// Exactly the organization's name.
    name: String,
}

async fn delete(caller: Caller, Path(id): Path<String>, Query(typed): Query<Name>) -> Reply {
    organizations::dissolve(&caller.0, &id, &typed.name).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}

async fn members(caller: Caller, Path(id): Path<String>, Query(paging): Query<Paging>) -> Reply {
    let page = organizations::members(&caller.0, &id, limit(paging.limit)?, paging.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.iter().map(MemberView::from).collect(), next).reply())
}

async fn remove(caller: Caller, Path((id, user)): Path<(String, String)>) -> Reply {
    organizations::remove(&caller.0, &id, &user).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}

/// The new owner.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ToBody {
    /// A member's id.
    user_id: String,
}

async fn transfer(caller: Caller, Path(id): Path<String>, Json(body): Json<ToBody>) -> Reply {
    let organization = organizations::transfer(&caller.0, &id, &body.user_id).await?;
    Ok(json(StatusCode::OK, &OrganizationView::from(organization)))
}

async fn leave(caller: Caller, Path(id): Path<String>) -> Reply {
    organizations::leave(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}

async fn join(caller: Caller, Path(id): Path<String>) -> Reply {
    let organization = organizations::join(&caller.0, &id).await?;
    Ok(json(StatusCode::OK, &OrganizationView::from(organization)))
}
