//! What stands before every handler: who asks, whether they may, how often, how much.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::MethodRouter;
use engify_app::accounts::{self, Credential};
use engify_app::keys;
use engify_app::limits::Standing;
use engify_app::{Actor, Ctx, Origin, audit};
use engify_core::permission::Permission;
use engify_core::{Error, Kind, Result, Secret};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use http_body_util::BodyExt;

use crate::extract::BodyBound;
use crate::outer::{RequestId, Seen};
use crate::page_cache::{Kept, LARGEST};
use crate::policy::{Access, Policy};
use crate::reply::{Failure, LIMIT, write_standing};
use crate::route::{Route, too_large};
use crate::security;
use crate::site;
use crate::web::Web;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

struct Guard {
    web: Web,
    path: &'static str,
    policy: Policy,
    is_page: bool,
}

/// Who asks for what, as pages of failures need to know it.
struct Page<'a> {
    ctx: &'a Ctx,
    path: &'a str,
    back: &'a str,
}

/// A route behind its policy.
pub(crate) fn guarded(route: Route, web: &Web) -> (&'static str, MethodRouter<Web>) {
    let guard =
        Arc::new(Guard { web: web.clone(), path: route.path, policy: route.policy, is_page: route.is_page });
    let layer = from_fn(move |request: Request, next: Next| {
        let guard = Arc::clone(&guard);
        async move { guard.pass(request, next).await }
    });
    (route.path, route.handler.layer(layer))
}

