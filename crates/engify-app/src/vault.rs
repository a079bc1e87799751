//! The vault: seals secrets for the store and opens them again. AES-256-GCM under `API_KEY_ENCRYPTION_KEY`; where that is
//! not set (never in production), under a key derived from the installation's own secret. The keys of
//! `API_KEY_ENCRYPTION_KEY_PREVIOUS` and the derived one open what they sealed once; [`rotation`] seals it anew.
//!
//! What is sealed is bound to where it belongs: the caller names the place (`provider_key:<owner>:<provider>`), and text moved
//! to another place does not open. The vault refuses to know what it holds.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use engify_core::settings::Settings;
use engify_core::{Error, Ids, Kind, Result, Sealed, Secret};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

mod places;
mod rotation;

pub use rotation::{Count, Progress, Report, Rotation, Standing, Unreadable, rotate};

/// Seals and opens. The first key seals; all of them open.
pub(crate) struct Vault {
    keys: Vec<VaultKey>,
    ids: Ids,
}

#[derive(Clone)]
struct VaultKey {
    id: String,
    cipher: Aes256Gcm,
}

impl VaultKey {
    fn new(bytes: &[u8; 32]) -> Self {
        Self { id: key_id(bytes), cipher: Aes256Gcm::new(bytes.into()) }
    }
}

impl Vault {
    /// The vault of these settings.
    ///
    /// # Errors
    /// `bad_encryption_key`, with the remedy.
    pub(crate) fn new(settings: &Settings, secret: &Secret<String>, ids: Ids) -> Result<Self> {
        let security = &settings.security;
        let mut keys = Vec::new();
        for key in security.encryption_key.iter().chain(&security.previous_encryption_keys) {
            keys.push(VaultKey::new(&parse(key)?));
        }
        let derived = VaultKey::new(&derived(secret, "vault")?);
        // Where only previous keys are set, the derived one still seals.
        let at = if security.encryption_key.is_none() { 0 } else { keys.len() };
        keys.insert(at, derived);
        Ok(Self { keys, ids })
    }

    /// The same vault with another key to seal with; all others still open.
    ///
    /// # Errors
    /// `bad_encryption_key`, with the remedy.
    pub(crate) fn sealing_with(&self, key: &Secret<String>) -> Result<Self> {
        let mut keys = vec![VaultKey::new(&parse(key)?)];
        keys.extend(self.keys.iter().filter(|known| known.id != keys[0].id).cloned().collect::<Vec<_>>());
        Ok(Self { keys, ids: self.ids.clone() })
    }

    /// The name of the key that seals.
    pub(crate) fn sealing_key(&self) -> &str {
        self.keys.first().map_or("", |key| key.id.as_str())
    }

    /// Whether there is a key of this name.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known.id == key)
    }

    /// Seals `plain` for `place`.
    pub(crate) fn seal(&self, place: &str, plain: &Secret<String>) -> Result<Sealed> {
        let key = self.keys.first().ok_or_else(|| Error::internal("a vault has a key"))?;
        let nonce = self.ids.random::<12>();
        let payload = Payload { msg: plain.reveal().as_bytes(), aad: place.as_bytes() };
        let text = key
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok(Sealed { key_id: key.id.clone(), nonce: hex::encode(nonce), text: hex::encode(text) })
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// `sealed_unreadable` where it was sealed with a key that is not here, for another place, or is damaged.
    pub(crate) fn open(&self, place: &str, sealed: &Sealed) -> Result<Secret<String>> {
        let unreadable = |why: &str| {
            let message = format!(
                "A stored secret cannot be decrypted: {why}. Put the key it was encrypted with into API_KEY_ENCRYPTION_KEY or \
                 API_KEY_ENCRYPTION_KEY_PREVIOUS, or store the secret anew."
            );
            Error::new(Kind::Internal, "sealed_unreadable", message)
        };
        let key = self.keys.iter().find(|key| key.id == sealed.key_id);
        let key = key.ok_or_else(|| unreadable("it was encrypted with another key"))?;
        let damaged = || unreadable("it is damaged or was moved");
        let nonce = hex::decode(&sealed.nonce).ok().and_then(|bytes| <[u8; 12]>::try_from(bytes).ok());
        let nonce = nonce.ok_or_else(damaged)?;
        let text = hex::decode(&sealed.text).map_err(|_| damaged())?;
        let payload = Payload { msg: &text, aad: place.as_bytes() };
        let plain = key.cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| damaged())?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| damaged())
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

/// Checks a key as operators write it: 64 hex digits.
///
/// # Errors
/// `bad_encryption_key`, with the remedy.
pub fn check_key(key: &Secret<String>) -> Result<()> {
    parse(key).map(drop)
}

fn parse(key: &Secret<String>) -> Result<[u8; 32]> {
    let bytes = hex::decode(key.reveal()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or_else(|| {
        let message =
            "The encryption key is not 32 bytes as 64 hex digits. Make one with: openssl rand -hex 32";
        Error::new(Kind::Invalid, "bad_encryption_key", message)
    })
}

/// What a key is named by beside what it made: the first 8 hex digits of its SHA-256.
pub(crate) fn key_id(key: &[u8; 32]) -> String {
    hex::encode(Sha256::digest(key)).chars().take(8).collect()
}

/// 32 bytes for one purpose from the installation's secret: HMAC-SHA256 of the purpose's name.
pub(crate) fn derived(secret: &Secret<String>, purpose: &str) -> Result<[u8; 32]> {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(secret.reveal().as_bytes()).map_err(Error::internal)?;
    mac.update(b"engify:");
    mac.update(purpose.as_bytes());
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use engify_core::Clock;
    use engify_core::settings::load;

    use super::*;

    fn vault(key: &str) -> Result<Vault> {
        let settings =
            load(|name| (name == "API_KEY_ENCRYPTION_KEY" && !key.is_empty()).then(|| key.to_owned()));
        let secret = Secret::new("a secret of thirty-two characters".to_owned());
        Vault::new(&settings.unwrap(), &secret, Ids::seeded(Clock::system(), 1))
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_only() {
        let vault = vault(&"ab".repeat(32)).unwrap();
        let sealed = vault.seal("provider_key:ana:openai", &Secret::new("sk-secret".to_owned())).unwrap();
        assert_eq!(vault.open("provider_key:ana:openai", &sealed).unwrap().reveal(), "sk-secret");
        assert_eq!(vault.open("provider_key:ben:openai", &sealed).unwrap_err().code(), "sealed_unreadable");
    }

    #[test]
    fn another_key_and_a_flipped_bit_do_not_open_it() {
        let first = vault(&"ab".repeat(32)).unwrap();
        let mut sealed = first.seal("here", &Secret::new("sk-secret".to_owned())).unwrap();
        assert_eq!(
            vault(&"cd".repeat(32)).unwrap().open("here", &sealed).unwrap_err().code(),
            "sealed_unreadable"
        );
        assert_eq!(vault("").unwrap().open("here", &sealed).unwrap_err().code(), "sealed_unreadable");
        let flipped = if sealed.text.starts_with('0') { "1" } else { "0" };
        sealed.text.replace_range(0..1, flipped);
        assert_eq!(first.open("here", &sealed).unwrap_err().code(), "sealed_unreadable");
    }
}
