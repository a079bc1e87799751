//! Recovery codes: the way in when phone and keys are gone. Ten, shown once, each good for one use.
//!
//! A code is 80 random bits in Crockford's base32, so a fast hash is enough to keep it.

use engify_core::audit::{Action, Outcome, Target};
use engify_core::factor::Factors;
use engify_core::ids::{Ids, UserId};
use engify_core::{Error, Kind, Result, Secret};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{browser, held, raced, used};
use crate::ctx::Ctx;

/// How many there are.
const COUNT: usize = 10;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Codes in the clear, for the one reply that shows them.
pub type Codes = Vec<Secret<String>>;

/// Makes the caller's codes anew; the old ones open nothing any more.
///
/// # Errors
/// `fresh_factor_required`; `no_factor` for whoever has no second factor.
pub async fn renew(ctx: &Ctx) -> Result<Codes> {
    let person = browser(ctx)?.person;
    ctx.require_fresh()?;
    if person.user.factors.is_empty() {
        let message = "Recovery codes stand in for a second factor, and there is none yet. Enrol one first.";
        return Err(Error::new(Kind::Conflict, "no_factor", message));
    }
    let mut held = held(ctx.app(), &person.user.id).await?;
    let codes = make(ctx.app().ids(), &mut held);
    let target = Target::new("user", &person.user.id);
    let audit =
        ctx.audit(Action::RecoveryCodesMade, Outcome::Success, target, json!({ "codes": codes.len() }));
    ctx.app().store().write(used(ctx, held)?.insert(&audit)?).await.map_err(raced)?;
    Ok(codes)
}

/// Codes for whoever enrols a first factor; none for those who have some.
pub(super) fn make_first(ids: &Ids, held: &mut Factors) -> Codes {
    if held.recovery_codes.is_empty() { make(ids, held) } else { Codes::new() }
}

fn make(ids: &Ids, held: &mut Factors) -> Codes {
    let codes: Codes = (0..COUNT).map(|_| Secret::new(code(&ids.random::<10>()))).collect();
    held.recovery_codes = codes.iter().map(|code| hash(&held.id, code.reveal())).collect();
    codes
}

/// Takes a code out of those that are left; false where it is not among them.
pub(super) fn spend(held: &mut Factors, code: &str) -> bool {
    let hash = hash(&held.id, code);
    let before = held.recovery_codes.len();
    held.recovery_codes.retain(|left| *left != hash);
    held.recovery_codes.len() < before
}

/// `xxxx-xxxx-xxxx-xxxx`
fn code(random: &[u8; 10]) -> String {
    let bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut text = String::with_capacity(19);
    for at in 0..16 {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        let five = usize::try_from(bits >> (5 * (15 - at)) & 31).unwrap_or(0);
        text.push(char::from(ALPHABET[five]));
    }
    text
}

/// SHA-256 of the person and the code as it was meant: case and dashes do not matter, and letters that look like digits
/// are those digits.
fn hash(user: &UserId, code: &str) -> String {
    let meant = code.chars().filter(|c| c.is_alphanumeric()).map(|c| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    });
    let digest =
        Sha256::new().chain_update(user.as_str()).chain_update(":").chain_update(meant.collect::<String>());
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use engify_core::{Clock, Time};
    use proptest::prelude::*;

    use super::*;

    fn ids() -> Ids {
        Ids::seeded(Clock::fixed(Time::from_millis(1_800_000_000_000)), 3)
    }

    #[test]
    fn ten_codes_differ_and_each_is_good_once() {
        let ids = ids();
        let mut held = Factors::none(UserId::make(&ids), Time::from_millis(0));
        let codes = make_first(&ids, &mut held);
        assert_eq!((codes.len(), held.recovery_codes.len()), (10, 10));
        assert!(make_first(&ids, &mut held).is_empty(), "codes that are there stay");
        for (at, code) in codes.iter().enumerate() {
            assert!(spend(&mut held, code.reveal()), "{at}");
            assert!(!spend(&mut held, code.reveal()), "{at}");
        }
        assert!(held.recovery_codes.is_empty());
    }

    #[test]
    fn a_code_of_somebody_else_is_none() {
        let ids = ids();
        let (mut ana, mut ben) = (
            Factors::none(UserId::make(&ids), Time::from_millis(0)),
            Factors::none(UserId::make(&ids), Time::from_millis(0)),
        );
        let codes = make(&ids, &mut ana);
        ben.recovery_codes = ana.recovery_codes.clone();
        assert!(!spend(&mut ben, codes[0].reveal()));
    }

    proptest! {
        #[test]
        fn codes_are_read_back_however_they_are_typed(random in any::<[u8; 10]>(), upper in any::<bool>(), dashes in any::<bool>()) {
            let ids = ids();
            let user = UserId::make(&ids);
            let code = code(&random);
            prop_assert_eq!(code.len(), 19);
            let typed = if dashes { code.clone() } else { code.replace('-', " ") };
            let typed = if upper { typed.to_uppercase().replace('0', "O").replace('1', "I") } else { typed };
            prop_assert_eq!(hash(&user, &typed), hash(&user, &code));
        }

        #[test]
        fn different_bits_are_different_codes(one in any::<[u8; 10]>(), two in any::<[u8; 10]>()) {
            prop_assert_eq!(code(&one) == code(&two), one == two);
        }
    }
}
