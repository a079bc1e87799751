//! The load balancer: haproxy with the file that we ship, fitted to this machine's ports.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::replica::Replica;
use crate::process::{Leashed, find_program};
use crate::server::{Scratch, connect, here, wait_until_ready};
use crate::workspace::Workspace;

/// A running load balancer.
pub(super) struct Balancer {
    _haproxy: Leashed,
}

impl Balancer {
    pub(super) fn start(
        workspace: &Workspace,
        scratch: &Scratch,
        port: u16,
        replicas: &[Replica],
    ) -> Result<Self> {
        let shipped = workspace.root.join("deploy/haproxy.cfg");
        let shipped =
            std::fs::read_to_string(&shipped).with_context(|| format!("no {}", shipped.display()))?;
        let servers: Vec<SocketAddr> = replicas.iter().map(|replica| replica.address).collect();
        let file = scratch.0.join("haproxy.cfg");
        std::fs::write(&file, fitted(&shipped, port, &servers)?)?;
        // Debian keeps it where not everybody's PATH leads.
        let program = find_program(&["haproxy", "/usr/sbin/haproxy"]).context("haproxy is missing")?;
        let mut haproxy = Leashed::start(program, 0, scratch.log("haproxy.log"), |command| {
            command.arg("-f").arg(&file);
        })?;
        wait_until_ready(&mut haproxy, "haproxy", |_| None::<()>, || connect(here(port)).is_some())?;
        Ok(Self { _haproxy: haproxy })
    }
}

/// The shipped file with a port of this machine, and a line for each replica instead of the name server's answer.
fn fitted(shipped: &str, port: u16, servers: &[SocketAddr]) -> Result<String> {
    let mut text = String::new();
    let (mut ports, mut pools) = (0, 0);
    for line in shipped.lines() {
        let word = line.trim_start();
        if word == "bind :8080" {
            ports += 1;
            text.push_str(&format!("    bind 127.0.0.1:{port}\n"));
        } else if word.starts_with("maxconn ") {
            // It wants two open files for each, which a developer's machine need not allow.
            text.push_str("    maxconn 1000\n");
        } else if word.starts_with("server-template ") {
            pools += 1;
            for (number, server) in servers.iter().enumerate() {
                text.push_str(&format!("    server replica{} {server}\n", number + 1));
            }
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    let file = Path::new("deploy/haproxy.cfg").display();
    anyhow::ensure!(ports == 1, "{file} has no line `bind :8080` any more");
    anyhow::ensure!(pools > 0, "{file} has no line `server-template` any more");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_fitted_and_nothing_else_is_changed() {
        let shipped = "global\n    maxconn 20000\nfrontend f\n    bind :8080\nbackend b\n    server-template replica 6 engify:3000\n    balance leastconn\n";
        let servers = [here(1), here(2)];
        let fitted = fitted(shipped, 9, &servers).expect("a file");
        assert_eq!(
            fitted,
            "global\n    maxconn 1000\nfrontend f\n    bind 127.0.0.1:9\nbackend b\n    server replica1 127.0.0.1:1\n    server replica2 127.0.0.1:2\n    balance leastconn\n"
        );
        assert!(super::fitted("backend b\n", 9, &servers).is_err());
    }
}
