//! A GitHub on loopback: whoever redeems a code that it knows gets that code's person.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Somebody with an account at GitHub.
#[derive(Debug, Clone, Copy)]
pub struct Hubber {
    /// Never changes.
    pub id: u64,
    /// The primary address.
    pub email: &'static str,
    /// Whether it is proven.
    pub verified: bool,
}

/// GitHub's sign-in and its API on one address. A code is good for one use.
#[derive(Clone)]
pub struct GitHub {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    codes: Mutex<HashMap<String, Hubber>>,
    tokens: Mutex<HashMap<String, Hubber>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GitHub {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/login/oauth/access_token", post(redeem))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/emails", get(emails))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A code for this person, as if they had signed in there.
    pub fn code(&self, hubber: Hubber) -> String {
        let mut codes = locked(&self.shared.codes);
        let code = format!("code-{}-{}", hubber.id, codes.len());
        codes.insert(code.clone(), hubber);
        code
    }
}

async fn redeem(State(shared): State<Arc<Shared>>, form: String) -> Json<Value> {
    let code = form.split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap_or_default();
    let found = locked(&shared.codes).get(code).copied();
    let token = format!("gho_{code}");
    // Refusals of GitHub's come with status 200.
    match found {
        Some(hubber) if locked(&shared.tokens).insert(token.clone(), hubber).is_none() => {
            Json(json!({ "access_token": token, "scope": "read:user,user:email", "token_type": "bearer" }))
        }
        _ => Json(json!({ "error": "bad_verification_code", "error_description": "incorrect or expired" })),
    }
}

async fn user(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    of(
        &shared,
        &headers,
        |hubber| json!({ "id": hubber.id, "login": format!("hubber{}", hubber.id), "name": null }),
    )
}

async fn emails(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    of(
        &shared,
        &headers,
        |hubber| json!([{ "email": hubber.email, "primary": true, "verified": hubber.verified }]),
    )
}

fn of(shared: &Shared, headers: &HeaderMap, view: fn(&Hubber) -> Value) -> Response {
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|bearer| bearer.strip_prefix("Bearer ")).unwrap_or_default();
    match locked(&shared.tokens).get(token) {
        Some(hubber) => Json(view(hubber)).into_response(),
        None => (StatusCode::UNAUTHORIZED, Json(json!({ "message": "Bad credentials" }))).into_response(),
    }
}
