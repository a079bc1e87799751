//! The two frames that every page stands in: a top bar for visitors, rail and top bar for people who signed in.

use engify_core::Time;
use engify_core::permission::{Permission, Role};
use maud::{DOCTYPE, Markup, html};

use super::{Icon, Notice, figures, icon};
use crate::assets::Assets;

/// What a request brings to whatever page it gets.
pub struct Frame<'a> {
    /// Where assets have their public names.
    pub assets: &'a Assets,
    /// The moment that "3 min ago" counts from.
    pub now: Time,
    /// The request's path; decides which entry of the navigation is current.
    pub path: &'a str,
    /// Who is signed in.
    pub user: Option<FrameUser>,
    /// Said once, above the page: what just happened.
    pub notice: Option<Notice>,
    /// Whether strangers may make an account.
    pub signup_open: bool,
}

/// The scripts that import `stream.js`.
const STREAMING: [&str; 2] = ["run.js", "bench.js"];

/// Who is signed in, as far as the frame needs to know.
pub struct FrameUser {
    /// As people call them.
    pub name: String,
    /// Decides which parts are offered.
    pub role: Role,
}

/// What a page says of itself.
pub struct Head<'a> {
    /// The page's title, without the product's name.
    pub title: &'a str,
    /// One sentence for search engines and previews.
    pub description: &'a str,
    /// Where the search field is.
    pub find: Find<'a>,
    /// Scripts beside the common one: `run.js`, `bench.js`.
    pub scripts: &'a [&'a str],
}

/// Where the search field is. There is one on every page: `input#q`.
pub enum Find<'a> {
    /// In the top bar.
    Bar {
        /// What was searched.
        text: &'a str,
        /// What else the question holds, as hidden fields.
        keep: Vec<(&'static str, String)>,
    },
    /// In the page itself.
    Page,
}

impl<'a> Head<'a> {
    /// A page with the search field in the top bar and no script of its own.
    pub fn new(title: &'a str, description: &'a str) -> Self {
        Self { title, description, find: Find::Bar { text: "", keep: Vec::new() }, scripts: &[] }
    }

    /// The search field is in the page itself.
    #[must_use]
    pub fn finds_in_page(self) -> Self {
        Self { find: Find::Page, ..self }
    }

    /// Adds scripts of the page's own.
    #[must_use]
    pub fn with_scripts(self, scripts: &'a [&'a str]) -> Self {
        Self { scripts, ..self }
    }
}

impl Frame<'_> {
    /// Whether the person may do this; nobody may do anything unless signed in.
    pub fn may(&self, permission: Permission) -> bool {
        self.user.as_ref().is_some_and(|user| user.role.allows(permission))
    }

    fn is_at(&self, link: &str) -> Option<&'static str> {
        let below = |base: &str| self.path.strip_prefix(base).is_some_and(|rest| rest.starts_with('/'));
        let exact_only = link == "/opshub";
        (self.path == link || (!exact_only && below(link))).then_some("page")
    }
}

/// The whole document around `body`.
pub fn frame(frame: &Frame<'_>, head: &Head<'_>, body: Markup) -> Markup {
    let scripts = head.scripts.iter().chain(&["app.js"]);
    let title = if head.title.is_empty() {
        "Engify: a prompt library that runs".to_owned()
    } else {
        format!("{} · Engify", head.title)
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                title { (title) }
                meta name="description" content=(head.description);
                meta name="color-scheme" content="light dark";
                link rel="icon" href=(frame.assets.url("favicon.svg")) type="image/svg+xml";
                script src=(frame.assets.url("theme.js")) {}
                link rel="stylesheet" href=(frame.assets.url("app.css"));
                @if head.scripts.iter().any(|script| STREAMING.contains(script)) {
                    link rel="modulepreload" href=(frame.assets.url("stream.js"));
                }
                @for script in scripts {
                    script type="module" src=(frame.assets.url(script)) {}
                }
            }
            body {
                a.skip href="#main" { "Skip to content" }
                @match &frame.user {
                    Some(user) => (signed_in(frame, user, head, &body)),
                    None => (public(frame, head, &body)),
                }
                div #toast role="status" aria-live="polite" {}
            }
        }
    }
}

fn public(frame: &Frame<'_>, head: &Head<'_>, body: &Markup) -> Markup {
    let links =
        [("/prompts", "Library"), ("/patterns", "Patterns"), ("/api-docs", "API"), ("/status", "Status")];
    html! {
        header.public-bar { div.bar {
            a.mark href="/" { (icon::mark()) "Engify" }
            nav.links aria-label="Main" {
                @for (href, text) in links { a href=(href) aria-current=[frame.is_at(href)] { (text) } }
            }
            @if let Find::Bar { text, keep } = &head.find { (find(text, keep, "find")) } @else { span.grow {} }
            (theme_button())
            a.btn.bare href="/login" { "Sign in" }
            @if frame.signup_open { a.btn.hide-s href="/signup" { "Create an account" } }
            details.menu.show-s {
                summary.btn.bare aria-label="Menu" { (Icon::Menu) }
                div.float {
                    @for (href, text) in links { a href=(href) { (text) } }
                    @if frame.signup_open { a href="/signup" { "Create an account" } }
                }
            }
        } }
        main #main .page.public tabindex="-1" { (said(frame)) (body) }
    }
}

