//! Other people's servers, each behind a closed type of ours: AI providers, identity providers, mail, text
//! messages, shared memory, a queue, places for objects.
//!
//! This crate knows wire formats, deadlines and the ways in which a foreign server fails. It knows neither our
//! collections nor who is asking, and it never reads the environment: addresses and keys come with each call.

pub mod ai;
pub mod delivery;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod http;
pub mod identity;
pub mod kv;
pub mod mail;
pub mod objects;
pub mod qstash;
pub mod sms;
