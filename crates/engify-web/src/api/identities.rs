//! Identity providers: which there are, and which identities open the caller's account. The two legs of a sign-in are
//! pages' business: browsers walk them.

use axum::extract::{Path, State};
use axum::response::Response;
use engify_app::identities;
use engify_core::Time;
use engify_core::identity::LinkedIdentity;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::extract::Caller;
use crate::policy::Policy;
use crate::reply::{Done, List, Reply};
use crate::route::Route;
use crate::web::Web;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/auth/oauth", Policy::PUBLIC, providers)
            .named("Accounts", "The identity providers that people may sign in through")
            .gives::<List<ProviderView>>(StatusCode::OK, "in the order of their buttons"),
        Route::get("/api/auth/identities", Policy::SIGNED_IN, list)
            .named("Accounts", "The identities that open the caller's account")
            .gives::<List<IdentityView>>(StatusCode::OK, "the oldest first"),
        Route::delete("/api/auth/identities/{id}", Policy::SIGNED_IN, unlink)
            .named("Accounts", "Unlink an identity, unless it is the last way in")
            .gives::<Done<()>>(StatusCode::OK, "unlinked")
            .refuses(&[StatusCode::CONFLICT]),
    ]
}

/// An identity provider.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderView {
    /// Its name in addresses.
    id: &'static str,
    /// Its name on a button.
    name: String,
    /// Where a browser begins.
    url: String,
}

/// An account at an identity provider that opens the caller's.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct IdentityView {
    id: String,
    provider: String,
    email: String,
    created_at: Time,
    last_used_at: Time,
}

impl From<LinkedIdentity> for IdentityView {
    fn from(identity: LinkedIdentity) -> Self {
        Self {
            id: identity.id.to_string(),
            provider: identity.provider,
            email: identity.email.to_string(),
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }
}

async fn providers(State(web): State<Web>) -> Response {
    let view = |provider: &identities::SignInProvider| ProviderView {
        id: provider.id,
        name: provider.label.clone(),
        url: format!("/api/auth/oauth/{}", provider.id),
    };
    List::new(web.app.sign_in_providers().iter().map(view).collect(), None).reply()
}

async fn list(caller: Caller) -> Reply {
    let all = identities::list(&caller.0).await?;
    Ok(List::new(all.into_iter().map(IdentityView::from).collect(), None).reply())
}

async fn unlink(caller: Caller, Path(id): Path<String>) -> Reply {
    identities::unlink(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}
