//! The proof of the chain: every block, every line in it, and every line that is in none.
//!
//! Blocks and lines are both walked in the order of their ids, which is nearly the same order, so that one pass over
//! each is enough and memory holds only how far the two are apart.

use std::collections::HashMap;

use engify_core::audit::{AuditBlock, AuditEntry, SealedLine};
use engify_core::permission::Permission;
use engify_core::tenancy::Scope;
use engify_core::{Error, Result, Time};
use engify_store::{Cursor, Doc, Entity, Store, queries};
use serde::Serialize;

use super::chain::{ChainKey, ChainKeys, Head, same};
use crate::Ctx;

/// Blocks that are read at a time; each holds up to 1000 lines.
const BLOCKS: u32 = 20;
/// Lines that are read at a time.
const LINES: u32 = 500;
/// A line this much older than the newest block is expected to be sealed, seconds.
const GRACE: std::time::Duration = std::time::Duration::from_secs(60);

/// What a check of the chain found.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Whether everything is as it was sealed.
    pub intact: bool,
    /// Blocks that were checked.
    pub blocks: u64,
    /// Lines that are as they were sealed.
    pub lines: u64,
    /// Lines that were removed as the settings say, and are proven to have been.
    pub pruned: u64,
    /// Lines that are younger than the newest block.
    pub unsealed: u64,
    /// The newest block; none while nothing is sealed. Kept elsewhere, it proves later that nothing was cut off.
    pub head: Option<HeadView>,
    /// The first thing that is not as it was sealed.
    pub broken: Option<Break>,
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadView {
    /// The block's number.
    pub block: u64,
    /// Its hash.
    pub hash: String,
    /// Lines sealed in it and before.
    pub lines: u64,
    /// When it was sealed.
    pub sealed_at: Time,
}

impl From<&AuditBlock> for HeadView {
    fn from(block: &AuditBlock) -> Self {
        Self { block: block.number, hash: block.hash.clone(), lines: block.total, sealed_at: block.sealed_at }
    }
}

/// Where the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Break {
    /// The block's number; none for a line that is in no block.
    pub block: Option<u64>,
    /// The line's id; none where the block itself is meant.
    pub line: Option<String>,
    /// What is wrong.
    pub what: Wrong,
}

/// What can be wrong with a block or a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// It is not as it was sealed.
    Changed,
    /// It was sealed and is gone.
    Missing,
    /// It was never sealed.
    Inserted,
    /// It is not in its place.
    Reordered,
    /// It was sealed under a secret that is not here.
    UnknownKey,
}

impl Break {
    fn block(number: u64, what: Wrong) -> Self {
        Self { block: Some(number), line: None, what }
    }

    fn line(number: u64, line: &SealedLine, what: Wrong) -> Self {
        Self { block: Some(number), line: Some(line.id.clone()), what }
    }

    /// One sentence, with the remedy where there is one.
    pub fn sentence(&self) -> String {
        let place = match (&self.line, self.block) {
            (Some(line), Some(block)) => format!("Line {line} of block {block}"),
            (Some(line), None) => format!("Line {line}"),
            (None, block) => format!("Block {}", block.unwrap_or_default()),
        };
        let what = match self.what {
            Wrong::Changed => "is not as it was sealed: somebody changed it in the database",
            Wrong::Missing => "was sealed and is gone: somebody removed it from the database",
            Wrong::Inserted => "was never sealed: somebody put it into the database",
            Wrong::Reordered => "is not in its place",
            Wrong::UnknownKey => {
                "was sealed under another secret. Set AUDIT_FORMER_SECRET to the NEXTAUTH_SECRET of that time"
            }
        };
        format!("{place} {what}.")
    }
}

/// A block that is known to have been in the chain, from a log or an earlier check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Its number.
    pub block: u64,
    /// Its hash.
    pub hash: String,
}

