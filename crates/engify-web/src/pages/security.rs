//! How an account is kept safe: second factors, recovery codes, sessions.

use engify_app::identities::SignInProvider;
use engify_core::Time;
use engify_core::factor::Passkey;
use maud::{Markup, html};

use super::identities::{self, IdentityRow};
use super::settings::{inside, inside_with};
use crate::ui::form::{Faults, Field};
use crate::ui::qr::qr;
use crate::ui::{Confirm, Frame, Notice, Tone, card, copy_button, figures, flush, problem, status};

/// One signed-in browser.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// What ends it: the session's id.
    pub id: String,
    /// The browser in words: `Firefox on Linux`.
    pub agent: String,
    /// Where it began.
    pub address: String,
    /// The country, where a proxy in front says it.
    pub place: Option<String>,
    /// When it began.
    pub created_at: Time,
    /// When it was last used.
    pub last_seen_at: Time,
    /// Whether it is this one.
    pub current: bool,
}

/// What the security page shows.
#[derive(Default)]
pub struct SecurityView {
    /// Whether the account must have a second factor and has none.
    pub must_enrol: bool,
    /// Whether signing in asks for a second factor.
    pub enabled: bool,
    /// When the authenticator app was enrolled.
    pub totp_since: Option<Time>,
    /// The phone that gets codes, masked.
    pub phone: Option<String>,
    /// Oldest first.
    pub passkeys: Vec<Passkey>,
    /// Whether browsers make passkeys for this address.
    pub passkeys_possible: bool,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
    /// What else opens the account, oldest first.
    pub identities: Vec<IdentityRow>,
    /// The identity providers that can be linked.
    pub sign_in_providers: Vec<SignInProvider>,
    /// This one first, then by last use.
    pub sessions: Vec<SessionRow>,
    /// What is wrong with what was asked for.
    pub problem: Option<String>,
}

/// `/settings/security`
pub fn page(at: &Frame<'_>, view: &SecurityView) -> Markup {
    let body = html! {
        @if view.must_enrol {
            (Notice::new(Tone::Warn, "Administrators of this installation need a second factor. Enrol a passkey or an authenticator app; then everything else is open to you."))
        }
        (problem(view.problem.as_deref()))
        div.pair { (app(at, view)) (phone(view)) }
        (recovery(view))
        (passkeys(at, view))
        (identities::section(at, &view.identities, &view.sign_in_providers))
        (sessions(at, &view.sessions))
    };
    inside_with(at, "Security", &["passkey.js"], body)
}

fn app(at: &Frame<'_>, view: &SecurityView) -> Markup {
    let state = if view.totp_since.is_some() { status(Tone::Ok, "on") } else { status(Tone::Plain, "off") };
    card(
        "Authenticator app",
        state,
        html! { div.stack {
            @match view.totp_since {
                Some(since) => p { "Signing in asks for the app's code since " (figures::when(at.now, since)) "." },
                None => p { "An app on your phone shows a new code every 30 seconds. With it, a stolen password opens nothing." },
            }
            div.row.wrap {
                form method="post" action="/settings/security/totp" {
                    button type="submit" class=(if view.enabled { "btn" } else { "btn go" }) { (if view.totp_since.is_some() { "Use another app" } else { "Set up an app" }) }
                }
                @if view.totp_since.is_some() { (off("totp", "Remove the app", "Remove the authenticator app?")) }
            }
        } },
    )
}

fn phone(view: &SecurityView) -> Markup {
    let state = if view.phone.is_some() { status(Tone::Ok, "on") } else { status(Tone::Plain, "off") };
    card(
        "Text messages",
        state,
        html! { div.stack {
            @match &view.phone {
                Some(number) => p { "Signing in can be completed with a code that is sent to " span.mono { (number) } "." },
                None => p { "Codes by text message. Better than a password alone, weaker than an app or a passkey: numbers can be taken over." },
            }
            div.row.wrap {
                a.btn href="/settings/security/phone" { (if view.phone.is_some() { "Use another phone" } else { "Set up a phone" }) }
                @if view.phone.is_some() { (off("sms", "Remove the phone", "Remove the phone?")) }
            }
        } },
    )
}

/// A form behind a question that removes a kind of factor.
fn off(factor: &str, open: &str, title: &str) -> Markup {
    let confirm = Confirm {
        open,
        title,
        consequence: "Signing in no longer asks for it. Every other browser is signed out at once.",
        button: open,
        action: "/settings/security/remove".to_owned(),
        fields: vec![("factor", factor.to_owned())],
        destroys: true,
    };
    html! { (confirm) }
}

