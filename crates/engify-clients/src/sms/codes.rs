//! Codes of our own, where no Verify service makes them. They are kept hashed and in this process alone: one that is
//! asked for here cannot be checked by another replica.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engify_core::words::Phone;
use engify_core::{Clock, Ids, Secret, Time};
use sha2::{Digest, Sha256};

use super::Checked;

/// How long a code works.
pub const CODE_LIFE: Duration = Duration::from_secs(600);
/// How often a code may be typed wrongly before it is void.
pub const TRIES: u8 = 5;
/// The most codes that wait at once; beyond it those of others go.
const MOST: usize = 10_000;

/// The codes that wait for being typed.
pub struct Codes {
    ids: Ids,
    clock: Clock,
    waiting: Mutex<HashMap<Phone, Code>>,
}

struct Code {
    hash: Secret<String>,
    until: Time,
    tries: u8,
}

impl Codes {
    pub(super) fn new(ids: Ids, clock: Clock) -> Self {
        Self { ids, clock, waiting: Mutex::default() }
    }

    /// Makes a code for this phone, in the text that brings it.
    pub(super) fn make(&self, to: &Phone) -> Secret<String> {
        let code = format!("{:06}", u64::from_le_bytes(self.ids.random()) % 1_000_000);
        let now = self.clock.now();
        let waiting = Code { hash: hash(to, &code), until: now.plus(CODE_LIFE), tries: 0 };
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, code| code.until > now);
            if all.len() >= MOST {
                all.clear();
            }
        }
        all.insert(to.clone(), waiting);
        Secret::new(format!("{code} is your Engify code. It works once, for 10 minutes. Give it to nobody."))
    }

    pub(super) fn check(&self, to: &Phone, code: &str) -> Checked {
        let now = self.clock.now();
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = all.get_mut(to).filter(|waiting| waiting.until > now && waiting.tries < TRIES)
        else {
            all.remove(to);
            return Checked::Nothing;
        };
        if waiting.hash.matches(hash(to, code).reveal()) {
            all.remove(to);
            return Checked::Right;
        }
        waiting.tries += 1;
        Checked::Wrong
    }
}

fn hash(to: &Phone, code: &str) -> Secret<String> {
    let digest = Sha256::new().chain_update(to.as_str()).chain_update([0]).chain_update(code).finalize();
    Secret::new(hex::encode(digest))
}

impl std::fmt::Debug for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Codes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> (Codes, Clock, Phone) {
        let clock = Clock::fixed(Time::from_millis(1_800_000_000_000));
        let phone = Phone::parse("+1 (500) 555-0006").unwrap();
        (Codes::new(Ids::seeded(clock.clone(), 7), clock.clone()), clock, phone)
    }

    fn typed(text: &Secret<String>) -> String {
        text.reveal().chars().take(6).collect()
    }

    #[test]
    fn a_code_works_once_for_its_own_phone_and_ten_minutes() {
        let (codes, clock, phone) = codes();
        let code = typed(&codes.make(&phone));
        let other = Phone::parse("+15005550007").unwrap();
        assert_eq!(codes.check(&other, &code), Checked::Nothing);
        assert_eq!(codes.check(&phone, &code), Checked::Right);
        assert_eq!(codes.check(&phone, &code), Checked::Nothing, "once");
        let late = typed(&codes.make(&phone));
        clock.advance(CODE_LIFE);
        assert_eq!(codes.check(&phone, &late), Checked::Nothing);
    }

    #[test]
    fn five_wrong_tries_end_a_code_and_a_new_one_replaces_the_old() {
        let (codes, _, phone) = codes();
        let first = typed(&codes.make(&phone));
        let code = typed(&codes.make(&phone));
        assert_eq!(codes.check(&phone, &first), Checked::Wrong, "the older code is void");
        for _ in 1..TRIES {
            assert_eq!(codes.check(&phone, "000000"), Checked::Wrong);
        }
        assert_eq!(codes.check(&phone, &code), Checked::Nothing);
    }
}
