//! What is sent to people outside the browser: letters by mail and short texts to phones, from the moment that a use case
//! decides on one until it has arrived or cannot.
//!
//! A message is written in the same transaction as the change it tells of, so neither happens without the other.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{MessageId, UserId};
use crate::permission::words;
use crate::sealed::Sealed;

words! {
    /// The way a message takes.
    Channel, "a channel", {
        /// Mail.
        Mail = "mail",
        /// A text message to a phone.
        Sms = "sms",
    }
}

words! {
    /// What a message is about.
    MessageKind, "a kind of message", {
        /// Proves an address.
        VerifyAddress = "verify_address",
        /// Chooses a new password.
        ResetPassword = "reset_password",
        /// The password was changed.
        PasswordChanged = "password_changed",
        /// Somebody signed in from a device that was not seen before.
        NewDevice = "new_device",
        /// Second factors were added or removed.
        FactorsChanged = "factors_changed",
        /// The account's address was changed.
        AddressChanged = "address_changed",
        /// Somebody is asked to join an organization.
        Invitation = "invitation",
        /// An API key ends soon.
        KeyExpires = "key_expires",
        /// What happened in a week, for administrators.
        Digest = "digest",
        /// A code for signing in.
        Code = "code",
    }
}

words! {
    /// Where a message is on its way.
    MessageState, "a state of a message", {
        /// Waits for its turn or its next try.
        Queued = "queued",
        /// The server that takes it onwards has it.
        Sent = "sent",
        /// The receiver's server has it.
        Delivered = "delivered",
        /// The receiver's server gave it back.
        Bounced = "bounced",
        /// It could not be sent, and is not tried again by itself.
        Failed = "failed",
        /// No server is set up: it stays here for administrators to read.
        Kept = "kept",
    }
}

/// One message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: MessageId,
    /// The way it takes.
    pub channel: Channel,
    /// What it is about.
    pub kind: MessageKind,
    /// A mail address, or a phone number in E.164.
    pub to: Receiver,
    /// Whose account it is about; none for people without one.
    pub user_id: Option<UserId>,
    /// The content ([`Content`] as JSON), sealed because it can carry a link that opens an account. Dropped once sent.
    pub content: Option<Sealed>,
    /// Where it is.
    pub state: MessageState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; while somebody tries it, when another may take over.
    pub next_try_at: Option<Time>,
    /// Not sent after this moment: what it says is of no use any more.
    pub useful_until_at: Option<Time>,
    /// Why the last try failed.
    pub failure: Option<MessageFailure>,
    /// How the server that took it calls it.
    pub reference: Option<String>,
    /// When it was written.
    pub created_at: Time,
    /// When a server took it.
    pub sent_at: Option<Time>,
    /// When this record goes.
    pub expires_at: Time,
}

/// Where a message goes. Debug shows only its end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receiver(String);

impl Receiver {
    /// A mail address or a phone number that was parsed before.
    pub fn new(address: impl std::fmt::Display) -> Self {
        Self(address.to_string())
    }

    /// The address itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        write!(f, "…@{end}")
    }
}

/// Why a message could not be sent, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageFailure {
    /// The stable word: `bad_key`, `refused_address`, …
    pub kind: String,
    /// What happened and what to do, safe to show.
    pub message: String,
}

/// What a message says. Never stored but sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The subject line; empty for a text message.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML; empty for a text message.
    pub html: String,
}