fn recovery(view: &SecurityView) -> Markup {
    let tone = match view.recovery_codes {
        _ if !view.enabled => Tone::Plain,
        0..=2 => Tone::Warn,
        _ => Tone::Ok,
    };
    card(
        "Recovery codes",
        status(tone, &format!("{} left", view.recovery_codes)),
        html! { div.stack {
            p { "Each opens your account once when phone and keys are gone. They come with the first factor and are shown once: keep them on paper." }
            @if view.enabled {
                div.row { (Confirm {
                    open: "Make new codes", title: "Make new recovery codes?",
                    consequence: "You get ten new ones, shown once. The old ones open nothing any more.",
                    button: "Make new codes", action: "/settings/security/codes".to_owned(), fields: Vec::new(), destroys: false,
                }) }
            }
        } },
    )
}

fn passkeys(at: &Frame<'_>, view: &SecurityView) -> Markup {
    let add = html! {
        div.body.stack {
            p { "A passkey opens your account by finger, face or PIN of your device, without a password; no other site can ask for it." }
            @if view.passkeys_possible {
                p.no-js.quiet { "Making one needs JavaScript." }
                div.row.wrap.js {
                    (Field::text("Name of the new passkey", "passkey").placeholder("This laptop").autocomplete("off"))
                    button.btn type="button" data-passkey="enrol" data-next="/settings/security?done=passkey" { "Add a passkey" }
                }
                p #passkey-said .fault role="alert" hidden {}
                section #fresh-codes hidden { (codes_box(html! {})) }
            } @else {
                p.quiet { "This installation's address allows none: it needs a name, and https unless it is localhost (NEXTAUTH_URL)." }
            }
        }
    };
    flush(
        "Passkeys",
        html! { span.small.faint { (view.passkeys.len()) } },
        html! {
            @if !view.passkeys.is_empty() { table.data {
                thead { tr { th { "Name" } th { "Enrolled" } th { "Last used" } th.r { span.sr { "Actions" } } } }
                tbody { @for passkey in &view.passkeys { (passkey_row(at, passkey)) } }
            } }
            (add)
        },
    )
}

fn passkey_row(at: &Frame<'_>, passkey: &Passkey) -> Markup {
    let action = |verb: &str| format!("/settings/security/passkeys/{}/{verb}", passkey.id);
    html! { tr {
        td.main { form.row method="post" action=(action("rename")) {
            input.input name="name" value=(passkey.name) required maxlength="60" aria-label={ "Name of " (passkey.name) };
            button.btn.bare type="submit" { "Rename" }
        } }
        td data-label="Enrolled" { span.quiet { (figures::when(at.now, passkey.created_at)) } }
        td data-label="Last used" { span.quiet { @match passkey.last_used_at { Some(used) => (figures::when(at.now, used)), None => "never" } } }
        td.r { (Confirm {
            open: "Delete", title: &format!("Delete “{}”?", passkey.name),
            consequence: "It opens your account no longer, and every other browser is signed out. Remove it from your device as well.",
            button: "Delete the passkey", action: action("delete"), fields: Vec::new(), destroys: true,
        }) }
    } }
}

fn sessions(at: &Frame<'_>, sessions: &[SessionRow]) -> Markup {
    let others = sessions.iter().filter(|session| !session.current).count();
    let aside = html! {
        @if others > 0 { (Confirm {
            open: "End all others", title: "End all other sessions?",
            consequence: "Every other browser is signed out at once and must sign in again. This one stays. API keys go on working.",
            button: "End all other sessions", action: "/settings/sessions/end".to_owned(), fields: vec![("id", "all".to_owned())], destroys: true,
        }) }
    };
    flush(
        "Sessions",
        aside,
        html! {
            table.data {
                thead { tr { th { "Browser" } th { "Address" } th { "Began" } th { "Last used" } th.r { span.sr { "Actions" } } } }
                tbody { @for session in sessions { tr {
                    td.main { (session.agent) @if session.current { " " span.chip { "This one" } } }
                    td data-label="Address" { span.mono { (session.address) } @if let Some(place) = &session.place { " " span.chip { (place) } } }
                    td data-label="Began" { span.quiet { (figures::when(at.now, session.created_at)) } }
                    td data-label="Last used" { span.quiet { (figures::when(at.now, session.last_seen_at)) } }
                    td.r { @if !session.current {
                        form method="post" action="/settings/sessions/end" {
                            input type="hidden" name="id" value=(session.id);
                            button.btn.bare type="submit" aria-label={ "End the session of " (session.agent) } { "End" }
                        }
                    } }
                } } }
            }
        },
    )
}

