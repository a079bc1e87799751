//! What groups and domains give: a role, an organization. Pure, so that the rules can be read and tried in one place.

use engify_core::ids::OrganizationId;
use engify_core::permission::Role;
use engify_core::settings::IdentitySettings;
use engify_core::words::{Email, Slug};

/// The domain of an address.
pub(super) fn domain(email: &Email) -> &str {
    email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// Whether people of this address may come in through a provider.
pub(super) fn is_allowed(settings: &IdentitySettings, email: &Email) -> bool {
    settings.allowed_domains.is_empty()
        || settings.allowed_domains.iter().any(|allowed| allowed == domain(email))
}

/// The highest role that these groups give.
pub(super) fn role(settings: &IdentitySettings, groups: &[String]) -> Option<Role> {
    settings.roles.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role).max()
}

/// Where these groups, or the domain of this address, belong. The first pair that fits counts.
pub(super) fn organization<'a>(
    settings: &'a IdentitySettings,
    groups: &[String],
    email: &Email,
) -> Option<&'a Slug> {
    let fits = |name: &String| groups.contains(name) || name.eq_ignore_ascii_case(domain(email));
    settings.organizations.iter().find(|(name, _)| fits(name)).map(|(_, slug)| slug)
}

/// What a person is, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) role: Role,
    pub(super) organization: Option<OrganizationId>,
}

/// What mappings give: now, or the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) role: Option<Role>,
    pub(super) organization: Option<OrganizationId>,
}

impl Standing {
    /// The standing after a sign-in. What a mapping gives, counts; what it gave and gives no longer, goes; what
    /// an administrator gave by hand stays where no mapping says otherwise. Nobody stops being a super admin by a mapping that did not
    /// make them one, so that a wrong map cannot leave an installation without its administrator.
    pub(super) fn after(&self, last: &Given, now: &Given) -> Self {
        if *last == Given::default() && *now == Given::default() {
            return self.clone();
        }
        let organization = match (&now.organization, &last.organization) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(gone)) if self.organization.as_ref() == Some(gone) => None,
            (None, _) => self.organization.clone(),
        };
        let protected = self.role == Role::SuperAdmin && last.role != Some(Role::SuperAdmin);
        let role = match (now.role, last.role) {
            _ if protected => self.role,
            (Some(given), _) => given,
            (None, Some(gone)) if self.role == gone => Role::User,
            (None, _) => self.role,
        };
        Self { role: fitting(role, organization.is_some()), organization }
    }
}

/// A role that fits: an organization's roles need an organization, and being in one is at least membership.
fn fitting(role: Role, is_member: bool) -> Role {
    match role {
        Role::OrgMember | Role::OrgManager | Role::OrgAdmin if !is_member => Role::User,
        Role::Free | Role::User if is_member => Role::OrgMember,
        role => role,
    }
}

#[cfg(test)]
mod tests {
    use engify_core::{Clock, Ids, Time};

    use super::*;

    fn acme() -> OrganizationId {
        OrganizationId::make(&Ids::seeded(Clock::fixed(Time::from_millis(0)), 1))
    }

    fn standing(role: Role, organization: Option<OrganizationId>) -> Standing {
        Standing { role, organization }
    }

    fn given(role: Option<Role>, organization: Option<OrganizationId>) -> Given {
        Given { role, organization }
    }

    #[test]
    fn a_group_that_is_gone_takes_its_role_and_its_organization_away() {
        let before = standing(Role::OrgAdmin, Some(acme()));
        let last = given(Some(Role::OrgAdmin), Some(acme()));
        assert_eq!(before.after(&last, &Given::default()), standing(Role::User, None));
        assert_eq!(before.after(&last, &given(None, Some(acme()))), standing(Role::OrgMember, Some(acme())));
    }

    #[test]
    fn what_was_given_by_hand_stays_where_no_mapping_speaks() {
        let by_hand = standing(Role::Pro, Some(acme()));
        assert_eq!(by_hand.after(&Given::default(), &Given::default()), by_hand);
        assert_eq!(by_hand.after(&given(Some(Role::OrgAdmin), None), &Given::default()), by_hand);
    }

    #[test]
    fn a_mapping_neither_makes_nor_unmakes_a_super_admin_by_accident() {
        let root = standing(Role::SuperAdmin, None);
        let member = given(Some(Role::OrgMember), Some(acme()));
        assert_eq!(root.after(&Given::default(), &member).role, Role::SuperAdmin);
        let mapped = given(Some(Role::SuperAdmin), None);
        assert_eq!(standing(Role::User, None).after(&Given::default(), &mapped).role, Role::SuperAdmin);
        assert_eq!(root.after(&mapped, &Given::default()).role, Role::User);
    }

    #[test]
    fn an_organizations_role_needs_an_organization() {
        let leads = given(Some(Role::OrgAdmin), None);
        assert_eq!(standing(Role::User, None).after(&Given::default(), &leads), standing(Role::User, None));
        let joined = given(None, Some(acme()));
        let member = standing(Role::OrgMember, Some(acme()));
        assert_eq!(standing(Role::User, None).after(&Given::default(), &joined), member);
    }

    #[test]
    fn the_highest_role_of_all_groups_and_the_first_organization_count() {
        let settings = IdentitySettings {
            roles: vec![("all".to_owned(), Role::OrgMember), ("leads".to_owned(), Role::OrgAdmin)],
            organizations: vec![
                ("leads".to_owned(), Slug::parse("heads").unwrap()),
                ("Example.com".to_owned(), Slug::parse("acme").unwrap()),
            ],
            ..IdentitySettings::default()
        };
        let groups = ["all".to_owned(), "leads".to_owned()];
        let email = Email::parse("ana@example.com").unwrap();
        assert_eq!(role(&settings, &groups), Some(Role::OrgAdmin));
        assert_eq!(role(&settings, &[]), None);
        assert_eq!(organization(&settings, &groups, &email).map(Slug::as_str), Some("heads"));
        assert_eq!(organization(&settings, &[], &email).map(Slug::as_str), Some("acme"));
        assert_eq!(organization(&settings, &[], &Email::parse("ana@evil-example.com").unwrap()), None);
    }
}
