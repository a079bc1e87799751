//! From names and values to typed settings, all faults at once.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::{
    Ai, Core, Database, Environment, LogLevel, Mode, Monitoring, ProviderSettings, Public, Security,
    Settings, Tier, Tiers,
};
use crate::secret::Secret;

mod identity;

/// One setting that is wrong, and the remedy. Never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The environment variable.
    pub name: String,
    /// What is wrong and what to do.
    pub issue: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.issue)
    }
}

/// Makes settings from what `value` answers for each name; an empty value counts as unset.
///
/// # Errors
/// Every fault there is, in the order of the table.
pub fn load(value: impl Fn(&str) -> Option<String>) -> Result<Settings, Vec<Fault>> {
    let mut reader = Reader { value, faults: Vec::new() };
    let settings = reader.settings();
    if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
}

pub(super) struct Reader<F> {
    value: F,
    faults: Vec<Fault>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn settings(&mut self) -> Settings {
        let mode = self.word(
            "NODE_ENV",
            Mode::Development,
            &[("development", Mode::Development), ("production", Mode::Production), ("test", Mode::Test)],
        );
        let production = mode == Mode::Production;
        let core = self.core(mode);
        let public = Public {
            app_url: self.address("NEXT_PUBLIC_APP_URL", &core.url),
            version: self
                .text("NEXT_PUBLIC_APP_VERSION")
                .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
            allow_signup: self.flag("NEXT_PUBLIC_ALLOW_SIGNUP", true),
            analytics_id: self.text("NEXT_PUBLIC_GA_MEASUREMENT_ID"),
        };
        let (url, shown) = (core.url.clone(), public.app_url.clone());
        let backups = self.backups(&core.data_dir);
        Settings {
            core,
            public,
            ai: self.ai(),
            mail: self.mail(&url),
            sms: self.sms(&shown),
            security: self.security(production),
            identity: self.identity(production),
            monitoring: self.monitoring(),
            redis: self.redis(),
            qstash: self.qstash(),
            backups,
        }
    }

    fn core(&mut self, mode: Mode) -> Core {
        let production = mode == Mode::Production;
        let secret = self.secret("NEXTAUTH_SECRET");
        match &secret {
            Some(secret) if secret.reveal().chars().count() < 32 => {
                self.fault(
                    "NEXTAUTH_SECRET",
                    "has fewer than 32 characters; make one with `openssl rand -hex 32`",
                );
            }
            None if production => {
                self.fault(
                    "NEXTAUTH_SECRET",
                    "is required in production; make one with `openssl rand -hex 32`",
                );
            }
            _ => {}
        }
        let database = match self.secret("MONGODB_URI") {
            None => Database::Embedded,
            Some(uri) => {
                if !["mongodb://", "mongodb+srv://"].iter().any(|scheme| uri.reveal().starts_with(scheme)) {
                    self.fault(
                        "MONGODB_URI",
                        "starts with mongodb:// or mongodb+srv://, as in \
                         mongodb+srv://username:password@cluster.mongodb.net/engify?retryWrites=true&w=majority",
                    );
                }
                Database::Mongo(uri)
            }
        };
        let port = self.number("PORT", 3000_u16, 1, u16::MAX);
        let url = self.address("NEXTAUTH_URL", &format!("http://localhost:{port}"));
        if production && !url.starts_with("https://") && !is_local(&url) {
            self.fault(
                "NEXTAUTH_URL",
                "must start with https:// in production, so that cookies are sent over TLS only",
            );
        }
        let any = if production { IpAddr::from([0, 0, 0, 0]) } else { IpAddr::from([127, 0, 0, 1]) };
        Core {
            database,
            data_dir: PathBuf::from(self.text("ENGIFY_DATA_DIR").unwrap_or_else(|| "./data".to_owned())),
            secret,
            url,
            mode,
            environment: self.word(
                "ENGIFY_ENV",
                Environment::Local,
                &[
                    ("local", Environment::Local),
                    ("preview", Environment::Preview),
                    ("staging", Environment::Staging),
                    ("production", Environment::Production),
                ],
            ),
            listen: self.parsed("HOST", any, "is not an IP address such as 127.0.0.1 or 0.0.0.0"),
            port,
            assets_dir: self.text("ENGIFY_ASSETS_DIR").map(PathBuf::from),
            trusted_proxies: self.number("ENGIFY_TRUSTED_PROXIES", 0_u8, 0, 5),
            stop_grace: self.number("ENGIFY_STOP_GRACE_SECONDS", 5_u8, 0, 60),
        }
    }

