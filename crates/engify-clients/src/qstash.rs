//! QStash: it calls an address of ours later, again and on schedule, and signs its calls.
//!
//! [`QStash`] hands messages over, [`Verifier`] believes or rejects the calls that come of them. This module knows
//! Upstash's wire format; it refuses to know jobs.

mod message;
mod publisher;
mod verifier;

pub use message::Message;
pub use publisher::{Failure, FailureKind, QStash};
pub use verifier::{Accepted, Rejection, Verifier};
