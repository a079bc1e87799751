//! The settings: what an operator may say through the environment, and what the program makes of it.
//!
//! [`load`] is pure: it takes names and values and answers with typed settings or with every fault at once. Reading the
//! environment and the `.env` files is the binary's business, in one place.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::secret::Secret;

mod backups;
mod identity;
mod load;
mod messages;
mod redis;
mod shown;
mod table;

pub use backups::{Backups, KeepDays, ObjectPlace, RecoveryGoals, S3, ServerSideEncryption};
pub use identity::{IdentityProtocol, IdentityProvider, IdentitySettings};
pub use load::{Fault, load};
pub use messages::{Mail, MailServer, Sms, Smtp, SmtpTls, Twilio};
pub use redis::{QStash, Redis, RedisServer, UpstashRest, idle};
pub use shown::{Shown, show};
pub use table::{Group, SETTINGS, Setting};

/// Everything an operator may set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Database, addresses, environment.
    pub core: Core,
    /// What browsers may know.
    pub public: Public,
    /// Keys and addresses of AI providers.
    pub ai: Ai,
    /// Sessions and administration.
    pub security: Security,
    /// Sign-in through identity providers.
    pub identity: IdentitySettings,
    /// Logs, figures, errors.
    pub monitoring: Monitoring,
    /// How mail leaves.
    pub mail: Mail,
    /// How text messages leave.
    pub sms: Sms,
    /// Memory that replicas share.
    pub redis: Redis,
    /// Delivers jobs, where its token is set.
    pub qstash: Option<QStash>,
    /// Where backups go.
    pub backups: Backups,
}

/// Database, addresses, environment.
#[derive(Debug, Clone)]
pub struct Core {
    /// Where documents are kept.
    pub database: Database,
    /// Holds the embedded database, the generated secret, backups.
    pub data_dir: PathBuf,
    /// Signs and seeds what must not be guessed; at least 32 characters. None: made once and kept in the data dir.
    pub secret: Option<Secret<String>>,
    /// The address people use, without a slash at the end.
    pub url: String,
    /// `NODE_ENV`.
    pub mode: Mode,
    /// `ENGIFY_ENV`.
    pub environment: Environment,
    /// Where to listen; all interfaces in production, else this machine only.
    pub listen: IpAddr,
    /// The port to listen on.
    pub port: u16,
    /// Serves assets from this folder instead of those in the binary: for developing.
    pub assets_dir: Option<PathBuf>,
    /// Proxies in front of us whose `X-Forwarded-For` is believed: how many.
    pub trusted_proxies: u8,
    /// How long a server that was told to stop still takes connections, seconds.
    pub stop_grace: u8,
}

/// Where documents are kept.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file in the data dir.
    Embedded,
    /// A MongoDB, by its connection string (which holds a password).
    Mongo(Secret<String>),
}

/// `NODE_ENV`: whether insecure defaults are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Defaults that make a first start easy.
    Development,
    /// Every insecure default is a refusal to start.
    Production,
    /// As development.
    Test,
}

/// `ENGIFY_ENV`: which of the guide's deployment targets this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine.
    Local,
    /// A pull request's preview.
    Preview,
    /// Pre-production testing.
    Staging,
    /// Live.
    Production,
}

impl Environment {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Preview => "preview",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// What browsers may know.
#[derive(Debug, Clone)]
pub struct Public {
    /// The address shown to people.
    pub app_url: String,
    /// Shown in health and in the footer.
    pub version: String,
    /// Whether strangers may make an account.
    pub allow_signup: bool,
    /// Google Analytics id; shown to pages only when set.
    pub analytics_id: Option<String>,
}

/// A provider's key and where it listens.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// `openai`, `anthropic`, `google`, `groq`, `replicate`, `ollama`.
    pub provider: &'static str,
    /// The key; none while it is not set. A local server needs none.
    pub key: Option<Secret<String>>,
    /// The base address, without a slash at the end.
    pub base_url: String,
    /// Whether it can be used: a key is set, or the address of a local server is.
    pub configured: bool,
}

/// Keys and addresses of AI providers, in the order of the contract.
#[derive(Debug, Clone)]
pub struct Ai {
    /// One for each provider that there is.
    pub providers: Vec<ProviderSettings>,
    /// `ENGIFY_AI_TIERS`: how much callers may run.
    pub tiers: Tiers,
}

/// What each tier of callers may run on AI providers. The default is the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiers {
    /// Who is not signed in.
    pub anonymous: Tier,
    /// Who is.
    pub user: Tier,
    /// `pro` and above.
    pub pro: Tier,
}

/// What a tier of callers may run on AI providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Requests an hour.
    pub per_hour: u64,
    /// Requests a day.
    pub per_day: u64,
    /// Tokens a day, in and out; dry runs do not count.
    pub tokens_per_day: u64,
}

impl Default for Tiers {
    fn default() -> Self {
        let tier = |per_hour, per_day, tokens_per_day| Tier { per_hour, per_day, tokens_per_day };
        Self {
            anonymous: tier(20, 50, 10_000),
            user: tier(100, 500, 100_000),
            pro: tier(1_000, 5_000, 1_000_000),
        }
    }
}

/// Sessions and administration.
#[derive(Debug, Clone)]
pub struct Security {
    /// 32 bytes as 64 hex digits; encrypts provider keys at rest.
    pub encryption_key: Option<Secret<String>>,
    /// Further keys that open what was encrypted with them, and encrypt nothing: for rotations.
    pub previous_encryption_keys: Vec<Secret<String>>,
    /// Opens `/api/cron/{job}`.
    pub cron_secret: Option<Secret<String>>,
    /// Absolute length of an administrator's session, minutes.
    pub admin_session_minutes: u32,
    /// Whether administrators must have a second factor.
    pub admin_mfa_required: bool,
    /// How long lines of the audit log are kept where no organization says otherwise, days; 0 for ever.
    pub audit_retention_days: u32,
    /// The `NEXTAUTH_SECRET` before the present one, so that what was sealed under it can still be proven.
    pub former_secret: Option<Secret<String>>,
    /// Where to report a weakness: an address that begins with `mailto:` or `https://`.
    pub contact: Option<String>,
}

/// Logs, figures, errors.
#[derive(Debug, Clone)]
pub struct Monitoring {
    /// `error`, `warn`, `info`, `debug`.
    pub log_level: LogLevel,
    /// `DEBUG`: `*` or a list of areas that log at debug.
    pub debug: Vec<String>,
    /// Opens `/metrics` to others than this machine and administrators.
    pub metrics_token: Option<Secret<String>>,
    /// Where errors are sent.
    pub sentry_dsn: Option<Secret<String>>,
    /// Where traces are sent.
    pub otlp_endpoint: Option<String>,
}

/// The guide's log levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Needs immediate attention.
    Error,
    /// Warning conditions.
    Warn,
    /// Informational messages.
    Info,
    /// Detailed debugging information.
    Debug,
}

impl LogLevel {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl Settings {
    /// Whether people reach us over https.
    pub fn is_https(&self) -> bool {
        self.core.url.starts_with("https://")
    }

    /// A provider's settings by name.
    pub fn provider(&self, name: &str) -> Option<&ProviderSettings> {
        self.ai.providers.iter().find(|provider| provider.provider == name)
    }
}
