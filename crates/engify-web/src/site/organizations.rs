//! Organizations: the list for administrators, and the pages of one, which its own people find under
//! `/settings/organization` and administrators under `/opshub/organizations/{id}`.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::response::Response;
use engify_app::limits::presets;
use engify_app::organizations::{self, Edit, Invited, NewOrganization, Overview};
use engify_app::users;
use engify_core::permission::{Permission, Role};
use engify_core::{Error, Result};
use http::request::Parts;
use maud::Markup;
use serde::Deserialize;

use super::form::{Fields, Wrong};
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::extract::Query;
use crate::pages::organization::invitations::{self, InvitationsView};
use crate::pages::organization::settings::{self, SettingsValues, SettingsView};
use crate::pages::organization::{self as pages, About, MembersView, OWN, StartView};
use crate::pages::organizations::{self as lists, OrganizationRow, OrganizationsView};
use crate::policy::Policy;
use crate::reply::{Failure, Reply};
use crate::route::Route;
use crate::web::Web;

/// How many rows a page lists.
const PAGE: u32 = 50;

const READ: Policy = Policy::needs(Permission::OrganizationRead);
const JOIN: Policy = Policy::needs(Permission::OrganizationJoin).limit(presets::WRITE);
const MANAGE: Policy = Policy::needs(Permission::OrganizationManage);
const CHANGE: Policy = MANAGE.limit(presets::WRITE);
const ROLES: Policy = Policy::needs(Permission::UsersManageRoles).limit(presets::WRITE);

/// The routes of one organization's pages below an address.
macro_rules! below {
    ($base:literal) => {
        [
            Route::post(concat!($base, "/members/{user}/role"), ROLES, set_role).page(),
            Route::post(concat!($base, "/members/{user}/remove"), CHANGE, remove).page(),
            Route::post(concat!($base, "/transfer"), CHANGE, transfer).page(),
            Route::get(concat!($base, "/invitations"), MANAGE, sent).page(),
            Route::post(concat!($base, "/invitations"), MANAGE.limit(presets::INVITE), invite).page(),
            Route::post(
                concat!($base, "/invitations/{invitation}/resend"),
                MANAGE.limit(presets::INVITE),
                resend,
            )
            .page(),
            Route::post(concat!($base, "/invitations/{invitation}/revoke"), CHANGE, revoke).page(),
            Route::get(concat!($base, "/settings"), MANAGE, show_settings).page(),
            Route::post(concat!($base, "/settings"), CHANGE, save).page(),
            Route::post(concat!($base, "/delete"), CHANGE.deadline(120), delete).page(),
        ]
    };
}

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::get("/settings/organization", READ, own).page(),
        Route::post("/settings/organization", JOIN, create).page(),
        Route::post("/settings/organization/join", JOIN, join).page(),
        Route::post("/settings/organization/leave", JOIN, leave).page(),
        Route::get("/opshub/organizations", MANAGE, list).page(),
        Route::get("/opshub/organizations/{id}", MANAGE, members).page(),
    ];
    routes.extend(below!("/settings/organization"));
    routes.extend(below!("/opshub/organizations/{id}"));
    routes
}

/// A request for a page of one organization, or from one of its forms.
struct Place {
    visit: Visit,
    /// The organization's id.
    id: String,
    /// Where its pages begin.
    base: String,
    /// What else the path names: a member, an invitation.
    rest: Vec<(String, String)>,
}

impl FromRequestParts<Web> for Place {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Failure> {
        let visit = Visit::from_request_parts(parts, web).await?;
        let params = RawPathParams::from_request_parts(parts, web).await;
        let params = params.map_err(|_| Failure(Error::not_found("page")))?;
        let rest: Vec<_> = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let named = rest.iter().find(|(name, _)| name == "id").map(|(_, id)| id.clone());
        let own = visit.ctx.organization_id().map(ToString::to_string);
        let base = named.as_ref().map_or_else(|| OWN.to_owned(), |id| format!("/opshub/organizations/{id}"));
        let id = named.or(own).ok_or_else(|| Failure(Error::not_found("organization")))?;
        Ok(Self { visit, id, base, rest })
    }
}

impl Place {
    fn param(&self, name: &str) -> &str {
        self.rest.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn path(&self, below: &str) -> String {
        format!("{}{below}", self.base)
    }

    fn about<'a>(&'a self, overview: &'a Overview) -> About<'a> {
        let (ctx, organization) = (&self.visit.ctx, &overview.organization);
        let may_manage = ctx.allows(Permission::OrganizationManage);
        let owns = organization.owner_id.is_some() && organization.owner_id.as_ref() == ctx.user_id();
        About {
            organization,
            base: &self.base,
            members: overview.members,
            invitations: overview.invitations,
            may_manage,
            may_end: may_manage && (owns || ctx.role() == Some(Role::SuperAdmin)),
        }
    }

    /// The roles that the caller can give to members.
    fn roles(&self) -> Vec<Role> {
        let own = self.visit.ctx.role();
        Role::ALL.iter().copied().filter(|role| role.is_of_organization() && own >= Some(*role)).collect()
    }
}

/// Where a list begins.
#[derive(Deserialize)]
struct Cursor {
    cursor: Option<String>,
}

impl Cursor {
    fn given(self) -> Option<String> {
        self.cursor.filter(|cursor| !cursor.is_empty())
    }
}

/// Which organizations, as it stands in the address.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    q: String,
    cursor: Option<String>,
}