/// Seals what waits, then checks the whole chain. `progress` hears how many blocks of how many are done.
///
/// # Errors
/// `forbidden` without `system:read`; those of the store.
pub async fn verify(ctx: &Ctx, anchor: Option<&Anchor>, progress: impl FnMut(u64, u64)) -> Result<Verdict> {
    ctx.require(Permission::SystemRead)?;
    super::settle(ctx).await?;
    let app = ctx.app();
    let mut proof = Proof {
        keys: app.chain_keys(),
        walk: Walk {
            store: app.store(),
            keys: app.chain_keys(),
            after: None,
            passed: String::new(),
            ended: false,
            lines: HashMap::new(),
        },
        anchor,
        head: Head::none(),
        newest: None,
        verdict: Verdict {
            intact: true,
            blocks: 0,
            lines: 0,
            pruned: 0,
            unsealed: 0,
            head: None,
            broken: None,
        },
    };
    let broken = proof.blocks(progress).await?;
    let broken = match broken {
        Some(broken) => Some(broken),
        None => proof.rest(ctx).await?,
    };
    let mut verdict = proof.verdict;
    verdict.head = proof.newest;
    verdict.intact = broken.is_none();
    verdict.broken = broken;
    Ok(verdict)
}

/// The end of the chain, unchecked.
///
/// # Errors
/// `forbidden` without `audit:read`; those of the store.
pub async fn head(ctx: &Ctx) -> Result<Option<HeadView>> {
    ctx.require(Permission::AuditRead)?;
    Ok(ctx.app().store().first(&queries::audit_head()).await?.as_ref().map(HeadView::from))
}

struct Proof<'a> {
    keys: &'a ChainKeys,
    walk: Walk<'a>,
    anchor: Option<&'a Anchor>,
    head: Head,
    newest: Option<HeadView>,
    verdict: Verdict,
}

impl Proof<'_> {
    /// Checks block after block, from behind the last one that was checked to the end.
    async fn blocks(&mut self, mut progress: impl FnMut(u64, u64)) -> Result<Option<Break>> {
        let store = self.walk.store;
        let all = store.first(&queries::audit_head()).await?.map_or(0, |head| head.number);
        let from = self.head.number.saturating_add(1);
        // From the very beginning the first time: a block in front of the first one is one too many.
        let blocks = queries::audit_blocks(if from == 1 { 0 } else { from }).limit(BLOCKS);
        let mut after: Option<Cursor> = None;
        loop {
            let page = store.find(&blocks.clone().after(after)).await?;
            for block in &page.items {
                if let Some(broken) = self.block(block).await? {
                    return Ok(Some(broken));
                }
                progress(self.verdict.blocks, all.max(self.verdict.blocks));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        // An anchor behind the end: what was sealed then was cut off.
        Ok(self
            .anchor
            .filter(|anchor| anchor.block > self.head.number)
            .map(|anchor| Break::block(anchor.block, Wrong::Missing)))
    }

    async fn block(&mut self, block: &AuditBlock) -> Result<Option<Break>> {
        let expected = self.head.number + 1;
        let broken = |what| Ok(Some(Break::block(expected, what)));
        let id = AuditBlock::id_of(expected);
        if block.id != id {
            let scope = Scope::Everything("the chain is the installation's");
            let elsewhere = self.walk.store.get::<AuditBlock>(&scope, &id).await?.is_some();
            return broken(if elsewhere { Wrong::Reordered } else { Wrong::Missing });
        }
        let Some(key) = self.keys.named(&block.key_id) else { return broken(Wrong::UnknownKey) };
        if !same(&key.of_block(block), &block.hash) {
            return broken(Wrong::Changed);
        }
        if block.number != expected || !same(&block.previous, &self.head.hash) {
            return broken(Wrong::Reordered);
        }
        if self.anchor.is_some_and(|anchor| anchor.block == expected && !same(&anchor.hash, &block.hash)) {
            return broken(Wrong::Changed);
        }
        if block.pruned.as_ref().is_some_and(|proof| !same(&key.pruned(block), proof)) {
            return broken(Wrong::Changed);
        }
        let all_gone = block.lines.is_empty() && block.pruned.is_some();
        if all_gone {
            self.verdict.pruned += block.count;
        } else if let Some(broken) = self.lines(block, key).await? {
            return Ok(Some(broken));
        }
        self.verdict.blocks += 1;
        self.head = block.into();
        self.newest = Some(block.into());
        Ok(None)
    }

    /// Checks the lines of a block, each against the store, then all of them against the block.
    async fn lines(&mut self, block: &AuditBlock, key: &ChainKey) -> Result<Option<Break>> {
        if let Some(last) = block.lines.iter().map(|line| line.id.as_str()).max() {
            self.walk.until(last).await?;
        }
        for line in &block.lines {
            if line.gone && block.pruned.is_some() {
                self.verdict.pruned += 1;
                continue;
            }
            let hash = match self.walk.lines.remove(&line.id) {
                Some(seen) => seen.hash(&block.key_id),
                // A line that was written twice, after an answer that got lost, is sealed twice.
                None => self.again(&line.id, key).await?,
            };
            match hash {
                Some(hash) if same(&hash, &line.hash) => self.verdict.lines += 1,
                Some(_) => return Ok(Some(Break::line(block.number, line, Wrong::Changed))),
                None => return Ok(Some(Break::line(block.number, line, Wrong::Missing))),
            }
        }
        if same(&key.lines(&block.lines), &block.lines_hash) {
            return Ok(None);
        }
        // Each line is right, so it is their number or their order.
        let what = if block.lines.len() as u64 == block.count { Wrong::Reordered } else { Wrong::Changed };
        Ok(Some(Break::block(block.number, what)))
    }

    async fn again(&self, id: &str, key: &ChainKey) -> Result<Option<String>> {
        let scope = Scope::Everything("the chain is the installation's");
        let entry = self.walk.store.get::<AuditEntry>(&scope, id).await?;
        Ok(entry.map(|entry| document(&entry)).transpose()?.map(|doc| key.line(&doc)))
    }

    /// What is in no block: lines of this very moment, or lines that nobody sealed.
    async fn rest(&mut self, ctx: &Ctx) -> Result<Option<Break>> {
        self.walk.on_to_the_end().await?;
        // Others went on writing meanwhile: their lines are sealed by now, or soon.
        super::settle(ctx).await?;
        if let Some(broken) = self.blocks(|_, _| {}).await? {
            return Ok(Some(broken));
        }
        let old = ctx.now().minus(GRACE);
        let mut inserted: Vec<&String> =
            self.walk.lines.iter().filter(|(_, seen)| seen.created_at <= old).map(|(id, _)| id).collect();
        inserted.sort_unstable();
        self.verdict.unsealed = self.walk.lines.len() as u64;
        let first = inserted.first().map(|id| (*id).clone());
        Ok(first.map(|id| Break { block: None, line: Some(id), what: Wrong::Inserted }))
    }
}

/// The lines of the log in the order of their ids.
struct Walk<'a> {
    store: &'a Store,
    keys: &'a ChainKeys,
    after: Option<Cursor>,
    passed: String,
    ended: bool,
    /// Lines that were read and not found in a block yet.
    lines: HashMap<String, Seen>,
}

