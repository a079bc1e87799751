//! The application: what use cases share. Cheap to clone.

use std::fmt;
use std::sync::Arc;

use engify_clients::ai::Caller;
use engify_clients::kv::Kv;
use engify_core::settings::{Settings, Shown};
use engify_core::{Clock, Ids, Result, Secret};
use engify_store::Store;
use webauthn_rs::Webauthn;

use crate::ai::Providers;
use crate::audit::chain::ChainKeys;
use crate::audit::sealer::Sealer;
use crate::behind::Behind;
use crate::cache::Caches;
use crate::ending::Ending;
use crate::health::Vitals;
use crate::jobs::{Jobs, Registry};
use crate::keys::Tallies;
use crate::limits::Limiter;
use crate::messages::Courier;
use crate::passwords::Hasher;
use crate::patterns::Pattern;
use crate::recorder::Recorder;
use crate::shared::Shared;
use crate::tries::Tries;
use crate::vault::Vault;
use crate::{cache, factors, identities, patterns};

/// What an application is made of.
#[derive(Debug)]
pub struct Parts {
    /// What the operator says.
    pub settings: Settings,
    /// The same as operators may see it, and where each value was found.
    pub shown: Vec<Shown>,
    /// Our data.
    pub store: Store,
    /// Calls AI providers.
    pub caller: Caller,
    /// The memory that replicas share; none where there is none.
    pub shared: Option<Kv>,
    /// The time.
    pub clock: Clock,
    /// Ids and randomness.
    pub ids: Ids,
    /// `NEXTAUTH_SECRET`, or the one made for this data dir; at least 32 characters.
    pub secret: Secret<String>,
    /// The kinds of jobs that can be done.
    pub jobs: Registry,
}

/// The application.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    settings: Settings,
    shown: Vec<Shown>,
    store: Store,
    clock: Clock,
    ids: Ids,
    secret: Secret<String>,
    caches: Caches,
    limiter: Limiter,
    tries: Tries,
    hasher: Hasher,
    vault: Vault,
    webauthn: Option<Webauthn>,
    recorder: Recorder,
    behind: Behind,
    courier: Courier,
    jobs: Jobs,
    tallies: Arc<Tallies>,
    chain_keys: ChainKeys,
    sealer: Sealer,
    providers: Providers,
    identity_providers: identities::Providers,
    patterns: Vec<Pattern>,
    vitals: Vitals,
    shared: Shared,
    ending: Ending,
    started: std::time::Instant,
}

impl App {
    /// Puts the parts together and starts what runs beside requests: the recorder and the follower of changes.
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// When the shipped content or a provider's settings cannot be read.
    pub fn start(parts: Parts) -> Result<Self> {
        let Parts { settings, shown, store, caller, shared, clock, ids, secret, jobs } = parts;
        let providers = Providers::new(&settings, caller)?;
        let tallies = Arc::new(Tallies::default());
        let chain_keys = ChainKeys::new(&settings, &secret)?;
        let app = Self(Arc::new(Inner {
            caches: Caches::new(&store, shared.clone(), clock.clone()),
            limiter: Limiter::new(clock.clone(), shared.clone()),
            tries: Tries::new(clock.clone(), shared.clone()),
            hasher: Hasher::new(),
            vault: Vault::new(&settings, &secret, ids.clone())?,
            webauthn: factors::passkeys::relying_party(&settings),
            behind: Behind::start(),
            recorder: Recorder::start(store.clone(), clock.clone(), Arc::clone(&tallies)),
            courier: Courier::new(&settings, ids.clone(), clock.clone())?,
            jobs: Jobs::new(jobs, &settings)?,
            tallies,
            sealer: Sealer::start(store.clone(), chain_keys.current().clone(), clock.clone()),
            chain_keys,
            patterns: patterns::shipped()?,
            vitals: Vitals::default(),
            shared: Shared::new(&settings, shared),
            ending: Ending::default(),
            started: std::time::Instant::now(),
            providers,
            identity_providers: identities::Providers::new(&settings, &clock)?,
            settings,
            shown,
            store,
            clock,
            ids,
            secret,
        }));
        cache::follow(&app);
        Ok(app)
    }

    /// Waits until everything that was promised to be recorded is, then closes the store.
    pub async fn stop(&self) {
        self.leave();
        self.0.jobs.drain().await;
        self.0.providers.drain().await;
        self.0.behind.stop().await;
        self.0.courier.stop().await;
        self.0.recorder.stop().await;
        self.0.sealer.settle().await;
        self.0.store.close().await;
    }

    /// What the operator says.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn shown(&self) -> &[Shown] {
        &self.0.shown
    }

    /// How long this process has been up.
    pub fn uptime(&self) -> std::time::Duration {
        self.0.started.elapsed()
    }

    /// What caches of things made from the library stand on: they end when it changes, by whichever process.
    pub fn cache_backing(&self) -> cache::Backing {
        self.0.caches.backing().clone()
    }

    /// The database, for operators' work.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Ids and randomness.
    pub fn ids(&self) -> &Ids {
        &self.0.ids
    }

    pub(crate) fn secret(&self) -> &Secret<String> {
        &self.0.secret
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.0.caches
    }

    /// The identity providers that people may come in through, in the order of their buttons.
    pub fn sign_in_providers(&self) -> &[identities::SignInProvider] {
        self.0.identity_providers.listed()
    }

    /// Request limits.
    pub fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Wrong guesses at passwords and factors.
    pub(crate) fn tries(&self) -> &Tries {
        &self.0.tries
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    /// Seals secrets for the store and opens them again.
    pub(crate) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Our part in passkey ceremonies; none where the address allows none.
    pub(crate) fn webauthn(&self) -> Option<&Webauthn> {
        self.0.webauthn.as_ref()
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// Does work behind the answer.
    pub(crate) fn behind(&self) -> &Behind {
        &self.0.behind
    }

    /// Carries messages.
    pub(crate) fn courier(&self) -> &Courier {
        &self.0.courier
    }

    /// Work outside of requests.
    pub(crate) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// What keys are used for, not yet written.
    pub(crate) fn tallies(&self) -> &Tallies {
        &self.0.tallies
    }

    /// Adds audit lines to the chain.
    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Proves the chain.
    pub(crate) fn chain_keys(&self) -> &ChainKeys {
        &self.0.chain_keys
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// Who else may say who a person is.
    pub(crate) fn identity_providers(&self) -> &identities::Providers {
        &self.0.identity_providers
    }

    pub(crate) fn patterns(&self) -> &[Pattern] {
        &self.0.patterns
    }

    /// The memory that replicas share.
    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// The end of this process.
    pub(crate) fn ending(&self) -> &Ending {
        &self.0.ending
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.0.vitals
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}
