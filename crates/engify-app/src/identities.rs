//! Sign-in through identity providers: Google, GitHub, any OpenID Connect issuer.
//!
//! [`begin`] sends somebody away, [`finish`] meets them when they come back. What ties the two together is a ticket: good for
//! ten minutes, for one use, and only from the browser that began. A person whom nobody linked yet gets an account, unless
//! their address has one: then [`link`] asks for that account's password first, because an address proven to a provider
//! is not a password proven to us. Who came in is then admitted as anybody else: this module begins no session itself.

use engify_clients::identity::{Failure, FailureKind, Provider};
use engify_core::audit::{Action, Target};
use engify_core::settings::Settings;
use engify_core::{Clock, Error, Kind, Result};
use serde_json::json;

use crate::{Ctx, audit};

mod arrival;
mod departure;
mod linking;
mod mapping;
mod standing;
mod ticket;

pub use arrival::{Arrival, Returned, finish};
pub(crate) use departure::place;
pub use departure::{Departure, Errand, begin};
pub use linking::{Pending, Proof, confirmers, link, list, pending, unlink};

/// The providers that are configured.
#[derive(Debug)]
pub(crate) struct Providers {
    all: Vec<Provider>,
    listed: Vec<SignInProvider>,
}

impl Providers {
    pub(crate) fn new(settings: &Settings, clock: &Clock) -> Result<Self> {
        let all = settings.identity.providers.iter().map(|provider| Provider::new(provider, clock));
        let all: Vec<Provider> = all.collect::<Result<_, _>>().map_err(Error::internal)?;
        let listed =
            |provider: &Provider| SignInProvider { id: provider.id(), label: provider.label().to_owned() };
        Ok(Self { listed: all.iter().map(listed).collect(), all })
    }

    pub(crate) fn listed(&self) -> &[SignInProvider] {
        &self.listed
    }

    fn named(&self, id: &str) -> Result<&Provider> {
        let provider = self.all.iter().find(|provider| provider.id() == id);
        provider.ok_or_else(|| Error::not_found("identity provider"))
    }
}

/// A provider as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInProvider {
    /// Its name in addresses.
    pub id: &'static str,
    /// Its name on a button.
    pub label: String,
}

/// A provider's failure in our words: the sentence for the person, the cause for the log.
fn failed(failure: Failure) -> Error {
    let (kind, code) = match failure.kind {
        FailureKind::Unreachable => (Kind::Upstream, "identity_provider_unreachable"),
        FailureKind::Misconfigured => (Kind::Upstream, "identity_provider_misconfigured"),
        FailureKind::CodeRefused => (Kind::Forbidden, "oauth_code_refused"),
        FailureKind::Untrusted => (Kind::Upstream, "identity_provider_untrusted"),
    };
    Error::new(kind, code, failure.message()).because(failure)
}

fn opens_another(provider: &Provider) -> Error {
    let label = provider.label();
    let message = format!(
        "This {label} account opens another account here. Sign in with it, or unlink it there first."
    );
    Error::new(Kind::Conflict, "identity_taken", message)
}

/// Two at once: the identity was linked, or the address taken, while this request was on its way.
fn taken(provider: &Provider, fault: Error) -> Error {
    if fault.code() == "duplicate" { opens_another(provider) } else { fault }
}

/// Writes a refusal into the audit log and hands it back.
async fn refused(ctx: &Ctx, provider: &Provider, error: Error) -> Error {
    let details = json!({ "why": error.code(), "through": provider.id() });
    let target = Target::new("identity_provider", provider.id());
    audit::note_refusal(ctx, Action::UserSignedIn, target, details).await;
    metrics::counter!("engify_sign_in_failures_total").increment(1);
    error
}
