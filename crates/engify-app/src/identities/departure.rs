//! The first leg: somebody leaves for a provider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engify_clients::identity::{Attempt, Provider};
use engify_core::identity::OauthStep;
use engify_core::ids::UserId;
use engify_core::{Error, Result, Secret};

use super::ticket::{self, Purpose};
use super::{failed, refused};
use crate::{App, Ctx, token};

/// Where the browser goes, and what it must bring back.
#[derive(Debug)]
pub struct Departure {
    /// The provider's page.
    pub url: String,
    /// What the browser keeps in a cookie until it is back: it ties the way back to this browser.
    pub browser: Secret<String>,
}

/// What somebody goes to a provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// To sign in.
    SignIn,
    /// To link the provider to their own account.
    Link,
    /// To be asked again who they are, because they have neither password nor factor to show us.
    Confirm,
}

/// Begins a way through a provider. `browser` is what the browser keeps from an earlier begin; it stays, so that two tabs do
/// not disturb each other.
///
/// # Errors
/// `not_found` for a provider that is not configured, or cannot confirm; `unauthenticated`, `fresh_factor_required` where it
/// links; `identity_provider_…`.
pub async fn begin(
    ctx: &Ctx,
    provider: &str,
    errand: Errand,
    next: Option<String>,
    browser: Option<&str>,
) -> Result<Departure> {
    let provider = ctx.app().identity_providers().named(provider)?;
    let own = || -> Result<Option<UserId>> { Ok(Some(ctx.at_browser()?.user.id.clone())) };
    let user = match errand {
        Errand::SignIn => None,
        Errand::Link => ctx.require_fresh().and_then(|()| own())?,
        Errand::Confirm if provider.asks_again() => own()?,
        Errand::Confirm => return Err(Error::not_found("way to confirm")),
    };
    let browser = browser.filter(|kept| token::has_form(kept));
    let browser = browser.map_or_else(|| token::make(ctx.app().ids()), |kept| Secret::new(kept.to_owned()));
    let (state, nonce) = (token::make(ctx.app().ids()), token::make(ctx.app().ids()));
    let verifier = Secret::new(URL_SAFE_NO_PAD.encode(ctx.app().ids().random::<32>()));
    let callback = callback(ctx.app(), provider);
    let attempt =
        Attempt { state: state.reveal(), nonce: nonce.reveal(), verifier: &verifier, callback: &callback };
    let url = match errand {
        Errand::Confirm => provider.confirmation_url(&attempt).await,
        Errand::SignIn | Errand::Link => provider.authorization_url(&attempt).await,
    };
    let url = match url {
        Ok(url) => url,
        Err(failure) => return Err(refused(ctx, provider, failed(failure)).await),
    };
    let verifier = ctx.app().vault().seal(&place(nonce.reveal()), &verifier)?;
    let step = OauthStep::Provider { nonce: nonce.reveal().clone(), verifier };
    let purpose = Purpose { provider: provider.id(), step, user, confirms: errand == Errand::Confirm, next };
    ticket::issue(ctx, &state, &browser, purpose).await?;
    Ok(Departure { url, browser })
}

/// Where a provider sends the browser back to: an address of its own for each, so that one provider's answer cannot be
/// taken for another's (RFC 9700 §4.4.2.2).
pub(super) fn callback(app: &App, provider: &Provider) -> String {
    format!("{}/api/auth/oauth/{}/callback", app.settings().core.url, provider.id())
}

/// Where a verifier is sealed for.
pub(crate) fn place(nonce: &str) -> String {
    format!("oauth_verifier:{nonce}")
}
