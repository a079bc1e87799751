//! Rotation of the encryption key: everything sealed in the store is sealed anew, while the program runs.
//!
//! Each value carries the name of its key, so a walk that was broken off anywhere is simply walked again. A value that
//! somebody replaces meanwhile is left as they wrote it, and a last look finds it if it was sealed with an old key.

use std::collections::BTreeMap;

use engify_core::audit::{Action, Outcome, Target};
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result, Secret};
use engify_store::{Batch, Entity, Patch, queries};
use serde::Serialize;
use serde_json::{Value, json};

use super::Vault;
use super::places::{self, Seals};
use crate::Ctx;

/// Documents that are read, and written, at a time.
const TOGETHER: u32 = 100;
/// How often all is walked again for what was sealed with an old key meanwhile.
const ROUNDS: usize = 5;
/// The most unreadable values that a report names.
const NAMED: usize = 100;

/// What to do.
#[derive(Debug, Default)]
pub struct Rotation {
    /// The key to seal with: 64 hex digits. None for the one of the settings.
    pub new_key: Option<Secret<String>>,
    /// Only counts.
    pub dry_run: bool,
    /// Leaves what no known key opens as it is, instead of refusing to begin.
    pub skip_unreadable: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Where.
    pub collection: &'static str,
    /// Documents looked at.
    pub done: u64,
    /// Documents there are.
    pub of: u64,
}

/// How many values are sealed with one key.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// The key's name: the first 8 hex digits of its SHA-256.
    pub key_id: String,
    /// What the key is to this program.
    pub standing: Standing,
    /// How many.
    pub values: u64,
}

/// What a key is to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It seals.
    Sealing,
    /// It only opens.
    Opening,
    /// It is not here.
    Unknown,
}

/// A value that cannot be opened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreadable {
    /// Where it is.
    pub collection: &'static str,
    /// In which document.
    pub id: String,
    /// Which key sealed it.
    pub key_id: String,
}

/// What became of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The name of the key that seals now.
    pub key_id: String,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// Whether everything is sealed with that key.
    pub complete: bool,
    /// Values sealed anew.
    pub rotated: u64,
    /// Values by key, as they are now.
    pub keys: Vec<Count>,
    /// Values that cannot be opened, the first 100.
    pub unreadable: Vec<Unreadable>,
}

/// Seals everything anew with another key; `progress` is told after each hundred documents.
///
/// # Errors
/// `forbidden` without `system:settings`; `bad_encryption_key`; `wrong_encryption_key` where something was sealed with a
/// key that is neither here nor new: nothing is changed then; those of the store.
pub async fn rotate(
    ctx: &Ctx,
    asked: Rotation,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report> {
    let target = Target::new("encryption_key", "new");
    ctx.require_for(Permission::SystemSettings, Action::EncryptionKeyRotated, target).await?;
    let own = ctx.app().vault();
    let changed;
    let vault = match &asked.new_key {
        Some(key) => {
            changed = own.sealing_with(key)?;
            &changed
        }
        None => own,
    };
    let mut walk = Walk::new(ctx, vault, progress);
    places::walk(&mut walk).await?;
    if asked.dry_run {
        return Ok(walk.report(true));
    }
    if !asked.skip_unreadable {
        walk.refuse_unknown_keys()?;
    }
    walk.writes = true;
    for _ in 0..ROUNDS {
        walk.begin_round();
        places::walk(&mut walk).await?;
        if walk.settled {
            break;
        }
    }
    let report = walk.report(false);
    let details = json!({ "keyId": report.key_id, "rotated": report.rotated, "complete": report.complete });
    let outcome = if report.complete { Outcome::Success } else { Outcome::Failed };
    let target = Target::new("encryption_key", &report.key_id);
    let audit = ctx.audit(Action::EncryptionKeyRotated, outcome, target, details);
    ctx.app().store().write(Batch::new().insert(&audit)?).await?;
    tracing::info!(vault.key = report.key_id, vault.rotated = report.rotated, "vault.rotated");
    Ok(report)
}

/// One walk over all sealed values, or several.
pub(super) struct Walk<'a> {
    ctx: &'a Ctx,
    vault: &'a Vault,
    progress: &'a mut (dyn FnMut(Progress) + Send),
    writes: bool,
    /// Whether this round found nothing left to do.
    settled: bool,
    keys: BTreeMap<String, u64>,
    unreadable: Vec<Unreadable>,
    rotated: u64,
}

impl<'a> Walk<'a> {
    fn new(ctx: &'a Ctx, vault: &'a Vault, progress: &'a mut (dyn FnMut(Progress) + Send)) -> Self {
        let (keys, unreadable) = (BTreeMap::new(), Vec::new());
        Self { ctx, vault, progress, writes: false, settled: true, keys, unreadable, rotated: 0 }
    }

