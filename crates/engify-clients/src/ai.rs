//! AI providers behind one call: [`Caller::complete`] for the whole answer, [`Caller::stream`] for words as they come.
//!
//! The wire formats are ours, one file each, because running prompts is what the product exists for. This module
//! knows deadlines, retries and how providers fail; it refuses to know users, limits, stored prompts or where a key
//! came from. A dry run calls nobody and is therefore not here: an [`Endpoint`] cannot be made for it.

mod anthropic;
mod call;
mod caller;
mod endpoint;
mod event;
mod failure;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod google;
pub mod models;
mod openai;
mod probe;
mod provider;
mod replicate;
mod reply;
mod request;
mod sse;
mod stream;

pub use caller::{Caller, CallerOptions};
pub use endpoint::Endpoint;
pub use event::{Completion, Event, Finish, Usage};
pub use failure::{Failure, FailureKind};
pub use probe::probe;
pub use provider::Provider;
pub use request::{Message, Request, Role};
pub use stream::EventStream;
