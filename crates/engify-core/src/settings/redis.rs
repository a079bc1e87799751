//! Where the memory is that replicas share, and the queue beside it: Redis by its own protocol, Upstash's REST, QStash.

use url::Url;

use super::load::{Fault, Reader, is_local};
use super::messages::unescaped;
use crate::secret::Secret;

/// The memory that replicas share. `REDIS_URL` wins over Upstash's REST, which has no subscriptions.
#[derive(Debug, Clone)]
pub enum Redis {
    /// Nothing is set: the memory of one process is enough for one process.
    NotConfigured,
    /// `REDIS_ENABLED=false`: whatever else is set is not looked at.
    Disabled,
    /// A server, by Redis' own protocol.
    Server(RedisServer),
    /// Upstash's REST.
    Upstash(UpstashRest),
}

/// A server that speaks Redis' protocol, from the parts of `REDIS_URL`.
#[derive(Debug, Clone)]
pub struct RedisServer {
    /// Its name or address; its certificate must carry the name.
    pub host: String,
    /// 6379 if nothing else is said.
    pub port: u16,
    /// `rediss://`.
    pub tls: bool,
    /// None: the default user.
    pub user: Option<String>,
    /// None: the server asks for none.
    pub password: Option<Secret<String>>,
    /// Which of its numbered databases: the path of the address, 0 if there is none.
    pub database: u16,
}

/// An Upstash database over REST.
#[derive(Debug, Clone)]
pub struct UpstashRest {
    /// Its address, without a slash at the end.
    pub url: String,
    /// Its token.
    pub token: Secret<String>,
}

/// What QStash signs its calls with; without them no call can be believed, and the servers do the jobs themselves.
const SIGNING_KEYS: [&str; 2] = ["QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"];

/// What is set and does nothing, for want of something beside it. It is no fault: the guide names no signing keys.
pub fn idle(value: impl Fn(&str) -> Option<String>) -> Vec<Fault> {
    let set = |name: &str| value(name).is_some_and(|text| !text.trim().is_empty());
    if !set("QSTASH_TOKEN") || SIGNING_KEYS.into_iter().any(&set) {
        return Vec::new();
    }
    let [current, next] = SIGNING_KEYS;
    let issue = format!(
        "does nothing without {current} and {next}; the servers do the jobs themselves. Copy both from the Upstash console"
    );
    vec![Fault { name: "QSTASH_TOKEN".to_owned(), issue }]
}

/// Upstash's queue.
#[derive(Debug, Clone)]
pub struct QStash {
    /// Its address, without a slash at the end.
    pub url: String,
    /// Its token.
    pub token: Secret<String>,
    /// Signs callbacks.
    pub current_signing_key: Secret<String>,
    /// Signs callbacks after the next rotation.
    pub next_signing_key: Secret<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn redis(&mut self) -> Redis {
        if !self.flag("REDIS_ENABLED", true) {
            return Redis::Disabled;
        }
        let upstash = self.upstash();
        let server = self.secret("REDIS_URL").map(|text| {
            let server = server(text.reveal());
            if server.is_none() {
                // The address itself may hold a password, so it is not repeated.
                let issue = "is not an address such as redis://localhost:6379 or \
                             rediss://default:password@redis.example.com:6379/0 (characters such as @ / : in the password \
                             are written as %40 %2F %3A)";
                self.fault("REDIS_URL", issue);
            }
            server
        });
        match (server, upstash) {
            (Some(Some(server)), _) => Redis::Server(server),
            (_, Some(upstash)) => Redis::Upstash(upstash),
            _ => Redis::NotConfigured,
        }
    }

    fn upstash(&mut self) -> Option<UpstashRest> {
        const URL: &str = "UPSTASH_REDIS_REST_URL";
        const TOKEN: &str = "UPSTASH_REDIS_REST_TOKEN";
        let (given, token) = (self.text(URL), self.secret(TOKEN));
        let (given, token) = match (given, token) {
            (None, None) => return None,
            (Some(given), Some(token)) => (given, token),
            (given, _) => {
                let (missing, there) = if given.is_some() { (TOKEN, URL) } else { (URL, TOKEN) };
                self.fault(
                    missing,
                    format!("is missing beside {there}; copy both from the Upstash console, REST API"),
                );
                return None;
            }
        };
        let url = self.address(URL, &given);
        if !url.starts_with("https://") && !is_local(&url) {
            self.fault(URL, "starts with https://, or the token would be sent in the clear");
        }
        self.must_be_a_token(TOKEN, &token);
        Some(UpstashRest { url, token })
    }

    pub(super) fn qstash(&mut self) -> Option<QStash> {
        let token = self.secret("QSTASH_TOKEN");
        let [current_signing_key, next_signing_key] = SIGNING_KEYS.map(|name| self.secret(name));
        if current_signing_key.is_some() != next_signing_key.is_some() {
            let [current, next] = SIGNING_KEYS;
            let (missing, other) = if next_signing_key.is_some() { (current, next) } else { (next, current) };
            let issue = format!("is missing beside {other}; copy both signing keys from the Upstash console");
            self.fault(missing, issue);
        }
        let url = self.address("QSTASH_URL", "https://qstash.upstash.io/v2");
        let token = token?;
        if !url.starts_with("https://") && !is_local(&url) {
            self.fault("QSTASH_URL", "starts with https://, or the token would be sent in the clear");
        }
        self.must_be_a_token("QSTASH_TOKEN", &token);
        Some(QStash {
            url,
            token,
            current_signing_key: current_signing_key?,
            next_signing_key: next_signing_key?,
        })
    }

