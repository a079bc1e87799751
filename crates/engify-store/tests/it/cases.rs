//! The cases: each gets an empty database of its own and knows not which kind it is.

pub(crate) mod documents;
pub(crate) mod feed;
pub(crate) mod paging;
pub(crate) mod plans;
pub(crate) mod restoring;
pub(crate) mod searching;
pub(crate) mod snapshots;
pub(crate) mod tenancy;
pub(crate) mod writes;
