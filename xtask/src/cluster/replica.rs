//! One replica: the binary on a port of its own, which keeps its port when it is started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::network::Network;
use crate::process::{Leashed, News};
use crate::server::{Scratch, free_port, here, is_ready, setup_link, wait_until_ready};

/// The same on every replica, as production demands; worth nothing beyond this machine.
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A replica, running or not.
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    program: Vec<String>,
    environment: Vec<(String, String)>,
    running: Option<Leashed>,
    /// Where it runs and logs, once it was started.
    folder: PathBuf,
}

impl Replica {
    /// One that was not started yet; `apart` is the network it gets for itself.
    pub(super) fn new(number: u8, binary: &Path, apart: Option<&Network>) -> Result<Self> {
        let binary = binary.to_str().context("the binary's path is not UTF-8")?.to_owned();
        let ip = apart.map_or(here(0).ip(), Network::inside);
        let mut program: Vec<String> =
            apart.map(|network| network.entrance().map(str::to_owned).to_vec()).unwrap_or_default();
        program.extend([binary, "serve".to_owned()]);
        let (name, address) = (format!("replica{number}"), SocketAddr::new(ip, free_port()?));
        Ok(Self { name, address, program, environment: Vec::new(), running: None, folder: PathBuf::new() })
    }

    pub(super) fn environment(&mut self, pairs: &[(&str, &str)]) {
        self.environment = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    }

    /// Starts it and waits until it is ready; returns its set-up link if it printed one.
    pub(super) fn start(&mut self, scratch: &Scratch) -> Result<Option<String>> {
        self.folder = scratch.0.join(&self.name);
        std::fs::create_dir_all(&self.folder)?;
        self.launch()?;
        let running = self.running.as_mut().context("it was started")?;
        let address = self.address;
        wait_until_ready(running, &self.name, setup_link, || is_ready(address))
    }

    /// Starts it again at the same address, and does not wait.
    pub(crate) fn launch(&mut self) -> Result<()> {
        let (program, arguments) = self.program.split_first().context("a program")?;
        let log = crate::process::Output::Log(self.folder.join("engify.log"));
        let (folder, environment, address) = (&self.folder, &self.environment, self.address);
        self.running = Some(Leashed::start(program, 0, log, |command| {
            // Nothing of the developer's own environment or settings files may play a part.
            command
                .args(arguments)
                .current_dir(folder)
                .env_clear()
                .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
                .env("ENGIFY_DATA_DIR", folder.join("data"))
                .env("HOST", address.ip().to_string())
                .env("PORT", address.port().to_string())
                .env("NEXTAUTH_SECRET", SECRET)
                .env("API_KEY_ENCRYPTION_KEY", SECRET)
                .env("CRON_SECRET", SECRET)
                .env("ENGIFY_TRUSTED_PROXIES", "1")
                .env("LOG_LEVEL", "warn")
                .envs(environment.iter().map(|(name, value)| (name, value)));
        })?);
        Ok(())
    }

    /// Sends it a signal, as `kill -TERM` does.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        self.running()?.signal(name)
    }

    /// Waits for its end; its exit code, none where a signal ended it.
    pub(crate) fn wait(&mut self) -> Result<Option<i32>> {
        Ok(self.running.as_mut().context("it does not run")?.wait()?.code())
    }

    pub(super) fn news(&mut self, patience: Duration) -> Result<News> {
        self.running.as_mut().context("it does not run")?.news(patience)
    }

    /// What it said last, for a report of a failure.
    pub(crate) fn last_words(&self) -> String {
        self.running.as_ref().map(Leashed::last_words).unwrap_or_default()
    }

    fn running(&self) -> Result<&Leashed> {
        self.running.as_ref().context("it does not run")
    }
}
