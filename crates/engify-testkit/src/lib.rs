//! What tests stand on: a whole application on an embedded database, a scripted AI provider, and real third-party
//! servers on loopback. Only tests may depend on this crate.
#![expect(
    clippy::expect_used,
    reason = "what goes wrong here is the test's own ground; it stops with a word of why"
)]

pub mod app;
pub mod github;
pub mod parts;
pub mod passkey;
pub mod provider;

pub use app::{Mail, TestApp};
/// The store, for tests that look at documents or damage them.
pub use engify_store as store;
pub use github::{GitHub, Hubber};
pub use passkey::SoftPasskey;
pub use provider::{Script, ScriptedProvider};
