//! `engify serve`: prepare, listen, answer, and end without losing anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engify_app::{App, jobs, setup};
use engify_core::settings::Settings;
use engify_core::{Error, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::environment::Environment;
use crate::logging::{self, Audience};
use crate::stop::{Ended, Verdict, bad_settings};
use crate::{cli, printer, wiring};

mod connections;
mod ending;
mod shipping;
mod signals;

use ending::{DRAIN, Ending};
use shipping::Shipping;

/// The bounds of the histograms of durations, seconds.
const BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];
/// How often the figures are put into order.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves until the first SIGTERM or SIGINT.
pub(crate) async fn run(environment: Environment, options: cli::Serve) -> Ended {
    let begun = Instant::now();
    let environment = environment
        .with("PORT", options.port.map(|port| port.to_string()))
        .with("HOST", options.host.map(|host| host.to_string()));
    let settings = environment.settings().map_err(bad_settings)?;
    let _log = logging::start(&settings, Audience::Server, true);
    logging::log_panics();
    for note in environment.idle() {
        tracing::warn!(setting.name = note.name, setting.note = note.issue, "setting.idle");
    }
    let ending = Ending::default();
    signals::end_on_signal(&ending)?;
    // First, so that a second server on the same port ends before it touches the data.
    let listener = listen(&settings).await?;
    let figures = figures()?;
    let _serving = wiring::serving(&settings).await?;
    let app = wiring::app(&environment, settings).await?;
    let served = answer(&app, listener, figures, ending, begun).await;
    app.stop().await;
    tracing::info!("server.stopped");
    served
}

async fn answer(
    app: &App,
    listener: TcpListener,
    figures: PrometheusHandle,
    ending: Ending,
    begun: Instant,
) -> Ended {
    let prepared = setup::prepare(app).await?;
    let service = service(app, figures);
    let address = listener.local_addr().map_err(Error::internal)?;
    announce(app.settings(), address, &prepared)?;
    let ready = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(server.address = %address, server.ready_ms = ready, "server.started");
    jobs::start(app);
    let shipping = Shipping::start(app)?;
    ending.conduct(app);
    let limits = connections::Limits::new(app.settings().core.trusted_proxies > 0);
    let left = connections::serve(listener, service, limits, ending, DRAIN).await;
    if left > 0 {
        tracing::warn!(connections = left, "server.undrained: requests were cut after {} s", DRAIN.as_secs());
    }
    shipping.end().await;
    Ok(Verdict::Done)
}

/// The pages and the API.
fn service(app: &App, figures: PrometheusHandle) -> engify_web::Server {
    let render = move || figures.render();
    engify_web::server(app, engify_web::Options { metrics: Some(Arc::new(render)) })
}

/// Takes the port.
async fn listen(settings: &Settings) -> Result<TcpListener> {
    let (host, port) = (settings.core.listen, settings.core.port);
    TcpListener::bind((host, port)).await.map_err(|error| {
        let next = port.checked_add(1).unwrap_or(3000);
        let message = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "Port {port} on {host} is taken by another program. Stop it, or choose another port: \
                 `engify serve --port {next}`, or PORT={next} in .env.local."
            ),
            std::io::ErrorKind::PermissionDenied => format!(
                "This user may not listen on port {port}. Choose one above 1023: `engify serve --port 3000`, or PORT=3000."
            ),
            std::io::ErrorKind::AddrNotAvailable => format!(
                "This machine has no address {host}. Set HOST to one it has: 127.0.0.1 for this machine only, 0.0.0.0 for all."
            ),
            kind => format!("Port {port} on {host} cannot be used ({kind}). Set PORT and HOST to others."),
        };
        Error::unavailable("port_unavailable", message).because(error)
    })
}

/// Tells where to go, and while nobody runs this installation, how to become its first super admin.
fn announce(settings: &Settings, address: SocketAddr, prepared: &setup::Prepared) -> printer::Printed {
    let url = &settings.core.url;
    if prepared.seeded > 0 {
        printer::talk(format_args!("Put {} prompts into the new library.", prepared.seeded));
    }
    printer::line(format_args!(
        "Engify {} is ready at {url} (listening on {address})",
        settings.public.version
    ))?;
    match &prepared.setup_token {
        Some(token) => printer::line(format_args!(
            "Make the first super admin, once: {url}/setup?token={}",
            token.reveal()
        )),
        None => Ok(()),
    }
}

/// Keeps the figures that `/metrics` shows.
fn figures() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(Error::internal)?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}
