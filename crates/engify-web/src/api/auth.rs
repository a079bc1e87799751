//! Accounts and sessions.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use engify_app::accounts::{self, Admission, Ending, HalfWay, SignUp, SignedIn};
use engify_app::limits::presets;
use engify_core::factor::Method;
use engify_core::{Secret, Time};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::extract::{Caller, Json};
use crate::guard::cookie_name;
use crate::policy::Policy;
use crate::reply::{Done, Failure, LIMIT, List, Reply, json, write_standing};
use crate::route::Route;
use crate::views::{OneSession, SessionView};
use crate::web::Web;

const SMALL: usize = 16 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
    const OWN: Policy = Policy::SIGNED_IN.before_enrolment();
    vec![
        Route::post("/api/auth/signup", Policy::PUBLIC.limit(presets::USER_CREATE).body(SMALL), sign_up)
            .named("Accounts", "Make an account and sign in")
            .takes::<SignUpBody>()
            .gives::<SessionView>(StatusCode::CREATED, "a session, as a cookie")
            .refuses(CONFLICT),
        Route::post("/api/auth/signin", Policy::PUBLIC.body(SMALL).before_enrolment(), sign_in)
            .named("Accounts", "Sign in")
            .takes::<SignInBody>()
            .gives::<SignInView>(
                StatusCode::OK,
                "a session, as a cookie; or what to show next, and 10 minutes for it",
            )
            .refuses(&[StatusCode::TOO_MANY_REQUESTS]),
        Route::post("/api/auth/signout", Policy::PUBLIC.body(SMALL).before_enrolment(), sign_out)
            .named("Accounts", "End this session")
            .gives::<Done<()>>(StatusCode::OK, "ended"),
        Route::get("/api/auth/session", Policy::PUBLIC.before_enrolment(), session)
            .named("Accounts", "Who is signed in")
            .gives::<SessionView>(StatusCode::OK, "the person, or null"),
        Route::get("/api/auth/sessions", OWN, sessions)
            .named("Accounts", "The caller's sessions")
            .gives::<List<OneSession>>(StatusCode::OK, "the last used first"),
        Route::delete("/api/auth/sessions", OWN, end_others)
            .named("Accounts", "End all other sessions of the caller")
            .gives::<Done<usize>>(StatusCode::OK, "how many ended"),
        Route::delete("/api/auth/sessions/{id}", OWN, end_one)
            .named("Accounts", "End one session of the caller")
            .gives::<Done<usize>>(StatusCode::OK, "how many ended"),
    ]
}

/// A new account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignUpBody {
    /// A mail address.
    email: String,
    /// 10 to 200 characters that are hard to guess.
    password: String,
    /// As people call them, 1 to 100 characters.
    name: String,
}

/// An account's credentials.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    /// The account's mail address.
    email: String,
    /// Its password.
    password: String,
}

/// What signing in leads to.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum SignInView {
    /// A session.
    Whole(SessionView),
    /// Half a session: it opens nothing but the second step.
    Half(HalfView),
}

/// What to show next.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HalfView {
    /// Always true.
    mfa_required: bool,
    /// What is enrolled: send one of them to `/api/auth/mfa/verify`, a passkey to `/api/auth/passkeys/signin/finish`.
    methods: Vec<Method>,
    /// Until when.
    expires: Time,
}

/// The cookie of a session, or of half a one, until `expires`.
pub(crate) fn cookie(https: bool, token: &Secret<String>, expires: Time, now: Time) -> HeaderValue {
    let seconds = expires.since(now).as_secs();
    let secure = if https { "; Secure" } else { "" };
    let text = format!(
        "{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}",
        cookie_name(https),
        token.reveal()
    );
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The cookie that ends a session.
pub(crate) fn no_cookie(https: bool) -> HeaderValue {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}", cookie_name(https));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A session as a reply.
pub(super) fn with_session(web: &Web, caller: &Caller, status: StatusCode, signed_in: &SignedIn) -> Response {
    let mut response = json(status, &SessionView::new(&signed_in.user, signed_in.expires));
    let https = web.app.settings().is_https();
    let cookie = cookie(https, &signed_in.token, signed_in.expires, caller.0.now());
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

async fn sign_up(State(web): State<Web>, caller: Caller, Json(body): Json<SignUpBody>) -> Reply {
    let form = SignUp { email: body.email, password: Secret::new(body.password), name: body.name };
    let signed_in = accounts::sign_up(&caller.0, form).await?;
    Ok(with_session(&web, &caller, StatusCode::CREATED, &signed_in))
}

async fn sign_in(State(web): State<Web>, caller: Caller, Json(body): Json<SignInBody>) -> Response {
    let admission = accounts::sign_in(&caller.0, &body.email, Secret::new(body.password)).await;
    let left = accounts::sign_ins_left(&caller.0).await;
    let mut response = match admission {
        Ok(admission) => admitted(&web, &caller, admission),
        Err(error) => Failure(error).into_response(),
    };
    if !response.headers().contains_key(LIMIT) {
        write_standing(response.headers_mut(), &left);
    }
    response
}

/// What signing in leads to, as a reply.
fn admitted(web: &Web, caller: &Caller, admission: Admission) -> Response {
    let (view, token, expires) = match admission {
        Admission::Whole(SignedIn { user, token, expires }) => {
            (SignInView::Whole(SessionView::new(&user, expires)), token, expires)
        }
        Admission::Half(HalfWay { methods, token, expires }) => {
            (SignInView::Half(HalfView { mfa_required: true, methods, expires }), token, expires)
        }
    };
    let cookie = cookie(web.app.settings().is_https(), &token, expires, caller.0.now());
    let mut response = json(StatusCode::OK, &view);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

async fn sign_out(State(web): State<Web>, caller: Caller) -> Reply {
    accounts::sign_out(&caller.0).await?;
    let mut response = Done::reply(StatusCode::OK, ());
    response.headers_mut().insert(header::SET_COOKIE, no_cookie(web.app.settings().is_https()));
    Ok(response)
}

async fn session(caller: Caller) -> Response {
    json(StatusCode::OK, &SessionView::of(caller.0.identity()))
}

async fn sessions(caller: Caller) -> Reply {
    let own =
        caller.0.identity().and_then(|identity| identity.session.as_ref()).map(|session| session.id.clone());
    let view = accounts::sessions(&caller.0).await?.into_iter().map(|session| OneSession {
        current: own.as_ref() == Some(&session.id),
        id: session.id,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
        address: session.address,
        place: session.place,
        device: accounts::device_name(&session.agent),
        agent: session.agent,
    });
    Ok(List::new(view.collect(), None).reply())
}

async fn end_others(caller: Caller) -> Reply {
    Ok(Done::reply(StatusCode::OK, accounts::end_sessions(&caller.0, Ending::Others).await?))
}

async fn end_one(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(Done::reply(StatusCode::OK, accounts::end_sessions(&caller.0, Ending::One(id)).await?))
}
