//! Indexes, and that every query uses one.

use std::collections::BTreeSet;

use engify_store::{IndexState, collections, queries};

use crate::builders::{ids, noon};
use crate::database::Database;

pub(crate) async fn every_query_uses_an_index(database: Database) {
    let store = database.open().await;
    let samples = queries::samples(&ids(), noon()).expect("samples");
    let sampled: BTreeSet<_> = samples.iter().map(|sample| sample.name).collect();
    let source =
        concat!(include_str!("../../../src/queries.rs"), include_str!("../../../src/queries/operations.rs"));
    let written: BTreeSet<_> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub fn "))
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect();
    assert_eq!(sampled, written, "every function in queries.rs needs a sample in queries/samples.rs");
    let mut faults = Vec::new();
    for sample in &samples {
        let plan = store.explain_sample(sample).await.expect("a plan");
        if plan.full_scan || plan.index.is_none() {
            faults.push(format!("{} ({}):\n{}", sample.name, sample.form, plan.text));
        }
    }
    assert!(faults.is_empty(), "full scans on {}:\n{}", store.kind(), faults.join("\n\n"));
}

pub(crate) async fn indexes_are_made_once(database: Database) {
    let store = database.open().await;
    // An empty database got its indexes when it was opened.
    for report in store.ensure_indexes().await.expect("reports") {
        let refused_text = matches!(report.state, IndexState::Refused(_)) && report.index.contains("_text");
        assert!(report.state == IndexState::Existed || refused_text, "{report:?}");
    }
    let reported = store.ensure_indexes().await.expect("reports").len();
    let declared: usize = collections::ALL.iter().map(|collection| collection.indexes.len()).sum();
    assert_eq!(reported, declared);
}
