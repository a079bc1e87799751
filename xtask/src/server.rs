//! A real Engify server on a free port with a fresh data folder, beside it a server that speaks the wire formats of
//! the AI providers, and an OpenID Connect issuer. It starts, waits until all are ready, and stops them; what is asked of them is e2e's business.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::process::{Leashed, News, Output, must_run};
use crate::workspace::Workspace;

/// How long a server may take to become ready; a debug build seeds its library within a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait between two looks.
const PACE: Duration = Duration::from_millis(50);
/// Keys in the vendors' own formats, which the stand-in checks.
const OPENAI_KEY: &str = "sk-test0000000000000000000000000000000000000000";
const ANTHROPIC_KEY: &str = "sk-ant-test00000000000000000000000000000000000";

/// The servers; dropping this stops them and removes their data.
pub(crate) struct Server {
    pub(crate) url: String,
    /// The one-time link that makes the first super admin.
    pub(crate) setup_url: String,
    engify: Leashed,
    _providers: Leashed,
    _issuer: Leashed,
    _scratch: Scratch,
}

/// The product's binary in the debug profile, built now.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    // Built as the tests build it: with other features cargo would compile most dependencies a second time.
    must_run(workspace.cargo().args(["test", "--workspace", "--no-run", "--quiet"]))?;
    Ok(workspace.target.join("debug/engify"))
}

impl Server {
    pub(crate) fn start(workspace: &Workspace, binary: &Path) -> Result<Self> {
        let scratch = Scratch::make(workspace)?;
        let (providers, providers_port) = start_providers(workspace, &scratch)?;
        let port = free_port()?;
        let url = format!("http://localhost:{port}");
        let (issuer, issuer_url) = start_issuer(workspace, &scratch, &url)?;
        let mut engify = Leashed::start(binary, 50, scratch.log("engify.log"), |command| {
            // Nothing of the developer's own environment or settings files may change a test.
            command
                .current_dir(&scratch.0)
                .env_clear()
                .env("PATH", "/usr/local/bin:/usr/bin:/bin")
                .env("ENGIFY_DATA_DIR", scratch.0.join("data"))
                .env("PORT", port.to_string())
                .env("NEXTAUTH_URL", &url)
                .env("LOG_LEVEL", "warn")
                .env("ENGIFY_STOP_GRACE_SECONDS", "0")
                // Every visitor of the browser tests comes from an address of their own: sign-ups are limited by it.
                .env("ENGIFY_TRUSTED_PROXIES", "1")
                .env("OPENAI_API_KEY", OPENAI_KEY)
                .env("OPENAI_BASE_URL", format!("http://127.0.0.1:{providers_port}/v1"))
                .env("ANTHROPIC_API_KEY", ANTHROPIC_KEY)
                .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{providers_port}"))
                .env("OIDC_ISSUER", &issuer_url)
                .env("OIDC_CLIENT_ID", "engify")
                .env("OIDC_CLIENT_SECRET", "oidc-client-secret")
                .env("OIDC_NAME", "Acme");
        })?;
        let setup_url = wait_until_ready(&mut engify, "engify", setup_link, || is_ready(here(port)))?
            .context("engify is ready but printed no set-up link (`…/setup?token=…`) on its first start")?;
        Ok(Self { url, setup_url, engify, _providers: providers, _issuer: issuer, _scratch: scratch })
    }

    /// What the server said last, for a report of a failure.
    pub(crate) fn last_words(&self) -> String {
        self.engify.last_words()
    }
}

fn start_providers(workspace: &Workspace, scratch: &Scratch) -> Result<(Leashed, u16)> {
    let port = free_port()?;
    let program = workspace.parts().join("node/node_modules/.bin/llmock");
    let mut server = Leashed::start(program, 0, scratch.log("aimock.log"), |command| {
        // A little time between chunks lets a page show that it streams.
        command
            .args([
                "--host",
                "127.0.0.1",
                "-p",
                &port.to_string(),
                "--strict",
                "--log-level",
                "warn",
                "-l",
                "20",
            ])
            .arg("-f")
            .arg(workspace.root.join("e2e/fixtures"))
            .env("AIMOCK_API_KEYS", format!("{OPENAI_KEY},{ANTHROPIC_KEY}"));
    })?;
    wait_until_ready(&mut server, "aimock", |_| None::<()>, || connect(here(port)).is_some())?;
    Ok((server, port))
}

/// An issuer that knows one person, `sso`, and sends browsers back to the server at `url`.
fn start_issuer(workspace: &Workspace, scratch: &Scratch, url: &str) -> Result<(Leashed, String)> {
    const PEOPLE: &str = r#"{"sso":{"email":"sso@example.com","email_verified":true,"name":"Sam Sign-On"}}"#;
    let (port, people) = (free_port()?, scratch.0.join("people.json"));
    std::fs::write(&people, PEOPLE).with_context(|| format!("cannot write {}", people.display()))?;
    let program = workspace.root.join("crates/engify-testkit/parts/oidc-provider.mjs");
    let mut server = Leashed::start(program, 0, scratch.log("issuer.log"), |command| {
        command
            .arg(port.to_string())
            .arg(format!("{url}/api/auth/oauth/oidc/callback"))
            .arg(&people)
            .env("ENGIFY_PARTS", workspace.parts());
    })?;
    wait_until_ready(&mut server, "oidc-provider", |_| None::<()>, || connect(here(port)).is_some())?;
    Ok((server, format!("http://127.0.0.1:{port}")))
}

/// Waits until `ready` says so, and returns what `find` found in the lines printed until then, with a little patience
/// for a line that comes just after.
pub(crate) fn wait_until_ready<T>(
    server: &mut Leashed,
    name: &str,
    find: impl Fn(&str) -> Option<T>,
    ready: impl Fn() -> bool,
) -> Result<Option<T>> {
    let deadline = Instant::now() + PATIENCE;
    let mut found = None;
    let mut quiet_looks = 0;
    loop {
        match server.news(PACE)? {
            News::Line(line) => found = found.or_else(|| find(&line)),
            News::Ended(status) => bail!("{name} ended with {status}:\n{}", server.last_words()),
            News::Nothing if ready() => {
                quiet_looks += 1;
                if found.is_some() || quiet_looks > 20 {
                    return Ok(found);
                }
            }
            News::Nothing => {}
        }
        if Instant::now() > deadline {
            bail!("{name} was not ready within {} s:\n{}", PATIENCE.as_secs(), server.last_words());
        }
    }
}

pub(crate) fn setup_link(line: &str) -> Option<String> {
    line.split_whitespace()
        .find(|word| word.starts_with("http") && word.contains("/setup?token="))
        .map(str::to_owned)
}

pub(crate) fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> Option<bool> {
        let mut stream = connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        stream
            .write_all(b"GET /api/health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut reply = [0; 12];
        stream.read_exact(&mut reply).ok()?;
        Some(reply == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

pub(crate) fn connect(address: SocketAddr) -> Option<TcpStream> {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()
}

/// This port on this machine.
pub(crate) fn here(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// A folder for one run, removed at its end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn log(&self, name: &str) -> Output {
        Output::Log(self.0.join(name))
    }

    pub(crate) fn make(workspace: &Workspace) -> Result<Self> {
        let runs = workspace.target.join("e2e/runs");
        std::fs::create_dir_all(&runs)?;
        for number in 0..1000 {
            let folder = runs.join(format!("{}-{number}", std::process::id()));
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => bail!("cannot make {}: {error}", folder.display()),
            }
        }
        bail!("{} is full of old runs: remove it", runs.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies in target/ and harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
