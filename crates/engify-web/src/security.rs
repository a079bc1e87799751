//! What browsers are told on every reply, and which writes of browsers are not taken.

use axum::response::{IntoResponse, Response};
use engify_app::App;
use engify_core::{Error, Kind};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::reply::Failure;

/// Everything comes from here, nothing is inline, nobody frames us. `data:` is for pictures that we draw ourselves.
const CONTENT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                       form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'";
/// What pages do not use, scripts that got in anyway shall not use either.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), \
                           gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// The headers of every reply. A reply that has one of its own keeps it.
pub(crate) fn headers(app: &App) -> HeaderMap {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // What says nothing of its own is nobody's to keep.
        (header::CACHE_CONTROL, "no-store"),
    ];
    let mut headers: HeaderMap =
        fixed.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    if app.settings().is_https() {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    headers
}

/// A reply to somebody who is signed in stays in no cache, on disk or behind the back button, unless it is the same for all.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    let shared =
        headers.get(header::CACHE_CONTROL).is_some_and(|value| value.as_bytes().starts_with(b"public"));
    if !shared {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// How a write is refused that comes from another site's page.
type Refusal = fn(ProtectionError) -> Response;

/// Refuses writes that a browser sends for another site's page, by `Sec-Fetch-Site` and `Origin`. Programs send neither
/// header and are let through: they have no cookie that somebody could ride on. The origins are those that people use,
/// because a proxy in front may have changed `Host`.
pub(crate) fn writes(app: &App) -> CsrfLayer<Refusal> {
    let settings = app.settings();
    let mut layer = CsrfLayer::new().with_rejection_response(refused as Refusal);
    for url in [&settings.core.url, &settings.public.app_url] {
        let Some(origin) = url::Url::parse(url).ok().map(|url| url.origin().ascii_serialization()) else {
            continue;
        };
        // An address without an origin (none is accepted by the settings) is trusted in nothing.
        layer = layer.clone().add_trusted_origin(&origin).unwrap_or(layer);
    }
    layer
}

fn refused(_: ProtectionError) -> Response {
    let message = "This request was sent by another site's page; open this site itself and try again. Behind a proxy, set \
                   NEXTAUTH_URL to the address that people use.";
    Failure(Error::new(Kind::Forbidden, "cross_origin", message)).into_response()
}
