//! A server process on a leash: it ends with its handle, and with this process even if that is killed.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::installed;

/// How long a server may take until it answers, on a machine that compiles something else beside it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to listen to the server between two looks at its port.
const PACE: Duration = Duration::from_millis(20);

/// A running server. Dropping it kills its process group and waits until it is gone.
pub(super) struct Server {
    name: &'static str,
    child: Child,
    pub(super) port: u16,
}

/// How a server is started.
pub(super) struct Launch<'a> {
    pub(super) name: &'static str,
    /// A path below the folder of parts, or the bare name of a Debian package's program.
    pub(super) program: &'a str,
    /// Tenths of a second that it gets to stop by itself before it is killed.
    pub(super) grace: u32,
    /// A folder that goes when the server goes, even if this process is killed.
    pub(super) scratch: Option<&'a Path>,
}

impl Server {
    /// Starts a server and returns once its port accepts connections.
    ///
    /// # Panics
    /// When it is not installed, ends early, or is not ready in time; with what it said on standard error.
    pub(super) fn start(launch: &Launch<'_>, prepare: impl FnOnce(&mut Command, u16)) -> Self {
        Self::start_on(free_port(), launch, prepare)
    }

    /// The same on a port of the caller's: one that a server had before.
    pub(super) fn start_on(port: u16, launch: &Launch<'_>, prepare: impl FnOnce(&mut Command, u16)) -> Self {
        let mut command = Command::new("sh");
        command
            .arg(installed("leash"))
            .arg(launch.grace.to_string())
            .arg(if launch.program.contains('/') { installed(launch.program) } else { launch.program.into() })
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(scratch) = launch.scratch {
            command.env("LEASH_SCRATCH", scratch);
        }
        prepare(&mut command, port);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("sh could not be started: {error}"));
        let (sender, complaints) = mpsc::channel();
        if let Some(pipe) = child.stderr.take() {
            // The thread ends with the pipe, which ends with the server.
            std::thread::spawn(move || {
                BufReader::new(pipe).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
            });
        }
        let server = Self { name: launch.name, child, port };
        server.wait_until_ready(&complaints);
        server
    }

    fn wait_until_ready(&self, complaints: &Receiver<String>) {
        let deadline = Instant::now() + PATIENCE;
        let mut said = String::new();
        loop {
            match complaints.recv_timeout(PACE) {
                Ok(line) => said = said + &line + "\n",
                Err(RecvTimeoutError::Timeout) if self.accepts() => return,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("{} ended at its start:\n{said}", self.name),
            }
            if Instant::now() > deadline {
                panic!("{} was not ready within {} s:\n{said}", self.name, PATIENCE.as_secs());
            }
        }
    }

    fn accepts(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closing the pipe is the signal; the wait makes sure that port and files are free again.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A port of the loopback interface that nobody listens on at this moment.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .unwrap_or_else(|error| panic!("no free port on 127.0.0.1: {error}"))
}