/// What is kept of a line that was read.
struct Seen {
    created_at: Time,
    hashes: Vec<(String, String)>,
}

impl Seen {
    fn hash(self, key: &str) -> Option<String> {
        self.hashes.into_iter().find(|(id, _)| id == key).map(|(_, hash)| hash)
    }
}

impl Walk<'_> {
    async fn until(&mut self, id: &str) -> Result<()> {
        while !self.ended && self.passed.as_str() < id {
            self.page().await?;
        }
        Ok(())
    }

    async fn on_to_the_end(&mut self) -> Result<()> {
        while !self.ended {
            self.page().await?;
        }
        Ok(())
    }

    async fn page(&mut self) -> Result<()> {
        let page = self.store.find_docs(&queries::audit_walk().limit(LINES).after(self.after.take())).await?;
        for doc in page.items {
            let text = |field: &str| doc.get(field).and_then(serde_json::Value::as_str).unwrap_or_default();
            let id = text("_id").to_owned();
            let created_at = text("createdAt").parse().unwrap_or(Time::from_millis(0));
            let hashes = self.keys.all().map(|key| (key.id().to_owned(), key.line(&doc))).collect();
            self.passed.clone_from(&id);
            self.lines.insert(id, Seen { created_at, hashes });
        }
        self.ended = page.next.is_none();
        self.after = page.next;
        Ok(())
    }
}

fn document(entry: &AuditEntry) -> Result<Doc> {
    match serde_json::to_value(entry).map_err(Error::internal)? {
        serde_json::Value::Object(doc) => Ok(doc),
        _ => Err(Error::internal(format!("{} holds objects", AuditEntry::COLLECTION.name))),
    }
}
