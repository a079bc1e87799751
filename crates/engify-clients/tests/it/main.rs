//! What the clients promise, against servers whose every byte is scripted here and (modules `part_…`) against
//! programs that other people wrote.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there; clippy spares only the test functions themselves"
)]

mod anthropic;
mod bounds;
mod certificate;
mod double;
mod failures;
mod github;
mod google;
mod issuer;
mod kv_cases;
mod kv_memory;
mod log;
mod mail;
mod models;
mod objects;
mod openai;
mod openid;
mod outside;
mod part_aimock;
mod part_moto;
mod part_qstash_client;
mod part_redis_server;
mod part_replicate;
mod part_sendgrid;
mod part_smtp;
mod part_twilio;
mod part_upstash;
mod parts;
mod provider;
mod qstash;
mod redis_server;
mod replicate;
mod replicate_double;
mod retries;
mod sms;
mod streams;
mod upstash_double;
