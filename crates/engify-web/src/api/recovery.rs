//! What works through a link that came by mail: a new password, a proven address.

use axum::response::Response;
use engify_app::accounts;
use engify_app::limits::presets;
use engify_core::Secret;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::extract::{Caller, Json};
use crate::policy::Policy;
use crate::reply::{Done, Reply};
use crate::route::Route;

const SMALL: usize = 16 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const CHANGE: Policy = Policy::SIGNED_IN.limit(presets::WRITE).body(SMALL);
    const LINK: Policy = Policy::PUBLIC.limit(presets::LINK).body(SMALL);
    vec![
        Route::post("/api/auth/forgot-password", Policy::PUBLIC.limit(presets::FORGOT).body(SMALL), forgot)
            .named("Accounts", "Ask for a link to choose a new password")
            .takes::<ForgotBody>()
            .gives::<Done<Asked>>(StatusCode::OK, "taken, whether there is such an account or not"),
        Route::post("/api/auth/reset-password", LINK, reset)
            .named("Accounts", "Choose a new password through such a link; every session of the account ends")
            .takes::<ResetBody>()
            .gives::<Done<()>>(StatusCode::OK, "changed; sign in with it"),
        Route::post("/api/auth/verify-email", LINK, verify)
            .named("Accounts", "Prove an address through the link that was sent to it")
            .takes::<VerifyBody>()
            .gives::<Done<Proven>>(StatusCode::OK, "the address that is proven now")
            .refuses(&[StatusCode::CONFLICT]),
        Route::post("/api/auth/verify-email/resend", CHANGE, resend)
            .named("Accounts", "Send the caller another link that proves their address")
            .gives::<Done<()>>(StatusCode::OK, "sent")
            .refuses(&[StatusCode::CONFLICT]),
        Route::post("/api/auth/change-email", CHANGE, change)
            .named("Accounts", "Begin a change of the caller's address: a link goes to the new one")
            .takes::<ChangeBody>()
            .gives::<Done<()>>(StatusCode::OK, "taken; nothing changes before the link is used"),
    ]
}

/// Whose password is forgotten.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ForgotBody {
    /// The account's mail address.
    email: String,
}

/// What is said to everybody who asks.
#[derive(Serialize, JsonSchema)]
struct Asked {
    /// A sentence for whoever asked.
    message: &'static str,
}

/// A new password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResetBody {
    /// The token of the link.
    token: String,
    /// 10 to 200 characters that are hard to guess.
    password: String,
}

/// A link that was followed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VerifyBody {
    /// The token of the link.
    token: String,
}

/// An address that is proven.
#[derive(Serialize, JsonSchema)]
struct Proven {
    email: String,
}

/// Another address.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ChangeBody {
    /// The new mail address.
    email: String,
    /// The account's password.
    current_password: String,
}

async fn forgot(caller: Caller, Json(body): Json<ForgotBody>) -> Reply {
    accounts::forgot_password(&caller.0, &body.email).await?;
    let message = "If there is an account with this address, a link to choose a new password is on its way.";
    Ok(Done::reply(StatusCode::OK, Asked { message }))
}

async fn reset(caller: Caller, Json(body): Json<ResetBody>) -> Reply {
    accounts::reset_password(&caller.0, &body.token, Secret::new(body.password)).await?;
    done()
}

async fn verify(caller: Caller, Json(body): Json<VerifyBody>) -> Reply {
    let email = accounts::verify_address(&caller.0, &body.token).await?.to_string();
    Ok(Done::reply(StatusCode::OK, Proven { email }))
}

async fn resend(caller: Caller) -> Reply {
    accounts::resend(&caller.0).await?;
    done()
}

async fn change(caller: Caller, Json(body): Json<ChangeBody>) -> Reply {
    accounts::change_address(&caller.0, &body.email, Secret::new(body.current_password)).await?;
    done()
}

fn done() -> Reply<Response> {
    Ok(Done::reply(StatusCode::OK, ()))
}
