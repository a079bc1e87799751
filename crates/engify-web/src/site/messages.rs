//! Messages to people, for administrators.

use axum::extract::Path;
use engify_app::limits::presets;
use engify_app::messages;
use engify_core::error::Faults;
use engify_core::message::MessageState;
use engify_core::permission::Permission;
use serde::Deserialize;

use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::extract::Query;
use crate::pages::messages::{self as pages, MessagesView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

/// How many lines a page lists.
const PAGE: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    const RETRY: Policy = Policy::needs(Permission::SystemSettings).limit(presets::WRITE);
    vec![
        Route::get("/opshub/messages", Policy::needs(Permission::SystemRead), list).page(),
        Route::get("/opshub/messages/{id}", Policy::needs(Permission::SystemSettings), one).page(),
        Route::post("/opshub/messages/{id}/retry", RETRY, retry).page(),
    ]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    state: String,
    cursor: Option<String>,
}

async fn list(visit: Visit, Query(asked): Query<Asked>) -> Reply {
    let mut faults = Faults::default();
    let state = Some(asked.state.as_str()).filter(|word| !word.is_empty());
    let state = state.and_then(|word| faults.take("state", MessageState::parse(word)));
    faults.check()?;
    let cursor = asked.cursor.filter(|cursor| !cursor.is_empty());
    let page = messages::list(&visit.ctx, state, PAGE, cursor.as_deref()).await?;
    let view = MessagesView {
        messages: &page.items,
        state,
        mailed: messages::mail_is_set_up(visit.app()),
        cursor,
        next: page.next.map(|cursor| cursor.encode()),
    };
    Ok(ok(pages::list(&visit.frame(), &view)))
}

async fn one(visit: Visit, Path(id): Path<String>) -> Reply {
    let opened = messages::open(&visit.ctx, &id).await?;
    Ok(ok(pages::one(&visit.frame(), &opened.message, opened.content.as_ref())))
}

async fn retry(visit: Visit, Path(id): Path<String>) -> Reply {
    let message = messages::retry(&visit.ctx, &id).await?;
    Ok(Said::MessageQueued.at(&format!("/opshub/messages/{}", message.id)))
}
