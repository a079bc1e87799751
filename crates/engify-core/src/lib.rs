//! The words of Engify: ids, entities, roles and permissions, error kinds, clock, settings.
//!
//! This crate does no I/O and knows neither tokio, nor HTTP, nor a database. Everything else speaks in its types.

pub mod account;
pub mod address;
pub mod api_key;
pub mod audit;
pub mod backup;
pub mod cells;
pub mod clock;
pub mod error;
pub mod extended;
pub mod factor;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod identity;
pub mod ids;
pub mod job;
pub mod link;
pub mod message;
pub mod organization;
pub mod permission;
pub mod prompt;
pub mod provider_key;
pub mod redact;
pub mod run;
pub mod sealed;
pub mod secret;
pub mod settings;
pub mod template;
pub mod tenancy;
pub mod words;

pub use clock::{Clock, Time};
pub use error::{Error, Kind, Result};
pub use ids::Ids;
pub use sealed::Sealed;
pub use secret::Secret;
