//! Who asks, from where, under which request id: the first argument of every use case.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use engify_core::account::{Session, User};
use engify_core::address;
use engify_core::api_key::ApiKey;
use engify_core::audit::{Action, AuditEntry, Outcome, Target};
use engify_core::ids::{AuditId, OrganizationId, UserId};
use engify_core::permission::{Permission, Role};
use engify_core::tenancy::{Audience, Scope, Tenancy, Visibility};
use engify_core::{Error, Kind, Result, Time};

use crate::App;
use crate::accounts::HalfIdentity;

/// How long a proof of who one is stays fresh enough for what is sensitive.
pub(crate) const FRESH: Duration = Duration::from_secs(10 * 60);

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
    /// Somebody who showed the password and not yet the second factor. A stranger everywhere but at the second step.
    HalfWay(HalfIdentity),
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
    /// The country, ISO 3166-1 alpha-2, where a trusted proxy says so.
    pub place: Option<String>,
    /// The client's own words, cut to 200 characters.
    pub agent: String,
}

impl Origin {
    /// What limits and wrong tries count against where nobody is known; see [`address::counted`].
    pub fn counted(&self) -> Cow<'_, str> {
        address::counted(&self.address)
    }
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
        let origin = Origin {
            request_id: app.ids().uuid(),
            address: "local".to_owned(),
            agent: part.to_owned(),
            ..Origin::default()
        };
        Self::new(app, Actor::System(part), origin)
    }

    /// The same request, by somebody it just proved to be: for their audit lines.
    pub(crate) fn as_person(&self, user: &User) -> Self {
        let person = Identity { user: Arc::new(user.clone()), session: None, key: None };
        Self { actor: Actor::Person(person), ..self.clone() }
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
            Actor::Anonymous | Actor::HalfWay(_) | Actor::System(_) => None,
        }
    }

    /// The person; fails for everybody else.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn person(&self) -> Result<&Identity> {
        self.identity().ok_or_else(Error::unauthenticated)
    }

    /// The person, at a browser: what is about the account itself is no business of an API key, whatever its scopes.
    ///
    /// # Errors
    /// `unauthenticated`; `forbidden` for an API key.
    pub fn at_browser(&self) -> Result<&Identity> {
        let person = self.person()?;
        if person.key.is_none() {
            return Ok(person);
        }
        let message = "This is about an account itself, and API keys open what their scopes name: sign in with a browser.";
        Err(Error::forbidden(message))
    }

    /// Who waits for the second step of signing in.
    pub fn half_way(&self) -> Option<&HalfIdentity> {
        match &self.actor {
            Actor::HalfWay(half) => Some(half),
            Actor::Anonymous | Actor::Person(_) | Actor::System(_) => None,
        }
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
            Actor::Anonymous | Actor::HalfWay(_) => None,
            Actor::Person(identity) => Some(identity.user.role),
            Actor::System(_) => Some(Role::SuperAdmin),
        }
    }

    /// Whether the actor may do this: by role, and within the key's scopes where it is a key.
    pub fn allows(&self, permission: Permission) -> bool {
        match &self.actor {
            Actor::Anonymous | Actor::HalfWay(_) => permission.is_everybodys(),
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

    /// Demands that the person proved who they are within the last ten minutes, by a second factor or, where there is none,
    /// by the password: for what would hurt if somebody else sat at the open browser (factors, keys, roles, ownership,
    /// deleting what cannot come back). Stands behind [`Ctx::require`]. Pages send people to `/confirm` and back by
    /// themselves; API clients show a factor to `POST /api/auth/mfa/verify`. An API key is never fresh; the operator at the
    /// command line always is.
    ///
    /// # Errors
    /// `fresh_factor_required`; `unauthenticated`.
    pub fn require_fresh(&self) -> Result<()> {
        if matches!(self.actor, Actor::System(_)) {
            return Ok(());
        }
        let person = self.person()?;
        let Some(session) = &person.session else {
            let message = "This needs a person, not an API key: sign in with a browser and do it there.";
            return Err(Error::new(Kind::Forbidden, "fresh_factor_required", message));
        };
        if session.proven_at.is_some_and(|at| self.now().since(at) < FRESH) {
            return Ok(());
        }
        let how = match (person.user.factors.is_empty(), &person.user.password_hash) {
            (false, _) => "your second factor again",
            (true, Some(_)) => "your password again",
            (true, None) => "that you confirm it through your identity provider, or sign out and in again",
        };
        let message = format!(
            "This needs {how}, because the last proof that it is you is more than 10 minutes old: open /confirm, or call \
             POST /api/auth/mfa/verify, then try again."
        );
        Err(Error::new(Kind::Forbidden, "fresh_factor_required", message))
    }

    /// Demands that an administrator who must have a second factor has one. The guard in front of all routes asks this;
    /// use cases need not.
    ///
    /// # Errors
    /// `mfa_enrolment_required`.
    pub fn require_enrolled(&self) -> Result<()> {
        let required = self.app.settings().security.admin_mfa_required;
        let lacks = |user: &User| required && user.role.is_admin() && user.factors.is_empty();
        if !self.identity().is_some_and(|person| lacks(&person.user)) {
            return Ok(());
        }
        let message = "Administrators of this installation need a second factor, and you have none yet. \
                       Enrol one under Settings, Security; until then nothing else is open to you.";
        Err(Error::new(Kind::Forbidden, "mfa_enrolment_required", message))
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
            user_id: self.user_id().or(self.half_way().map(|half| &half.user.id)).cloned(),
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