    fn ai(&mut self) -> Ai {
        let hosted = [
            ("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
            ("anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
            (
                "google",
                "GOOGLE_API_KEY",
                "GOOGLE_BASE_URL",
                "https://generativelanguage.googleapis.com/v1beta",
            ),
            ("groq", "GROQ_API_KEY", "GROQ_BASE_URL", "https://api.groq.com/openai/v1"),
            ("replicate", "REPLICATE_API_TOKEN", "REPLICATE_BASE_URL", "https://api.replicate.com/v1"),
        ];
        let mut providers: Vec<ProviderSettings> = Vec::new();
        for (provider, key, base, default) in hosted {
            let key = self.secret(key);
            let base_url = self.address(base, default);
            providers.push(ProviderSettings { provider, configured: key.is_some(), key, base_url });
        }
        let local = self.text("OLLAMA_BASE_URL").is_some();
        let base_url = self.address("OLLAMA_BASE_URL", "http://localhost:11434/v1");
        providers.push(ProviderSettings { provider: "ollama", key: None, base_url, configured: local });
        Ai { providers, tiers: self.tiers() }
    }

    fn tiers(&mut self) -> Tiers {
        const NAME: &str = "ENGIFY_AI_TIERS";
        let mut tiers = Tiers::default();
        for pair in self.text(NAME).iter().flat_map(|text| text.split(',')) {
            let read = pair.split_once('=').and_then(|(name, figures)| Some((name.trim(), tier(figures)?)));
            match read {
                Some(("anonymous", tier)) => tiers.anonymous = tier,
                Some(("user", tier)) => tiers.user = tier,
                Some(("pro", tier)) => tiers.pro = tier,
                _ => {
                    let issue = "names anonymous, user or pro, each with requests an hour, requests a day and tokens a \
                                 day, as in user=100/500/100000,pro=1000/5000/1000000";
                    self.fault(NAME, issue);
                    break;
                }
            }
        }
        tiers
    }

    fn security(&mut self, production: bool) -> Security {
        let encryption_key = self.secret("API_KEY_ENCRYPTION_KEY");
        match &encryption_key {
            Some(key) if !is_encryption_key(key) => {
                self.fault(
                    "API_KEY_ENCRYPTION_KEY",
                    "must be 32 bytes as 64 hex digits; make one with `openssl rand -hex 32`",
                );
            }
            None if production => {
                self.fault(
                    "API_KEY_ENCRYPTION_KEY",
                    "is required in production; make one with `openssl rand -hex 32`",
                );
            }
            _ => {}
        }
        let previous_encryption_keys = self.previous_encryption_keys();
        let cron_secret = self.secret("CRON_SECRET");
        if cron_secret.as_ref().is_some_and(|secret| secret.reveal().len() < 16) {
            self.fault("CRON_SECRET", "has fewer than 16 characters; make one with `openssl rand -hex 32`");
        }
        Security {
            encryption_key,
            previous_encryption_keys,
            cron_secret,
            admin_session_minutes: self.number("ADMIN_SESSION_MAX_AGE_MINUTES", 60_u32, 1, 1440),
            admin_mfa_required: self.flag("ADMIN_MFA_REQUIRED", production),
            audit_retention_days: self.number("AUDIT_RETENTION_DAYS", 365_u32, 0, 36_500),
            former_secret: self.secret("AUDIT_FORMER_SECRET"),
            contact: self.contact(),
        }
    }

    fn previous_encryption_keys(&mut self) -> Vec<Secret<String>> {
        const NAME: &str = "API_KEY_ENCRYPTION_KEY_PREVIOUS";
        let text = self.secret(NAME);
        let parts = text.iter().flat_map(|text| text.reveal().split(',')).map(str::trim);
        let keys: Vec<Secret<String>> =
            parts.filter(|part| !part.is_empty()).map(|part| Secret::new(part.to_owned())).collect();
        if !keys.iter().all(is_encryption_key) {
            self.fault(
                NAME,
                "holds keys of 32 bytes as 64 hex digits, separated by commas; one of them is none",
            );
        }
        keys
    }

    /// Where to report a weakness, as `security.txt` wants it: an address with its scheme.
    fn contact(&mut self) -> Option<String> {
        let given = self.text("SECURITY_CONTACT")?;
        let address = given.strip_prefix("mailto:").unwrap_or(&given);
        if given.starts_with("https://") && url::Url::parse(&given).is_ok() {
            return Some(given);
        }
        if crate::words::Email::parse(address).is_ok() {
            return Some(format!("mailto:{address}"));
        }
        self.fault("SECURITY_CONTACT", "is neither a mail address nor an address that begins with https://");
        None
    }

    fn monitoring(&mut self) -> Monitoring {
        Monitoring {
            log_level: self.word(
                "LOG_LEVEL",
                LogLevel::Info,
                &[
                    ("error", LogLevel::Error),
                    ("warn", LogLevel::Warn),
                    ("info", LogLevel::Info),
                    ("debug", LogLevel::Debug),
                ],
            ),
            debug: self
                .text("DEBUG")
                .map(|list| {
                    list.split(',')
                        .map(|area| area.trim().to_owned())
                        .filter(|area| !area.is_empty())
                        .collect()
                })
                .unwrap_or_default(),
            metrics_token: self.secret("METRICS_TOKEN"),
            sentry_dsn: self.secret("SENTRY_DSN"),
            otlp_endpoint: self.text("OTEL_EXPORTER_OTLP_ENDPOINT"),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.value)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    pub(super) fn secret(&self, name: &str) -> Option<Secret<String>> {
        self.text(name).map(Secret::new)
    }

    pub(super) fn fault(&mut self, name: &str, issue: impl Into<String>) {
        self.faults.push(Fault { name: name.to_owned(), issue: issue.into() });
    }

    fn word<T: Copy>(&mut self, name: &str, default: T, words: &[(&str, T)]) -> T {
        let Some(text) = self.text(name) else { return default };
        match words.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)) {
            Some((_, value)) => *value,
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.fault(name, format!("is one of {}", words.join(", ")));
                default
            }
        }
    }

