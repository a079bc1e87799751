//! What replicas share: a server of MongoDB's protocol and a Redis, each of which keeps address and data when it is started
//! again (Redis, as we deploy it, keeps nothing).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{Leashed, Output, capture};
use crate::server::{Scratch, connect, wait_until_ready};
use crate::workspace::Workspace;

/// Redis refuses whoever comes from elsewhere than this machine without one.
const PASSWORD: &str = "cluster";

/// How much Redis may hold, bytes.
pub(crate) const ROOM: &str = "67108864";

/// SecantusDB with its data in a folder.
pub(crate) struct Database {
    running: Leashed,
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
}

impl Database {
    pub(super) fn start(workspace: &Workspace, scratch: &Scratch, address: SocketAddr) -> Result<Self> {
        let program = workspace.parts().join("py/bin/secantusd-py");
        let folder = scratch.0.join("database");
        std::fs::create_dir_all(&folder)?;
        let running = Self::launch(&program, &folder, address)?;
        let mut database = Self { running, program, folder, address };
        wait_until_ready(&mut database.running, "SecantusDB", |_| None::<()>, || connect(address).is_some())?;
        Ok(database)
    }

    fn launch(program: &PathBuf, folder: &PathBuf, address: SocketAddr) -> Result<Leashed> {
        Leashed::start(program, 0, Output::Log(folder.join("secantus.log")), |command| {
            command
                // It looks for a configuration file in its folder.
                .current_dir(folder)
                .args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()])
                // Our writes ask to be on disk before they are acknowledged; inside of transactions this server only does so when it
                // is told for all.
                .arg("--sync-on-commit")
                .args(["--log-level", "WARNING", "--cache-size", "256M", "--storage-path"])
                .arg(folder.join("db"));
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("mongodb://{}/engify?directConnection=true", self.address)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.running.signal("KILL")?;
        self.running.wait().map(drop)
    }

    /// Starts it again on the same data, and does not wait.
    pub(crate) fn launch_again(&mut self) -> Result<()> {
        self.running = Self::launch(&self.program, &self.folder, self.address)?;
        Ok(())
    }
}

/// A Redis with the memory policy that we deploy it with.
pub(crate) struct Redis {
    running: Leashed,
    folder: PathBuf,
    address: SocketAddr,
}

impl Redis {
    pub(super) fn start(scratch: &Scratch, address: SocketAddr) -> Result<Self> {
        let folder = scratch.0.join("redis");
        std::fs::create_dir_all(&folder)?;
        let mut redis = Self { running: Self::launch(&folder, address)?, folder, address };
        wait_until_ready(&mut redis.running, "redis-server", |_| None::<()>, || connect(address).is_some())?;
        Ok(redis)
    }

    fn launch(folder: &PathBuf, address: SocketAddr) -> Result<Leashed> {
        Leashed::start("redis-server", 0, Output::Log(folder.join("redis.log")), |command| {
            command
                .current_dir(folder)
                .args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()])
                .args(["--save", "", "--appendonly", "no", "--requirepass", PASSWORD])
                .args(["--maxmemory", ROOM, "--maxmemory-policy", "volatile-ttl"]);
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@{}", self.address)
    }

    /// Sends it a signal, as `kill -STOP` does.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        self.running.signal(name)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.signal("KILL")?;
        self.running.wait().map(drop)
    }

    /// Starts it again, empty, and does not wait.
    pub(crate) fn launch_again(&mut self) -> Result<()> {
        self.running = Self::launch(&self.folder, self.address)?;
        Ok(())
    }

    /// What it answers to a command.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<String> {
        let (host, port) = (self.address.ip().to_string(), self.address.port().to_string());
        let mut command = Command::new("redis-cli");
        command.args(["-h", &host, "-p", &port]).args(words).env("REDISCLI_AUTH", PASSWORD);
        Ok(capture(&mut command)?.trim().to_owned())
    }
}
