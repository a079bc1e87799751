//! `engify db`: indexes, the shipped library, counts; backups and files are beside it.

use engify_app::{Ctx, prompts};
use engify_ops::database;

use super::{backup, collection, import, migrate, restore, with_app, with_store};
use crate::cli::{Db, Report};
use crate::environment::Environment;
use crate::printer;
use crate::stop::{Ended, Verdict};

/// Runs one of the `db` commands.
pub(super) async fn run(environment: &Environment, command: Db) -> Ended {
    match command {
        Db::CreateIndexes(report) => create_indexes(environment, report).await,
        Db::Stats(report) => stats(environment, report).await,
        Db::Backup(options) => backup::take(environment, options).await,
        Db::Backups(options) => backup::list(environment, options).await,
        Db::Verify(options) => backup::verify(environment, options).await,
        Db::BackupKey(report) => backup::backup_key(environment, report),
        Db::Export(options) => collection::export(environment, options).await,
        Db::Import(options) => collection::import(environment, options).await,
        Db::Restore(options) => restore::restore(environment, options).await,
        Db::Diff(options) => restore::diff(environment, options).await,
        Db::Drill(options) => restore::drill(environment, options).await,
        Db::Migrate(options) => migrate::run(environment, options).await,
        Db::Seed(report) => with_app(environment, async |ctx| seed(ctx, report).await).await,
    }
}

async fn create_indexes(environment: &Environment, report: Report) -> Ended {
    let made = with_store(environment, async |store| Ok(database::create_indexes(store).await?)).await?;
    if report.json {
        printer::json(&made)?;
    } else {
        let row = |one: &database::OneIndex| {
            let reason = one.reason.clone().unwrap_or_default();
            [one.collection.to_owned(), one.index.clone(), one.state.to_owned(), reason]
        };
        printer::table(["collection", "index", "state", "reason"], made.indexes.iter().map(row))?;
        printer::line(format_args!(
            "{}: {} made, {} there already, {} refused",
            made.database, made.made, made.existed, made.refused
        ))?;
    }
    // Without a text index of its own a MongoDB is searched as well: the search lives beside it.
    Ok(Verdict::wanting_if(made.refused > made.refused_text))
}

async fn stats(environment: &Environment, report: Report) -> Ended {
    let stats = with_store(environment, async |store| Ok(database::stats(store).await?)).await?;
    if report.json {
        printer::json(&stats)?;
    } else {
        let row = |one: &database::Holding| {
            [one.collection.to_owned(), one.documents.to_string(), printer::bytes(one.bytes)]
        };
        printer::table(["collection", "documents", "size"], stats.collections.iter().map(row))?;
        printer::line(format_args!(
            "{}: {} documents, {}, journal at {}, answers in {}",
            stats.database,
            stats.documents,
            printer::bytes(stats.bytes),
            stats.journal_position,
            printer::duration(stats.ping_ms),
        ))?;
    }
    Ok(Verdict::Done)
}

async fn seed(ctx: &Ctx, report: Report) -> Ended {
    let seeded = prompts::seed(ctx).await?;
    import::tell(&seeded, report)
}
