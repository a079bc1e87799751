//! Second factors: what a person shows beside the password, and the steps of showing it.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::UserId;
use crate::permission::words;
use crate::sealed::Sealed;
use crate::words::Phone;

words! {
    /// A second factor that can be enrolled.
    FactorKind, "a second factor", {
        /// Codes of an authenticator app (RFC 6238).
        Totp = "totp",
        /// A passkey (WebAuthn).
        Passkey = "passkey",
        /// Codes by text message.
        Sms = "sms",
    }
}

words! {
    /// A way to prove who one is, beyond the first factor or again.
    Method, "a method", {
        /// A code of an authenticator app.
        Totp = "totp",
        /// A passkey.
        Passkey = "passkey",
        /// A code that was sent by text message.
        Sms = "sms",
        /// One of the codes that were shown at enrolment.
        RecoveryCode = "recovery_code",
        /// The password, again; only for those who have no second factor.
        Password = "password",
    }
}

impl From<FactorKind> for Method {
    fn from(kind: FactorKind) -> Self {
        match kind {
            FactorKind::Totp => Self::Totp,
            FactorKind::Passkey => Self::Passkey,
            FactorKind::Sms => Self::Sms,
        }
    }
}

/// What a person enrolled, one document a person; passkeys are documents of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Factors {
    /// The person's id.
    #[serde(rename = "_id")]
    pub id: UserId,
    /// Grows with every change: of two changes at once (a code that is used twice), one wins.
    pub revision: u64,
    /// The authenticator app.
    pub totp: Option<TotpFactor>,
    /// An authenticator app whose first code is still to come.
    pub totp_pending: Option<TotpFactor>,
    /// The phone that gets codes.
    pub phone: Option<PhoneFactor>,
    /// A phone whose first code is still to come.
    pub phone_pending: Option<PhoneFactor>,
    /// SHA-256 of each recovery code that is still unused, hex.
    pub recovery_codes: Vec<String>,
    /// When it was last changed.
    pub updated_at: Time,
}

impl Factors {
    /// Nothing enrolled yet.
    pub fn none(id: UserId, now: Time) -> Self {
        Self {
            id,
            revision: 0,
            totp: None,
            totp_pending: None,
            phone: None,
            phone_pending: None,
            recovery_codes: Vec::new(),
            updated_at: now,
        }
    }
}

/// An authenticator app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TotpFactor {
    /// 160 bits, base32, sealed.
    pub secret: Sealed,
    /// The time step of the last code that was taken: codes of it and before are used up (RFC 6238 §5.2).
    pub last_step: Option<u64>,
    /// When it was enrolled.
    pub created_at: Time,
}

/// A phone that gets codes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneFactor {
    /// Its number.
    pub number: Phone,
    /// When it was enrolled.
    pub created_at: Time,
}

/// A passkey. `_id` is the SHA-256 of the credential's id, hex, because ids may have 1023 bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Passkey {
    /// SHA-256 of the credential's id, hex.
    #[serde(rename = "_id")]
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it, 1 to 60 characters.
    pub name: String,
    /// Public key, counter and backup state, as JSON of the WebAuthn library: text, so that two at once can be told apart.
    pub credential: String,
    /// When it was enrolled.
    pub created_at: Time,
    /// When it was last used.
    pub last_used_at: Option<Time>,
}

/// A passkey ceremony that was begun and not finished. The token itself is never stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ceremony {
    /// SHA-256 of the token, hex.
    #[serde(rename = "_id")]
    pub id: String,
    /// Who began it; none where a passkey is to tell who comes.
    pub user_id: Option<UserId>,
    /// What it is for, the challenge, and what must hold of the answer, as JSON around the WebAuthn library's own.
    pub state: String,
    /// When it was answered: it is good for one answer.
    pub used_at: Option<Time>,
    /// When it ends, answered or not.
    pub expires_at: Time,
}

/// A sign-in whose first factor was shown and whose second was not. It opens nothing but the second step, because no
/// door looks for it: sessions are another collection. The token itself is never stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HalfSession {
    /// SHA-256 of the token, hex.
    #[serde(rename = "_id")]
    pub id: String,
    /// Whose sign-in it is.
    pub user_id: UserId,
    /// When the first factor was shown.
    pub created_at: Time,
    /// When it ends, ten minutes later.
    pub expires_at: Time,
}
