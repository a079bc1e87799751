//! What must hold on every page: one h1, nothing inline, everything escaped, names that the browser tests use.

use engify_app::identities::{Pending, Proof, SignInProvider};
use engify_core::Time;
use engify_core::message::{Content, Message};
use engify_core::permission::Role;
use engify_core::prompt::Prompt;
use engify_core::provider_key::KeySource;
use engify_core::run::Run;
use engify_core::words::Email;
use maud::Markup;

use super::*;
use crate::assets::Assets;
use crate::ui::{Frame, FrameUser, Notice, Tone};

mod backup_pages;
mod jobs_pages;
mod people;

use people::{asked, people_views, person, team};

const HOSTILE: &str = "</title><script>alert(1)</script>\"' onload=x {{a}}";

fn frame<'a>(assets: &'a Assets, path: &'a str, signed_in: bool) -> Frame<'a> {
    let user = FrameUser { name: HOSTILE.to_owned(), role: Role::SuperAdmin };
    Frame {
        assets,
        now: Time::from_millis(1_795_000_000_000),
        path,
        user: signed_in.then_some(user),
        notice: Some(Notice::new(Tone::Ok, HOSTILE)),
        signup_open: true,
    }
}

fn owned() -> serde_json::Value {
    serde_json::json!({ "userId": "u", "organizationId": null, "visibility": "private", "audience": "user:u" })
}

fn with(mut fields: serde_json::Value) -> serde_json::Value {
    let owned = owned();
    fields.as_object_mut().unwrap().extend(owned.as_object().unwrap().clone());
    fields
}

fn prompt() -> Prompt {
    serde_json::from_value(with(serde_json::json!({
        "_id": "p", "slug": "a-prompt", "title": HOSTILE, "description": HOSTILE, "content": HOSTILE,
        "category": "engineering", "role": "qa", "tags": ["x"], "pattern": "rubric", "featured": false, "version": 1,
        "variables": [{ "name": "a", "label": HOSTILE, "default": HOSTILE, "help": HOSTILE }],
        "author": HOSTILE, "source": "user", "uses": 1, "ratingSum": 0, "ratingCount": 0,
        "createdAt": "2026-11-22T18:04:05.000Z", "updatedAt": "2026-11-22T18:04:05.000Z",
    })))
    .unwrap()
}

fn run() -> Run {
    serde_json::from_value(with(serde_json::json!({
        "_id": "r", "runId": "r", "keyId": null, "promptId": null, "promptSlug": "a-prompt", "promptVersion": 1,
        "provider": "openai", "model": HOSTILE, "status": "failed", "failure": "bad_key", "systemPrompt": HOSTILE,
        "prompt": HOSTILE, "response": HOSTILE, "cost": null, "latencyMs": 1.0, "firstTokenMs": null, "temperature": null,
        "usage": { "promptTokens": 1, "completionTokens": 1, "totalTokens": 2, "estimated": true }, "maxTokens": null,
        "createdAt": "2026-11-22T18:04:05.000Z",
    })))
    .unwrap()
}

fn message() -> Message {
    serde_json::from_value(serde_json::json!({
        "_id": "m", "channel": "mail", "kind": "reset_password", "to": HOSTILE, "userId": null, "content": null,
        "state": "failed", "attempts": 3, "nextTryAt": null, "usefulUntilAt": null, "reference": HOSTILE, "sentAt": null,
        "failure": { "kind": "bad_key", "message": HOSTILE }, "createdAt": "2026-11-22T18:04:05.000Z",
        "expiresAt": "2026-11-29T18:04:05.000Z",
    }))
    .unwrap()
}

fn model() -> ModelChoice {
    ModelChoice {
        provider: "openai".into(),
        provider_label: "OpenAI".into(),
        model: "gpt-4o-mini".into(),
        label: HOSTILE.into(),
        price: Some((0.15, 0.6)),
        ready: true,
    }
}