    /// A token goes into a header, which carries visible ASCII alone.
    fn must_be_a_token(&mut self, name: &str, token: &Secret<String>) {
        if !token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
            self.fault(name, "has characters that no token has; copy it again from the Upstash console");
        }
    }
}

/// Reads `redis://` and `rediss://`.
fn server(text: &str) -> Option<RedisServer> {
    let url = Url::parse(text).ok()?;
    let tls = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    let path = url.path().trim_matches('/');
    if url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let user = Some(url.username()).filter(|user| !user.is_empty()).map(unescaped);
    let password = url.password().map(unescaped);
    Some(RedisServer {
        host: url.host_str().filter(|host| !host.is_empty())?.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(6379),
        tls,
        user: transposed(user)?,
        password: transposed(password)?.map(Secret::new),
        database: if path.is_empty() { 0 } else { path.parse().ok()? },
    })
}

/// What is not there is in order; what is there must be readable.
fn transposed(text: Option<Option<String>>) -> Option<Option<String>> {
    text.map_or(Some(None), |text| text.map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Fault, Settings, load};

    fn with(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Fault>> {
        let given = pairs.to_vec();
        load(move |name| {
            let found = given.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
        with(pairs).unwrap_err().into_iter().map(|fault| fault.name).collect()
    }

    #[test]
    fn an_address_is_taken_apart() {
        let Redis::Server(server) =
            with(&[("REDIS_URL", "rediss://ana:p%40ss%2Fw@[::1]:6380/3")]).unwrap().redis
        else {
            unreachable!("a server");
        };
        let RedisServer { host, port, tls, user, password, database } = server;
        assert_eq!((host.as_str(), port, tls, database), ("::1", 6380, true, 3));
        assert_eq!((user.as_deref(), password.unwrap().reveal().as_str()), (Some("ana"), "p@ss/w"));
        let Redis::Server(plain) = with(&[("REDIS_URL", "redis://cache")]).unwrap().redis else {
            unreachable!("a server");
        };
        assert_eq!((plain.port, plain.tls, plain.user, plain.database), (6379, false, None, 0));
        assert!(plain.password.is_none());
    }

    #[test]
    fn a_wrong_address_is_a_fault_that_does_not_show_the_password() {
        for wrong in [
            "http://:hunter2@cache",
            "redis:cache",
            "redis://:hunter2@cache/x",
            "redis://:hunter2@cache?db=1",
            "localhost:6379",
            "redis://:%FF@cache",
        ] {
            let faults = with(&[("REDIS_URL", wrong)]).unwrap_err();
            assert_eq!(faults.len(), 1, "{wrong}");
            assert!(!format!("{faults:?}").contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn all_faults_come_at_once() {
        let pairs = [
            ("REDIS_URL", "tcp://cache"),
            ("UPSTASH_REDIS_REST_URL", "http://cache.example.com"),
            ("UPSTASH_REDIS_REST_TOKEN", "to ken"),
            ("QSTASH_CURRENT_SIGNING_KEY", "sig_current"),
            ("QSTASH_URL", "qstash"),
        ];
        let mut names = faults(&pairs);
        names.dedup();
        let all = [
            "UPSTASH_REDIS_REST_URL",
            "UPSTASH_REDIS_REST_TOKEN",
            "REDIS_URL",
            "QSTASH_NEXT_SIGNING_KEY",
            "QSTASH_URL",
        ];
        assert_eq!(names, all);
    }

    #[test]
    fn qstash_without_its_signing_keys_is_off_and_noted() {
        let token = [("QSTASH_TOKEN", "token")];
        assert!(with(&token).unwrap().qstash.is_none());
        let value = |name: &str| token.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        assert_eq!(idle(value).iter().map(|note| note.name.as_str()).collect::<Vec<_>>(), ["QSTASH_TOKEN"]);
        assert!(idle(|_| None).is_empty());
    }

    #[test]
    fn one_half_of_upstash_is_a_fault_that_names_the_other() {
        let url = ("UPSTASH_REDIS_REST_URL", "https://eu1.upstash.io");
        assert_eq!(faults(&[url]), ["UPSTASH_REDIS_REST_TOKEN"]);
        assert_eq!(faults(&[("UPSTASH_REDIS_REST_TOKEN", "token")]), ["UPSTASH_REDIS_REST_URL"]);
        let both = [url, ("UPSTASH_REDIS_REST_TOKEN", "token")];
        assert!(matches!(with(&both).unwrap().redis, Redis::Upstash(rest) if rest.url == url.1));
        let three = [both[0], both[1], ("REDIS_URL", "redis://cache")];
        assert!(matches!(with(&three).unwrap().redis, Redis::Server(_)), "the native protocol wins");
    }

    #[test]
    fn switched_off_nothing_else_is_looked_at() {
        let pairs =
            [("REDIS_ENABLED", "false"), ("REDIS_URL", "broken"), ("UPSTASH_REDIS_REST_URL", "broken")];
        assert!(matches!(with(&pairs).unwrap().redis, Redis::Disabled));
        assert!(matches!(with(&[]).unwrap().redis, Redis::NotConfigured));
    }
}
