//! Keys of AI providers: the caller's own, their organization's, and trying those of the installation.

use axum::extract::Path;
use engify_app::limits::presets;
use engify_app::provider_keys::{self, Holder, Trial};
use engify_core::Secret;
use engify_core::Time;
use engify_core::permission::Permission;
use engify_core::provider_key::{KeyTest, ProviderKey};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::extract::{Caller, Json};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply};
use crate::route::Route;

/// No such key, or no organization to have one.
const MISSING: &[StatusCode] = &[StatusCode::NOT_FOUND];

pub(super) fn routes() -> Vec<Route> {
    const MINE: Policy = Policy::needs(Permission::KeysManage);
    const OURS: Policy = Policy::needs(Permission::OrganizationManage);
    const INSTALLATION: Policy = Policy::needs(Permission::SystemSettings);
    vec![
        listing(Route::get("/api/v2/users/provider-keys", MINE, own), "The caller's keys of AI providers"),
        saving(
            Route::put("/api/v2/users/provider-keys", MINE.limit(presets::WRITE), save_own),
            "Store a key, or replace it; it is never shown again",
        ),
        deleting(
            Route::delete("/api/v2/users/provider-keys/{provider}", MINE.limit(presets::WRITE), delete_own),
            "Delete a key",
        ),
        testing(
            Route::post("/api/v2/users/provider-keys/test", MINE.limit(presets::KEY_TEST), test_own),
            "Try the keys, each by a call that costs nothing",
        )
        .takes::<TestBody>(),
        listing(
            Route::get("/api/v2/organizations/provider-keys", OURS, ours),
            "The organization's keys of AI providers",
        )
        .refuses(MISSING),
        saving(
            Route::put("/api/v2/organizations/provider-keys", OURS.limit(presets::WRITE), save_ours),
            "Store a key for the organization's runs, or replace it; it is never shown again",
        )
        .refuses(MISSING),
        deleting(
            Route::delete(
                "/api/v2/organizations/provider-keys/{provider}",
                OURS.limit(presets::WRITE),
                delete_ours,
            ),
            "Delete a key of the organization",
        ),
        testing(
            Route::post("/api/v2/organizations/provider-keys/test", OURS.limit(presets::KEY_TEST), test_ours),
            "Try the organization's keys, each by a call that costs nothing",
        )
        .takes::<TestBody>(),
        testing(
            Route::post(
                "/api/admin/provider-keys/test",
                INSTALLATION.limit(presets::KEY_TEST),
                test_installation,
            ),
            "Try the keys of the installation's settings",
        ),
    ]
}

const TAG: &str = "Provider keys";

fn listing(route: Route, summary: &'static str) -> Route {
    route.named(TAG, summary).gives::<List<ProviderKeyView>>(StatusCode::OK, "never the keys themselves")
}

fn saving(route: Route, summary: &'static str) -> Route {
    route.named(TAG, summary).takes::<KeyBody>().gives::<Done<ProviderKeyView>>(StatusCode::OK, "stored")
}

fn deleting(route: Route, summary: &'static str) -> Route {
    route.named(TAG, summary).gives_nothing(StatusCode::NO_CONTENT, "deleted")
}

fn testing(route: Route, summary: &'static str) -> Route {
    route.named(TAG, summary).gives::<List<Trial>>(StatusCode::OK, "what came of it").refuses(MISSING)
}

/// A stored key; never the key itself.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderKeyView {
    id: String,
    /// `openai`, `anthropic`, …
    provider: String,
    /// The last four characters, where the key is long enough.
    hint: String,
    created_at: Time,
    updated_at: Time,
    last_used_at: Option<Time>,
    /// What came of trying it last.
    last_test: Option<KeyTest>,
}

impl From<&ProviderKey> for ProviderKeyView {
    fn from(key: &ProviderKey) -> Self {
        Self {
            id: key.id.to_string(),
            provider: key.provider.clone(),
            hint: key.hint.clone(),
            created_at: key.created_at,
            updated_at: key.updated_at,
            last_used_at: key.last_used_at,
            last_test: key.last_test.clone(),
        }
    }
}

/// A key of a provider.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    /// `openai`, `anthropic`, `google`, `groq`, `replicate`.
    provider: String,
    /// The key: `sk-…`, `sk-ant-…`, `AI…`, `gsk_…`, `r8_…`.
    key: String,
}

/// Which keys to try.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TestBody {
    /// That of one provider; all where it is left out.
    provider: Option<String>,
}

async fn own(caller: Caller) -> Reply {
    list(caller, Holder::Person).await
}

async fn ours(caller: Caller) -> Reply {
    list(caller, Holder::Organization).await
}

async fn list(Caller(ctx): Caller, holder: Holder) -> Reply {
    let keys = provider_keys::list(&ctx, holder).await?;
    Ok(List::new(keys.iter().map(ProviderKeyView::from).collect(), None).reply())
}

async fn save_own(caller: Caller, Json(body): Json<KeyBody>) -> Reply {
    save(caller, Holder::Person, body).await
}

async fn save_ours(caller: Caller, Json(body): Json<KeyBody>) -> Reply {
    save(caller, Holder::Organization, body).await
}

async fn save(Caller(ctx): Caller, holder: Holder, KeyBody { provider, key }: KeyBody) -> Reply {
    let key = provider_keys::save(&ctx, holder, &provider, &Secret::new(key)).await?;
    Ok(Done::reply(StatusCode::OK, ProviderKeyView::from(&key)))
}

async fn delete_own(Caller(ctx): Caller, Path(provider): Path<String>) -> Reply<StatusCode> {
    provider_keys::delete(&ctx, Holder::Person, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_ours(Caller(ctx): Caller, Path(provider): Path<String>) -> Reply<StatusCode> {
    provider_keys::delete(&ctx, Holder::Organization, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test_own(caller: Caller, Json(body): Json<TestBody>) -> Reply {
    test(caller, Holder::Person, body).await
}

async fn test_ours(caller: Caller, Json(body): Json<TestBody>) -> Reply {
    test(caller, Holder::Organization, body).await
}

async fn test(Caller(ctx): Caller, holder: Holder, TestBody { provider }: TestBody) -> Reply {
    let trials = provider_keys::try_stored(&ctx, holder, provider.as_deref()).await?;
    Ok(List::new(trials, None).reply())
}

async fn test_installation(Caller(ctx): Caller) -> Reply {
    Ok(List::new(provider_keys::try_installation(&ctx).await?, None).reply())
}