async fn list(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let cursor = asked.cursor.filter(|cursor| !cursor.is_empty());
    let page = organizations::list(&visit.ctx, &asked.q, PAGE, cursor.as_deref()).await?;
    let row = |one: Overview| OrganizationRow {
        organization: one.organization,
        members: one.members,
        invitations: one.invitations,
    };
    let view = OrganizationsView {
        organizations: page.items.into_iter().map(row).collect(),
        text: asked.q,
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
    };
    Ok(ok(lists::list(&visit.frame(), &view)))
}

async fn own(visit: Visit, cursor: Query<Cursor>) -> Reply {
    match visit.ctx.organization_id().map(ToString::to_string) {
        Some(id) => members(Place { visit, id, base: OWN.to_owned(), rest: Vec::new() }, cursor).await,
        None => Ok(ok(start(&visit, StartView::default()).await?)),
    }
}

async fn start(visit: &Visit, view: StartView<'_>) -> Result<Markup> {
    let joinable = organizations::joinable(&visit.ctx).await?;
    let proven = visit.ctx.person()?.user.email_verified_at.is_some();
    Ok(pages::start(&visit.frame(), &StartView { joinable: &joinable, proven, ..view }))
}

async fn create(visit: Visit, fields: Fields) -> Reply {
    let (name, slug) = (fields.text("name"), fields.text("slug"));
    let new = NewOrganization { name: name.clone(), slug: Some(slug.clone()) };
    let Err(error) = organizations::create(&visit.ctx, new).await else {
        return Ok(Said::OrganizationMade.at(&format!("{OWN}/invitations")));
    };
    let wrong = Wrong::of(error)?;
    let problem = Some(wrong.problem(&["name", "slug"]));
    let view = StartView { name, slug, faults: wrong.faults(&[]), problem, ..StartView::default() };
    Ok(wrong.reply(start(&visit, view).await?))
}

async fn join(visit: Visit, fields: Fields) -> Reply {
    organizations::join(&visit.ctx, &fields.text("id")).await?;
    Ok(Said::Joined.at(OWN))
}

async fn leave(visit: Visit) -> Reply {
    let id = visit.ctx.organization_id().map(ToString::to_string).unwrap_or_default();
    organizations::leave(&visit.ctx, &id).await?;
    Ok(Said::Left.at(OWN))
}

async fn members(place: Place, Query(cursor): Query<Cursor>) -> Reply {
    let ctx = &place.visit.ctx;
    let cursor = cursor.given();
    let overview = organizations::get(ctx, &place.id).await?;
    let page = organizations::members(ctx, &place.id, PAGE, cursor.as_deref()).await?;
    let view = MembersView {
        about: place.about(&overview),
        members: &page.items,
        me: ctx.user_id().map(|id| id.as_str()).unwrap_or_default(),
        roles: place.roles(),
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
    };
    Ok(ok(pages::members(&place.visit.frame(), &view)))
}

async fn set_role(place: Place, fields: Fields) -> Reply {
    let (ctx, user) = (&place.visit.ctx, place.param("user"));
    organizations::member(ctx, &place.id, user).await?;
    users::set_role(ctx, user, &fields.text("role")).await?;
    Ok(Said::RoleChanged.at(&place.base))
}

async fn remove(place: Place) -> Reply {
    organizations::remove(&place.visit.ctx, &place.id, place.param("user")).await?;
    Ok(Said::MemberRemoved.at(&place.base))
}

async fn transfer(place: Place, fields: Fields) -> Reply {
    organizations::transfer(&place.visit.ctx, &place.id, &fields.text("user")).await?;
    Ok(Said::Transferred.at(&place.base))
}

async fn sent(place: Place, Query(cursor): Query<Cursor>) -> Reply {
    Ok(ok(invitations_page(&place, cursor.given(), Invited::default(), None).await?))
}

async fn invitations_page(
    place: &Place,
    cursor: Option<String>,
    typed: Invited,
    wrong: Option<&Wrong>,
) -> Result<Markup> {
    let ctx = &place.visit.ctx;
    let overview = organizations::get(ctx, &place.id).await?;
    let page = organizations::invitations(ctx, &place.id, PAGE, cursor.as_deref()).await?;
    let view = InvitationsView {
        about: place.about(&overview),
        invitations: &page.items,
        email: typed.email,
        role: typed.role,
        roles: place.roles(),
        faults: wrong.map(|wrong| wrong.faults(&[])).unwrap_or_default(),
        problem: wrong.map(|wrong| wrong.problem(&["email", "role"])),
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
    };
    Ok(invitations::page(&place.visit.frame(), &view))
}

