//! The real binary, as people and scripts use it: in an empty folder, with nothing in its environment.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops here")]

mod admin;
mod audit_verify;
mod away;
mod backup_faults;
mod backups;
mod config;
mod database;
mod deploy;
mod docs;
mod drain;
mod engify;
mod help;
mod hostile;
mod jobs;
mod migrate;
mod parsers;
mod prompts;
mod redis;
mod redis_server;
mod restore_jobs;
mod restores;
mod run;
mod security;
mod serve;
