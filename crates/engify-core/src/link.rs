//! Links that are sent by mail and work once. The token itself is never stored: `_id` is its SHA-256 as hex.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::UserId;
use crate::permission::words;
use crate::words::Email;

words! {
    /// What a link is for.
    Purpose, "a purpose of a link", {
        /// Proves the account's address.
        VerifyAddress = "verify_address",
        /// Proves another address and makes it the account's.
        ChangeAddress = "change_address",
        /// Chooses a new password.
        ResetPassword = "reset_password",
    }
}

/// A link that was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// SHA-256 of the token, hex.
    #[serde(rename = "_id")]
    pub id: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whose account it is about.
    pub user_id: UserId,
    /// The address that it was sent to: using the link proves it.
    pub email: Email,
    /// When it was made.
    pub created_at: Time,
    /// When it stops working.
    pub expires_at: Time,
    /// When it was used.
    pub used_at: Option<Time>,
}
