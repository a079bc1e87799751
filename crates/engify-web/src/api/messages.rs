//! Messages to people, for administrators; and what the servers that took them report.

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use engify_app::limits::presets;
use engify_app::messages::{self, SendGridReport, TwilioReport};
use engify_core::error::Faults;
use engify_core::message::MessageState;
use engify_core::permission::Permission;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::limit;
use crate::extract::{Caller, Query};
use crate::policy::Policy;
use crate::reply::{Done, List, Reply, json};
use crate::route::{self, Route};
use crate::views::MessageView;
use crate::web::Web;

/// The largest report: SendGrid gathers up to some hundred events in one.
const REPORT: usize = 1024 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const RETRY: Policy = Policy::needs(Permission::SystemSettings).limit(presets::WRITE);
    const HOOK: Policy = Policy::PUBLIC.body(REPORT);
    vec![
        Route::get("/api/admin/messages", Policy::needs(Permission::SystemRead), list)
            .named("Administration", "Messages to people, newest first")
            .query::<MessagesQuery>()
            .gives::<List<MessageView>>(StatusCode::OK, "without what they say"),
        Route::get("/api/admin/messages/{id}", Policy::needs(Permission::SystemSettings), one)
            .named("Administration", "One message, with what it says where that is kept; audited")
            .gives::<MessageView>(StatusCode::OK, "the message"),
        Route::post("/api/admin/messages/{id}/retry", RETRY, retry)
            .named("Administration", "Send a message again that failed or was kept")
            .gives::<MessageView>(StatusCode::OK, "the message, queued")
            .refuses(&[StatusCode::CONFLICT]),
        Route::post("/api/webhooks/sendgrid", HOOK, by_sendgrid)
            .named("Webhooks", "SendGrid's signed event webhook: deliveries and bounces")
            .gives::<Done<usize>>(StatusCode::OK, "how many events were about messages of ours")
            .refuses(&[StatusCode::NOT_FOUND]),
        Route::post("/api/webhooks/twilio", HOOK, by_twilio)
            .named("Webhooks", "Twilio's status callback: deliveries and failures of text messages")
            .gives::<Done<usize>>(StatusCode::OK, "how many messages of ours it was about")
            .refuses(&[StatusCode::NOT_FOUND]),
    ]
}

/// Which messages.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MessagesQuery {
    /// `queued`, `sent`, `delivered`, `bounced`, `failed` or `kept`.
    state: Option<String>,
    /// 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn list(caller: Caller, Query(query): Query<MessagesQuery>) -> Reply {
    let mut faults = Faults::default();
    let state = query.state.as_deref().filter(|word| !word.is_empty());
    let state = state.and_then(|word| faults.take("state", MessageState::parse(word)));
    faults.check()?;
    let page = messages::list(&caller.0, state, limit(query.limit)?, query.cursor.as_deref()).await?;
    let next = page.next.map(|cursor| cursor.encode());
    Ok(List::new(page.items.iter().map(MessageView::from).collect(), next).reply())
}

async fn one(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &MessageView::from(messages::open(&caller.0, &id).await?)))
}

async fn retry(caller: Caller, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &MessageView::from(&messages::retry(&caller.0, &id).await?)))
}

async fn by_sendgrid(State(web): State<Web>, request: Request) -> Reply {
    let (headers, body) = whole(request).await?;
    let report = SendGridReport {
        signature: text(&headers, "x-twilio-email-event-webhook-signature"),
        timestamp: text(&headers, "x-twilio-email-event-webhook-timestamp"),
        body: &body,
    };
    taken(messages::by_sendgrid(&web.app, report).await?)
}

async fn by_twilio(State(web): State<Web>, request: Request) -> Reply {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    // What Twilio signs is the address it was told to call, which a proxy in front of us may have rewritten.
    let url = format!("{}{path}", web.app.settings().public.app_url);
    let (headers, body) = whole(request).await?;
    let report = TwilioReport { signature: text(&headers, "x-twilio-signature"), url: &url, body: &body };
    taken(messages::by_twilio(&web.app, report).await?)
}

async fn whole(request: Request) -> engify_core::Result<(HeaderMap, Bytes)> {
    let headers = request.headers().clone();
    Ok((headers, route::bytes(request, REPORT).await?))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn taken(count: usize) -> Reply<Response> {
    Ok(Done::reply(StatusCode::OK, count))
}
