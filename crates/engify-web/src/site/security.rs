//! How a person keeps their account safe: second factors, recovery codes, sessions.

use axum::extract::Path;
use axum::response::Response;
use engify_app::accounts::{self, Ending};
use engify_app::factors::recovery::Codes;
use engify_app::factors::{self, passkeys, sms, totp};
use engify_app::limits::presets;
use engify_core::account::Session;
use engify_core::factor::FactorKind;
use engify_core::{Error, Result, Secret};
use http::{HeaderValue, header};
use serde::Deserialize;

use super::form::Wrong;
use super::said::Said;
use super::visit::Visit;
use super::{go, ok};
use crate::extract::Form;
use crate::pages::security::{self as pages, PhoneView, SecurityView, SessionRow, TotpView};
use crate::policy::Policy;
use crate::reply::{Failure, Reply};
use crate::route::Route;

const PAGE: &str = "/settings/security";
const TOTP: &str = "/settings/security/totp";
const PHONE: &str = "/settings/security/phone";

pub(super) fn routes() -> Vec<Route> {
    const OWN: Policy = Policy::SIGNED_IN.before_enrolment();
    const CHANGE: Policy = OWN.limit(presets::WRITE).body(8 * 1024);
    const STEP: Policy = OWN.limit(presets::FACTOR).body(8 * 1024);
    vec![
        Route::get(PAGE, OWN, page).page(),
        Route::post("/settings/sessions/end", CHANGE, end_sessions).page(),
        Route::get(TOTP, OWN, totp_page).page(),
        Route::post(TOTP, STEP, enroll).page(),
        Route::post("/settings/security/totp/confirm", STEP, confirm).page(),
        Route::get(PHONE, OWN, phone_page).page(),
        Route::post(PHONE, STEP, send_to_phone).page(),
        Route::post("/settings/security/phone/confirm", STEP, confirm_phone).page(),
        Route::post("/settings/security/codes", STEP, renew).page(),
        Route::post("/settings/security/remove", STEP, remove).page(),
        Route::post("/settings/security/passkeys/{id}/rename", CHANGE, rename).page(),
        Route::post("/settings/security/passkeys/{id}/delete", STEP, delete).page(),
    ]
}

async fn page(visit: Visit) -> Reply {
    Ok(ok(pages::page(&visit.frame(), &view(&visit).await?)))
}

async fn view(visit: &Visit) -> Result<SecurityView> {
    let own =
        visit.ctx.identity().and_then(|identity| identity.session.as_ref()).map(|session| session.id.clone());
    let row = |session: Session| SessionRow {
        current: own.as_ref() == Some(&session.id),
        id: session.id,
        agent: accounts::device_name(&session.agent),
        address: session.address,
        place: session.place,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
    };
    let mut sessions: Vec<SessionRow> = accounts::sessions(&visit.ctx).await?.into_iter().map(row).collect();
    sessions.sort_by_key(|session| !session.current);
    let status = factors::status(&visit.ctx).await?;
    Ok(SecurityView {
        must_enrol: status.required && status.factors.is_empty(),
        enabled: !status.factors.is_empty(),
        totp_since: status.totp_since,
        phone: status.phone,
        passkeys: status.passkeys,
        passkeys_possible: passkeys::are_possible(visit.app()),
        recovery_codes: status.recovery_codes,
        identities: super::oauth::rows(visit).await?,
        sign_in_providers: visit.app().sign_in_providers().to_vec(),
        sessions,
        problem: None,
    })
}

/// The page again with what is wrong on top: for what was done by a button, not by filling a field.
async fn with_problem(visit: Visit, error: Error) -> Reply {
    let wrong = Wrong::of(error)?;
    let visit = visit.at(PAGE);
    let view = SecurityView { problem: Some(wrong.problem(&[])), ..view(&visit).await? };
    Ok(wrong.reply(pages::page(&visit.frame(), &view)))
}

/// Which session; `all` for all others.
#[derive(Deserialize)]
struct Which {
    id: String,
}

async fn end_sessions(visit: Visit, Form(form): Form<Which>) -> Reply {
    let ending = if form.id == "all" { Ending::Others } else { Ending::One(form.id) };
    match accounts::end_sessions(&visit.ctx, ending).await {
        // Pressed twice, or it ended by itself meanwhile: either way it is over.
        Err(error) if error.code() != "not_found" => Err(Failure(error)),
        Ok(_) | Err(_) => Ok(Said::SessionsEnded.at(PAGE)),
    }
}

async fn enroll(visit: Visit) -> Reply {
    totp::enroll(&visit.ctx).await?;
    Ok(go(TOTP))
}

