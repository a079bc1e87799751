//! The server at its boundary: HTTP in, HTTP out, on a whole application with an embedded database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on stops here"
)]

mod accounts;
mod audit_chain;
mod audit_log;
mod away;
mod backups;
mod bad_input;
mod client;
mod factors;
mod headers;
mod jobs;
mod jobs_doors;
mod key_terms;
mod keys;
mod library;
mod messages;
mod oauth;
mod organizations;
mod part_issuer;
mod part_twilio;
mod passkeys;
mod provider_keys;
mod recovery;
mod redis_server;
mod replicas;
mod routes;
mod runs;
mod sms_limits;
mod system;
mod tab;
mod team;
mod tenants;
mod timing;
mod users;