/// Every page that takes words from people, filled with a hostile one.
fn all_pages(signed_in: bool) -> Vec<(&'static str, Markup)> {
    let assets = Assets::new(None);
    let at = |path| frame(&assets, path, signed_in);
    let (prompt, run) = (prompt(), run());
    let card = || vec![CardView::from(&prompt)];
    let row = || vec![RunRow { run: &run, title: Some(HOSTILE.into()) }];
    let account = || account::AccountView {
        name: HOSTILE.into(),
        email: HOSTILE.into(),
        problem: Some(HOSTILE.into()),
        next: Some(HOSTILE.into()),
        sign_in_providers: vec![SignInProvider { id: "oidc", label: HOSTILE.into() }],
        ..Default::default()
    };
    let panel = || run_panel::RunPanel {
        models: vec![model()],
        chosen: "openai/gpt-4o-mini".into(),
        problem: Some(HOSTILE.into()),
        run: Some(&run),
        ..Default::default()
    };
    let detail = |tab| prompt::PromptView {
        prompt: &prompt,
        tab,
        run: panel(),
        mine: Some(prompt::Mine::default()),
        may_edit: true,
        may_delete: true,
        related: card(),
        pattern_title: Some(HOSTILE.into()),
    };
    let library = library::LibraryView {
        query: library_query::LibraryQuery {
            text: HOSTILE.into(),
            tag: Some(HOSTILE.into()),
            ..Default::default()
        },
        cards: card(),
        matching: 1,
        total: 1,
        took_ms: 1.0,
        corrected: Some(HOSTILE.into()),
        facets: library::FacetsView { tag: vec![(HOSTILE.into(), 1)], ..Default::default() },
        cursor: Some("c".into()),
        next: Some(HOSTILE.into()),
        may_write: true,
        reaches: &[("private", "Only me")],
    };
    let values = prompt_form::PromptValues {
        title: HOSTILE.into(),
        content: HOSTILE.into(),
        variables: vec![prompt_form::VariableValues { name: HOSTILE.into(), ..Default::default() }],
        ..Default::default()
    };
    let keys = keys::KeysView {
        url: HOSTILE.into(),
        fresh: Some(keys::FreshKey { name: HOSTILE.into(), key: "egf_x".into() }),
        ..Default::default()
    };
    let stored: engify_core::provider_key::ProviderKey = serde_json::from_value(with(serde_json::json!({
        "_id": "k", "provider": "openai", "sealed": { "keyId": "k", "nonce": "n", "text": "t" }, "hint": HOSTILE,
        "createdAt": "2026-11-22T18:04:05.000Z", "updatedAt": "2026-11-22T18:04:05.000Z", "lastUsedAt": null,
        "lastTest": { "testedAt": "2026-11-22T18:04:05.000Z", "ok": false, "reason": HOSTILE },
    })))
    .unwrap();
    let provider = |id: &str| providers::ProviderRow {
        id: id.into(),
        label: HOSTILE.into(),
        source: Some(KeySource::Own),
        setting: HOSTILE.into(),
        key_format: Some(HOSTILE.into()),
        key_page: None,
        own: Some(stored.clone()),
        organization: Some(stored.clone()),
        models: vec![(model(), None)],
    };
    let trial = || providers::TrialRow {
        source: KeySource::Own,
        label: HOSTILE.into(),
        hint: Some(HOSTILE.into()),
        format_ok: Some(true),
        ok: false,
        reason: HOSTILE.into(),
        message: HOSTILE.into(),
        latency_ms: None,
    };
    let all_providers = providers::ProvidersView {
        providers: vec![provider("openai"), provider("groq")],
        manages: true,
        trials: vec![trial()],
        wrong: Some((KeySource::Own, "openai".into(), HOSTILE.into())),
        problem: Some(HOSTILE.into()),
        ..Default::default()
    };
    let installed = opshub_providers::InstalledView {
        rows: vec![opshub_providers::InstalledRow {
            label: HOSTILE.into(),
            setting: HOSTILE.into(),
            configured: true,
            value: Some(HOSTILE.into()),
            address: HOSTILE.into(),
        }],
        trials: Some(vec![trial()]),
    };
    let one_key: engify_core::api_key::ApiKey = serde_json::from_value(with(serde_json::json!({
        "_id": "k", "name": HOSTILE, "prefix": "egf_12345678", "keyHash": "h", "scopes": [], "expiresAt": null,
        "lastUsedAt": null, "revokedAt": null, "replacedBy": null, "createdAt": "2026-11-22T18:04:05.000Z",
    })))
    .unwrap();
    let one_key = key::KeyView {
        key: &one_key,
        terms: key::TermsValues { name: HOSTILE.into(), addresses: HOSTILE.into(), ..Default::default() },
        usage: Default::default(),
        faults: vec![engify_core::error::Detail { field: "addresses".into(), issue: HOSTILE.into() }],
        problem: Some(HOSTILE.into()),
    };
    let home = home::HomeView {
        prompts: 1,
        patterns: 1,
        providers_ready: 0,
        trouble: Some(HOSTILE.into()),
        featured: card(),
    };
    let history = history::HistoryView {
        rows: row(),
        matching: Some(1),
        filters: history::HistoryFilters { text: HOSTILE.into(), ..Default::default() },
        providers: vec![HOSTILE.into()],
        cost: Default::default(),
        cost_sum: HOSTILE.into(),
        cursor: None,
        next: Some(HOSTILE.into()),
    };
    let bench = workbench::WorkbenchView {
        may_share: true,
        prompt: HOSTILE.into(),
        models: vec![model()],
        chosen: vec!["openai/gpt-4o-mini".into()],
        answers: vec![workbench::Answer {
            model: "openai/gpt-4o-mini".into(),
            run: Some(&run),
            problem: Some(HOSTILE.into()),
        }],
        ..Default::default()
    };
    let one_run = history::RunView {
        run: &run,
        title: Some(HOSTILE.into()),
        owner: Some(HOSTILE.into()),
        problem: Some(HOSTILE.into()),
        may_share: true,
    };
    let sign_in_providers = || vec![SignInProvider { id: "oidc", label: HOSTILE.into() }];
    let link = |proof| identities::LinkView {
        pending: Pending {
            provider: HOSTILE.into(),
            email: Email::parse("a'{x}@example.com").unwrap(),
            proof,
        },
        ticket: HOSTILE.into(),
        faults: Vec::new(),
        problem: Some(HOSTILE.into()),
    };
    let identity = identities::IdentityRow {
        id: HOSTILE.into(),
        provider: HOSTILE.into(),
        email: HOSTILE.into(),
        created_at: Time::from_millis(0),
        last_used_at: Time::from_millis(0),
    };
    let secured = security::SecurityView {
        identities: vec![identity],
        sign_in_providers: sign_in_providers(),
        ..Default::default()
    };
    let error = errors::ErrorView { status: 404, message: HOSTILE, request_id: HOSTILE, retry_after: None };
    let document = serde_json::json!({ "info": { "description": HOSTILE }, "paths": { HOSTILE: { "get": { "tags": [HOSTILE], "summary": HOSTILE, "description": HOSTILE } } } });
    let (person, team, asked) = (person(), team(), asked());
    let (users_view, new_user, one_user) = people_views(&person, &team);
    let organizations_view = organizations::OrganizationsView {
        organizations: vec![organizations::OrganizationRow {
            organization: team.clone(),
            members: 2,
            invitations: 1,
        }],
        text: HOSTILE.into(),
        cursor: Some("c".into()),
        next: Some(HOSTILE.into()),
    };
    let about = || organization::About {
        organization: &team,
        base: organization::OWN,
        members: 2,
        invitations: 1,
        may_manage: true,
        may_end: true,
    };
    let start = organization::StartView {
        name: HOSTILE.into(),
        joinable: std::slice::from_ref(&team),
        problem: Some(HOSTILE.into()),
        ..Default::default()
    };
    let members = organization::MembersView {
        about: about(),
        members: std::slice::from_ref(&person),
        me: "somebody",
        roles: vec![Role::OrgMember, Role::OrgAdmin],
        cursor: None,
        next: Some("n".into()),
    };
    let sent = organization::invitations::InvitationsView {
        about: about(),
        invitations: std::slice::from_ref(&asked),
        email: HOSTILE.into(),
        role: "org_member".into(),
        roles: vec![Role::OrgMember],
        faults: Vec::new(),
        problem: Some(HOSTILE.into()),
        cursor: None,
        next: None,
    };
    let settings = organization::settings::SettingsView {
        about: about(),
        values: organization::settings::SettingsValues { domains: HOSTILE.into(), ..Default::default() },
        faults: Vec::new(),
        end_faults: Vec::new(),
        problem: Some(HOSTILE.into()),
    };
    let invited = invitation::InvitationView {
        organization: HOSTILE,
        inviter: HOSTILE,
        invitation: &asked,
        offer: invitation::Offer::SignUp,
        path: "/invitations/t",
        name: HOSTILE.into(),
        faults: Vec::new(),
        problem: Some(HOSTILE.into()),
    };
    let message = message();
    let content = Content { subject: HOSTILE.into(), text: HOSTILE.into(), html: HOSTILE.into() };
    let letters = messages::MessagesView {
        messages: std::slice::from_ref(&message),
        state: None,
        mailed: false,
        cursor: None,
        next: Some(HOSTILE.into()),
    };
    let form = prompt_form::PromptFormView { values, preview: true, ..Default::default() };
    let mut pages = jobs_pages::all(&at);
    pages.extend(backup_pages::all(&at));
    pages.extend(vec![
        ("home", home::page(&at("/"), &home)),
        ("library", library::page(&at("/prompts"), &library)),
        ("prompt", prompt::page(&at("/prompts/a-prompt"), &detail(prompt::PromptTab::Prompt))),
        ("runs of a prompt", prompt::page(&at("/prompts/a-prompt"), &detail(prompt::PromptTab::Runs(row())))),
        ("about a prompt", prompt::page(&at("/prompts/a-prompt"), &detail(prompt::PromptTab::About))),
        ("prompt form", prompt_form::page(&at("/prompts/new"), &form)),
        ("workbench", workbench::page(&at("/workbench"), &bench)),
        ("history", history::list(&at("/history"), &history)),
        ("run", history::page(&at("/history/r"), &one_run)),
        ("keys", keys::page(&at("/settings/keys"), &keys)),
        ("key", key::page(&at("/settings/keys/k"), &one_key)),
        ("providers", providers::page(&at("/settings/providers"), &all_providers)),
        ("installed providers", opshub_providers::page(&at("/opshub/providers"), &installed)),
        ("login", account::login(&at("/login"), &account())),
        ("signup", account::signup(&at("/signup"), &account())),
        ("setup", account::setup(&at("/setup"), &account(), HOSTILE)),
        ("forgot", recovery::forgot(&at("/forgot-password"), &account(), false)),
        ("reset", recovery::reset(&at("/reset-password"), &account(), HOSTILE)),
        ("verify", recovery::verify(&at("/verify-email"), &account(), HOSTILE)),
        ("spent", recovery::spent(&at("/verify-email"), &account())),
        ("messages", messages::list(&at("/opshub/messages"), &letters)),
        ("message", messages::one(&at("/opshub/messages/m"), &message, Some(&content))),
        ("users", users::list(&at("/opshub/users"), &users_view)),
        ("new user", users::new(&at("/opshub/users/new"), &new_user)),
        ("one user", users::one(&at("/opshub/users/u"), &one_user)),
        ("organizations", organizations::list(&at("/opshub/organizations"), &organizations_view)),
        ("no organization", organization::start(&at("/settings/organization"), &start)),
        ("members", organization::members(&at("/settings/organization"), &members)),
        ("invitations", organization::invitations::page(&at("/settings/organization/invitations"), &sent)),
        (
            "organization settings",
            organization::settings::page(&at("/settings/organization/settings"), &settings),
        ),
        ("invitation", invitation::page(&at("/invitations/t"), &invited)),
        ("link", identities::link(&at("/login/link"), &link(Proof::Password))),
        ("link with consent", identities::link(&at("/login/link"), &link(Proof::Consent))),
        ("link elsewhere", identities::link(&at("/login/link"), &link(Proof::SignIn))),
        ("security", security::page(&at("/settings/security"), &secured)),
        ("error", errors::page(&at("/nowhere"), &error)),
        ("api docs", api_docs::page(&at("/api-docs"), &document, HOSTILE)),
    ]);
    pages
}

