//! Whether the server on this machine can serve: what a container's health check asks.

use std::net::IpAddr;
use std::time::Duration;

use engify_clients::http::{ClientOptions, client};
use engify_core::settings::Settings;
use engify_core::{Error, Result};
use serde::Serialize;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// Where it was asked.
    pub address: String,
    /// Whether it can serve.
    pub ready: bool,
    /// The status it answered with; none where it did not answer.
    pub status: Option<u16>,
}

/// Asks the server that these settings start.
///
/// # Errors
/// When no call can be made at all.
pub async fn ask(settings: &Settings) -> Result<Ready> {
    let address = format!("http://{}/api/health/ready", host(settings.core.listen, settings.core.port));
    let client = client(ClientOptions::default()).map_err(Error::internal)?;
    let answer = client.get(&address).timeout(PATIENCE).send().await;
    let status = answer.ok().map(|answer| answer.status().as_u16());
    Ok(Ready { ready: status == Some(200), status, address })
}

/// Where to reach what listens there: "all interfaces" is no address to call.
fn host(listen: IpAddr, port: u16) -> String {
    match listen {
        IpAddr::V4(address) if address.is_unspecified() => format!("127.0.0.1:{port}"),
        IpAddr::V6(address) if address.is_unspecified() => format!("[::1]:{port}"),
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_interfaces_are_asked_on_the_loopback() {
        let host = |text: &str| host(text.parse().unwrap(), 80);
        assert_eq!(
            [host("0.0.0.0"), host("::"), host("10.0.0.7")],
            ["127.0.0.1:80", "[::1]:80", "10.0.0.7:80"]
        );
    }
}