    pub(super) fn flag(&mut self, name: &str, default: bool) -> bool {
        self.word(
            name,
            default,
            &[("true", true), ("false", false), ("1", true), ("0", false), ("yes", true), ("no", false)],
        )
    }

    pub(super) fn number<T: FromStr + PartialOrd + fmt::Display + Copy>(
        &mut self,
        name: &str,
        default: T,
        min: T,
        max: T,
    ) -> T {
        let Some(text) = self.text(name) else { return default };
        match text.parse::<T>() {
            Ok(number) if number >= min && number <= max => number,
            _ => {
                self.fault(name, format!("is a whole number from {min} to {max}"));
                default
            }
        }
    }

    fn parsed<T: FromStr>(&mut self, name: &str, default: T, issue: &str) -> T {
        let Some(text) = self.text(name) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.fault(name, issue);
            default
        })
    }

    pub(super) fn address(&mut self, name: &str, default: &str) -> String {
        // A default that comes of another setting is judged there.
        let Some(text) = self.text(name) else { return default.trim_end_matches('/').to_owned() };
        let fits = url::Url::parse(&text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.query().is_none()
        });
        if !fits {
            self.fault(name, "is not an address such as https://engify.example.com");
        }
        text.trim_end_matches('/').to_owned()
    }
}

/// Reads `requests an hour/requests a day/tokens a day`.
fn tier(text: &str) -> Option<Tier> {
    let figures: Vec<u64> =
        text.split('/').map(|figure| figure.trim().parse().ok()).collect::<Option<_>>()?;
    let &[per_hour, per_day, tokens_per_day] = figures.as_slice() else { return None };
    Some(Tier { per_hour, per_day, tokens_per_day })
}

/// 32 bytes as 64 hex digits.
fn is_encryption_key(key: &Secret<String>) -> bool {
    key.reveal().len() == 64 && key.reveal().bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn is_local(address: &str) -> bool {
    url::Url::parse(address)
        .is_ok_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_address_is_one_fault_not_one_more_for_each_that_follows_it() {
        let faults = load(|name| (name == "NEXTAUTH_URL").then(|| "nowhere".to_owned())).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.name.as_str()).collect::<Vec<_>>(), ["NEXTAUTH_URL"]);
    }

    #[test]
    fn tiers_that_are_not_named_keep_their_limits() {
        let tiers = |text: &str| {
            let loaded = load(|name| (name == "ENGIFY_AI_TIERS").then(|| text.to_owned()));
            loaded.map(|settings| settings.ai.tiers).map_err(|faults| faults.len())
        };
        let user = Tier { per_hour: 5, per_day: 6, tokens_per_day: 7 };
        assert_eq!(tiers(" user = 5 / 6/7 "), Ok(Tiers { user, ..Tiers::default() }));
        for wrong in ["user", "user=1/2", "user=1/2/3/4", "user=1/2/-3", "guest=1/2/3", "user=1/2/3,"] {
            assert_eq!(tiers(wrong), Err(1), "{wrong}");
        }
    }
}
