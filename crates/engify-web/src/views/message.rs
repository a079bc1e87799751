//! The JSON of messages to people, as administrators see them.

use engify_app::messages::Opened;
use engify_core::Time;
use engify_core::message::{Channel, Message, MessageKind, MessageState};
use schemars::JsonSchema;
use serde::Serialize;

/// A message to somebody, as administrators see it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageView {
    id: String,
    channel: Channel,
    kind: MessageKind,
    to: String,
    user_id: Option<String>,
    state: MessageState,
    attempts: u32,
    next_try_at: Option<Time>,
    failure: Option<FailureView>,
    created_at: Time,
    sent_at: Option<Time>,
    /// What it says, where it is kept and was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ContentView>,
}

/// Why a message did not go out, with the remedy.
#[derive(Debug, Serialize, JsonSchema)]
struct FailureView {
    kind: String,
    message: String,
}

/// What a message says.
#[derive(Debug, Serialize, JsonSchema)]
struct ContentView {
    subject: String,
    text: String,
    html: String,
}

impl From<&Message> for MessageView {
    fn from(message: &Message) -> Self {
        let failure = message.failure.as_ref();
        Self {
            id: message.id.to_string(),
            channel: message.channel,
            kind: message.kind,
            to: message.to.as_str().to_owned(),
            user_id: message.user_id.as_ref().map(ToString::to_string),
            state: message.state,
            attempts: message.attempts,
            next_try_at: message.next_try_at,
            failure: failure.map(|f| FailureView { kind: f.kind.clone(), message: f.message.clone() }),
            created_at: message.created_at,
            sent_at: message.sent_at,
            content: None,
        }
    }
}

impl From<Opened> for MessageView {
    fn from(opened: Opened) -> Self {
        let said = opened.content;
        let content =
            said.map(|said| ContentView { subject: said.subject, text: said.text, html: said.html });
        Self { content, ..Self::from(&opened.message) }
    }
}
