//! People, their organization and their invitations, with a hostile word wherever somebody may choose one.

use engify_core::account::User;
use engify_core::organization::{Invitation, Organization};
use engify_core::permission::Role;

use super::HOSTILE;
use crate::pages::users;

pub(super) fn person() -> User {
    serde_json::from_value(serde_json::json!({
        "_id": "u", "email": "ana@example.com", "name": HOSTILE, "role": "org_member", "organizationId": "o",
        "passwordHash": null, "emailVerifiedAt": null, "disabledAt": null, "lastSignInAt": null,
        "createdAt": "2026-11-22T18:04:05.000Z", "updatedAt": "2026-11-22T18:04:05.000Z",
    }))
    .unwrap()
}

pub(super) fn team() -> Organization {
    serde_json::from_value(serde_json::json!({
        "_id": "o", "name": HOSTILE, "slug": "acme", "ownerId": "somebody",
        "createdAt": "2026-11-22T18:04:05.000Z", "updatedAt": "2026-11-22T18:04:05.000Z",
    }))
    .unwrap()
}

pub(super) fn asked() -> Invitation {
    serde_json::from_value(serde_json::json!({
        "_id": "i", "organizationId": "o", "email": "ben@example.com", "role": "org_member", "tokenHash": "h",
        "invitedBy": "u", "createdAt": "2026-11-22T18:04:05.000Z", "sentAt": "2026-11-22T18:04:05.000Z",
        "expiresAt": "2026-11-29T18:04:05.000Z",
    }))
    .unwrap()
}

/// The pages of people, with everything on them that they can have.
pub(super) fn people_views<'a>(
    person: &'a User,
    team: &'a Organization,
) -> (users::UsersView<'a>, users::NewUserView, users::UserView<'a>) {
    let list = users::UsersView {
        users: std::slice::from_ref(person),
        total: Some(1),
        text: HOSTILE.into(),
        role: HOSTILE.into(),
        cursor: Some("c".into()),
        next: Some(HOSTILE.into()),
    };
    let new = users::NewUserView {
        name: HOSTILE.into(),
        email: HOSTILE.into(),
        roles: vec![Role::OrgMember],
        problem: Some(HOSTILE.into()),
        ..Default::default()
    };
    let one = users::UserView {
        user: person,
        organization: Some(team),
        owner: true,
        sessions: &[],
        keys: 1,
        roles: vec![Role::OrgMember, Role::OrgAdmin],
        may_change: true,
        may_delete: true,
        name: HOSTILE.into(),
        faults: Vec::new(),
        problem: Some(HOSTILE.into()),
    };
    (list, new, one)
}
