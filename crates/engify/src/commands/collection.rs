//! `engify db export|import`: single collections to files and back.

use std::path::Path;

use engify_ops::documents::{self, Export, Exported, Format};

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
    let exported = with_store(environment, async |store| {
        let export = Export::begin(store, collection, format).await?;
        if to_stdout { to_terminal(export).await } else { to_file(export, &options.out).await }
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

async fn to_terminal(mut export: Export) -> Result<Exported, Stop> {
    while let Some(bytes) = export.next().await? {
        printer::binary(&bytes)?;
    }
    Ok(export.exported().clone())
}

async fn to_file(mut export: Export, out: &Path) -> Result<Exported, Stop> {
    let mut file = OutFile::begin(out).await?;
    let bar = printer::progress(0, "exporting");
    while let Some(bytes) = export.next().await? {
        file.write(&bytes).await?;
        bar.set_length(export.exported().documents);
        bar.set_position(export.exported().documents);
    }
    bar.finish_and_clear();
    file.finish().await?;
    Ok(export.exported().clone())
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
    let imported = with_store(environment, async |store| {
        let bar = printer::progress(0, "importing");
        let seen = |count| bar.set_position(count);
        let source = (options.file.as_path(), format);
        let imported = Box::pin(documents::import(store, collection, source, options.yes, &seen)).await;
        bar.finish_and_clear();
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
