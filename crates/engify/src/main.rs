//! The one binary: `engify` serves, and every other word is a command for operators.
//!
//! This crate reads the environment, wires the application together and prints. It decides nothing that a user of the
//! product could notice.

mod background;
mod cli;
mod commands;
mod environment;
mod logging;
mod operations;
mod printer;
mod serve;
mod stop;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

/// Half of what the system's allocator keeps; how it is set up: `.cargo/config.toml`.
#[cfg(all(unix, feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    engify_clients::http::install_tls();
    commands::run(cli::Cli::parse())
}
