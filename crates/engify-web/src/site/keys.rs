//! API keys of the person. A new key is shown in the reply that makes it, and nowhere else.

use std::time::Duration;

use axum::extract::Path;
use axum::response::Response;
use engify_app::keys::{self, DEFAULT_SCOPES, KeyChanges, MadeKey, NewKey, UsageDay};
use engify_app::limits::presets;
use engify_core::Result;
use engify_core::api_key::{ApiKey, KeyLimits};
use engify_core::error::Faults;
use engify_core::permission::Permission;
use http::{HeaderValue, header};

use super::cards::{label, usd};
use super::form::{Fields, Wrong};
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::pages::key::{self as key_pages, KeyView, TermsValues};
use crate::pages::keys::{self as pages, FreshKey, KeysView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;
use crate::ui::chart::{Point, Series};
use crate::ui::{Frame, figures};

/// How long a rotated key goes on beside its successor.
const GRACE: Duration = Duration::from_secs(24 * 3600);
/// How long a new key lives unless its maker chooses otherwise, days.
const DAYS: &str = "90";

pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Policy = Policy::needs(Permission::KeysManage);
    vec![
        Route::get("/settings/keys", MANAGE, page).page(),
        Route::post("/settings/keys", MANAGE.limit(presets::KEY_CREATE), create).page(),
        Route::get("/settings/keys/{id}", MANAGE, one).page(),
        Route::post("/settings/keys/{id}", MANAGE.limit(presets::WRITE), update).page(),
        Route::post("/settings/keys/{id}/rotate", MANAGE.limit(presets::KEY_CREATE), rotate).page(),
        Route::post("/settings/keys/{id}/revoke", MANAGE.limit(presets::WRITE), revoke).page(),
    ]
}

/// What the page shows beside the keys themselves.
fn view(visit: &Visit) -> KeysView<'static> {
    KeysView {
        url: visit.app().settings().public.app_url.clone(),
        scopes: Permission::ALL.iter().copied().filter(|scope| visit.ctx.allows(*scope)).collect(),
        ticked: DEFAULT_SCOPES.to_vec(),
        days: DAYS.to_owned(),
        grace: GRACE,
        ..KeysView::default()
    }
}

/// The page with the keys there are, live ones first.
async fn with_keys(visit: &Visit, view: KeysView<'_>) -> Result<maud::Markup> {
    let mut keys = keys::list(&visit.ctx, 100, None).await?.items;
    let frame: Frame<'_> = visit.frame();
    keys.sort_by_key(|key| !key.is_live(frame.now));
    Ok(pages::page(&frame, &KeysView { keys: &keys, ..view }))
}

async fn page(visit: Visit) -> Reply {
    let view = view(&visit);
    Ok(ok(with_keys(&visit, view).await?))
}

async fn create(visit: Visit, fields: Fields) -> Reply {
    let (name, days, ticked) = (fields.text("name"), fields.text("days"), fields.all("scopes"));
    let expires_at = days
        .parse()
        .ok()
        .map(|days: u32| visit.ctx.now().plus(Duration::from_secs(u64::from(days) * 24 * 3600)).to_string());
    let new = NewKey { name: name.clone(), scopes: Some(ticked.clone()), expires_at, ..NewKey::default() };
    match keys::create(&visit.ctx, new).await {
        Ok(made) => shown_once(&visit, &made).await,
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let view = KeysView {
                name,
                days,
                ticked: ticked.iter().filter_map(|scope| Permission::parse(scope).ok()).collect(),
                faults: wrong.faults(&[("expiresAt", "days")]),
                problem: Some(wrong.problem(&["name", "scopes", "expiresAt"])),
                ..view(&visit)
            };
            Ok(wrong.reply(with_keys(&visit, view).await?))
        }
    }
}

async fn rotate(visit: Visit, Path(id): Path<String>) -> Reply {
    let visit = visit.at("/settings/keys");
    let made = keys::rotate(&visit.ctx, &id, GRACE).await?;
    shown_once(&visit, &made).await
}

async fn revoke(visit: Visit, Path(id): Path<String>) -> Reply {
    keys::revoke(&visit.ctx, &id).await?;
    Ok(Said::KeyRevoked.at("/settings/keys"))
}

