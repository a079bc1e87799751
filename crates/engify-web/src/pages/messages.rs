//! Messages to people, for administrators: what became of each, and what is kept here.

use engify_core::message::{Channel, Content, Message, MessageState};
use maud::{Markup, html};

use crate::ui::{
    Confirm, Frame, Head, Notice, Tone, breadcrumb, card, empty, figures, frame, heading, status, tabs,
};

/// What the list shows.
pub struct MessagesView<'a> {
    /// Newest first.
    pub messages: &'a [Message],
    /// Only those in this state.
    pub state: Option<MessageState>,
    /// Whether letters leave this installation.
    pub mailed: bool,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// `/opshub/messages`
pub fn list(at: &Frame<'_>, view: &MessagesView<'_>) -> Markup {
    let address = |state: Option<MessageState>, cursor: Option<&str>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let state = state.map(|state| ("state", state.as_str()));
        for (name, value) in state.into_iter().chain(cursor.map(|cursor| ("cursor", cursor))) {
            query.append_pair(name, value);
        }
        format!("/opshub/messages?{}", query.finish())
    };
    let states = std::iter::once(None).chain(MessageState::ALL.iter().copied().map(Some));
    let links: Vec<_> = states
        .map(|state| {
            let text = state.map_or("all", MessageState::as_str);
            (text, None, address(state, None), state == view.state)
        })
        .collect();
    let body = html! {
        (heading("Messages", html! {}))
        @if !view.mailed { (unset()) }
        (tabs("State", &links))
        @if view.messages.is_empty() {
            (empty("No messages", html! { "Letters about accounts and invitations, and codes by text message, are listed here for 30 days." }))
        } @else {
            div.card { table.data {
                thead { tr { th { "About" } th { "To" } th { "By" } th { "State" } th { "Note" } th { "When" } } }
                tbody { @for message in view.messages { (row(at, message)) } }
            } }
        }
        (super::pager(
            view.cursor.as_ref().map(|_| address(view.state, None)),
            view.next.as_deref().map(|next| address(view.state, Some(next))),
        ))
    };
    frame(at, &Head::new("Messages", "What was sent to people, and what became of it."), body)
}

fn unset() -> Notice {
    Notice::new(
        Tone::Info,
        "No mail server is set up: letters stay here for 7 days, for you to read and pass on. Set SENDGRID_API_KEY or SMTP_URL to send them.",
    )
}

fn row(at: &Frame<'_>, message: &Message) -> Markup {
    let note = note(message);
    html! {
        tr.run {
            td.main { a.cover href={ "/opshub/messages/" (message.id) } { (figures::label(message.kind.as_str())) } }
            td data-label="To" { (message.to.as_str()) }
            td data-label="By" { (by(message)) }
            td data-label="State" { (state(message)) }
            td data-label="Note" { @if !note.is_empty() { span.small.faint { (note) } } }
            td data-label="When" { span.quiet { (figures::when(at.now, message.created_at)) } }
        }
    }
}

fn by(message: &Message) -> &'static str {
    match message.channel {
        Channel::Mail => "mail",
        Channel::Sms => "text message",
    }
}

fn state(message: &Message) -> Markup {
    let tone = match message.state {
        MessageState::Queued if message.failure.is_some() => Tone::Warn,
        MessageState::Queued | MessageState::Kept => Tone::Info,
        MessageState::Sent | MessageState::Delivered => Tone::Ok,
        MessageState::Bounced | MessageState::Failed => Tone::Bad,
    };
    status(tone, message.state.as_str())
}

fn note(message: &Message) -> String {
    match (&message.failure, message.attempts) {
        (Some(failure), tries) if tries > 1 => format!("{}, {tries} tries", failure.kind.replace('_', " ")),
        (Some(failure), _) => failure.kind.replace('_', " "),
        (None, _) => String::new(),
    }
}

/// `/opshub/messages/{id}`
pub fn one(at: &Frame<'_>, message: &Message, content: Option<&Content>) -> Markup {
    let again = matches!(message.state, MessageState::Failed | MessageState::Kept)
        && message.channel == Channel::Mail
        && content.is_some();
    let title = figures::label(message.kind.as_str());
    let body = html! {
        (breadcrumb(&[("Messages", "/opshub/messages")]))
        (heading(&title, html! {
            (state(message))
            @if again { (Confirm {
                open: "Send again", title: "Send this letter again?",
                consequence: "It goes to the same address, with the same content.",
                button: "Send it", action: format!("/opshub/messages/{}/retry", message.id), fields: Vec::new(), destroys: false,
            }) }
        }))
        @if let Some(failure) = &message.failure { (Notice::new(Tone::Warn, failure.message.clone())) }
        div.pair {
            (card("What it says", html! {}, html! {
                @match content {
                    Some(content) => {
                        @if !content.subject.is_empty() { h3 { (content.subject) } }
                        div.verbatim { (content.text) }
                    },
                    None => p.quiet { "Gone: what a message says is dropped once it was sent, and after 7 days otherwise." },
                }
            }))
            (card("Its way", html! {}, html! { dl.facts {
                dt { "To" } dd { (message.to.as_str()) }
                dt { "By" } dd { (by(message)) }
                dt { "Written" } dd { (figures::when(at.now, message.created_at)) }
                @if let Some(sent) = message.sent_at { dt { "Sent" } dd { (figures::when(at.now, sent)) } }
                @if message.attempts > 0 { dt { "Tries" } dd { (message.attempts) } }
                @if let (MessageState::Queued, Some(next)) = (message.state, message.next_try_at) { dt { "Next try" } dd { (figures::when(at.now, next)) } }
                @if let Some(reference) = &message.reference { dt { "Reference" } dd { span.mono { (reference) } } }
            } }))
        }
    };
    frame(at, &Head::new(&title, "One message, and what became of it."), body)
}
