//! What operators' work promises, on real files and against programs that other people wrote.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there; clippy spares only the test functions themselves"
)]

mod drills;
mod killed;
mod memory;
mod restores;
mod rig;
mod secantus;
mod strangers;
mod targets;
