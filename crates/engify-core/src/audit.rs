//! The audit log: who did what to what, from where, and whether it was allowed. Records are only ever added.

mod chain;
mod changed;

pub use chain::{AuditBlock, SealedLine};
pub use changed::changed;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::{ApiKeyId, AuditId, OrganizationId, UserId};
use crate::permission::words;

words! {
    /// How it ended.
    Outcome, "an outcome", {
        /// It was done.
        Success = "success",
        /// It was not allowed.
        Refused = "refused",
        /// It was allowed and failed.
        Failed = "failed",
    }
}

words! {
    /// What was done, as `thing_verb` (the guide's `user_created`).
    Action, "an audited action", {
        /// An account was made.
        UserCreated = "user_created",
        /// Somebody signed in, or tried to.
        UserSignedIn = "user_signed_in",
        /// Somebody signed out.
        UserSignedOut = "user_signed_out",
        /// A role was changed.
        UserRoleChanged = "user_role_changed",
        /// An account was changed otherwise.
        UserUpdated = "user_updated",
        /// The first super admin was made through the set-up link or the command line.
        AdminCreated = "admin_created",
        /// A prompt was made.
        PromptCreated = "prompt_created",
        /// A prompt got a new version.
        PromptUpdated = "prompt_updated",
        /// A prompt was deleted.
        PromptDeleted = "prompt_deleted",
        /// An old version became the newest.
        PromptRestored = "prompt_restored",
        /// Prompts were imported.
        PromptsImported = "prompts_imported",
        /// A prompt was run on a provider.
        PromptExecuted = "prompt_executed",
        /// An API key was made.
        ApiKeyCreated = "api_key_created",
        /// An API key was replaced.
        ApiKeyRotated = "api_key_rotated",
        /// An API key was revoked.
        ApiKeyRevoked = "api_key_revoked",
        /// An API key's limits or allowed addresses were changed.
        ApiKeyUpdated = "api_key_updated",
        /// An account was switched off.
        UserDisabled = "user_disabled",
        /// An account was switched on again.
        UserEnabled = "user_enabled",
        /// Sessions were ended before their time.
        SessionsEnded = "sessions_ended",
        /// An address was proven.
        EmailVerified = "email_verified",
        /// A password was changed.
        PasswordChanged = "password_changed",
        /// A link to choose a new password was asked for.
        PasswordResetRequested = "password_reset_requested",
        /// A password was chosen anew through such a link.
        PasswordReset = "password_reset",
        /// A second factor was enrolled.
        FactorEnrolled = "factor_enrolled",
        /// A second factor was removed by its owner.
        FactorRemoved = "factor_removed",
        /// Somebody's second factors were removed by an administrator.
        FactorsReset = "factors_reset",
        /// A second factor was asked for and shown, or not.
        FactorVerified = "factor_verified",
        /// Recovery codes were made anew.
        RecoveryCodesMade = "recovery_codes_made",
        /// An account was joined with one of an identity provider.
        IdentityLinked = "identity_linked",
        /// An account was parted from one of an identity provider.
        IdentityUnlinked = "identity_unlinked",
        /// An organization was made.
        OrganizationCreated = "organization_created",
        /// An organization's settings were changed.
        OrganizationUpdated = "organization_updated",
        /// An organization was deleted.
        OrganizationDeleted = "organization_deleted",
        /// An organization passed to another owner.
        OrganizationTransferred = "organization_transferred",
        /// Somebody was invited into an organization.
        MemberInvited = "member_invited",
        /// An invitation was taken back.
        InvitationRevoked = "invitation_revoked",
        /// Somebody joined an organization.
        MemberJoined = "member_joined",
        /// Somebody left an organization or was removed from it.
        MemberRemoved = "member_removed",
        /// A provider's key was stored.
        ProviderKeySaved = "provider_key_saved",
        /// A provider's key was deleted.
        ProviderKeyDeleted = "provider_key_deleted",
        /// Provider keys were tried.
        ProviderKeysTested = "provider_keys_tested",
        /// What is encrypted at rest was encrypted anew.
        EncryptionKeyRotated = "encryption_key_rotated",
        /// A caller was refused for lack of a permission or a scope.
        AccessRefused = "access_refused",
        /// A request came with an API key that opens nothing, or from an address that the key's owner does not allow.
        ApiKeyRefused = "api_key_refused",
        /// A run was shared inside an organization, or taken back.
        RunShared = "run_shared",
        /// The library was exported.
        PromptsExported = "prompts_exported",
        /// The audit log was exported.
        AuditExported = "audit_exported",
        /// Old lines of the audit log were removed as their organization's settings say.
        AuditPruned = "audit_pruned",
        /// An administrator read a message that was kept here.
        MessageRead = "message_read",
        /// An administrator had a message sent again.
        MessageRetried = "message_retried",
        /// A job was asked for.
        JobQueued = "job_queued",
        /// A dead letter was done again.
        JobRetried = "job_retried",
        /// A job was removed before it was done.
        JobDiscarded = "job_discarded",
        /// A job was called off.
        JobCancelled = "job_cancelled",
        /// A schedule was changed.
        ScheduleChanged = "schedule_changed",
        /// A backup or a moment was asked back into the database.
        RestoreStarted = "restore_started",
        /// A backup was taken by hand.
        BackupTaken = "backup_taken",
        /// A backup was downloaded.
        BackupDownloaded = "backup_downloaded",
        /// A drill was run by hand.
        DrillRun = "drill_run",
        /// For too long no backup was proven, or no restore was practised.
        RecoveryUnproven = "recovery_unproven",
        /// A collection went to a file.
        CollectionExported = "collection_exported",
        /// A file came into a collection.
        CollectionImported = "collection_imported",
        /// Everything was copied to another database.
        DatabaseMigrated = "database_migrated",
    }
}

/// One line of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// The document's id.
    #[serde(rename = "_id")]
    pub id: AuditId,
    /// Who did it; none for the system and for strangers.
    pub user_id: Option<UserId>,
    /// Their organization at the time.
    pub organization_id: Option<OrganizationId>,
    /// The API key it was done with.
    pub key_id: Option<ApiKeyId>,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// What it was done to: `prompt`, `user`, `api_key`, `run`.
    pub target: Target,
    /// Where from.
    pub address: String,
    /// The client's own words, cut to 200 characters.
    pub agent: String,
    /// The request, as in the log.
    pub request_id: String,
    /// What else matters, secrets left out.
    pub details: serde_json::Value,
    /// When.
    pub created_at: Time,
}

impl AuditEntry {
    /// Files the line under the organization that it concerns, where that is not the actor's own: what somebody from
    /// outside does to an organization is for its administrators to read.
    #[must_use]
    pub fn concerning(mut self, organization: Option<&OrganizationId>) -> Self {
        if let Some(organization) = organization {
            self.organization_id = Some(organization.clone());
        }
        self
    }
}

/// What an action was done to.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Target {
    /// `prompt`, `user`, `api_key`, `run`.
    pub kind: String,
    /// Its id, slug or masked address.
    pub id: String,
}

impl Target {
    /// Names the target of an action.
    pub fn new(kind: &str, id: impl ToString) -> Self {
        Self { kind: kind.to_owned(), id: id.to_string() }
    }
}
