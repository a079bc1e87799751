//! Passwords: Argon2id, strength, and a bound on how many are hashed at once.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use engify_core::{Error, Result, Secret};
use tokio::sync::Semaphore;

/// The shortest password, characters.
pub(crate) const MIN: usize = 10;
/// The longest, characters: hashing is meant to be slow, not to be a way to stop us.
pub(crate) const MAX: usize = 200;

/// Hashes off the runtime, few at a time: each takes 19 MiB and some 20 ms of one core (OWASP's Argon2id setting:
/// m = 19 MiB, t = 2, p = 1).
pub(crate) struct Hasher {
    places: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { places: Arc::new(Semaphore::new(cores.div_ceil(2).max(1))) }
    }

    /// Hashes a new password, PHC format.
    pub(crate) async fn hash(&self, password: Secret<String>) -> Result<Secret<String>> {
        self.off_runtime(move || {
            let hash =
                Argon2::default().hash_password(password.reveal().as_bytes()).map_err(Error::internal)?;
            Ok(Secret::new(hash.to_string()))
        })
        .await
    }

    /// Whether the password is the one. Without a hash (there is no such user) it works just as long and says no.
    pub(crate) async fn verify(
        &self,
        password: Secret<String>,
        hash: Option<Secret<String>>,
    ) -> Result<bool> {
        metrics::counter!("engify_password_checks_total").increment(1);
        self.off_runtime(move || {
            let known = hash.is_some();
            let hash = hash.as_ref().map_or(NOBODY, |hash| hash.reveal().as_str());
            let parsed = PasswordHash::new(hash).map_err(Error::internal)?;
            Ok(Argon2::default().verify_password(password.reveal().as_bytes(), &parsed).is_ok() && known)
        })
        .await
    }

    async fn off_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        })
        .await
        .map_err(Error::internal)?
    }
}

/// The hash of nothing that anybody can type, with the parameters of all others.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm8$wBYxtq/fkUDOTmKYM4lVTJXk5XFCpBzUeo4rKDHoLkk";

/// Checks a new password: length, and strength by estimate (zxcvbn score of 3 or 4 of 4), knowing what the person is called.
pub(crate) fn check_new(password: &str, known: &[&str]) -> Result<(), String> {
    let count = password.chars().count();
    if !(MIN..=MAX).contains(&count) {
        return Err(format!("takes {MIN} to {MAX} characters; a few unrelated words make a good one"));
    }
    if is_common(password) {
        return Err("is among the commonest passwords, or one of them with digits around it; use a few unrelated words".to_owned());
    }
    // The estimate grows with the square of the length, and 100 characters that are weak do not exist in practice.
    let head: String = password.chars().take(100).collect();
    let estimate = zxcvbn::zxcvbn(&head, known);
    if estimate.score() >= zxcvbn::Score::Three {
        return Ok(());
    }
    let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let warning = warning
        .map_or_else(String::new, |warning| format!(" ({})", warning.to_string().trim_end_matches('.')));
    Err(format!("is easy to guess{warning}; use more words or a longer phrase"))
}

/// The commonest passwords, lower case, digits spelled as the letters that they stand for.
const COMMONEST: &str = include_str!("passwords/commonest.txt");

/// Whether a password is one of the commonest: also twice, with digits and signs around it, or with letters written as
/// digits. The estimate knows most of these; the list is what nobody may have, whatever an estimate says.
fn is_common(password: &str) -> bool {
    let plain: String = password
        .to_lowercase()
        .trim_matches(|c: char| !c.is_alphabetic() && !matches!(c, '@' | '$'))
        .chars()
        .map(|c| match c {
            '@' | '4' => 'a',
            '3' => 'e',
            '1' | '!' => 'i',
            '0' => 'o',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .filter(|c| c.is_alphabetic())
        .collect();
    let once = match plain.split_at_checked(plain.len() / 2) {
        Some((first, second)) if first == second => first,
        _ => plain.as_str(),
    };
    COMMONEST.lines().any(|common| common == plain || common == once)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hash_of_nobody_is_well_formed_and_matches_nothing() {
        let hasher = Hasher::new();
        assert!(!hasher.verify(Secret::new("nobody".to_owned()), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hasher = Hasher::new();
        let hash = hasher.hash(Secret::new("correct horse battery".to_owned())).await.unwrap();
        assert!(hash.reveal().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(
            hasher.verify(Secret::new("correct horse battery".to_owned()), Some(hash.clone())).await.unwrap()
        );
        assert!(!hasher.verify(Secret::new("correct horse".to_owned()), Some(hash)).await.unwrap());
    }

    #[test]
    fn weak_passwords_are_refused_with_the_remedy() {
        for weak in ["short", "password123", "qwertyuiop", "ana@example.com", "aaaaaaaaaaaa"] {
            assert!(check_new(weak, &["ana", "ana@example.com"]).is_err(), "{weak}");
        }
        assert!(check_new("violet tractor hums at noon", &[]).is_ok());
    }

    #[test]
    fn the_commonest_are_refused_however_they_are_dressed_up() {
        assert!(COMMONEST.lines().count() >= 200);
        for common in
            ["Password2026!", "P@ssw0rd!!", "!!!Welcome123", "dragondragon", "qwertyuiop[]", "Summer-2026-"]
        {
            assert!(is_common(common), "{common}");
        }
        for rare in ["violet tractor hums at noon", "summer rain on tin roofs", "2026-11-22", ""] {
            assert!(!is_common(rare), "{rare}");
        }
    }
}
