//! Second factors: enrolling, showing and removing them. Passkeys have a file of their own.

use axum::extract::{Request, State};
use axum::response::Response;
use engify_app::factors::{self, Status, Verified, recovery, sms, totp};
use engify_app::limits::presets;
use engify_core::factor::{FactorKind, Method};
use engify_core::{Secret, Time};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::with_session;
use crate::extract::{Caller, Json, optional};
use crate::policy::Policy;
use crate::reply::{Done, Reply, json};
use crate::route::Route;
use crate::views::SessionView;
use crate::web::Web;

const SMALL: usize = 4 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const OWN: Policy = Policy::SIGNED_IN.body(SMALL).before_enrolment();
    const STEP: Policy = OWN.limit(presets::FACTOR);
    const VERIFY: Policy = Policy::PUBLIC.body(SMALL).before_enrolment().limit(presets::FACTOR);
    const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
    vec![
        Route::get("/api/auth/mfa/status", OWN, status)
            .named("Second factors", "What the caller has enrolled")
            .gives::<StatusView>(StatusCode::OK, "never the secrets themselves"),
        Route::post("/api/auth/mfa/totp/enroll", STEP, enroll)
            .named("Second factors", "Begin to enrol an authenticator app; needs a fresh sign-in")
            .gives::<EnrolmentView>(StatusCode::OK, "for the app; nothing changes until its first code")
            .refuses(CONFLICT),
        Route::post("/api/auth/mfa/totp/confirm", STEP, confirm)
            .named("Second factors", "Enrol the authenticator app whose code this is")
            .takes::<CodeBody>()
            .gives::<CodesView>(
                StatusCode::OK,
                "recovery codes, shown once; none where there are some already",
            )
            .refuses(CONFLICT),
        Route::post("/api/auth/mfa/verify", VERIFY, verify)
            .named(
                "Second factors",
                "The second step of signing in; or the factor again, to be fresh for 10 minutes",
            )
            .takes::<VerifyBody>()
            .gives::<SessionView>(StatusCode::OK, "a session, as a cookie; or the one that there is"),
        Route::post("/api/auth/mfa/sms/send", VERIFY, send)
            .named("Second factors", "Send a code to the enrolled phone; or to a new one, to enrol it")
            .takes::<PhoneBody>()
            .gives::<Done<()>>(StatusCode::OK, "on its way; it works for 10 minutes")
            .refuses(&[StatusCode::CONFLICT, StatusCode::NOT_FOUND]),
        Route::post("/api/auth/mfa/sms/confirm", STEP, confirm_phone)
            .named("Second factors", "Enrol the phone whose code this is")
            .takes::<CodeBody>()
            .gives::<CodesView>(
                StatusCode::OK,
                "recovery codes, shown once; none where there are some already",
            )
            .refuses(CONFLICT),
        Route::post("/api/auth/mfa/recovery-codes", STEP, renew)
            .named("Second factors", "Make the recovery codes anew; needs a fresh sign-in")
            .gives::<CodesView>(StatusCode::OK, "shown once; the old ones open nothing any more")
            .refuses(CONFLICT),
        Route::post("/api/auth/mfa/disable", STEP, disable)
            .named("Second factors", "Remove one kind of factor, or all; needs a fresh sign-in")
            .takes::<DisableBody>()
            .gives::<Done<()>>(StatusCode::OK, "removed; other sessions are ended")
            .refuses(&[StatusCode::CONFLICT, StatusCode::NOT_FOUND]),
    ]
}

