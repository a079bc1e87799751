//! Which key a call is made with: the caller's own, else their organization's, else the installation's.

use std::sync::Arc;
use std::time::Duration;

use engify_clients::ai::{Endpoint, Provider};
use engify_core::ids::ProviderKeyId;
use engify_core::provider_key::{KeySource, ProviderKey};
use engify_core::tenancy::Audience;
use engify_core::{Error, Result};

use crate::recorder::Record;
use crate::{App, Ctx, cache};

/// "Last used" is written at most this often.
const USED_EVERY: Duration = Duration::from_secs(60);

/// The stored keys that a caller may use, sealed.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    own: Arc<[ProviderKey]>,
    organization: Arc<[ProviderKey]>,
}

/// Where a call goes, and whose key it carries.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) source: KeySource,
}

impl Keyring {
    /// The caller's; empty for strangers and for the program itself.
    pub(crate) async fn of(ctx: &Ctx) -> Result<Self> {
        let Some(person) = ctx.identity() else { return Ok(Self::default()) };
        let keys = async |owner: Option<Audience>| match owner {
            Some(owner) => cache::provider_keys(ctx.app(), &owner).await,
            None => Ok(Arc::default()),
        };
        Ok(Self {
            own: keys(Some(Audience::User(person.user.id.clone()))).await?,
            organization: keys(ctx.organization_id().cloned().map(Audience::Organization)).await?,
        })
    }

    fn find(&self, provider: Provider) -> Option<(KeySource, &ProviderKey)> {
        let of = |keys: &'_ Arc<[ProviderKey]>| keys.iter().position(|key| key.provider == provider.name());
        let own = of(&self.own).map(|at| (KeySource::Own, &self.own[at]));
        own.or_else(|| of(&self.organization).map(|at| (KeySource::Organization, &self.organization[at])))
    }

    /// Whose key a run on this provider would use; none where it cannot run.
    pub(crate) fn source(&self, app: &App, provider: Provider) -> Option<KeySource> {
        let installation = || app.providers().installation(provider).map(|_| KeySource::Installation);
        self.find(provider).map(|(source, _)| source).or_else(installation)
    }

    /// Where a run on this provider goes. The key is opened here, for this call alone.
    ///
    /// # Errors
    /// `sealed_unreadable` where the stored key cannot be opened.
    pub(crate) fn choose(&self, app: &App, provider: Provider) -> Result<Option<Choice>> {
        let Some((source, key)) = self.find(provider) else {
            let endpoint = app.providers().installation(provider).map(Arc::clone);
            return Ok(endpoint.map(|endpoint| Choice { endpoint, source: KeySource::Installation }));
        };
        let endpoint = Arc::new(opened(app, provider, key)?);
        note_use(app, key);
        Ok(Some(Choice { endpoint, source }))
    }
}

/// The provider's address, as the operator set it, with a stored key.
pub(super) fn opened(app: &App, provider: Provider, key: &ProviderKey) -> Result<Endpoint> {
    let plain = app.vault().open(&key.place(), &key.sealed)?;
    let address = app.providers().address(provider);
    Endpoint::new(provider, address, Some(plain)).map_err(Error::internal)
}

fn note_use(app: &App, key: &ProviderKey) {
    let now = app.clock().now();
    if key.last_used_at.is_none_or(|at| now.since(at) > USED_EVERY) {
        let id: &ProviderKeyId = &key.id;
        app.recorder().count(Record::ProviderKeyUsed(id.clone()));
    }
}
