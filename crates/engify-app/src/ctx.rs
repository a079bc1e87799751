//! Who asks, from where, under which request id: the first argument of every use case.

use std::sync::Arc;

use engify_core::account::{Session, User};
use engify_core::api_key::ApiKey;
use engify_core::audit::{Action, AuditEntry, Outcome, Target};
use engify_core::ids::{AuditId, OrganizationId, UserId};
use engify_core::permission::{Permission, Role};
use engify_core::tenancy::{Audience, Scope, Tenancy, Visibility};
use engify_core::{Error, Kind, Result, Time};

use crate::App;

/// A person, as far as use cases need to know.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The account.
    pub user: Arc<User>,
    /// The browser session, where it is one.
    pub session: Option<Arc<Session>>,
    /// The API key, where it is one.
    pub key: Option<Arc<ApiKey>>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Actor {
    /// Nobody is signed in.
    Anonymous,
    /// A person, by session or key.
    Person(Identity),
    /// The program itself or its operator at the command line; says which part.
    System(&'static str),
}

/// Where a request came from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The request's id, as in the log.
    pub request_id: String,
    /// The caller's address.
    pub address: String,
    /// The client's own words, cut to 200 characters.
    pub agent: String,
}

/// The context of one use case.
#[derive(Debug, Clone)]
pub struct Ctx {
    app: App,
    /// Who asks.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

impl Ctx {
    /// The context of one request.
    pub fn new(app: &App, actor: Actor, origin: Origin) -> Self {
        Self { app: app.clone(), actor, origin }
    }

    /// The context of the program's own work.
    pub fn system(app: &App, part: &'static str) -> Self {
        let origin =
            Origin { request_id: app.ids().uuid(), address: "local".to_owned(), agent: part.to_owned() };
        Self::new(app, Actor::System(part), origin)
    }

    /// The application.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.app.clock().now()
    }

    /// The person, if somebody is signed in.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.actor {
            Actor::Person(identity) => Some(identity),
            Actor::Anonymous | Actor::System(_) => None,
        }
    }

    /// The person; fails for everybody else.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn person(&self) -> Result<&Identity> {
        self.identity().ok_or_else(Error::unauthenticated)
    }

    /// The person's id, if somebody is signed in.
    pub fn user_id(&self) -> Option<&UserId> {
        self.identity().map(|identity| &identity.user.id)
    }

    /// The person's organization.
    pub fn organization_id(&self) -> Option<&OrganizationId> {
        self.identity().and_then(|identity| identity.user.organization_id.as_ref())
    }

    /// The person's role; the system counts as super admin.
    pub fn role(&self) -> Option<Role> {
        match &self.actor {
            Actor::Anonymous => None,
            Actor::Person(identity) => Some(identity.user.role),
            Actor::System(_) => Some(Role::SuperAdmin),
        }
    }

    /// Whether the actor may do this: by role, and within the key's scopes where it is a key.
    pub fn allows(&self, permission: Permission) -> bool {
        match &self.actor {
            Actor::Anonymous => permission == Permission::PromptsRead,
            Actor::System(_) => true,
            Actor::Person(identity) => {
                let by_key = identity.key.as_ref().is_none_or(|key| key.scopes.contains(&permission));
                by_key && identity.user.role.allows(permission)
            }
        }
    }

    /// Authorizes: the first line of every use case.
    ///
    /// # Errors
    /// `unauthenticated` for strangers, `forbidden` for those who lack the permission.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.allows(permission) {
            return Ok(());
        }
        let Some(identity) = self.identity() else { return Err(Error::unauthenticated()) };
        let message = match &identity.key {
            Some(key) if identity.user.role.allows(permission) => {
                format!("The API key {} lacks the scope {permission}; create one that has it.", key.prefix)
            }
            _ => format!(
                "Your role, {}, lacks the permission {permission}; ask an administrator.",
                identity.user.role
            ),
        };
        Err(Error::forbidden(message))
    }

    /// What the actor may see of owned documents.
    pub fn scope(&self) -> Scope {
        match &self.actor {
            Actor::System(part) => Scope::Everything(part),
            _ => Scope::visible_to(self.user_id(), self.organization_id()),
        }
    }

    /// What the actor may see of owned documents that reach this far: nothing where they have no organization and ask for
    /// its documents.
    pub fn scope_of(&self, visibility: Visibility) -> Scope {
        let audience = match visibility {
            Visibility::Public => Some(Audience::Public),
            Visibility::Organization => self.organization_id().cloned().map(Audience::Organization),
            Visibility::Private => self.user_id().cloned().map(Audience::User),
        };
        Scope::Audiences(audience.into_iter().collect())
    }

    /// Ownership of something the actor makes.
    pub fn tenancy(&self, visibility: Visibility) -> Tenancy {
        Tenancy::new(self.user_id().cloned(), self.organization_id().cloned(), visibility)
    }

    /// A line for the audit log, in the same transaction as what it tells of where the caller adds it to a batch.
    pub fn audit(
        &self,
        action: Action,
        outcome: Outcome,
        target: Target,
        details: serde_json::Value,
    ) -> AuditEntry {
        AuditEntry {
            id: AuditId::make(self.app.ids()),
            user_id: self.user_id().cloned(),
            organization_id: self.organization_id().cloned(),
            key_id: self.identity().and_then(|identity| identity.key.as_ref()).map(|key| key.id.clone()),
            action,
            outcome,
            target,
            address: self.origin.address.clone(),
            agent: self.origin.agent.clone(),
            request_id: self.origin.request_id.clone(),
            details,
            created_at: self.now(),
        }
    }

    /// Authorizes what changes something, and writes a refusal into the audit log.
    ///
    /// # Errors
    /// As [`Ctx::require`].
    pub async fn require_for(&self, permission: Permission, action: Action, target: Target) -> Result<()> {
        let refusal = match self.require(permission) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        if refusal.kind() == Kind::Forbidden {
            let details = serde_json::json!({ "lacks": permission.as_str() });
            self.app.recorder().note(self.audit(action, Outcome::Refused, target, details)).await;
        }
        Err(refusal)
    }
}
