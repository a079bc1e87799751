//! The page of AI providers and their keys: one's own, one's organization's, and trying those of the installation.

use engify_app::ai::{self, ProviderInfo};
use engify_app::limits::presets;
use engify_app::provider_keys::{self, Holder, Trial};
use engify_core::permission::Permission;
use engify_core::provider_key::{KeySource, ProviderKey};
use engify_core::{Error, Result, Secret};
use maud::Markup;

use super::form::{Fields, Wrong};
use super::models::offered;
use super::ok;
use super::said::Said;
use super::visit::Visit;
use crate::pages::opshub_providers::{self as operations, InstalledRow, InstalledView};
use crate::pages::providers::{self as pages, ProviderRow, ProvidersView, TrialRow};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::route::Route;

const PAGE: &str = "/settings/providers";
const INSTALLED: &str = "/opshub/providers";

/// Where keys are made, by provider.
const KEY_PAGES: &[(&str, &str)] = &[
    ("openai", "https://platform.openai.com/api-keys"),
    ("anthropic", "https://console.anthropic.com/settings/keys"),
    ("google", "https://aistudio.google.com/apikey"),
    ("groq", "https://console.groq.com/keys"),
    ("replicate", "https://replicate.com/account/api-tokens"),
];

pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Policy = Policy::needs(Permission::KeysManage);
    const OPERATE: Policy = Policy::needs(Permission::SystemSettings);
    vec![
        Route::get(PAGE, Policy::SIGNED_IN, page).page(),
        Route::post(PAGE, MANAGE.limit(presets::WRITE), save).page(),
        Route::post("/settings/providers/delete", MANAGE.limit(presets::WRITE), delete).page(),
        Route::post("/settings/providers/test", MANAGE.limit(presets::KEY_TEST), test).page(),
        Route::get(INSTALLED, OPERATE, installed).page(),
        Route::post("/opshub/providers/test", OPERATE.limit(presets::KEY_TEST), test_installed).page(),
    ]
}

/// What the page shows, keys included.
async fn view(visit: &Visit) -> Result<ProvidersView> {
    let ctx = &visit.ctx;
    let manages = ctx.allows(Permission::OrganizationManage) && ctx.organization_id().is_some();
    let stored = async |holder: Holder, may: bool| {
        if may { provider_keys::list(ctx, holder).await } else { Ok(Vec::new()) }
    };
    let own = stored(Holder::Person, ctx.allows(Permission::KeysManage)).await?;
    let organization = stored(Holder::Organization, manages).await?;
    let of = |keys: &[ProviderKey], id: &str| keys.iter().find(|key| key.provider == id).cloned();
    let row = |info: &ProviderInfo| ProviderRow {
        own: of(&own, &info.id),
        organization: of(&organization, &info.id),
        ..row(info)
    };
    Ok(ProvidersView {
        providers: ai::providers(ctx).await?.iter().map(row).collect(),
        prices_as_of: ai::prices_as_of().to_owned(),
        may_configure: ctx.allows(Permission::SystemSettings),
        manages,
        ..ProvidersView::default()
    })
}

fn row(info: &ProviderInfo) -> ProviderRow {
    let by_address = || format!("{}_BASE_URL", info.id.to_uppercase());
    let models = offered(info).into_iter().filter(|choice| choice.model != info.id);
    ProviderRow {
        id: info.id.clone(),
        label: info.name.clone(),
        source: info.key_source,
        setting: info.key_variable.clone().unwrap_or_else(by_address),
        key_format: info.key_format.clone(),
        key_page: KEY_PAGES.iter().find(|(id, _)| *id == info.id).map(|(_, page)| (*page).to_owned()),
        own: None,
        organization: None,
        models: models.zip(info.models.iter().map(|model| Some(model.context_tokens))).collect(),
    }
}

async fn page(visit: Visit) -> Reply {
    Ok(ok(rendered(&visit, view(&visit).await?)))
}

fn rendered(visit: &Visit, view: ProvidersView) -> Markup {
    pages::page(&visit.frame(), &view)
}

/// Whose key and which provider's a form is about.
fn about(fields: &Fields) -> Result<(Holder, String)> {
    let holder = match KeySource::parse(&fields.text("holder")) {
        Ok(KeySource::Own) => Holder::Person,
        Ok(KeySource::Organization) => Holder::Organization,
        _ => return Err(Error::field("holder", "is own or organization")),
    };
    Ok((holder, fields.text("provider")))
}

async fn save(visit: Visit, fields: Fields) -> Reply {
    let visit = visit.at(PAGE);
    let (holder, provider) = about(&fields)?;
    let key = Secret::new(fields.text("key"));
    let Err(error) = provider_keys::save(&visit.ctx, holder, &provider, &key).await else {
        return Ok(Said::ProviderKeySaved.at(PAGE));
    };
    let wrong = Wrong::of(error)?;
    let issue = wrong.faults(&[]).into_iter().find(|fault| fault.field == "key").map(|fault| fault.issue);
    let view = ProvidersView {
        wrong: issue.map(|issue| (holder.source(), provider, issue)),
        problem: Some(wrong.problem(&["key"])),
        ..view(&visit).await?
    };
    Ok(wrong.reply(rendered(&visit, view)))
}

async fn delete(visit: Visit, fields: Fields) -> Reply {
    let (holder, provider) = about(&fields)?;
    provider_keys::delete(&visit.ctx, holder, &provider).await?;
    Ok(Said::ProviderKeyDeleted.at(PAGE))
}

/// Shows what came of it at once: a redirect would lose the provider's words.
async fn test(visit: Visit, fields: Fields) -> Reply {
    let visit = visit.at(PAGE);
    let (holder, provider) = about(&fields)?;
    let trials = provider_keys::try_stored(&visit.ctx, holder, Some(&provider)).await?;
    let trials = trials.into_iter().map(tried).collect();
    Ok(ok(rendered(&visit, ProvidersView { trials, ..view(&visit).await? })))
}

fn tried(trial: Trial) -> TrialRow {
    TrialRow {
        source: trial.source,
        label: trial.name,
        hint: trial.hint,
        format_ok: trial.format_ok,
        ok: trial.ok,
        reason: trial.reason,
        message: trial.message,
        latency_ms: trial.latency_ms,
    }
}

fn installed_view(visit: &Visit) -> InstalledView {
    let settings = &visit.app().settings().ai.providers;
    let row = |info: ProviderInfo| {
        let set = settings.iter().find(|set| set.provider == info.id)?;
        Some(InstalledRow {
            label: info.name,
            setting: info.key_variable.unwrap_or_else(|| format!("{}_BASE_URL", info.id.to_uppercase())),
            configured: set.configured,
            value: set.key.as_ref().map(Secret::hint),
            address: set.base_url.clone(),
        })
    };
    InstalledView { rows: ai::known().into_iter().filter_map(row).collect(), trials: None }
}

async fn installed(visit: Visit) -> Reply {
    Ok(ok(operations::page(&visit.frame(), &installed_view(&visit))))
}

async fn test_installed(visit: Visit) -> Reply {
    let visit = visit.at(INSTALLED);
    let trials = provider_keys::try_installation(&visit.ctx).await?.into_iter().map(tried).collect();
    let view = InstalledView { trials: Some(trials), ..installed_view(&visit) };
    Ok(ok(operations::page(&visit.frame(), &view)))
}
