//! API keys of Engify's own: a recognisable prefix, a checksum, stored as a hash.
//!
//! Format: `egf_` + 43 characters of base62 (256 random bits) + 6 characters of base62 (CRC-32 of what is before it),
//! so that a scanner can tell a leaked key from noise without asking a server, and a typo is found before a database is.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::address::AddressRange;
use crate::clock::Time;
use crate::ids::{ApiKeyId, Ids, UserId};
use crate::permission::Permission;
use crate::secret::Secret;
use crate::tenancy::Tenancy;

/// What every key starts with.
pub const PREFIX: &str = "egf_";
const BODY: usize = 43;
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A stored key; the key itself is shown once, at creation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: ApiKeyId,
    /// Whose it is; private.
    #[serde(flatten)]
    pub tenancy: Tenancy,
    /// What its owner calls it, 1 to 100 characters.
    pub name: String,
    /// The first characters, for recognition: `egf_` and eight more.
    pub prefix: String,
    /// SHA-256 of the whole key, hex; unique.
    pub key_hash: String,
    /// What it may do, within its owner's role.
    pub scopes: Vec<Permission>,
    /// The moment it stops; none for never.
    pub expires_at: Option<Time>,
    /// Roughly when it was last used; written at most once a minute.
    pub last_used_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
    /// The key that took its place at rotation.
    pub replaced_by: Option<ApiKeyId>,
    /// Where it may come from; empty for everywhere. At most 50.
    #[serde(default)]
    pub allowed_addresses: Vec<AddressRange>,
    /// How much it may be used, within its owner's own limits.
    #[serde(default)]
    pub limits: KeyLimits,
    /// The last reminder of its end that was sent: so many days before.
    #[serde(default)]
    pub reminded_days: Option<u32>,
    /// When it was made.
    pub created_at: Time,
}

/// How much a key may be used, within its owner's own limits. Counted in each process for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyLimits {
    /// Requests a minute, 1 to 1 000 000; null for no limit of the key's own.
    #[serde(default)]
    pub per_minute: Option<u64>,
    /// Requests an hour, 1 to 1 000 000; null for no limit of the key's own.
    #[serde(default)]
    pub per_hour: Option<u64>,
    /// Tokens a day (UTC), in and out, 1 to 1 000 000 000; dry runs do not count; null for no limit of the key's own.
    #[serde(default)]
    pub tokens_per_day: Option<u64>,
}

/// What a key was used for on one day (UTC).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyUsage {
    /// `<key>:<day>`.
    #[serde(rename = "_id")]
    pub id: String,
    /// Whose key it is.
    pub user_id: UserId,
    /// The key.
    pub key_id: ApiKeyId,
    /// `2026-11-22`, UTC.
    pub day: String,
    /// Requests that its limits and addresses let through, whatever became of them.
    pub requests: u64,
    /// Runs, dry runs included.
    pub runs: u64,
    /// Tokens of those runs, in and out; those of dry runs are not counted.
    pub tokens: u64,
    /// What those runs cost, as far as prices are known.
    pub cost_nanos: u64,
}

impl KeyUsage {
    /// A day on which nothing was counted yet.
    pub fn none(user: &UserId, key: &ApiKeyId, day: &str) -> Self {
        Self {
            id: format!("{key}:{day}"),
            user_id: user.clone(),
            key_id: key.clone(),
            day: day.to_owned(),
            requests: 0,
            runs: 0,
            tokens: 0,
            cost_nanos: 0,
        }
    }
}

impl ApiKey {
    /// Whether it may come from here. An address that is not known is nowhere.
    pub fn allows_address(&self, address: &str) -> bool {
        self.allowed_addresses.is_empty()
            || address
                .parse()
                .is_ok_and(|address| self.allowed_addresses.iter().any(|range| range.contains(address)))
    }

    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: Time) -> bool {
        self.revoked_at.is_none_or(|at| at > now) && self.expires_at.is_none_or(|at| at > now)
    }
}

/// A key in the clear, from a caller or just made.
#[derive(Debug, Clone)]
pub struct PlainKey(Secret<String>);

impl PlainKey {
    /// A fresh key.
    pub fn make(ids: &Ids) -> Self {
        let mut text = String::with_capacity(PREFIX.len() + BODY + CHECK);
        text.push_str(PREFIX);
        // Bytes of 248 and above are skipped, so that every character is equally likely.
        while text.len() < PREFIX.len() + BODY {
            let fair = ids.random::<64>().into_iter().filter(|byte| *byte < 248);
            text.extend(
                fair.take(PREFIX.len() + BODY - text.len())
                    .map(|byte| char::from(ALPHABET[usize::from(byte % 62)])),
            );
        }
        let check = checksum(&text);
        text.push_str(&check);
        Self(Secret::new(text))
    }

    /// Takes a key from a caller, if its shape and checksum are right.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == PREFIX.len() + BODY + CHECK
            && text.starts_with(PREFIX)
            && text.bytes().skip(PREFIX.len()).all(|byte| byte.is_ascii_alphanumeric());
        let (body, check) = text.split_at_checked(PREFIX.len() + BODY)?;
        (fits && checksum(body) == check).then(|| Self(Secret::new(text.to_owned())))
    }

    /// What the store keeps: SHA-256, hex. The key has 256 random bits, so a slow hash would add nothing.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.reveal()))
    }

    /// The recognisable beginning.
    pub fn prefix(&self) -> String {
        self.0.reveal()[..PREFIX.len() + 8].to_owned()
    }

    /// The key itself, for the one reply that shows it.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Clock;

    fn made(seed: u64) -> PlainKey {
        PlainKey::make(&Ids::seeded(Clock::system(), seed))
    }

    proptest! {
        #[test]
        fn what_is_made_is_taken_and_no_two_are_the_same(seed in any::<u64>(), other in any::<u64>()) {
            let key = made(seed);
            let read = PlainKey::parse(key.reveal());
            prop_assert_eq!(read.as_ref().map(PlainKey::hash), Some(key.hash()));
            prop_assert!(key.reveal().starts_with(&key.prefix()) && key.prefix().len() == PREFIX.len() + 8);
            prop_assert_eq!(made(other).hash() == key.hash(), other == seed);
        }

        #[test]
        fn one_wrong_character_is_found(seed in any::<u64>(), at in 0..PREFIX.len() + BODY + CHECK, byte in any::<u8>()) {
            let mut text = made(seed).reveal().as_bytes().to_vec();
            let same = std::mem::replace(&mut text[at], byte) == byte;
            let taken = String::from_utf8(text).is_ok_and(|text| PlainKey::parse(&text).is_some());
            prop_assert_eq!(taken, same);
        }

        #[test]
        fn two_neighbours_swapped_are_found(seed in any::<u64>(), at in PREFIX.len()..PREFIX.len() + BODY + CHECK - 1) {
            let mut text = made(seed).reveal().as_bytes().to_vec();
            let same = text[at] == text[at + 1];
            text.swap(at, at + 1);
            let taken = String::from_utf8(text).is_ok_and(|text| PlainKey::parse(&text).is_some());
            prop_assert_eq!(taken, same);
        }

        #[test]
        fn anything_else_is_no_key(text in "(egf_)?\\PC{0,60}") {
            prop_assert!(PlainKey::parse(&text).is_none());
        }
    }
}
