//! The arithmetic of the chain: keyed hashes of lines, of blocks, and of what was pruned. Pure: no store, no clock.
//!
//! Every hash is an HMAC-SHA256 under a key made from the installation's secret, so that somebody who can write to the
//! database cannot make a chain that holds, and cannot guess a pruned line from its hash.

use engify_core::audit::{AuditBlock, SealedLine};
use engify_core::settings::Settings;
use engify_core::{Result, Secret, Time};
use engify_store::Doc;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::vault;

/// A keyed hash before anything was added to it, cloned for each use: deriving it anew would cost as much as a short line.
type Hash = Hmac<Sha256>;

/// One key of the chain.
#[derive(Clone)]
pub(crate) struct ChainKey {
    id: String,
    hash: Hash,
}

/// The key that seals, and before it those that sealed earlier: all of them verify.
#[derive(Clone)]
pub(crate) struct ChainKeys {
    current: ChainKey,
    former: Option<ChainKey>,
}

impl ChainKeys {
    /// The keys of this installation.
    ///
    /// # Errors
    /// Never in practice: an HMAC takes keys of any length.
    pub(crate) fn new(settings: &Settings, secret: &Secret<String>) -> Result<Self> {
        let former = settings.security.former_secret.as_ref().map(ChainKey::new).transpose()?;
        Ok(Self { current: ChainKey::new(secret)?, former })
    }

    /// The key that seals.
    pub(crate) fn current(&self) -> &ChainKey {
        &self.current
    }

    /// The key with this id, if it is here.
    pub(crate) fn named(&self, id: &str) -> Option<&ChainKey> {
        self.all().find(|key| key.id == id)
    }

    /// Every key that is here.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ChainKey> {
        std::iter::once(&self.current).chain(&self.former)
    }
}

impl ChainKey {
    fn new(secret: &Secret<String>) -> Result<Self> {
        let bytes = vault::derived(secret, "audit chain")?;
        let hash = <Hash as hmac::KeyInit>::new_from_slice(&bytes).map_err(engify_core::Error::internal)?;
        Ok(Self { id: vault::key_id(&bytes), hash })
    }

    /// What blocks name it by.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The hash of a line as it stands in the store.
    pub(crate) fn line(&self, doc: &Doc) -> String {
        let mut text = Vec::with_capacity(512);
        text.extend_from_slice(b"line\n");
        canonical_object(doc, &mut text);
        self.of(&text)
    }

    /// The next block: these lines behind `head`.
    pub(crate) fn block(
        &self,
        head: &Head,
        lines: Vec<SealedLine>,
        position: u64,
        sealed_at: Time,
    ) -> AuditBlock {
        let number = head.number + 1;
        let count = lines.len() as u64;
        let mut block = AuditBlock {
            id: AuditBlock::id_of(number),
            number,
            previous: head.hash.clone(),
            position,
            count,
            total: head.total + count,
            lines_hash: self.lines(&lines),
            lines,
            sealed_at,
            key_id: self.id.clone(),
            hash: String::new(),
            pruned: None,
        };
        block.hash = self.of_block(&block);
        block
    }

    /// The hash over the lines of a block.
    pub(crate) fn lines(&self, lines: &[SealedLine]) -> String {
        let mut text = b"lines\n".to_vec();
        for line in lines {
            text.extend_from_slice(line.id.as_bytes());
            text.push(b' ');
            text.extend_from_slice(line.hash.as_bytes());
            text.push(b'\n');
        }
        self.of(&text)
    }

    /// The hash that a block ought to have.
    pub(crate) fn of_block(&self, block: &AuditBlock) -> String {
        let AuditBlock { number, previous, position, count, total, lines_hash, sealed_at, key_id, .. } =
            block;
        let text = format!(
            "block\n{number}\n{previous}\n{position}\n{count}\n{total}\n{lines_hash}\n{sealed_at}\n{key_id}\n"
        );
        self.of(text.as_bytes())
    }

    /// The proof that exactly the marked lines of a block were pruned by this program.
    pub(crate) fn pruned(&self, block: &AuditBlock) -> String {
        let mut text = format!("pruned\n{}\n", block.hash);
        if block.lines.is_empty() {
            text.push_str("all\n");
        }
        for line in block.lines.iter().filter(|line| line.gone) {
            text.push_str(&line.id);
            text.push('\n');
        }
        self.of(text.as_bytes())
    }

