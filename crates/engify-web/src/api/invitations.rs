//! Invitations: sending them, for administrators; answering them, for whoever holds a link.

use axum::extract::{Path, State};
use axum::response::Response;
use engify_app::limits::presets;
use engify_app::organizations::{self, Invited, NewPerson};
use engify_core::Secret;
use engify_core::permission::Permission;
use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::cookie;
use super::{Paging, limit};
use crate::extract::{Caller, Json, Query};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply, json};
use crate::route::Route;
use crate::views::{InvitationView, LetterView, OrganizationView};
use crate::web::Web;

pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Policy = Policy::needs(Permission::OrganizationManage);
    const SEND: Policy = MANAGE.limit(presets::INVITE);
    const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
    vec![
        Route::get("/api/v2/organizations/{id}/invitations", MANAGE, list)
            .named("Invitations", "Invitations that were neither accepted nor taken back, newest first")
            .query::<Paging>()
            .gives::<List<InvitationView>>(StatusCode::OK, "never their links"),
        Route::post("/api/v2/organizations/{id}/invitations", SEND, invite)
            .named("Invitations", "Invite an address by mail; the link works for 7 days")
            .takes::<InviteBody>()
            .gives::<Done<InvitationView>>(StatusCode::CREATED, "sent")
            .refuses(CONFLICT),
        Route::post("/api/v2/organizations/{id}/invitations/{invitation}/resend", SEND, resend)
            .named("Invitations", "Send an invitation again with a new link; the old one ends")
            .gives::<Done<InvitationView>>(StatusCode::OK, "sent")
            .refuses(CONFLICT),
        Route::delete(
            "/api/v2/organizations/{id}/invitations/{invitation}",
            MANAGE.limit(presets::WRITE),
            revoke,
        )
        .named("Invitations", "Take an invitation back")
        .gives::<Done<()>>(StatusCode::OK, "its link ends"),
        Route::get("/api/v2/invitations/{token}", Policy::PUBLIC.limit(presets::INVITATION), open)
            .named("Invitations", "What the link of an invitation says")
            .gives::<LetterView>(StatusCode::OK, "the invitation"),
        Route::post("/api/v2/invitations/{token}/accept", Policy::PUBLIC.limit(presets::INVITATION), accept)
            .named("Invitations", "Accept an invitation: as the caller, or with a new account")
            .takes::<AcceptBody>()
            .gives::<OrganizationView>(
                StatusCode::OK,
                "the organization; a new account gets its session's cookie",
            )
            .refuses(&[StatusCode::CONFLICT, StatusCode::FORBIDDEN]),
    ]
}

async fn list(caller: Caller, Path(id): Path<String>, Query(paging): Query<Paging>) -> Reply {
    let page =
        organizations::invitations(&caller.0, &id, limit(paging.limit)?, paging.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.iter().map(InvitationView::from).collect(), next).reply())
}

/// Whom to invite.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InviteBody {
    /// Where the letter goes; only an account with this address may accept.
    email: String,
    /// `org_member` where it is left out, `org_manager`, `org_admin`.
    role: Option<String>,
}

async fn invite(caller: Caller, Path(id): Path<String>, Json(body): Json<InviteBody>) -> Reply {
    let invited = Invited { email: body.email, role: body.role.unwrap_or_default() };
    let invitation = organizations::invite(&caller.0, &id, &invited).await?;
    Ok(Done::reply(StatusCode::CREATED, InvitationView::from(&invitation)))
}

async fn resend(caller: Caller, Path((id, invitation)): Path<(String, String)>) -> Reply {
    let invitation = organizations::resend(&caller.0, &id, &invitation).await?;
    Ok(Done::reply(StatusCode::OK, InvitationView::from(&invitation)))
}

async fn revoke(caller: Caller, Path((id, invitation)): Path<(String, String)>) -> Reply {
    organizations::revoke(&caller.0, &id, &invitation).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}

async fn open(caller: Caller, Path(token): Path<String>) -> Reply {
    let letter = organizations::open(&caller.0, &token).await?;
    Ok(json(StatusCode::OK, &LetterView::from(letter)))
}

/// Who accepts, where nobody is signed in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AcceptBody {
    /// 1 to 100 characters; for a new account.
    name: Option<String>,
    /// 10 to 200 characters; for a new account.
    password: Option<String>,
}

async fn accept(
    State(web): State<Web>,
    caller: Caller,
    Path(token): Path<String>,
    Json(body): Json<AcceptBody>,
) -> Reply {
    let person = body
        .password
        .map(|password| NewPerson { name: body.name.unwrap_or_default(), password: Secret::new(password) });
    let accepted = organizations::accept(&caller.0, &token, person).await?;
    let mut response: Response = json(StatusCode::OK, &OrganizationView::from(accepted.organization));
    if let Some(signed_in) = &accepted.signed_in {
        let cookie =
            cookie(web.app.settings().is_https(), &signed_in.token, signed_in.expires, caller.0.now());
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
