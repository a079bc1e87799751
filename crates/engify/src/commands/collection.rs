//! `engify db export|import`: single collections to files and back.

use std::path::Path;

use engify_core::audit::{Action, Outcome, Target};
use engify_core::{Clock, Ids};
use engify_ops::audit;
use engify_ops::documents::{self, Export, Format};
use serde_json::json;

use super::backup::note;
use super::out_file::OutFile;
use super::with_store;
use crate::cli::{CollectionExport, CollectionImport, Table};
use crate::environment::Environment;
use crate::printer;
use crate::stop::{Ended, Stop, Verdict};

/// Writes a collection to a file.
pub(super) async fn export(environment: &Environment, options: CollectionExport) -> Ended {
    let collection = documents::named(&options.collection)?;
    let format = match options.format {
        Table::Json => Format::Lines,
        Table::Csv => Format::Csv,
        Table::Bson => Format::Bson,
    };
    let to_stdout = options.out == Path::new("-");
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let exported = with_store(environment, async |store| {
        let mut export = Export::begin(store, collection, format).await?;
        let written = if to_stdout {
            to_terminal(&mut export).await
        } else {
            to_file(&mut export, &options.out).await
        };
        let exported = export.exported().clone();
        let outcome = if written.is_ok() { Outcome::Success } else { Outcome::Failed };
        let details = json!({
            "out": options.out.display().to_string(), "documents": exported.documents, "bytes": exported.bytes,
        });
        let target = Target::new("collection", collection.name);
        note(store, &audit::line((&clock, &ids), (Action::CollectionExported, outcome), target, details))
            .await;
        written.map(|()| exported)
    })
    .await?;
    if options.report.json && !to_stdout {
        printer::json(&exported)?;
    } else {
        let size = printer::bytes(exported.bytes);
        printer::talk(format_args!("{}: {} documents, {size}", exported.collection, exported.documents));
    }
    Ok(Verdict::Done)
}

async fn to_terminal(export: &mut Export) -> Result<(), Stop> {
    while let Some(bytes) = export.next().await? {
        printer::binary(&bytes)?;
    }
    Ok(())
}

async fn to_file(export: &mut Export, out: &Path) -> Result<(), Stop> {
    let mut file = OutFile::begin(out).await?;
    let bar = printer::progress(0, "exporting");
    while let Some(bytes) = export.next().await? {
        file.write(&bytes).await?;
        bar.set_length(export.exported().documents);
        bar.set_position(export.exported().documents);
    }
    bar.finish_and_clear();
    file.finish().await
}

/// Reads a file into a collection.
pub(super) async fn import(environment: &Environment, options: CollectionImport) -> Ended {
    let collection = documents::named(&options.collection)?;
    let ending = options.file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let format = match ending {
        "bson" => Format::Bson,
        "csv" => Format::Csv,
        _ => Format::Lines,
    };
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let really = options.yes.then_some((&clock, &ids));
    let imported = with_store(environment, async |store| {
        let bar = printer::progress(0, "importing");
        let seen = |count| bar.set_position(count);
        let source = (options.file.as_path(), format);
        let imported = Box::pin(documents::import(store, collection, source, really, &seen)).await;
        bar.finish_and_clear();
        if let (Some(by), Err(error)) = (really, &imported) {
            let target = Target::new("collection", collection.name);
            let details = json!({ "file": options.file.display().to_string(), "failure": error.code() });
            note(store, &audit::line(by, (Action::CollectionImported, Outcome::Failed), target, details))
                .await;
        }
        Ok(imported?)
    })
    .await?;
    if options.report.json {
        printer::json(&imported)?;
    } else {
        let (verb, name) = (if imported.done { "" } else { "would be " }, collection.name);
        printer::line(format_args!(
            "{name}: {} {verb}created, {} {verb}replaced, {} unchanged",
            imported.created, imported.replaced, imported.unchanged
        ))?;
    }
    if !imported.done {
        printer::talk("Nothing was written; --yes does it.");
    }
    Ok(Verdict::Done)
}
