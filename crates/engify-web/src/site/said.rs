//! What just happened, as a word in the address (`?done=saved`) that stands for a fixed sentence: nobody can put words
//! of their own into a page by a link.

use axum::response::Response;
use url::form_urlencoded;

use super::go;
use crate::ui::{Notice, Tone};

/// The field of the query.
const FIELD: &str = "done";

macro_rules! said {
    ($($name:ident $word:literal $sentence:literal),+ $(,)?) => {
        /// What just happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Said { $($name),+ }

        impl Said {
            const ALL: &'static [Self] = &[$(Self::$name),+];

            fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence),+ }
            }
        }
    };
}

said! {
    SignedUp "signed-up" "Your account is made. Find a prompt, fill in its blanks, run it.",
    SignedOut "signed-out" "You are signed out.",
    AdminMade "admin" "You run this installation now. Give a provider its key, or go on with the dry run.",
    Created "created" "The prompt is in the library.",
    Saved "saved" "Saved.",
    Deleted "deleted" "The prompt is deleted.",
    Restored "restored" "The old version is the newest again.",
    Kept "kept" "Saved: you find it on your dashboard.",
    Dropped "dropped" "No longer among your saved prompts.",
    Rated "rated" "Your stars are counted.",
    Shared "shared" "Your organization can see it now.",
    Unshared "unshared" "It is yours alone again.",
    PasswordChanged "password" "The password is changed. Other browsers are signed out.",
    FactorOn "factor" "The second factor is on: signing in asks for it from now on.",
    PasskeyOn "passkey" "The passkey is enrolled: it signs you in by itself.",
    CodeSent "code" "A code is on its way to your phone. It works for 10 minutes.",
    FactorOff "factor-off" "Removed. Other browsers are signed out.",
    SessionsEnded "ended" "Signed out there.",
    UserMade "user-made" "The account is made. Its owner gets a letter with a link to choose a password.",
    UserDeleted "user-deleted" "The account is deleted.",
    RoleChanged "role" "The role is changed. Their sessions ended.",
    SwitchedOff "off" "The account is switched off. Its sessions ended, its keys open nothing.",
    SwitchedOn "on" "The account is switched on again.",
    FactorsReset "factors-reset" "The second factors are gone. The password alone opens the account until its owner enrols again.",
    OrganizationMade "organization" "The organization is yours. Invite its first members.",
    OrganizationDeleted "organization-deleted" "The organization is deleted.",
    Transferred "transferred" "The organization has another owner now.",
    Invited "invited" "The invitation is on its way. Its link works for 7 days.",
    InvitationRevoked "invitation-revoked" "The invitation is taken back. Its link opens nothing any more.",
    MemberRemoved "removed" "Removed. Their sessions and keys ended.",
    Joined "joined" "Welcome. What the organization shares is in the library now.",
    Left "left" "You left the organization. Your keys and other sessions ended.",
    ResetAsked "reset-asked" "If there is an account with this address, a link is on its way. Look into your mailbox.",
    PasswordReset "reset" "Your password is changed. Sign in with it.",
    AddressProven "address" "Your address is confirmed.",
    LinkSent "link-sent" "A link is on its way. Look into your mailbox.",
    MessageQueued "queued" "The message goes out again.",
    JobQueued "job" "The job is queued.",
    JobDiscarded "job-gone" "The job is discarded.",
    JobCancelled "job-cancelled" "The job is called off. One that runs ends within seconds.",
    AuditIntact "intact" "Every line is as it was sealed: nothing was changed, removed, added or moved.",
    Linked "linked" "Linked: you can sign in with it from now on.",
    Unlinked "unlinked" "Unlinked: it opens your account no more.",
    KeyRevoked "revoked" "The key is revoked: it opens nothing any more.",
    KeySaved "key-saved" "Saved: the key's new terms hold from the next request on.",
    ProviderKeySaved "provider-key" "The key is stored, encrypted. Runs use it from now on.",
    ProviderKeyDeleted "provider-key-gone" "The key is deleted: no run uses it any more.",
}

impl Said {
    /// Sends the browser on to `path`, which may have a query, and says it there.
    pub(super) fn at(self, path: &str) -> Response {
        let (path, fragment) =
            path.split_once('#').map_or((path, String::new()), |(path, rest)| (path, format!("#{rest}")));
        let sign = if path.contains('?') { '&' } else { '?' };
        go(&format!("{path}{sign}{FIELD}={}{fragment}", self.word()))
    }

    /// What a query says.
    pub(super) fn of(query: &str) -> Option<Notice> {
        let (_, word) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == FIELD)?;
        let said = Self::ALL.iter().find(|said| said.word() == word)?;
        Some(Notice::new(Tone::Ok, said.sentence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_are_said() {
        assert_eq!(Said::of("q=x&done=saved").map(|notice| notice.text), Some("Saved.".to_owned()));
        assert!(Said::of("done=Send+your+password+to+me").is_none());
        let reply = Said::Saved.at("/prompts/x?tab=about#runner");
        assert_eq!(reply.headers()["location"], "/prompts/x?tab=about&done=saved#runner");
    }
}