impl Guard {
    async fn pass(&self, request: Request, next: Next) -> Response {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned());
        let method = parts.method.clone();
        let back = back(&parts, &path);
        let ctx = match self.ctx(&parts).await {
            Ok(ctx) => ctx,
            Err(error) => return self.refuse(error, None, (&path, &back)),
        };
        let standing = match self.admit(&ctx, &parts.headers).await {
            Ok(standing) => standing,
            Err(error) => {
                if let Access::Needs(permission) = self.policy.access
                    && error.code() == "forbidden"
                {
                    audit::refused(&ctx, &format!("{method} {}", self.path), permission).await;
                }
                return self.refuse(error, Some(ctx), (&path, &back));
            }
        };
        parts.extensions.insert(ctx.clone());
        parts.extensions.insert(BodyBound(self.policy.body));
        let request = Request::from_parts(parts, body);
        let page = Page { ctx: &ctx, path: &path, back: &back };
        let mut response = match self.policy.cache {
            Some(ttl) if method == Method::GET && matches!(ctx.actor, Actor::Anonymous) => {
                self.kept(ttl, request, next, &page).await
            }
            _ => self.answer(request, next, &page).await,
        };
        self.note(&mut response, Some(&ctx));
        if let Some(standing) = standing
            && !response.headers().contains_key(&LIMIT)
        {
            write_standing(response.headers_mut(), &standing);
        }
        if !matches!(ctx.actor, Actor::Anonymous) {
            security::keep_private(response.headers_mut());
        }
        response
    }

    /// What the handler answers in time.
    async fn answer(&self, request: Request, next: Next, page: &Page<'_>) -> Response {
        let response = match tokio::time::timeout(self.policy.deadline, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let message =
                    format!("No answer within {} seconds; try again.", self.policy.deadline.as_secs());
                Failure(Error::new(Kind::Timeout, "deadline", message)).into_response()
            }
        };
        if self.is_page {
            return site::with_face(&self.web, page.ctx, (page.path, page.back), response);
        }
        response
    }

    /// What was kept, here or at another replica, or what the handler answers, kept for the next stranger who asks the
    /// same. While that cannot be had because something is away, what was kept before.
    async fn kept(&self, ttl: Duration, request: Request, next: Next, page: &Page<'_>) -> Response {
        let slot = match self.web.pages.find(page.path).await {
            Ok(kept) => return kept.reply(),
            Err(slot) => slot,
        };
        let response = self.answer(request, next, page).await;
        if matches!(response.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) {
            return slot.stale().map_or(response, |(kept, age)| kept.stale_reply(age));
        }
        let small = response.body().size_hint().exact().is_some_and(|size| size <= LARGEST as u64);
        if response.status() != StatusCode::OK
            || !small
            || response.headers().contains_key(header::SET_COOKIE)
        {
            return response;
        }
        let (parts, body) = response.into_parts();
        let Ok(bytes) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
            return Failure(Error::internal("a reply of known size broke off")).into_response();
        };
        slot.fill(Kept::new(self.path, parts.headers.clone(), bytes.clone()), ttl).await;
        Response::from_parts(parts, bytes.into())
    }

    async fn ctx(&self, request: &Parts) -> Result<Ctx> {
        let settings = self.web.app.settings();
        let headers = &request.headers;
        let origin = Origin {
            request_id: request.extensions.get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default(),
            address: address(request, settings.core.trusted_proxies),
            place: place(headers, settings.core.trusted_proxies),
            agent: text(headers, &header::USER_AGENT).chars().take(200).collect(),
        };
        let bearer = text(headers, &header::AUTHORIZATION);
        let credential = if let Some((scheme, key)) = bearer.split_once(' ')
            && scheme.eq_ignore_ascii_case("bearer")
            // Where another secret is shown the same way, it is no key.
            && !matches!(self.policy.access, Access::Metrics | Access::Cron)
        {
            Credential::Key(key.trim())
        } else {
            session_cookie(headers, settings.is_https()).map_or(Credential::None, Credential::Session)
        };
        match accounts::resolve(&self.web.app, credential, origin.clone()).await {
            Err(error) if error.kind() == Kind::Unavailable && self.policy.always => {
                Ok(Ctx::new(&self.web.app, Actor::Anonymous, origin))
            }
            resolved => resolved,
        }
    }

    async fn admit(&self, ctx: &Ctx, headers: &HeaderMap) -> Result<Option<Standing>> {
        if !self.policy.before_enrolment {
            ctx.require_enrolled()?;
        }
        let by_key = keys::admit(ctx).await?;
        match self.policy.access {
            Access::Public => {}
            Access::SignedIn if self.policy.by_key => drop(ctx.person()?),
            Access::SignedIn => drop(ctx.at_browser()?),
            Access::Needs(permission) => ctx.require(permission)?,
            Access::Metrics => self.admit_to_metrics(ctx, headers)?,
            Access::Cron => self.admit_to_cron(headers)?,
        }
        if let Some(length) = headers.get(header::CONTENT_LENGTH)
            && length
                .to_str()
                .ok()
                .and_then(|length| length.parse::<usize>().ok())
                .is_none_or(|n| n > self.policy.body)
        {
            return Err(too_large(self.policy.body));
        }
        let Some(limit) = self.policy.limit else { return Ok(by_key) };
        let counted = ctx.origin.counted();
        let who = ctx.user_id().map_or(counted.as_ref(), |id| id.as_str());
        let standing = self.web.app.limiter().take(limit, who, 1).await?;
        Ok(Some(keys::tighter(by_key, standing)))
    }

    fn admit_to_cron(&self, headers: &HeaderMap) -> Result<()> {
        let given = bearer(headers);
        match &self.web.app.settings().security.cron_secret {
            Some(secret) if secret.matches(given) => Ok(()),
            None if !given.is_empty() => {
                let message = "Outside schedulers are not let in here. Set CRON_SECRET (openssl rand -hex 32) and restart.";
                Err(Error::new(Kind::NotFound, "cron_closed", message))
            }
            _ => {
                let message = "Send the header Authorization: Bearer and the value of CRON_SECRET.";
                Err(Error::new(Kind::Unauthenticated, "unauthenticated", message))
            }
        }
    }

    fn admit_to_metrics(&self, ctx: &Ctx, headers: &HeaderMap) -> Result<()> {
        let given = bearer(headers);
        let token = self.web.app.settings().monitoring.metrics_token.as_ref();
        let by_token = token.is_some_and(|token: &Secret<String>| token.matches(given));
        // Behind a proxy on this machine everybody comes from here; what a proxy adds gives it away.
        let passed_on = PASSED_ON.iter().any(|name| headers.contains_key(name));
        let from_here = token.is_none()
            && !passed_on
            && ctx.origin.address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if by_token || from_here {
            return Ok(());
        }
        ctx.require(Permission::SystemRead).map_err(|refused| match refused.kind() {
            Kind::Unauthenticated => {
                let message = "Send the header Authorization: Bearer and the value of METRICS_TOKEN. Where that is not set, set it \
                               (openssl rand -hex 32) and restart.";
                Error::new(Kind::Unauthenticated, "unauthenticated", message)
            }
            _ => refused,
        })
    }

    fn refuse(&self, error: Error, ctx: Option<Ctx>, (path, back): (&str, &str)) -> Response {
        let stranger = error.kind() == Kind::Unauthenticated;
        let mut response = match &ctx {
            Some(_) if self.is_page && stranger => {
                Redirect::to(&format!("/login?next={}", site::escape(back))).into_response()
            }
            Some(ctx) if self.is_page => {
                site::with_face(&self.web, ctx, (path, back), Failure(error).into_response())
            }
            _ => Failure(error).into_response(),
        };
        self.note(&mut response, ctx.as_ref());
        response
    }

    /// Leaves word of the route and the person, for the log and the figures.
    fn note(&self, response: &mut Response, ctx: Option<&Ctx>) {
        let user = ctx.and_then(Ctx::user_id).map(ToString::to_string);
        response.extensions_mut().insert(Seen { route: self.path, user });
    }
}

