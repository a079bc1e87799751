//! The JSON API: one file a resource, each with its routes and their policies at the top.

use crate::route::Route;

mod admin;
mod ai;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod backups;
mod factors;
mod identities;
mod invitations;
pub(crate) mod jobs;
mod keys;
mod messages;
mod organizations;
mod passkeys;
mod patterns;
mod prompts;
mod provider_keys;
mod recovery;
mod restores;
mod system;
pub(crate) mod users;

/// Every route of the API.
pub(crate) fn routes() -> Vec<Route> {
    [
        system::routes(),
        auth::routes(),
        recovery::routes(),
        factors::routes(),
        passkeys::routes(),
        identities::routes(),
        prompts::routes(),
        patterns::routes(),
        ai::routes(),
        keys::routes(),
        provider_keys::routes(),
        admin::routes(),
        users::routes(),
        organizations::routes(),
        invitations::routes(),
        messages::routes(),
        jobs::routes(),
        backups::routes(),
        restores::routes(),
        audit::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How much of a list, and where it begins.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// 1 to 100.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) limit: Option<u32>,
    /// The `nextCursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Checks a list's limit: 1 to 100, 50 where it is left out.
pub(crate) fn limit(asked: Option<u32>) -> engify_core::Result<u32> {
    match asked {
        None => Ok(50),
        Some(limit @ 1..=100) => Ok(limit),
        Some(_) => Err(engify_core::Error::field("limit", "is a whole number from 1 to 100")),
    }
}
