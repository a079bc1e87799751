//! Prompts in and out: the shipped library, imports, exports.

use std::collections::HashSet;

use engify_core::audit::{Action, Outcome, Target};
use engify_core::permission::Permission;
use engify_core::prompt::{Prompt, Source};
use engify_core::tenancy::{Scope, Tenancy, Visibility};
use engify_core::words::Slug;
use engify_core::{Error, Kind, Result};
use engify_store::{Batch, queries};
use serde::Serialize;
use serde_json::json;

use super::edit::{Edit, edit, made, version_of};
use super::may_edit;
use crate::exchange::{self, Exported, Format, Record, Refusal};
use crate::{Actor, Ctx, content};

/// How many new prompts are written in one transaction.
const TOGETHER: usize = 100;

/// What an import did.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct ImportReport {
    /// Prompts made.
    pub created: usize,
    /// Prompts that got a new version.
    pub updated: usize,
    /// Prompts that were like that already.
    pub unchanged: usize,
    /// Records and files that were not taken.
    pub refused: usize,
    /// Which ones and why; the first 1000.
    pub refusals: Vec<OneRefusal>,
    /// What was taken with a remark; the first 1000.
    pub warnings: Vec<OneRefusal>,
}

/// A record that was not taken, or was with a remark.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct OneRefusal {
    /// The file.
    pub file: String,
    /// The line in it; 0 for the whole file.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl ImportReport {
    fn refuse(&mut self, file: &str, line: u64, reason: String) {
        self.refused += 1;
        if self.refusals.len() < 1000 {
            self.refusals.push(OneRefusal { file: file.to_owned(), line, reason });
        }
    }

    fn refuse_as(&mut self, refusal: &Refusal) {
        let reason = refusal
            .field
            .as_ref()
            .map_or_else(|| refusal.reason.clone(), |field| format!("{field} {}", refusal.reason));
        self.refuse(&refusal.file, refusal.line, reason);
    }
}

/// Puts the shipped library in: what is missing is made, what nobody touched is brought up to date.
///
/// # Errors
/// Those of the store.
pub async fn seed(ctx: &Ctx) -> Result<ImportReport> {
    // Among prompts that nobody used yet the newest come first: the featured ones, and no row of one subject.
    let mut shipped = content::PROMPTS.to_vec();
    shipped.sort_by_key(|(name, text)| (text.contains("\nfeatured: true\n"), scattered(name)));
    let mut import = Import::new(ctx, Source::Seed, Visibility::Public);
    for (name, text) in shipped {
        import.file(name, text.as_bytes()).await?;
    }
    import.end().await
}

/// Takes prompts from files: idempotent by slug; one bad record never stops the rest.
///
/// # Errors
/// `forbidden`; those of the store. What is wrong with files and records is in the report.
pub async fn import(
    ctx: &Ctx,
    files: Vec<(String, Vec<u8>)>,
    visibility: Visibility,
) -> Result<ImportReport> {
    let mut import = Import::begin(ctx, visibility).await?;
    for (name, bytes) in files {
        import.file(&name, &bytes).await?;
    }
    import.finish().await
}

/// An import under way, file by file, so that no more than one of them is in memory.
pub struct Import<'a> {
    ctx: &'a Ctx,
    source: Source,
    visibility: Visibility,
    slugs: HashSet<Slug>,
    waiting: Vec<(String, u64, Prompt)>,
    report: ImportReport,
}

impl<'a> Import<'a> {
    /// Begins an import of prompts with this visibility, where a record does not say its own.
    ///
    /// # Errors
    /// `forbidden` without `prompts:write`.
    pub async fn begin(ctx: &'a Ctx, visibility: Visibility) -> Result<Self> {
        ctx.require_for(Permission::PromptsWrite, Action::PromptsImported, Target::new("prompt", "import"))
            .await?;
        Ok(Self::new(ctx, Source::Import, visibility))
    }

    fn new(ctx: &'a Ctx, source: Source, visibility: Visibility) -> Self {
        let (slugs, waiting, report) = (HashSet::new(), Vec::new(), ImportReport::default());
        Self { ctx, source, visibility, slugs, waiting, report }
    }