/// What the page of an authenticator app shows.
pub struct TotpView {
    /// Base32, to type in.
    pub secret: String,
    /// To scan.
    pub url: String,
    /// What is wrong with the code.
    pub faults: Vec<engify_core::error::Detail>,
    /// What is wrong beyond it.
    pub problem: Option<String>,
}

/// `/settings/security/totp`
pub fn totp(at: &Frame<'_>, view: &TotpView) -> Markup {
    let spaced: Vec<&str> =
        view.secret.as_bytes().chunks(4).filter_map(|part| std::str::from_utf8(part).ok()).collect();
    let body = html! {
        (problem(view.problem.as_deref()))
        div.pair {
            (card("1. Scan", html! {}, html! { div.stack {
                (qr(&view.url, "QR code for the authenticator app"))
                p { "Cannot scan? Type this secret into the app:" }
                div.row.wrap { code.key #secret { (spaced.join(" ")) } (copy_button("#secret", "Copy")) }
            } }))
            (card("2. Type the code that the app shows", html! {}, html! {
                form.stack.gap-16 method="post" action="/settings/security/totp/confirm" {
                    (Field::text("Code", "code").required().autocomplete("one-time-code").help("Six digits. Nothing changes until a code fits. Other browsers are then signed out.").faults(Faults(&view.faults)).focus())
                    div.row { button.btn.go type="submit" { "Turn it on" } a.btn.bare href="/settings/security" { "Not now" } }
                }
            }))
        }
    };
    inside(at, "Set up an authenticator app", body)
}

/// What the page of a phone shows.
#[derive(Default)]
pub struct PhoneView {
    /// The number that waits for its first code, masked.
    pub pending: Option<String>,
    /// What was typed as the number.
    pub number: String,
    /// What is wrong with the number or the code.
    pub faults: Vec<engify_core::error::Detail>,
    /// What is wrong beyond them.
    pub problem: Option<String>,
}

/// `/settings/security/phone`
pub fn phone_page(at: &Frame<'_>, view: &PhoneView) -> Markup {
    let faults = Faults(&view.faults);
    let waiting = view.pending.is_some();
    let number = Field::input("tel", "Phone number", "phone")
        .value(&view.number)
        .placeholder("+15005550006")
        .required()
        .autocomplete("tel")
        .help("With its country. A code goes there; nothing changes until you type it.")
        .faults(faults);
    let body = html! {
        (problem(view.problem.as_deref()))
        div.pair {
            (card("1. Your number", html! {}, html! {
                form.stack.gap-16 method="post" action="/settings/security/phone" {
                    (if waiting { number } else { number.focus() })
                    div.row {
                        button type="submit" class=(if waiting { "btn" } else { "btn go" }) { (if waiting { "Send another code" } else { "Send a code" }) }
                        a.btn.bare href="/settings/security" { "Not now" }
                    }
                }
            }))
            @if let Some(pending) = &view.pending {
                (card("2. Type the code", html! {}, html! {
                    form.stack.gap-16 method="post" action="/settings/security/phone/confirm" {
                        (Field::text("Code", "code").required().autocomplete("one-time-code").help("Six digits; they work for 10 minutes. Other browsers are then signed out.").faults(faults).focus())
                        p.quiet { "Sent to " span.mono { (pending) } "." }
                        div.row { button.btn.go type="submit" { "Turn it on" } }
                    }
                }))
            }
        }
    };
    inside(at, "Set up a phone", body)
}

/// Recovery codes, this once.
pub fn codes(at: &Frame<'_>, codes: &[String]) -> Markup {
    let list = html! { (codes.join("\n")) };
    let body = html! {
        (codes_box(list))
        p { a.btn.go href="/settings/security" { "I have them" } }
    };
    inside(at, "Recovery codes", body)
}

fn codes_box(codes: Markup) -> Markup {
    html! { section.card.fresh {
        header { h2 { "Your recovery codes" } (status(Tone::Warn, "shown only now")) }
        div.body.stack {
            p { "Print them, or write them down. Each opens your account once if your phone and your passkeys are gone." }
            div.code-line { pre tabindex="0" { code #codes { (codes) } } (copy_button("#codes", "Copy")) }
        }
    } }
}
