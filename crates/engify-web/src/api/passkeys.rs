//! Passkeys. Browsers speak this part: what they need to know goes into `PublicKeyCredential.parse…OptionsFromJSON`, what
//! they answer comes from `PublicKeyCredential.toJSON`.

use axum::extract::{Path, State};
use engify_app::factors::passkeys::{self, Started};
use engify_app::limits::presets;
use engify_core::Time;
use engify_core::factor::Passkey;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::factors::{CodesView, proven};
use crate::extract::{Caller, Json};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply, json};
use crate::route::Route;
use crate::views::SessionView;
use crate::web::Web;

const SMALL: usize = 64 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const OWN: Policy = Policy::SIGNED_IN.body(SMALL).before_enrolment();
    const STEP: Policy = OWN.limit(presets::FACTOR);
    const PROVE: Policy = Policy::PUBLIC.body(SMALL).before_enrolment().limit(presets::FACTOR);
    const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
    vec![
        Route::get("/api/auth/passkeys", OWN, list)
            .named("Passkeys", "The caller's passkeys, oldest first")
            .gives::<List<PasskeyView>>(StatusCode::OK, "never what opens anything"),
        Route::post("/api/auth/passkeys/register/start", STEP, register_start)
            .named("Passkeys", "Begin to enrol a passkey; needs a fresh sign-in")
            .gives::<StartedView>(StatusCode::OK, "for navigator.credentials.create")
            .refuses(CONFLICT),
        Route::post("/api/auth/passkeys/register/finish", STEP, register_finish)
            .named("Passkeys", "Enrol the passkey that the browser made")
            .takes::<RegisterBody>()
            .gives::<EnrolledView>(
                StatusCode::CREATED,
                "the passkey, and recovery codes where there were none",
            )
            .refuses(CONFLICT),
        Route::post("/api/auth/passkeys/signin/start", PROVE, prove_start)
            .named(
                "Passkeys",
                "Begin to sign in with a passkey: as second step, without a password, or to be fresh",
            )
            .gives::<StartedView>(StatusCode::OK, "for navigator.credentials.get")
            .refuses(&[StatusCode::CONFLICT, StatusCode::NOT_FOUND]),
        Route::post("/api/auth/passkeys/signin/finish", PROVE, prove_finish)
            .named("Passkeys", "Sign in with the passkey that the browser showed")
            .takes::<ProveBody>()
            .gives::<SessionView>(StatusCode::OK, "a session, as a cookie; or the one that there is")
            .refuses(CONFLICT),
        Route::patch("/api/auth/passkeys/{id}", STEP, rename)
            .named("Passkeys", "Call a passkey something else")
            .takes::<NameBody>()
            .gives::<Done<PasskeyView>>(StatusCode::OK, "renamed")
            .refuses(CONFLICT),
        Route::delete("/api/auth/passkeys/{id}", STEP, delete)
            .named("Passkeys", "Delete a passkey; needs a fresh sign-in")
            .gives::<Done<()>>(StatusCode::OK, "deleted; other sessions are ended")
            .refuses(CONFLICT),
    ]
}

/// One passkey.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PasskeyView {
    id: String,
    name: String,
    created_at: Time,
    last_used_at: Option<Time>,
}

impl From<Passkey> for PasskeyView {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
        }
    }
}

/// A ceremony just begun.
#[derive(Serialize, JsonSchema)]
struct StartedView {
    /// Goes back with the answer, within 5 minutes.
    ceremony: String,
    /// `publicKey` for the browser, as WebAuthn writes it in JSON.
    #[serde(flatten)]
    options: Value,
}

impl From<Started> for StartedView {
    fn from(started: Started) -> Self {
        Self { ceremony: started.token.reveal().clone(), options: started.options }
    }
}

/// A passkey just enrolled.
#[derive(Serialize, JsonSchema)]
struct EnrolledView {
    passkey: PasskeyView,
    #[serde(flatten)]
    codes: CodesView,
}

/// A passkey just made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RegisterBody {
    /// Of the reply that began it.
    ceremony: String,
    /// 1 to 60 characters; the browser's name where it is left out.
    #[serde(default)]
    name: String,
    /// What the browser answered, as JSON.
    credential: Value,
}

/// A passkey just shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProveBody {
    /// Of the reply that began it.
    ceremony: String,
    /// What the browser answered, as JSON.
    credential: Value,
}

/// What to call it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NameBody {
    /// 1 to 60 characters.
    name: String,
}

async fn list(caller: Caller) -> Reply {
    let passkeys = passkeys::list(&caller.0).await?.into_iter().map(PasskeyView::from);
    Ok(List::new(passkeys.collect(), None).reply())
}

async fn register_start(caller: Caller) -> Reply {
    Ok(json(StatusCode::OK, &StartedView::from(passkeys::register_start(&caller.0).await?)))
}

async fn register_finish(caller: Caller, Json(body): Json<RegisterBody>) -> Reply {
    let made = passkeys::register_finish(&caller.0, &body.ceremony, &body.name, body.credential).await?;
    let view = EnrolledView { passkey: made.passkey.into(), codes: made.codes.into() };
    Ok(json(StatusCode::CREATED, &view))
}

async fn prove_start(caller: Caller) -> Reply {
    Ok(json(StatusCode::OK, &StartedView::from(passkeys::prove_start(&caller.0).await?)))
}

async fn prove_finish(State(web): State<Web>, caller: Caller, Json(body): Json<ProveBody>) -> Reply {
    let verified = passkeys::prove_finish(&caller.0, &body.ceremony, body.credential).await?;
    Ok(proven(&web, &caller, &verified))
}

async fn rename(caller: Caller, Path(id): Path<String>, Json(body): Json<NameBody>) -> Reply {
    let passkey = passkeys::rename(&caller.0, &id, &body.name).await?;
    Ok(Done::reply(StatusCode::OK, PasskeyView::from(passkey)))
}

async fn delete(caller: Caller, Path(id): Path<String>) -> Reply {
    passkeys::delete(&caller.0, &id).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}