    fn of(&self, text: &[u8]) -> String {
        let mut hash = self.hash.clone();
        hash.update(text);
        hex::encode(hash.finalize().into_bytes())
    }
}

/// Compares two hashes in a time that does not depend on where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The end of the chain: what the next block is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) hash: String,
    pub(crate) total: u64,
    pub(crate) position: u64,
}

impl Head {
    /// Of a chain without blocks.
    pub(crate) fn none() -> Self {
        Self { number: 0, hash: AuditBlock::NOTHING.to_owned(), total: 0, position: 0 }
    }
}

impl From<&AuditBlock> for Head {
    fn from(block: &AuditBlock) -> Self {
        Self { number: block.number, hash: block.hash.clone(), total: block.total, position: block.position }
    }
}

/// JSON with its keys in order and nothing between: the same text for the same document, whatever stored it meanwhile.
fn canonical(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => canonical_object(fields, text),
        Value::Array(items) => {
            text.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                canonical(item, text);
            }
            text.push(b']');
        }
        // A scalar always has its text, and a vector always has room.
        scalar => drop(serde_json::to_writer(text, scalar)),
    }
}

fn canonical_object(fields: &Doc, text: &mut Vec<u8>) {
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    text.push(b'{');
    for (at, (name, value)) in fields.into_iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        drop(serde_json::to_writer(&mut *text, name));
        text.push(b':');
        canonical(value, text);
    }
    text.push(b'}');
}

#[cfg(test)]
mod tests {
    use engify_core::settings::load;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn key(secret: &str) -> ChainKey {
        ChainKey::new(&Secret::new(secret.to_owned())).unwrap()
    }

    fn doc(value: Value) -> Doc {
        value.as_object().cloned().unwrap()
    }

    fn line(id: &str) -> SealedLine {
        SealedLine { id: id.to_owned(), hash: key("a").line(&doc(json!({ "_id": id }))), gone: false }
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let key = key("a");
        let one = key.line(&doc(json!({ "a": 1, "b": { "c": [1, 2.5, null], "d": "é\n" } })));
        let same: Doc = serde_json::from_str("{\"b\":{\"d\":\"é\\n\",\"c\":[1,2.5,null]},\"a\":1}").unwrap();
        assert_eq!(one, key.line(&same));
        for other in [
            json!({ "a": 1, "b": { "c": [2.5, 1, null], "d": "é\n" } }),
            json!({ "a": "1", "b": { "c": [1, 2.5, null], "d": "é\n" } }),
            json!({ "a": 1, "b": { "c": [1, 2.5, null], "d": "é\n", "e": null } }),
        ] {
            assert_ne!(one, key.line(&doc(other.clone())), "{other}");
        }
    }

    #[test]
    fn another_secret_makes_another_chain_and_the_former_one_still_verifies() {
        let settings = load(|name| (name == "AUDIT_FORMER_SECRET").then(|| "b".repeat(32))).unwrap();
        let keys = ChainKeys::new(&settings, &Secret::new("a".repeat(32))).unwrap();
        let former = key(&"b".repeat(32));
        let block = former.block(&Head::none(), vec![line("1")], 5, Time::from_millis(0));
        let found = keys.named(&block.key_id).unwrap();
        assert!(same(&found.of_block(&block), &block.hash));
        assert!(!same(&keys.current().of_block(&block), &block.hash));
        assert!(keys.named("00000000").is_none());
    }

    proptest! {
        #[test]
        fn a_block_does_not_survive_any_change(
            number in 1u64..1000, position in 0u64..1000, count in 1usize..5, which in 0usize..7,
        ) {
            let key = key("a");
            let lines = (0..count).map(|at| line(&at.to_string())).collect();
            let head = Head { number, hash: "f".repeat(64), total: 9, position: 0 };
            let sealed = key.block(&head, lines, position, Time::from_millis(1));
            let mut block = sealed.clone();
            match which {
                0 => block.number += 1,
                1 => block.previous.replace_range(0..1, "0"),
                2 => block.position += 1,
                3 => block.count += 1,
                4 => block.total += 1,
                5 => block.sealed_at = Time::from_millis(2),
                _ => block.lines_hash = key.lines(&[]),
            }
            prop_assert!(!same(&key.of_block(&block), &sealed.hash));
            let mut lines = sealed.lines.clone();
            lines.push(line("more"));
            prop_assert!(!same(&key.lines(&lines), &sealed.lines_hash));
        }
    }
}
