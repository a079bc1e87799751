//! Roles, permissions, and the one table that joins them.
//!
//! A permission is an `area:verb` word. An API key carries scopes, which are permissions too: what a key may do is the
//! intersection of its scopes with its owner's role.

use serde::{Deserialize, Serialize};

/// Declares a closed set of words: enum, `ALL`, `as_str`, `parse`, serde and schema under the same word.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal, { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word.
            ///
            /// # Errors
            /// Names the words there are.
            pub fn parse(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("is not ", $what, "; there are {}"), [$($word),+].join(", "))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a person is allowed to be. New accounts are `user`.
    Role, "a role", {
        /// Signed in, smallest limits.
        Free = "free",
        /// What a sign-up gets.
        User = "user",
        /// Larger AI limits.
        Pro = "pro",
        /// Belongs to an organization.
        OrgMember = "org_member",
        /// Sees the organization's runs and edits its prompts.
        OrgManager = "org_manager",
        /// Runs an organization: members, keys, settings.
        OrgAdmin = "org_admin",
        /// Runs the installation.
        SuperAdmin = "super_admin",
    }
}

words! {
    /// What may be done, as `area:verb`.
    Permission, "a permission", {
        /// See prompts, patterns and versions.
        PromptsRead = "prompts:read",
        /// Create prompts, edit and delete one's own.
        PromptsWrite = "prompts:write",
        /// Edit and delete every prompt one can see; set `featured`.
        PromptsManage = "prompts:manage",
        /// Run prompts on AI providers.
        WorkbenchRun = "workbench:ai_execution",
        /// See one's own runs.
        RunsRead = "runs:read",
        /// See all runs of one's organization.
        RunsReadOrganization = "runs:read_organization",
        /// Look after one's own API keys and keys of AI providers.
        KeysManage = "keys:manage",
        /// See users: those of one's organization, super admins all.
        UsersRead = "users:read",
        /// Create, edit and disable users within the same bounds.
        UsersWrite = "users:write",
        /// Change roles within the same bounds, never above one's own.
        UsersManageRoles = "users:manage_roles",
        /// Read the audit log of one's organization, super admins all of it.
        AuditRead = "audit:read",
        /// Organization settings, invitations, members and keys of AI providers.
        OrganizationManage = "organization:manage",
        /// See one's own organization and its members.
        OrganizationRead = "organization:read",
        /// Make an organization, join one, leave it.
        OrganizationJoin = "organization:join",
        /// See operations pages and figures.
        SystemRead = "system:read",
        /// Take and restore backups.
        SystemBackup = "system:backup",
        /// Change the installation's settings.
        SystemSettings = "system:settings",
    }
}

impl Permission {
    /// What needs no role: strangers may do it as well. API keys still need the scope.
    pub fn is_everybodys(self) -> bool {
        self == Self::PromptsRead
    }
}

impl Role {
    /// Whether this role has `permission`. The only table; `docs/permissions.md` is generated from it.
    pub fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        match permission {
            P::PromptsRead
            | P::PromptsWrite
            | P::WorkbenchRun
            | P::RunsRead
            | P::KeysManage
            | P::OrganizationRead
            | P::OrganizationJoin => true,
            P::PromptsManage | P::RunsReadOrganization => self >= Self::OrgManager,
            P::OrganizationManage | P::UsersRead | P::UsersWrite | P::UsersManageRoles | P::AuditRead => {
                self >= Self::OrgAdmin
            }
            P::SystemRead | P::SystemBackup | P::SystemSettings => self == Self::SuperAdmin,
        }
    }

    /// Every permission of this role.
    pub fn permissions(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.allows(*permission))
    }

    /// One of the roles that only members of an organization have.
    pub fn is_of_organization(self) -> bool {
        matches!(self, Self::OrgMember | Self::OrgManager | Self::OrgAdmin)
    }

    /// An administrator: shorter sessions, second factor, operations pages.
    pub fn is_admin(self) -> bool {
        matches!(self, Self::OrgAdmin | Self::SuperAdmin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_more_may_do_no_less() {
        for pair in Role::ALL.windows(2) {
            let lost = pair[0].permissions().find(|permission| !pair[1].allows(*permission));
            assert_eq!(lost, None, "{} may, {} may not", pair[0], pair[1]);
        }
    }

    #[test]
    fn every_permission_is_somebodys_and_the_installation_is_its_administrators_alone() {
        for permission in Permission::ALL {
            assert!(Role::SuperAdmin.allows(*permission), "{permission} is nobody's");
            let holders = Role::ALL.iter().filter(|role| role.allows(*permission)).count();
            assert_eq!(permission.as_str().starts_with("system:"), holders == 1, "{permission}");
        }
    }

    #[test]
    fn only_administrators_look_after_other_people() {
        for permission in Permission::ALL.iter().filter(|permission| {
            ["users:", "audit:"].iter().any(|area| permission.as_str().starts_with(area))
                || permission.as_str().ends_with(":manage") && permission.as_str().starts_with("organization")
        }) {
            for role in Role::ALL {
                assert_eq!(role.allows(*permission), role.is_admin(), "{role} {permission}");
            }
        }
    }

    #[test]
    fn words_are_an_area_and_a_verb_and_read_back() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Ok(*permission));
            assert_eq!(permission.as_str().matches(':').count(), 1);
        }
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Ok(*role));
        }
    }
}
