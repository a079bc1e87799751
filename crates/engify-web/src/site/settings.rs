//! A person's own settings: name and password. Security and keys have files of their own.

use axum::response::Response;
use engify_app::accounts;
use engify_app::limits::presets;
use engify_core::{Result, Secret};
use serde::Deserialize;

use super::form::Wrong;
use super::said::Said;
use super::visit::Visit;
use super::{go, ok};
use crate::extract::Form;
use crate::pages::settings::{self, ProfileView};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

const PROFILE: &str = "/settings/profile";

pub(super) fn routes() -> Vec<Route> {
    const CHANGE: Policy = Policy::SIGNED_IN.limit(presets::WRITE);
    vec![
        Route::get("/settings", Policy::SIGNED_IN, first).page(),
        Route::get(PROFILE, Policy::SIGNED_IN, profile).page(),
        Route::post(PROFILE, CHANGE, rename).page(),
        Route::post("/settings/password", CHANGE, change_password).page(),
        Route::post("/settings/email", CHANGE, change_address).page(),
        Route::post("/settings/email/resend", CHANGE, resend).page(),
    ]
}

async fn first() -> Response {
    go(PROFILE)
}

fn view(visit: &Visit) -> Result<ProfileView> {
    let user = &visit.ctx.person()?.user;
    Ok(ProfileView {
        name: user.name.clone(),
        email: user.email.to_string(),
        role: user.role.to_string(),
        proven: user.email_verified_at.is_some(),
        ..ProfileView::default()
    })
}

async fn profile(visit: Visit) -> Reply {
    Ok(ok(settings::profile(&visit.frame(), &view(&visit)?)))
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

async fn rename(visit: Visit, Form(form): Form<Name>) -> Reply {
    let Err(error) = accounts::rename(&visit.ctx, &form.name).await else {
        return Ok(Said::Saved.at(PROFILE));
    };
    let wrong = Wrong::of(error)?;
    let view = ProfileView {
        name: form.name,
        faults: wrong.faults(&[]),
        problem: Some(wrong.problem(&["name"])),
        ..view(&visit)?
    };
    Ok(wrong.reply(settings::profile(&visit.frame(), &view)))
}

#[derive(Deserialize)]
struct Passwords {
    current: String,
    password: String,
}

async fn change_password(visit: Visit, Form(form): Form<Passwords>) -> Reply {
    const NAMES: &[(&str, &str)] = &[("currentPassword", "current"), ("newPassword", "password")];
    let visit = visit.at(PROFILE);
    let (old, new) = (Secret::new(form.current), Secret::new(form.password));
    let Err(error) = accounts::change_password(&visit.ctx, old, new).await else {
        return Ok(Said::PasswordChanged.at(PROFILE));
    };
    let wrong = Wrong::of(error)?;
    let view = ProfileView {
        password_faults: wrong.faults(NAMES),
        problem: Some(wrong.problem(&["currentPassword", "newPassword"])),
        ..view(&visit)?
    };
    Ok(wrong.reply(settings::profile(&visit.frame(), &view)))
}

#[derive(Deserialize)]
struct NewAddress {
    email: String,
    confirm: String,
}

async fn change_address(visit: Visit, Form(form): Form<NewAddress>) -> Reply {
    const NAMES: &[(&str, &str)] = &[("currentPassword", "confirm")];
    let visit = visit.at(PROFILE);
    let Err(error) = accounts::change_address(&visit.ctx, &form.email, Secret::new(form.confirm)).await
    else {
        return Ok(Said::LinkSent.at(PROFILE));
    };
    let wrong = Wrong::of(error)?;
    let view = ProfileView {
        new_email: form.email,
        address_faults: wrong.faults(NAMES),
        problem: Some(wrong.problem(&["email", "currentPassword"])),
        ..view(&visit)?
    };
    Ok(wrong.reply(settings::profile(&visit.frame(), &view)))
}

async fn resend(visit: Visit) -> Reply {
    let visit = visit.at(PROFILE);
    let Err(error) = accounts::resend(&visit.ctx).await else { return Ok(Said::LinkSent.at(PROFILE)) };
    let wrong = Wrong::of(error)?;
    let view = ProfileView { problem: Some(wrong.problem(&[])), ..view(&visit)? };
    Ok(wrong.reply(settings::profile(&visit.frame(), &view)))
}
