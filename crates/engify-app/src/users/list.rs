//! Finding people: lists, search by the beginning of a name or an address, the export.

use engify_core::account::User;
use engify_core::cells;
use engify_core::permission::{Permission, Role};
use engify_core::tenancy::Scope;
use engify_core::{Error, Kind, Result};
use engify_store::collection::{folded, last_word};
use engify_store::{Cursor, Query, queries};

use super::scope;
use crate::Ctx;

/// The most people of one export.
const MOST: usize = 10_000;

/// Whom to find.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The beginning of a name, of its last word, or of an address; at most 200 characters. Empty for everybody.
    pub text: String,
    /// Of this role.
    pub role: Option<String>,
}

/// One page of people.
#[derive(Debug, Clone)]
pub struct People {
    /// In order.
    pub items: Vec<User>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
}

/// People whom the caller administers: newest first, or, with a text, whose name begins so, then whose last name, then whose
/// address.
///
/// # Errors
/// `forbidden` without `users:read`; `invalid_request`; `invalid_cursor`.
pub async fn list(ctx: &Ctx, search: &Search, limit: u32, cursor: Option<&str>) -> Result<People> {
    ctx.require(Permission::UsersRead)?;
    let role = checked(search)?;
    let Some(scope) = scope(ctx) else { return Ok(People { items: Vec::new(), next: None }) };
    let text = folded(&search.text);
    if text.is_empty() {
        let query = queries::users(scope, role);
        let cursor = cursor.map(|cursor| Cursor::decode(cursor, query.name())).transpose()?;
        let page = ctx.app().store().find(&query.limit(limit).after(cursor)).await?;
        return Ok(People { items: page.items, next: page.next.map(|cursor| cursor.encode()) });
    }
    search_all(ctx, &Narrowed { scope, text, role }, limit, cursor).await
}

/// How many [`list`] lists in all without a text.
///
/// # Errors
/// `forbidden` without `users:read`; `invalid_request`.
pub async fn count(ctx: &Ctx, search: &Search) -> Result<u64> {
    ctx.require(Permission::UsersRead)?;
    let role = checked(search)?;
    match scope(ctx) {
        Some(scope) => ctx.app().store().count(&queries::users(scope, role)).await,
        None => Ok(0),
    }
}

fn checked(search: &Search) -> Result<Option<Role>> {
    let mut faults = engify_core::error::Faults::default();
    if search.text.chars().count() > 200 {
        faults.push("q", "takes at most 200 characters");
    }
    let role = search.role.as_deref().filter(|role| !role.is_empty());
    let role = role.and_then(|role| faults.take("role", Role::parse(role)));
    faults.check()?;
    Ok(role)
}

/// A search with a text.
struct Narrowed {
    scope: Scope,
    text: String,
    role: Option<Role>,
}

/// What a text is compared with, in the order of the answer.
const WAYS: u32 = 3;

impl Narrowed {
    fn query(&self, way: u32) -> Query<User> {
        let scope = self.scope.clone();
        match way {
            0 => queries::users_by_name(scope, &self.text, self.role),
            1 => queries::users_by_last_name(scope, &self.text, self.role),
            _ => queries::users_by_address(scope, &self.text, self.role),
        }
    }

    /// Whether somebody was found in an earlier way already.
    fn is_repeated(&self, user: &User, way: u32) -> bool {
        let by_name = || folded(&user.name).starts_with(&self.text);
        let by_last_name = || last_word(&user.name).starts_with(&self.text);
        (way > 0 && by_name()) || (way > 1 && by_last_name())
    }
}

/// One way after the other until the page is full. The cursor says in which way it goes on, and where in it.
async fn search_all(ctx: &Ctx, narrowed: &Narrowed, limit: u32, cursor: Option<&str>) -> Result<People> {
    let (mut way, mut at) = cursor.map_or(Ok((0, String::new())), place)?;
    let mut items: Vec<User> = Vec::new();
    while way < WAYS {
        let room = limit - u32::try_from(items.len()).unwrap_or(limit);
        if room == 0 {
            return Ok(People { items, next: Some(format!("{way}.{at}")) });
        }
        let query = narrowed.query(way);
        let after = Some(at.as_str()).filter(|at| !at.is_empty());
        let after = after.map(|at| Cursor::decode(at, query.name())).transpose()?;
        let page = ctx.app().store().find(&query.limit(room).after(after)).await?;
        items.extend(page.items.into_iter().filter(|user| !narrowed.is_repeated(user, way)));
        (way, at) = match page.next {
            Some(next) => (way, next.encode()),
            None => (way + 1, String::new()),
        };
    }
    Ok(People { items, next: None })
}

fn place(cursor: &str) -> Result<(u32, String)> {
    let parts = cursor.split_once('.').and_then(|(way, at)| Some((way.parse::<u32>().ok()?, at.to_owned())));
    parts.filter(|(way, _)| *way < WAYS).ok_or_else(|| {
        let message = "The cursor is not one of this list; start again without it.";
        Error::new(Kind::Invalid, "invalid_cursor", message).detail("cursor", "is not a cursor of this list")
    })
}

/// Everybody whom the caller administers as CSV with a header row, newest first; at most 10 000, the newest.
///
/// # Errors
/// `forbidden` without `users:read`.
pub async fn export(ctx: &Ctx) -> Result<String> {
    ctx.require(Permission::UsersRead)?;
    let mut text =
        "id,email,name,role,organizationId,createdAt,emailVerifiedAt,lastSignInAt,disabledAt\r\n".to_owned();
    let Some(scope) = scope(ctx) else { return Ok(text) };
    let mut rows = 0;
    let mut query = queries::users(scope, None).limit(1000);
    while rows < MOST {
        let page = ctx.app().store().find(&query).await?;
        rows += page.items.len();
        page.items.iter().for_each(|user| text.push_str(&row(user)));
        if page.next.is_none() {
            break;
        }
        query = query.after(page.next);
    }
    Ok(text)
}

fn row(user: &User) -> String {
    let time = |time: Option<engify_core::Time>| time.map(|time| time.to_string()).unwrap_or_default();
    let organization = user.organization_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let cells = [
        user.id.to_string(),
        user.email.to_string(),
        user.name.clone(),
        user.role.to_string(),
        organization,
        user.created_at.to_string(),
        time(user.email_verified_at),
        time(user.last_sign_in_at),
        time(user.disabled_at),
    ];
    cells::row(cells)
}