/// What proxies write into the requests that they pass on.
const PASSED_ON: [HeaderName; 4] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The token of the `Authorization` header; empty where there is none.
fn bearer(headers: &HeaderMap) -> &str {
    text(headers, &header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default()
}

/// Where a request comes from: the connection's address, or what the trusted proxies say. With `n` proxies in front,
/// the `n`th entry of `X-Forwarded-For` from the right was written by the outermost of them; all before it is hearsay.
fn address(request: &Parts, proxies: u8) -> String {
    let direct = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let direct = direct.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
    if proxies == 0 {
        return direct;
    }
    let forwarded = request.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let entries: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    let entry = entries.len().checked_sub(usize::from(proxies)).and_then(|at| entries.get(at));
    entry.and_then(|entry| entry.parse::<IpAddr>().ok()).map_or(direct, |ip| ip.to_canonical().to_string())
}

/// The country that a request comes from, as the edge networks in front of us say, where there is a proxy to believe.
fn place(headers: &HeaderMap, proxies: u8) -> Option<String> {
    const SAYERS: [HeaderName; 2] =
        [HeaderName::from_static("cf-ipcountry"), HeaderName::from_static("x-vercel-ip-country")];
    let said = SAYERS.iter().map(|name| text(headers, name)).find(|said| !said.is_empty())?;
    // Cloudflare writes XX for unknown and T1 for Tor.
    let is_country = said.len() == 2 && said.bytes().all(|byte| byte.is_ascii_uppercase()) && said != "XX";
    (proxies > 0 && is_country).then(|| said.to_owned())
}

/// Where to go on when somebody was sent elsewhere first: the page itself, or the page whose form it was.
fn back(request: &Parts, path: &str) -> String {
    if request.method == Method::GET {
        return path.to_owned();
    }
    let referer = url::Url::parse(text(&request.headers, &header::REFERER)).ok();
    let host = text(&request.headers, &header::HOST);
    // Of other schemes an address may have neither a host nor a path.
    let is_ours = |page: &url::Url| matches!(page.scheme(), "http" | "https") && page.authority() == host;
    let page = referer.filter(is_ours).map(|page| match page.query() {
        Some(query) => format!("{}?{query}", page.path()),
        None => page.path().to_owned(),
    });
    page.unwrap_or_else(|| "/".to_owned())
}

/// The session cookie's name: with the prefix that browsers enforce where there is https.
pub(crate) fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-engify_session" } else { "engify_session" }
}

/// The session cookie's value, if one came.
pub(crate) fn session_cookie(headers: &HeaderMap, https: bool) -> Option<&str> {
    cookie(headers, cookie_name(https))
}

/// A cookie's value, if it came.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        })
}
