//! SIGTERM and SIGINT: the first asks the server to end, the second ends the process at once.

use engify_core::{Error, Result};

use super::ending::Ending;

/// The exit code of a server that was told twice.
const AT_ONCE: i32 = 130;

/// Who wants the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// A supervisor, which sends requests elsewhere as soon as it sees that this server is not ready.
    Terminate,
    /// The person at the keyboard.
    Interrupt,
}

/// Begins `ending` at the first signal.
pub(super) fn end_on_signal(ending: &Ending) -> Result<()> {
    let mut signals = Signals::new().map_err(Error::internal)?;
    let ending = ending.clone();
    tokio::spawn(async move {
        let signal = signals.next().await;
        tracing::info!("server.stopping: a second signal ends it at once");
        match signal {
            Signal::Terminate => ending.tell(),
            Signal::Interrupt => ending.close(),
        }
        signals.next().await;
        std::process::exit(AT_ONCE);
    });
    Ok(())
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        // An error says that there is no console, and then no signal comes either.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
