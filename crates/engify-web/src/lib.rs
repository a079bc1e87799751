//! axum routes, extractors, JSON views, server-rendered pages and their assets.
//!
//! Handlers extract, call one use case and render; every rule is in the app. Each route carries its policy where it is
//! declared, and routes without one do not exist.

mod api;
pub mod assets;
mod coding;
mod extract;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guard;
pub mod markdown;
mod openapi;
mod outer;
mod page_cache;
pub mod pages;
mod policy;
mod reply;
pub mod route;
mod security;
mod site;
mod sse;
pub mod ui;
mod views;
mod web;

pub use openapi::document as openapi_document;
pub use outer::Server;
pub use policy::{Access, Policy};
pub use web::{Options, routes, server};
