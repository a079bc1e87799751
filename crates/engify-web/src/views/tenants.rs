//! The JSON of organizations, their members and invitations, and of people as administrators see them.

use engify_app::organizations::{Letter, Overview};
use engify_app::users::Detail;
use engify_core::Time;
use engify_core::account::{Session, User};
use engify_core::factor::FactorKind;
use engify_core::organization::{Invitation, Organization, OrganizationSettings};
use engify_core::permission::Role;
use schemars::JsonSchema;
use serde::Serialize;

use super::UserRow;

/// An organization.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrganizationView {
    id: String,
    name: String,
    slug: String,
    owner_id: Option<String>,
    #[serde(flatten)]
    settings: OrganizationSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_invitations: Option<u64>,
    created_at: Time,
    updated_at: Time,
}

impl From<Organization> for OrganizationView {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id.to_string(),
            name: organization.name,
            slug: organization.slug.to_string(),
            owner_id: organization.owner_id.map(|id| id.to_string()),
            settings: organization.settings,
            members: None,
            open_invitations: None,
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}

impl From<Overview> for OrganizationView {
    fn from(overview: Overview) -> Self {
        Self {
            members: Some(overview.members),
            open_invitations: Some(overview.invitations),
            ..overview.organization.into()
        }
    }
}

/// A member, as the other members see them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberView {
    id: String,
    name: String,
    email: String,
    role: Role,
    disabled: bool,
}

impl From<&User> for MemberView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            email: user.email.to_string(),
            role: user.role,
            disabled: user.disabled_at.is_some(),
        }
    }
}

/// An invitation; never its link, which is only in the mail.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitationView {
    id: String,
    email: String,
    role: Role,
    invited_by: String,
    sent_at: Time,
    expires_at: Time,
    created_at: Time,
}

impl From<&Invitation> for InvitationView {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.to_string(),
            role: invitation.role,
            invited_by: invitation.invited_by.to_string(),
            sent_at: invitation.sent_at,
            expires_at: invitation.expires_at,
            created_at: invitation.created_at,
        }
    }
}

/// An invitation, as the holder of its link sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LetterView {
    organization: String,
    inviter: String,
    email: String,
    role: Role,
    expires_at: Time,
}

impl From<Letter> for LetterView {
    fn from(letter: Letter) -> Self {
        Self {
            organization: letter.organization,
            inviter: letter.inviter,
            email: letter.invitation.email.to_string(),
            role: letter.invitation.role,
            expires_at: letter.invitation.expires_at,
        }
    }
}

/// A person in full, as administrators see them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserDetailView {
    #[serde(flatten)]
    row: UserRow,
    email_verified_at: Option<Time>,
    organization: Option<String>,
    /// Whether the organization is theirs.
    owner: bool,
    /// The second factors they have.
    factors: Vec<FactorKind>,
    /// How many of their API keys open something.
    live_keys: usize,
    sessions: Vec<TheirSession>,
}

/// A session of somebody else: enough to know the device, not enough to be named in a request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TheirSession {
    created_at: Time,
    last_seen_at: Time,
    expires_at: Time,
    address: String,
    agent: String,
}

impl From<Session> for TheirSession {
    fn from(session: Session) -> Self {
        Self {
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            address: session.address,
            agent: session.agent,
        }
    }
}

impl From<Detail> for UserDetailView {
    fn from(detail: Detail) -> Self {
        Self {
            row: UserRow::from(&detail.user),
            email_verified_at: detail.user.email_verified_at,
            organization: detail.organization.map(|organization| organization.name),
            owner: detail.owner,
            factors: detail.user.factors.clone(),
            live_keys: detail.keys,
            sessions: detail.sessions.into_iter().map(TheirSession::from).collect(),
        }
    }
}