/// What the caller has enrolled.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct StatusView {
    /// Whether signing in asks for a second factor.
    enabled: bool,
    /// Whether the account must have one.
    required: bool,
    /// The kinds that are enrolled.
    factors: Vec<FactorKind>,
    /// What can be shown at the second step.
    methods: Vec<Method>,
    /// When the authenticator app was enrolled.
    totp_since: Option<Time>,
    /// The phone that gets codes, masked.
    phone: Option<String>,
    /// How many passkeys there are.
    passkeys: usize,
    /// How many recovery codes are left.
    recovery_codes_left: usize,
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        Self {
            enabled: !status.factors.is_empty(),
            required: status.required,
            factors: status.factors,
            methods: status.methods,
            totp_since: status.totp_since,
            phone: status.phone,
            passkeys: status.passkeys.len(),
            recovery_codes_left: status.recovery_codes,
        }
    }
}

/// What an authenticator app needs to know.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EnrolmentView {
    /// Base32, to type in.
    secret: String,
    /// To scan.
    otpauth_url: String,
}

/// Codes in the clear.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CodesView {
    /// Each is good once.
    pub(super) recovery_codes: Vec<String>,
}

impl From<recovery::Codes> for CodesView {
    fn from(codes: recovery::Codes) -> Self {
        Self { recovery_codes: codes.iter().map(|code| code.reveal().clone()).collect() }
    }
}

/// A code of the authenticator app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CodeBody {
    /// Six digits.
    code: String,
}

/// Where to send a code.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
struct PhoneBody {
    /// A new number with its country, to enrol it (needs a fresh sign-in); the enrolled one where it is left out.
    phone: Option<String>,
}

/// A proof.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VerifyBody {
    /// One of the `methods` that signing in named; `password` for whoever has no second factor.
    method: Method,
    /// Six digits, a recovery code, or the password.
    code: String,
}

/// What to remove.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
struct DisableBody {
    /// This kind; all of them where it is left out.
    factor: Option<FactorKind>,
}

async fn status(caller: Caller) -> Reply {
    Ok(json(StatusCode::OK, &StatusView::from(factors::status(&caller.0).await?)))
}

async fn enroll(caller: Caller) -> Reply {
    let enrolment = totp::enroll(&caller.0).await?;
    let view = EnrolmentView {
        secret: enrolment.secret.reveal().clone(),
        otpauth_url: enrolment.url.reveal().clone(),
    };
    Ok(json(StatusCode::OK, &view))
}

async fn confirm(caller: Caller, Json(body): Json<CodeBody>) -> Reply {
    let codes = totp::confirm(&caller.0, &Secret::new(body.code)).await?;
    Ok(json(StatusCode::OK, &CodesView::from(codes)))
}

async fn send(caller: Caller, request: Request) -> Reply {
    let body: PhoneBody = optional(request, SMALL).await?;
    match body.phone {
        Some(phone) => sms::enroll(&caller.0, &phone).await?,
        None => sms::send(&caller.0).await?,
    }
    Ok(Done::reply(StatusCode::OK, ()))
}

async fn confirm_phone(caller: Caller, Json(body): Json<CodeBody>) -> Reply {
    let codes = sms::confirm(&caller.0, &Secret::new(body.code)).await?;
    Ok(json(StatusCode::OK, &CodesView::from(codes)))
}

async fn verify(State(web): State<Web>, caller: Caller, Json(body): Json<VerifyBody>) -> Reply {
    let verified = factors::verify(&caller.0, body.method, Secret::new(body.code)).await?;
    Ok(proven(&web, &caller, &verified))
}

/// What a proof opened, as a reply.
pub(super) fn proven(web: &Web, caller: &Caller, verified: &Verified) -> Response {
    match verified {
        Verified::SignedIn(signed_in) => with_session(web, caller, StatusCode::OK, signed_in),
        Verified::Refreshed { user, expires } => json(StatusCode::OK, &SessionView::new(user, *expires)),
    }
}

async fn renew(caller: Caller) -> Reply {
    Ok(json(StatusCode::OK, &CodesView::from(recovery::renew(&caller.0).await?)))
}

async fn disable(caller: Caller, request: Request) -> Reply {
    let body: DisableBody = optional(request, SMALL).await?;
    factors::disable(&caller.0, body.factor).await?;
    Ok(Done::reply(StatusCode::OK, ()))
}
