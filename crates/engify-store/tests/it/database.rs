//! A database for one test: embedded in a temporary folder, or of its own name on a real MongoDB-wire server.

use std::path::Path;
use std::sync::Arc;

use engify_core::{Clock, Ids, Secret};
use engify_store::{Options, Store, Target};
use tempfile::TempDir;

/// A database that lives as long as the test that has it.
#[derive(Clone)]
pub(crate) struct Database {
    target: Target,
    _folder: Option<Arc<TempDir>>,
}

impl Database {
    pub(crate) fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = Target::Embedded { dir: folder.path().to_owned() };
        Self { target, _folder: Some(Arc::new(folder)) }
    }

    /// On the server of `ENGIFY_TEST_MONGODB_URI` (without a database in its path), else on one that is started.
    pub(crate) fn mongo(case: &str) -> Self {
        let unique = Ids::system(Clock::system()).uuid();
        let name = format!("{}_{}", &case[..case.len().min(24)], &unique[unique.len() - 12..]);
        let uri = match variable("ENGIFY_TEST_MONGODB_URI") {
            Some(uri) => match uri.split_once('?') {
                Some((server, options)) => format!("{}/{name}?{options}", server.trim_end_matches('/')),
                None => format!("{}/{name}", uri.trim_end_matches('/')),
            },
            None => engify_testkit::parts::secantus().uri(&name),
        };
        Self { target: Target::Mongo { uri: Secret::new(uri) }, _folder: None }
    }

    /// A handle of its own: another process, as far as the database can tell.
    pub(crate) async fn open(&self) -> Store {
        self.open_as(Options::default()).await.expect("the database opens")
    }

    /// The same with options, refused or not.
    pub(crate) async fn open_as(&self, options: Options) -> engify_core::Result<Store> {
        Store::open(self.target.clone(), options).await
    }

    pub(crate) fn dir(&self) -> &Path {
        match &self.target {
            Target::Embedded { dir } => dir,
            Target::Mongo { .. } => panic!("only the embedded database has a folder"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests learn from the environment where the real servers are, here only"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
