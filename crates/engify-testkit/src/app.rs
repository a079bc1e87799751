//! A whole application for one test: embedded database in a folder of its own, a clock that the test moves, and an AI
//! provider that says what the test wants.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engify_app::jobs::Registry;
use engify_app::{App, Ctx, Parts, messages, setup};
use engify_clients::ai::{Caller, CallerOptions};
use engify_clients::kv::{CircuitOptions, Kv, KvOptions};
use engify_core::message::{Content, MessageKind, MessageState};
use engify_core::settings::{self, Database, Settings, Shown};
use engify_core::{Clock, Ids, Secret, Time};
use engify_store::{Options, Store, Target};
use tempfile::TempDir;

use crate::provider::ScriptedProvider;

/// The application with everything around it.
pub struct TestApp {
    /// The application.
    pub app: App,
    /// Stands still until the test moves it.
    pub clock: Clock,
    /// What `openai` is here.
    pub provider: ScriptedProvider,
    /// The token of the set-up link.
    pub setup_token: Secret<String>,
    store: Store,
    read: Mutex<HashSet<String>>,
    folder: Arc<TempDir>,
}

/// A message as its receiver finds it.
pub struct Mail {
    /// Its id.
    pub id: String,
    /// An address or a phone number.
    pub to: String,
    /// What it is about.
    pub kind: MessageKind,
    /// What it says.
    pub content: Content,
}

impl Mail {
    /// The first link in it, from its path on: `/reset-password?token=…`.
    pub fn link(&self) -> String {
        let words = self.content.text.split_whitespace();
        let link = words.filter_map(|word| word.split_once("://")).find(|(_, rest)| rest.contains('?'));
        let (_, rest) = link.expect("a link");
        rest.split_once('/').map(|(_, path)| format!("/{path}")).expect("a path")
    }

    /// The token of the first link in it.
    pub fn token(&self) -> String {
        let link = self.link();
        link.split_once("token=").map(|(_, token)| token.to_owned()).expect("a token")
    }

    /// The six digits that a text message begins with.
    pub fn code(&self) -> String {
        self.content.text.chars().take(6).collect()
    }
}

/// The moment at which a test's clock stands.
pub const NOON: &str = "2026-11-22T12:00:00.000Z";

impl TestApp {
    /// An application with the shipped library and the scripted provider as `openai`.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with further settings.
    pub async fn with(extra: &[(&str, &str)]) -> Self {
        Self::replicas(1, extra).await.pop().expect("one")
    }

    /// Replicas of one site: one database, one time, and the memory that the settings name.
    pub async fn replicas(count: u64, extra: &[(&str, &str)]) -> Vec<Self> {
        Self::doing(Registry::shipped().expect("kinds of jobs"), count, extra).await
    }

    /// Replicas that can do these kinds of jobs. Nothing is begun by itself: `jobs::settle` does what is due.
    pub async fn doing(jobs: Registry, count: u64, extra: &[(&str, &str)]) -> Vec<Self> {
        let folder = Arc::new(TempDir::new().expect("a folder for the test"));
        let clock = Clock::fixed(NOON.parse::<Time>().expect("a time"));
        let mut replicas = Vec::new();
        for number in 0..count {
            replicas.push(
                Self::replica(Arc::clone(&folder), clock.clone(), 7 + number, extra, jobs.clone()).await,
            );
        }
        replicas
    }

    async fn replica(
        folder: Arc<TempDir>,
        clock: Clock,
        seed: u64,
        extra: &[(&str, &str)],
        jobs: Registry,
    ) -> Self {
        let provider = ScriptedProvider::start().await;
        let base = provider.base_url();
        let (settings, shown) = settings(folder.path(), &base, extra);
        let ids = Ids::seeded(clock.clone(), seed);
        let shared = Kv::new(&settings.redis, &shared_options(), ids.clone()).expect("usable settings");
        let target = match &settings.core.database {
            Database::Embedded => Target::Embedded { dir: folder.path().to_path_buf() },
            Database::Mongo(uri) => Target::Mongo { uri: uri.clone() },
        };
        let store = Store::open(target, Options::new(clock.clone())).await.expect("a store");
        let options = CallerOptions { backoff: Duration::from_millis(1), ..CallerOptions::default() };
        let caller = Caller::new(options, ids.clone(), clock.clone()).expect("a caller");
        let secret = Secret::new("a secret of thirty-two characters".to_owned());
        let parts = Parts {
            settings,
            shown,
            store: store.clone(),
            caller,
            shared,
            clock: clock.clone(),
            ids,
            secret,
            jobs,
        };
        let app = App::start(parts).expect("an application");
        let prepared = setup::prepare(&app).await.expect("a prepared installation");
        let setup_token = prepared.setup_token.expect("a new installation has no super admin");
        Self { app, clock, provider, setup_token, store, read: Mutex::default(), folder }
    }

    /// The documents beneath the application, for what no use case does: to damage, copy or look at them.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Every message that is kept here, the newest first: what people would find in their mailboxes and on their phones.
    /// What was asked for behind an answer is done first.
    pub async fn mailbox(&self) -> Vec<Mail> {
        messages::settle(&self.app).await.expect("settled messages");
        let system = Ctx::system(&self.app, "test");
        let kept = messages::list(&system, Some(MessageState::Kept), 1000, None).await.expect("messages");
        let mut mails = Vec::new();
        for message in kept.items {
            let opened = messages::open(&system, message.id.as_str()).await.expect("a message");
            let content = opened.content.expect("what is kept can be read");
            mails.push(Mail {
                id: message.id.to_string(),
                to: message.to.as_str().to_owned(),
                kind: message.kind,
                content,
            });
        }
        mails
    }

    /// A message of this kind to this address or phone that was not asked for before; where all were, any of them.
    pub async fn mail(&self, to: &str, kind: MessageKind) -> Mail {
        let mut mails = self.mailbox().await;
        mails.retain(|mail| mail.to == to && mail.kind == kind);
        // The clock stands still, so that the time of writing does not tell which is newer.
        let mut read = self.read.lock().expect("a list that no test broke");
        mails.sort_by_key(|mail| read.contains(&mail.id));
        let mail = mails.into_iter().next().expect("a message of this kind to them");
        read.insert(mail.id.clone());
        mail
    }

    /// Where its data are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Patient with a machine that compiles something else beside the test, quick to notice that a server is back.
fn shared_options() -> KvOptions {
    let rest = Duration::from_millis(20);
    KvOptions {
        deadline: Duration::from_secs(2),
        circuit: CircuitOptions { rest, longest_rest: rest, ..CircuitOptions::default() },
        ..KvOptions::default()
    }
}

fn settings(folder: &Path, provider: &str, extra: &[(&str, &str)]) -> (Settings, Vec<Shown>) {
    let folder = folder.display().to_string();
    let given =
        [("ENGIFY_DATA_DIR", folder.as_str()), ("OPENAI_API_KEY", "sk-test"), ("OPENAI_BASE_URL", provider)];
    let value = |name: &str| {
        let found = extra.iter().chain(&given).find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let loaded = settings::load(value).expect("settings without faults");
    (loaded, settings::show(|name| value(name).map(|value| (value, "process"))))
}
