//! Operator use cases: backups, their proof and the way back; drills; moving to another database; single collections in files;
//! and what is told about the configuration, the database and the memory that replicas share.
//!
//! This crate knows neither the application's rules nor HTTP nor a terminal: it answers with data that the command
//! line prints, as a table for people or as JSON for scripts.

pub mod audit;
pub mod backup;
pub mod config;
pub mod contents;
pub mod database;
pub mod diff;
pub mod documents;
pub mod drill;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod lock;
pub mod migrate;
pub mod ready;
pub mod redis;
pub mod restore;
pub mod scratch;
pub mod seal;
pub mod ship;