/// The app's secret in the clear: shown only while it waits for its first code.
async fn totp_page(visit: Visit) -> Reply {
    let Some(view) = totp_view(&visit).await? else { return Ok(go(PAGE)) };
    Ok(unkept(ok(pages::totp(&visit.frame(), &view))))
}

async fn totp_view(visit: &Visit) -> Result<Option<TotpView>> {
    let pending = totp::pending(&visit.ctx).await?;
    Ok(pending.map(|enrolment| TotpView {
        secret: enrolment.secret.reveal().clone(),
        url: enrolment.url.reveal().clone(),
        faults: Vec::new(),
        problem: None,
    }))
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

async fn confirm(visit: Visit, Form(form): Form<Code>) -> Reply {
    let visit = visit.at(TOTP);
    match totp::confirm(&visit.ctx, &Secret::new(form.code)).await {
        Ok(codes) if codes.is_empty() => Ok(Said::FactorOn.at(PAGE)),
        Ok(codes) => Ok(shown_once(&visit, &codes)),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let Some(view) = totp_view(&visit).await? else { return Ok(go(PAGE)) };
            let view =
                TotpView { faults: wrong.faults(&[]), problem: Some(wrong.problem(&["code"])), ..view };
            Ok(unkept(wrong.reply(pages::totp(&visit.frame(), &view))))
        }
    }
}

async fn phone_page(visit: Visit) -> Reply {
    let view = PhoneView { pending: sms::pending(&visit.ctx).await?, ..PhoneView::default() };
    Ok(ok(pages::phone_page(&visit.frame(), &view)))
}

#[derive(Deserialize)]
struct Number {
    phone: String,
}

async fn send_to_phone(visit: Visit, Form(form): Form<Number>) -> Reply {
    match sms::enroll(&visit.ctx, &form.phone).await {
        Ok(()) => Ok(Said::CodeSent.at(PHONE)),
        Err(error) => phone_again(visit, form.phone, error).await,
    }
}

async fn confirm_phone(visit: Visit, Form(form): Form<Code>) -> Reply {
    match sms::confirm(&visit.ctx, &Secret::new(form.code)).await {
        Ok(codes) if codes.is_empty() => Ok(Said::FactorOn.at(PAGE)),
        Ok(codes) => Ok(shown_once(&visit.at(PHONE), &codes)),
        Err(error) => phone_again(visit, String::new(), error).await,
    }
}

/// The page of the phone again, with what is wrong.
async fn phone_again(visit: Visit, number: String, error: Error) -> Reply {
    let wrong = Wrong::of(error)?;
    let visit = visit.at(PHONE);
    let view = PhoneView {
        pending: sms::pending(&visit.ctx).await?,
        number,
        faults: wrong.faults(&[]),
        problem: Some(wrong.problem(&["phone", "code"])),
    };
    Ok(wrong.reply(pages::phone_page(&visit.frame(), &view)))
}

async fn renew(visit: Visit) -> Reply {
    match factors::recovery::renew(&visit.ctx).await {
        Ok(codes) => Ok(shown_once(&visit, &codes)),
        Err(error) => with_problem(visit, error).await,
    }
}

fn shown_once(visit: &Visit, codes: &Codes) -> Response {
    let codes: Vec<String> = codes.iter().map(|code| code.reveal().clone()).collect();
    unkept(ok(pages::codes(&visit.frame(), &codes)))
}

/// What no cache and no history of a browser keeps.
fn unkept(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Deserialize)]
struct Kind {
    factor: String,
}

async fn remove(visit: Visit, Form(form): Form<Kind>) -> Reply {
    let kind = FactorKind::parse(&form.factor).map_err(|issue| Failure(Error::field("factor", issue)))?;
    match factors::disable(&visit.ctx, Some(kind)).await {
        Ok(()) => Ok(Said::FactorOff.at(PAGE)),
        Err(error) => with_problem(visit, error).await,
    }
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

async fn rename(visit: Visit, Path(id): Path<String>, Form(form): Form<Name>) -> Reply {
    match passkeys::rename(&visit.ctx, &id, &form.name).await {
        Ok(_) => Ok(Said::Saved.at(PAGE)),
        Err(error) => with_problem(visit, error).await,
    }
}

async fn delete(visit: Visit, Path(id): Path<String>) -> Reply {
    match passkeys::delete(&visit.ctx, &id).await {
        Ok(()) => Ok(Said::FactorOff.at(PAGE)),
        Err(error) => with_problem(visit, error).await,
    }
}
