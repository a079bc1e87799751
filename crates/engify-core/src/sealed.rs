//! What a store keeps of a secret that must come back: the encrypted text and the name of the key that opens it.

use serde::{Deserialize, Serialize};

/// A secret at rest, AES-256-GCM. Nothing here opens it; the application's vault does.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealed {
    /// Which key: the first 8 hex digits of its SHA-256, so that a rotation can tell old from new.
    pub key_id: String,
    /// 96 random bits, hex. Never used twice with one key.
    pub nonce: String,
    /// Ciphertext and tag, hex.
    pub text: String,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({})", self.key_id)
    }
}
