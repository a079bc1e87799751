//! The measurements, each by the name that it has on the command line, and what they share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::library::Stock;
use crate::load::{Load, Until};
use crate::provider::Provider;
use crate::report::Line;
use crate::server::{Server, Site};

mod accounts;
mod listing;
mod reads;
mod recovery;
mod runs;
mod shared;
mod whole;

/// A measurement.
pub(crate) type Measure = fn(&Bench, &mut dyn FnMut(Line)) -> Result<()>;

/// All of them, in order.
pub(crate) const ALL: &[(&str, Measure)] = &[
    ("ready", whole::ready),
    ("featured", reads::featured),
    ("page", reads::page),
    ("search", reads::search),
    ("execute", runs::execute),
    ("stream", runs::stream),
    ("memory", whole::memory),
    ("session", accounts::session),
    ("sign-in", accounts::sign_in),
    ("listing", listing::listing),
    ("replica", shared::replica),
    ("limit", shared::limit),
    ("recovery", recovery::recovery),
    ("shipping", recovery::shipping),
    ("snapshot", recovery::snapshot),
    ("spread", shared::spread),
];

/// Connections of a busy server.
pub(crate) const BUSY: usize = 32;
/// Prompts of the library.
pub(crate) const PROMPTS: usize = 10_000;

/// What measurements share.
pub(crate) struct Bench {
    /// Removed at the end.
    pub(crate) scratch: PathBuf,
    /// The binary on a library of [`PROMPTS`] prompts.
    pub(crate) site: Site,
    pub(crate) provider: Provider,
    pub(crate) stock: Stock,
    pub(crate) quick: bool,
}

impl Bench {
    /// How often two sides are measured in turn.
    fn rounds(&self) -> usize {
        if self.quick { 3 } else { 7 }
    }

    /// How long a round is.
    fn length(&self) -> Duration {
        if self.quick { Duration::from_secs(1) } else { Duration::from_secs(3) }
    }

    /// A round of load on a server.
    fn load(&self, server: &Server, requests: &Arc<Vec<Vec<u8>>>, connections: usize) -> Load {
        Load {
            address: server.address,
            requests: Arc::clone(requests),
            connections,
            until: Until::Time(self.length()),
        }
    }
}