/// The page with a key in the clear: no cache and no history of a browser keeps it.
async fn shown_once(visit: &Visit, made: &MadeKey) -> Reply {
    let fresh = FreshKey { name: made.key.name.clone(), key: made.plain.reveal().to_owned() };
    let view = KeysView { fresh: Some(fresh), ..view(visit) };
    let mut response: Response = ok(with_keys(visit, view).await?);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What a use case's fields are called in the form of a key's terms.
const NAMES: &[(&str, &str)] = &[
    ("allowedAddresses", "addresses"),
    ("limits.perMinute", "per_minute"),
    ("limits.perHour", "per_hour"),
    ("limits.tokensPerDay", "tokens_per_day"),
];
const FIELDS: &[&str] =
    &["name", "allowedAddresses", "addresses", "limits.", "per_minute", "per_hour", "tokens_per_day"];
/// How many days the charts show.
const SHOWN: u32 = 30;

/// The page of one key.
async fn key_page(
    visit: &Visit,
    key: &ApiKey,
    view: impl FnOnce(KeyView<'_>) -> KeyView<'_>,
) -> Result<maud::Markup> {
    let days = keys::usage(&visit.ctx, key.id.as_str(), SHOWN).await?;
    let blank = KeyView {
        key,
        terms: TermsValues::from(key),
        usage: usage(&days),
        faults: Vec::new(),
        problem: None,
    };
    Ok(key_pages::page(&visit.frame(), &view(blank)))
}

async fn one(visit: Visit, Path(id): Path<String>) -> Reply {
    let key = keys::get(&visit.ctx, &id).await?;
    Ok(ok(key_page(&visit, &key, |view| view).await?))
}

async fn update(visit: Visit, Path(id): Path<String>, fields: Fields) -> Reply {
    let typed = TermsValues {
        name: fields.text("name"),
        addresses: fields.text("addresses"),
        per_minute: fields.text("per_minute"),
        per_hour: fields.text("per_hour"),
        tokens_per_day: fields.text("tokens_per_day"),
    };
    let saved = match changes(&typed) {
        Ok(changes) => keys::update(&visit.ctx, &id, changes).await,
        Err(error) => Err(error),
    };
    let Err(error) = saved else { return Ok(Said::KeySaved.at(&format!("/settings/keys/{id}"))) };
    let wrong = Wrong::of(error)?;
    let mut faults = wrong.faults(NAMES);
    for fault in faults.iter_mut().filter(|fault| fault.field.starts_with("allowedAddresses.")) {
        // The form has one field for all addresses.
        let line = fault.field.rsplit('.').next().and_then(|at| at.parse::<usize>().ok()).unwrap_or(0) + 1;
        fault.issue = format!("{} {line} {}", "address", fault.issue);
        fault.field = "addresses".to_owned();
    }
    let key = keys::get(&visit.ctx, &id).await?;
    let problem = Some(wrong.problem(FIELDS));
    let page = key_page(&visit, &key, |view| KeyView { terms: typed, faults, problem, ..view }).await?;
    Ok(wrong.reply(page))
}

/// The form's fields as changes; their bounds are the use case's to check.
fn changes(typed: &TermsValues) -> Result<KeyChanges> {
    let mut faults = Faults::default();
    let mut number = |field: &str, text: &str| {
        let text = text.trim();
        let parsed = (!text.is_empty()).then(|| text.parse().map_err(|_| "is a whole number".to_owned()));
        parsed.and_then(|parsed| faults.take(field, parsed))
    };
    let limits = KeyLimits {
        per_minute: number("per_minute", &typed.per_minute),
        per_hour: number("per_hour", &typed.per_hour),
        tokens_per_day: number("tokens_per_day", &typed.tokens_per_day),
    };
    faults.check()?;
    let addresses = typed.addresses.split([',', '\n']).map(str::to_owned).collect();
    Ok(KeyChanges {
        name: Some(typed.name.clone()),
        allowed_addresses: Some(addresses),
        limits: Some(limits),
    })
}

#[expect(clippy::cast_precision_loss, reason = "positions on a chart")]
fn usage(days: &[UsageDay]) -> [(Series, String); 3] {
    let series = |name: &str, value: fn(&UsageDay) -> f64, text: fn(&UsageDay) -> String| {
        let point = |day: &UsageDay| Point { label: label(&day.day), value: value(day), text: text(day) };
        Series { name: name.to_owned(), points: days.iter().map(point).collect(), limit: None }
    };
    let sum = |number: fn(&UsageDay) -> u64| days.iter().map(number).sum::<u64>();
    [
        (
            series("Requests a day", |day| day.requests as f64, |day| figures::count(day.requests)),
            figures::count(sum(|day| day.requests)),
        ),
        (
            series("Tokens a day", |day| day.tokens as f64, |day| figures::count(day.tokens)),
            figures::count(sum(|day| day.tokens)),
        ),
        (
            series("Cost a day", |day| day.cost, |day| usd(day.cost)),
            usd(days.iter().map(|day| day.cost).sum()),
        ),
    ]
}
