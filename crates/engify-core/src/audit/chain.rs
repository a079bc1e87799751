//! What proves that the audit log was not touched: blocks of sealed lines, each bound to the one before it.
//!
//! Only the shape is here; the keyed hashes are made and checked in the use cases, which have the key.

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// Some lines of the audit log, sealed together. Never changed but for lines that were pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditBlock {
    /// The number with twelve digits, so that two writers cannot both add the next one, and id order is the chain's.
    #[serde(rename = "_id")]
    pub id: String,
    /// 1 for the first, then one more each.
    pub number: u64,
    /// The hash of the block before; 64 zeros for the first.
    pub previous: String,
    /// Everything in the journal up to this position is sealed here or before.
    pub position: u64,
    /// How many lines are sealed in this block; stays when they are pruned.
    pub count: u64,
    /// How many lines are sealed in this block and all before it.
    pub total: u64,
    /// The lines in the order of their commits; empty once all of them are pruned.
    pub lines: Vec<SealedLine>,
    /// One hash over the lines' ids and hashes.
    pub lines_hash: String,
    /// When they were sealed, by the sealer's clock.
    pub sealed_at: Time,
    /// Which key the hashes are made with: the first eight hex digits of its hash.
    pub key_id: String,
    /// The hash over all fields above, keyed.
    pub hash: String,
    /// Proves that the lines that are marked as pruned were pruned by this program; none while none is.
    pub pruned: Option<String>,
}

/// A line's place in its block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedLine {
    /// The line's `_id`.
    pub id: String,
    /// The keyed hash of the line as it was committed.
    pub hash: String,
    /// The line is gone by the rule of how long lines are kept; its hash stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl AuditBlock {
    /// What the first block has before it.
    pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    /// The id of the block with this number.
    pub fn id_of(number: u64) -> String {
        format!("{number:012}")
    }
}