#[test]
fn no_page_holds_anything_inline_or_unescaped() {
    for (name, markup) in all_pages(true).into_iter().chain(all_pages(false)) {
        let html = markup.into_string();
        assert!(!html.contains("<script>"), "{name}: an inline script");
        assert!(!html.contains("<style") && !html.contains(" style="), "{name}: an inline style");
        assert!(!html.contains("\" onload=x") && !html.contains("onclick="), "{name}: a handler");
        assert!(!html.contains("</title><script"), "{name}: a word of somebody became markup");
        assert_eq!(html.matches("<h1").count(), 1, "{name}: one h1");
        assert_eq!(html.matches("id=\"q\"").count(), 1, "{name}: one search field");
        assert!(html.contains(" id=\"main\""), "{name}: a main");
    }
}

#[test]
fn ids_are_unique_on_a_page() {
    for (name, markup) in all_pages(true) {
        let html = markup.into_string();
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: {ids:?}");
    }
}

#[test]
fn hooks_of_the_browser_tests_are_there() {
    let pages = all_pages(true);
    let html = |name: &str| pages.iter().find(|page| page.0 == name).map(|page| page.1.0.clone()).unwrap();
    for (page, hook) in [
        ("library", "class=\"hit\" href=\"/prompts/a-prompt\""),
        ("prompt", "<form id=\"run\" method=\"post\" action=\"/prompts/a-prompt/run"),
        ("prompt", "name=\"provider-model\""),
        ("prompt", "value=\"openai/gpt-4o-mini\""),
        ("prompt", "name=\"var.a\""),
        ("prompt", "id=\"answer\""),
        ("prompt", "id=\"meter\""),
        ("prompt", "data-copy=\"#filled\""),
        ("keys", "<code class=\"key\" id=\"new-key\">egf_x</code>"),
        ("keys", "Create key"),
        ("history", "<tr class=\"run\">"),
        ("signup", "Create account"),
        ("signup", "<label for=\"f-password\">Password</label>"),
        ("login", "<label for=\"f-email\">Email</label>"),
    ] {
        assert!(html(page).contains(hook), "{page} lacks {hook}");
    }
}