    /// Notes a file that could not even be read.
    pub fn refuse(&mut self, file: &str, reason: String) {
        self.report.refuse(file, 0, reason);
    }

    /// Takes the prompts of one file.
    ///
    /// # Errors
    /// Those of the store. What is wrong with the file and its records is in the report.
    pub async fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let records = match exchange::read(name, bytes) {
            Ok(records) => records,
            Err(refusal) => {
                self.report.refuse_as(&refusal);
                return Ok(());
            }
        };
        for record in records {
            match record {
                Ok(record) => self.record(name, record).await?,
                Err(refusal) => self.report.refuse_as(&refusal),
            }
        }
        Ok(())
    }

    async fn record(&mut self, file: &str, mut record: Record) -> Result<()> {
        if !record.ignored.is_empty() && self.report.warnings.len() < 1000 {
            let reason = format!("has fields that a prompt has not: {}", record.ignored.join(", "));
            self.report.warnings.push(OneRefusal { file: file.to_owned(), line: record.line, reason });
        }
        let first = record.slug.clone();
        // Two titles may make one slug; numbered in the order of the file, so that the next import finds them again.
        for number in 2..100 {
            if record.slug_given || !self.slugs.contains(&record.slug) {
                break;
            }
            record.slug = first.numbered(number);
        }
        let line = record.line;
        if !self.slugs.insert(record.slug.clone()) {
            self.report.refuse(file, line, format!("slug {} is there twice in this import", record.slug));
            return Ok(());
        }
        if let Some(prompt) = self.take(self.ctx, file, record).await? {
            self.waiting.push((file.to_owned(), line, prompt));
        }
        if self.waiting.len() >= TOGETHER { self.write().await } else { Ok(()) }
    }

    /// Writes what waits, and the audit line of the whole.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn finish(self) -> Result<ImportReport> {
        let ctx = self.ctx;
        let report = self.end().await?;
        let details =
            json!({ "created": report.created, "updated": report.updated, "refused": report.refused });
        let target = Target::new("prompt", "import");
        let audit = ctx.audit(Action::PromptsImported, Outcome::Success, target, details);
        ctx.app().store().write(Batch::new().insert(&audit)?).await?;
        Ok(report)
    }

    async fn end(mut self) -> Result<ImportReport> {
        self.write().await?;
        Ok(self.report)
    }

    /// Compares a record with what is there: a new prompt is returned for writing, a known one is changed at once.
    async fn take(&mut self, ctx: &Ctx, file: &str, record: Record) -> Result<Option<Prompt>> {
        let anywhere = Scope::Everything("slugs are unique over everybody's prompts");
        let Some(old) = ctx.app().store().first(&queries::prompt_by_slug(anywhere, &record.slug)).await?
        else {
            let visibility =
                record.visibility.filter(|_| self.source == Source::Import).unwrap_or(self.visibility);
            let tenancy = match self.source {
                Source::Seed => Tenancy::new(None, None, Visibility::Public),
                _ => Tenancy::new(ctx.user_id().cloned(), ctx.organization_id().cloned(), visibility),
            };
            let mut prompt = made(ctx, record.draft, record.slug, tenancy, self.source);
            prompt.created_at = record.created_at.unwrap_or(prompt.created_at);
            prompt.featured = record.featured.unwrap_or(false) && ctx.allows(Permission::PromptsManage);
            return Ok(Some(prompt));
        };
        if !exchange::changes(&old.draft, &record) {
            self.report.unchanged += 1;
            return Ok(None);
        }
        let theirs = self.source == Source::Seed
            && (old.source != Source::Seed
                || old.author != "Engify"
                || old.version > 1 && edited(ctx, &old).await?);
        if theirs {
            self.report.unchanged += 1;
            return Ok(None);
        }
        if !may_edit(ctx, &old) && !matches!(ctx.actor, Actor::System(_)) {
            self.report.refuse(
                file,
                record.line,
                format!("slug {} belongs to a prompt that you may not change", old.slug),
            );
            return Ok(None);
        }
        let change = Edit {
            changes: record.draft.into(),
            note: cut(&format!("Imported from {file}")),
            ..Edit::default()
        };
        match edit(ctx, old.slug.as_str(), change).await {
            Ok(_) => self.report.updated += 1,
            Err(fault) if fault.kind() == Kind::Conflict => {
                self.report.refuse(file, record.line, fault.message().to_owned())
            }
            Err(fault) => return Err(fault),
        }
        Ok(None)
    }

    async fn write(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let (store, caches) = (self.ctx.app().store(), self.ctx.app().caches());
        match store.write(self.batch(self.ctx, &waiting)?).await {
            Ok(position) => {
                self.report.created += waiting.len();
                caches.library_changed(position);
            }
            Err(fault) if fault.code() == "duplicate" => {
                // Somebody took one of these slugs in this moment: one by one, so that only that one is refused.
                for one in &waiting {
                    match store.write(self.batch(self.ctx, std::slice::from_ref(one))?).await {
                        Ok(position) => {
                            self.report.created += 1;
                            caches.library_changed(position);
                        }
                        Err(fault) if fault.code() == "duplicate" => {
                            let reason = format!("slug {} was taken meanwhile", one.2.slug);
                            self.report.refuse(&one.0, one.1, reason);
                        }
                        Err(fault) => return Err(fault),
                    }
                }
            }
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    fn batch(&self, ctx: &Ctx, prompts: &[(String, u64, Prompt)]) -> Result<Batch> {
        let mut batch = Batch::new();
        for (file, _, prompt) in prompts {
            let note = if self.source == Source::Seed {
                "Shipped with Engify".to_owned()
            } else {
                format!("Imported from {file}")
            };
            batch = batch.insert(prompt)?.insert(&version_of(ctx, prompt, &cut(&note)))?;
        }
        Ok(batch)
    }
}

/// Bytes that scatter names, the same on every machine.
fn scattered(name: &str) -> [u8; 4] {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(name);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// Whether somebody here changed a shipped prompt.
async fn edited(ctx: &Ctx, prompt: &Prompt) -> Result<bool> {
    let versions = ctx.app().store().find(&queries::versions_of(&prompt.id).limit(1000)).await?.items;
    Ok(versions.iter().any(|version| version.author_id.is_some()))
}

fn cut(note: &str) -> String {
    note.chars().take(engify_core::prompt::limits::NOTE).collect()
}

/// Every prompt that the caller may see, in one format. Markdown: one file a prompt, as names and texts.
///
/// # Errors
/// `forbidden` without `prompts:read`; those of the store.
pub async fn export(ctx: &Ctx, format: Format) -> Result<Vec<(String, Vec<u8>)>> {
    ctx.require(Permission::PromptsRead)?;
    let mut query = queries::prompts_all(ctx.scope()).limit(200);
    let mut all = Vec::new();
    loop {
        let page = ctx.app().store().find(&query).await?;
        all.extend(page.items.into_iter().map(|prompt| Exported {
            slug: prompt.slug,
            draft: prompt.draft,
            featured: prompt.featured,
            visibility: prompt.tenancy.visibility,
        }));
        if page.next.is_none() {
            break;
        }
        query = query.after(page.next);
    }
    all.sort_by(|a, b| a.slug.cmp(&b.slug));
    // What strangers export is public anyway.
    if !matches!(ctx.actor, Actor::Anonymous) {
        let details = json!({ "format": format!("{format:?}").to_lowercase(), "prompts": all.len() });
        let target = Target::new("prompt", "export");
        ctx.app()
            .recorder()
            .note(ctx.audit(Action::PromptsExported, Outcome::Success, target, details))
            .await;
    }
    let name = match format {
        Format::Markdown => {
            return Ok(all
                .iter()
                .map(|one| (format!("{}.md", one.slug), exchange::markdown(one).into_bytes()))
                .collect());
        }
        Format::Json => "prompts.json",
        Format::JsonLines => "prompts.jsonl",
        Format::Csv => "prompts.csv",
    };
    let bytes = exchange::write(format, &all);
    if bytes.is_empty() && !all.is_empty() {
        return Err(Error::internal("an export of prompts cannot be empty"));
    }
    Ok(vec![(name.to_owned(), bytes)])
}
