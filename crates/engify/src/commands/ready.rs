//! `engify ready`: whether the server that these settings start can serve.

use engify_ops::ready;

use super::begin;
use crate::cli::Report;
use crate::environment::Environment;
use crate::printer;
use crate::stop::{Ended, Verdict};

/// Asks it once.
pub(super) async fn run(environment: &Environment, report: Report) -> Ended {
    let (settings, _log) = begin(environment)?;
    let said = ready::ask(&settings).await?;
    if report.json {
        printer::json(&said)?;
    } else {
        match (said.ready, said.status) {
            (true, _) => printer::line("ready")?,
            (false, Some(status)) => {
                printer::line(format_args!("not ready: {} answers {status}", said.address))?;
            }
            (false, None) => printer::line(format_args!("not ready: {} does not answer", said.address))?,
        }
    }
    Ok(Verdict::wanting_if(!said.ready))
}