fn signed_in(frame: &Frame<'_>, user: &FrameUser, head: &Head<'_>, body: &Markup) -> Markup {
    let link = |href: &str, drawing: Icon, text: &str| {
        html! { a href=(href) aria-current=[frame.is_at(href)] { (drawing) span { (text) } } }
    };
    html! {
        div.app {
            nav.rail aria-label="Main" {
                a.mark href="/" { (icon::mark()) "Engify" }
                (link("/prompts", Icon::Library, "Library"))
                (link("/patterns", Icon::Patterns, "Patterns"))
                (link("/workbench", Icon::Workbench, "Workbench"))
                (link("/history", Icon::History, "History"))
                (link("/dashboard", Icon::Dashboard, "Dashboard"))
                div.more {
                    p.group { "Settings" }
                    (link("/settings/keys", Icon::Key, "API keys"))
                    (link("/settings/providers", Icon::Plug, "Providers"))
                    (link("/settings/profile", Icon::User, "Profile"))
                    (link("/settings/security", Icon::Shield, "Security"))
                    (link("/settings/organization", Icon::Users, "Organization"))
                    @if user.role.is_admin() {
                        p.group { "OpsHub" }
                        @if user.role.allows(Permission::SystemRead) { (link("/opshub", Icon::Pulse, "Overview")) }
                        @if user.role.allows(Permission::SystemSettings) { (link("/opshub/providers", Icon::Plug, "Providers")) }
                        @if user.role.allows(Permission::UsersRead) { (link("/opshub/users", Icon::Users, "Users")) }
                        @if user.role.allows(Permission::OrganizationManage) { (link("/opshub/organizations", Icon::Library, "Organizations")) }
                        @if user.role.allows(Permission::AuditRead) { (link("/opshub/audit", Icon::Log, "Audit")) }
                        @if user.role.allows(Permission::SystemRead) { (link("/opshub/messages", Icon::Letter, "Messages")) }
                        @if user.role.allows(Permission::SystemRead) { (link("/opshub/jobs", Icon::Again, "Jobs")) }
                        @if user.role.allows(Permission::SystemBackup) { (link("/opshub/backups", Icon::Archive, "Backups")) }
                    }
                }
                a.foot href="/api-docs" aria-current=[frame.is_at("/api-docs")] { (Icon::Code) span { "API" } }
            }
            div.column {
                header.top {
                    a.mark.show-s href="/" aria-label="Engify, home" { (icon::mark()) }
                    @if let Find::Bar { text, keep } = &head.find { (find(text, keep, "find")) } @else { span.grow {} }
                    span.grow {}
                    (theme_button())
                    (person_menu(user))
                }
                main #main .page tabindex="-1" { (said(frame)) (body) }
            }
        }
    }
}

fn person_menu(user: &FrameUser) -> Markup {
    html! {
        details.menu {
            summary { span.me aria-hidden="true" { (figures::initials(&user.name)) } span.sr { "Account of " (user.name) } }
            div.float {
                p { b { (user.name) } br; small.faint { (figures::label(user.role.as_str())) } }
                a href="/settings/profile" { (Icon::User) "Profile" }
                a href="/settings/security" { (Icon::Shield) "Security" }
                a href="/settings/organization" { (Icon::Users) "Organization" }
                a href="/settings/keys" { (Icon::Key) "API keys" }
                a href="/settings/providers" { (Icon::Plug) "Providers" }
                @if user.role.is_admin() {
                    a.show-s href=(if user.role.allows(Permission::SystemRead) { "/opshub" } else { "/opshub/users" }) {
                        (Icon::Pulse) "OpsHub"
                    }
                }
                form method="post" action="/logout" { button type="submit" { (Icon::Leave) "Sign out" } }
            }
        }
    }
}

fn theme_button() -> Markup {
    html! { button.btn.bare.js type="button" data-theme-toggle aria-label="Switch between light and dark" { (Icon::Theme) } }
}

fn said(frame: &Frame<'_>) -> Markup {
    html! { @if let Some(notice) = &frame.notice { (notice) } }
}

/// The search form around `input#q`; `class` says how large it is.
pub fn find(text: &str, keep: &[(&'static str, String)], class: &str) -> Markup {
    html! {
        form class=(class) role="search" action="/prompts" method="get" {
            (Icon::Search)
            label.sr for="q" { "Search prompts" }
            input #q name="q" type="search" value=(text) placeholder="Search prompts" autocomplete="off"
                spellcheck="false" maxlength="400";
            @for (name, value) in keep { input type="hidden" name=(name) value=(value); }
            kbd aria-hidden="true" { "/" }
        }
    }
}