    fn begin_round(&mut self) {
        self.settled = true;
        self.keys.clear();
        self.unreadable.clear();
    }

    /// Walks one collection in the order of its ids, which no change of its documents disturbs.
    pub(super) async fn collection<E: Seals>(&mut self) -> Result<()> {
        let store = self.ctx.app().store();
        let mut query = queries::all_of::<E>().limit(TOGETHER);
        let of = store.count(&query).await?;
        let mut done = 0;
        loop {
            let page = store.find(&query).await?;
            let mut batch = Batch::new();
            for document in &page.items {
                if let Some(patch) = self.look(document)? {
                    batch = batch.patch::<E>(patch);
                }
            }
            done += page.items.len() as u64;
            if self.writes && !batch.is_empty() {
                self.rotated += batch.len() as u64;
                self.settled = false;
                store.write(batch).await?;
            }
            if self.writes {
                (self.progress)(Progress { collection: E::COLLECTION.name, done, of: of.max(done) });
            }
            if page.next.is_none() {
                return Ok(());
            }
            query = query.after(page.next);
        }
    }

    /// Counts a document's values; the patch that seals them anew, where one needs it.
    fn look<E: Seals>(&mut self, document: &E) -> Result<Option<Patch>> {
        let mut sealed_anew = document.clone();
        let (mut changed, mut unreadable) = (false, Vec::new());
        let (vault, keys, writes) = (self.vault, &mut self.keys, self.writes);
        sealed_anew.each(&mut |place, sealed| {
            let fresh = sealed.key_id == vault.sealing_key();
            let opened = vault.open(place, sealed);
            if opened.is_err() {
                unreadable.push(sealed.key_id.clone());
            }
            if let (Ok(plain), true) = (opened, writes && !fresh) {
                *sealed = vault.seal(place, &plain)?;
                changed = true;
            }
            *keys.entry(sealed.key_id.clone()).or_default() += 1;
            Ok(())
        })?;
        let (collection, id) = (E::COLLECTION.name, document.id());
        let named = unreadable.into_iter().map(|key_id| Unreadable { collection, id: id.to_owned(), key_id });
        self.unreadable.extend(named);
        if changed { patch(document, &sealed_anew).map(Some) } else { Ok(None) }
    }

    /// Fails where something was sealed with a key that nobody gave.
    fn refuse_unknown_keys(&self) -> Result<()> {
        let unknown: Vec<(&String, &u64)> =
            self.keys.iter().filter(|(key, _)| !self.vault.knows(key)).collect();
        let Some((key, _)) = unknown.first() else { return Ok(()) };
        let values: u64 = unknown.iter().map(|(_, values)| **values).sum();
        let message = format!(
            "{values} stored secrets were encrypted with another key ({key}…) than those given, so nothing was changed. Put the \
             key they were encrypted with into API_KEY_ENCRYPTION_KEY or API_KEY_ENCRYPTION_KEY_PREVIOUS and try again; if it \
             is lost, go on without them by --skip-unreadable."
        );
        Err(Error::new(Kind::Invalid, "wrong_encryption_key", message))
    }

    fn report(self, dry_run: bool) -> Report {
        let sealing = self.vault.sealing_key();
        let standing = |key: &str| match key {
            key if key == sealing => Standing::Sealing,
            key if self.vault.knows(key) => Standing::Opening,
            _ => Standing::Unknown,
        };
        let keys: Vec<Count> = self
            .keys
            .iter()
            .map(|(key, values)| Count { key_id: key.clone(), standing: standing(key), values: *values })
            .collect();
        let all_fresh =
            keys.iter().all(|key| key.standing == Standing::Sealing) && self.unreadable.is_empty();
        let complete = all_fresh && self.settled;
        let mut unreadable = self.unreadable;
        unreadable.truncate(NAMED);
        Report { key_id: sealing.to_owned(), dry_run, complete, rotated: self.rotated, keys, unreadable }
    }
}

/// Changes the fields with sealed values, if nobody changed them meanwhile.
fn patch<E: Seals>(before: &E, after: &E) -> Result<Patch> {
    let (before_doc, after_doc) = (document(before)?, document(after)?);
    let mut patch = Patch::new(Scope::Everything("the operator changes the encryption key"), before.id());
    for field in E::FIELDS {
        let value = |doc: &Value| doc.get(field).cloned().unwrap_or_default();
        let (old, new) = (value(&before_doc), value(&after_doc));
        if old != new {
            patch = patch.set(field, new)?.when(field, old)?;
        }
    }
    if let Some(revision) = E::REVISION {
        patch = patch.add(revision, 1);
    }
    Ok(patch.or_skip())
}

fn document<E: Entity>(entity: &E) -> Result<Value> {
    serde_json::to_value(entity).map_err(Error::internal)
}