async fn invite(place: Place, fields: Fields) -> Reply {
    let invited = Invited { email: fields.text("email"), role: fields.text("role") };
    let Err(error) = organizations::invite(&place.visit.ctx, &place.id, &invited).await else {
        return Ok(Said::Invited.at(&place.path("/invitations")));
    };
    let wrong = Wrong::of(error)?;
    let page = invitations_page(&place, None, invited, Some(&wrong)).await?;
    Ok(wrong.reply(page))
}

async fn resend(place: Place) -> Reply {
    organizations::resend(&place.visit.ctx, &place.id, place.param("invitation")).await?;
    Ok(Said::Invited.at(&place.path("/invitations")))
}

async fn revoke(place: Place) -> Reply {
    organizations::revoke(&place.visit.ctx, &place.id, place.param("invitation")).await?;
    Ok(Said::InvitationRevoked.at(&place.path("/invitations")))
}

async fn show_settings(place: Place) -> Reply {
    Ok(ok(settings_page(&place, None, None, None).await?))
}

/// The settings as they are, or as typed with what is wrong.
async fn settings_page(
    place: &Place,
    typed: Option<SettingsValues>,
    wrong: Option<&Wrong>,
    end: Option<&Wrong>,
) -> Result<Markup> {
    const FIELDS: &[&str] = &["name", "slug", "domains", "seats", "dataRetentionDays", "auditRetentionDays"];
    let overview = organizations::get(&place.visit.ctx, &place.id).await?;
    let view = SettingsView {
        about: place.about(&overview),
        values: typed.unwrap_or_else(|| written(&overview)),
        faults: wrong.map(|wrong| wrong.faults(&[])).unwrap_or_default(),
        end_faults: end.map(|wrong| wrong.faults(&[])).unwrap_or_default(),
        problem: wrong.or(end).map(|wrong| wrong.problem(FIELDS)),
    };
    Ok(settings::page(&place.visit.frame(), &view))
}

fn written(overview: &Overview) -> SettingsValues {
    let (organization, settings) = (&overview.organization, &overview.organization.settings);
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let domains: Vec<&str> = settings.domains.iter().map(|domain| domain.as_str()).collect();
    SettingsValues {
        name: organization.name.clone(),
        slug: organization.slug.to_string(),
        domains: domains.join("\n"),
        domain_join: settings.domain_join,
        domain_only: settings.domain_only,
        seats: number(settings.seats),
        data_retention_days: number(settings.data_retention_days),
        audit_retention_days: number(settings.audit_retention_days),
    }
}

async fn save(place: Place, fields: Fields) -> Reply {
    let values = SettingsValues {
        name: fields.text("name"),
        slug: fields.text("slug"),
        domains: fields.text("domains"),
        domain_join: fields.given("domainJoin").is_some(),
        domain_only: fields.given("domainOnly").is_some(),
        seats: fields.text("seats"),
        data_retention_days: fields.text("dataRetentionDays"),
        audit_retention_days: fields.text("auditRetentionDays"),
    };
    let done = match read(&values) {
        Ok(edit) => organizations::edit(&place.visit.ctx, &place.id, edit).await,
        Err(error) => Err(error),
    };
    let Err(error) = done else { return Ok(Said::Saved.at(&place.path("/settings"))) };
    let wrong = Wrong::of(error)?;
    let page = settings_page(&place, Some(values), Some(&wrong), None).await?;
    Ok(wrong.reply(page))
}

/// The form's fields as a change; an empty number is no limit.
fn read(values: &SettingsValues) -> Result<Edit> {
    let mut faults = engify_core::error::Faults::default();
    let mut number = |field: &str, text: &str| match text.trim() {
        "" => Some(0),
        text => faults.take(field, text.parse().map_err(|_| "is a whole number".to_owned())),
    };
    let edit = Edit {
        seats: number("seats", &values.seats),
        data_retention_days: number("dataRetentionDays", &values.data_retention_days),
        audit_retention_days: number("auditRetentionDays", &values.audit_retention_days),
        name: Some(values.name.clone()),
        slug: Some(values.slug.clone()),
        domains: Some(
            values
                .domains
                .split([',', '\n', ' '])
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        ),
        domain_join: Some(values.domain_join),
        domain_only: Some(values.domain_only),
    };
    faults.check()?;
    Ok(edit)
}

async fn delete(place: Place, fields: Fields) -> Reply {
    let done = organizations::dissolve(&place.visit.ctx, &place.id, &fields.text("typed")).await;
    let Err(error) = done else {
        let list = if place.base == OWN { OWN } else { "/opshub/organizations" };
        return Ok(Said::OrganizationDeleted.at(list));
    };
    let wrong = Wrong::of(error)?;
    let page = settings_page(&place, None, None, Some(&wrong)).await?;
    Ok::<Response, Failure>(wrong.reply(page))
}
