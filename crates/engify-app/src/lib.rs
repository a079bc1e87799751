//! Use cases: every rule that a user could notice.
//!
//! A use case takes a [`Ctx`] first (who asks, from where, under which request id), authorizes in its first line, does
//! its work through the store and the clients, and writes the audit log itself. This crate knows neither HTTP nor HTML
//! nor a command line.

pub mod accounts;
pub mod ai;
mod app;
pub mod audit;
pub mod backups;
mod behind;
pub mod cache;
mod content;
mod ctx;
mod doors;
mod ending;
pub mod exchange;
pub mod factors;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod health;
pub mod history;
pub mod identities;
pub mod jobs;
pub mod keys;
pub mod limits;
pub mod messages;
pub mod organizations;
mod passwords;
pub mod patterns;
pub mod prompts;
pub mod provider_keys;
mod recorder;
mod rounds;
pub mod setup;
mod shared;
mod token;
mod tries;
pub mod users;
pub mod vault;

pub use app::{App, Parts};
pub use ctx::{Actor, Ctx, Identity, Origin};
