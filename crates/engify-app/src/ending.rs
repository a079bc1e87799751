//! The end of this process as use cases see it: two moments that whoever works long listens for. When they come is the
//! server's business.

use std::time::Duration;

use engify_core::Error;
use tokio_util::sync::CancellationToken;

use crate::App;

/// The code of what was broken off because the process ends.
pub(crate) const CODE: &str = "shutting_down";

/// The two moments, each a token that is cancelled when it has come.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    leaving: CancellationToken,
    last_call: CancellationToken,
}

impl App {
    /// From now on this process is not ready, and begins nothing by itself; requests are answered as before.
    pub fn leave(&self) {
        self.ending().leaving.cancel();
    }

    /// Whether it was told to leave.
    pub fn is_leaving(&self) -> bool {
        self.ending().leaving.is_cancelled()
    }

    /// Cancelled once it leaves: for workers, which give back what they have not begun.
    pub fn leaving(&self) -> CancellationToken {
        self.ending().leaving.clone()
    }

    /// What is still under way breaks off, keeps what it has and tells its caller, before the connection is cut.
    pub fn last_call(&self) {
        self.ending().leaving.cancel();
        self.ending().last_call.cancel();
    }

    /// Cancelled at the last call.
    pub(crate) fn last_called(&self) -> CancellationToken {
        self.ending().last_call.clone()
    }
}

/// What the caller of something that was broken off is told. `kept` says what became of the part that was done.
pub(crate) fn broken_off(kept: &str) -> Error {
    let message = format!(
        "This server is being stopped. Ask again: another one answers, or this one when it is back. {kept}"
    );
    Error::unavailable(CODE, message.trim_end().to_owned()).retry_after(Duration::from_secs(1))
}
