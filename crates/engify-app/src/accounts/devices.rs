//! Devices: a kind of browser at a kind of place. The first sign-in from one that an account did not use before is told to
//! its owner.
//!
//! Kinds are coarse on purpose: a new version of a browser or a new address from the same network is no new device.

use std::net::IpAddr;

use engify_core::Result;
use engify_core::account::{Device, User};
use engify_core::tenancy::Scope;
use engify_store::{Batch, queries};
use sha2::{Digest, Sha256};

use crate::Ctx;
use crate::messages::{self, Deed, Letter};

/// Adds to the batch of a sign-in: the device where it is new, and a letter about it where it is not the first.
///
/// # Errors
/// Those of the store.
pub(crate) async fn note(ctx: &Ctx, batch: Batch, user: &User) -> Result<Batch> {
    let store = ctx.app().store();
    let device = this(ctx, user);
    if store.get::<Device>(&Scope::Owner(user.id.clone()), &device.id).await?.is_some() {
        return Ok(batch);
    }
    let first = store.first(&queries::devices_of(&user.id)).await?.is_none();
    // Of two sign-ins at once, both may find it new: putting the same twice is no fault.
    let batch = batch.put(&device)?;
    if first {
        return Ok(batch);
    }
    messages::post(ctx, batch, user.into(), &Letter::NewDevice { deed: Deed::now(ctx) })
}

/// The device that the caller uses now.
pub(crate) fn this(ctx: &Ctx, user: &User) -> Device {
    let hash = Sha256::new()
        .chain_update(user.id.as_str())
        .chain_update([0])
        .chain_update(name(&ctx.origin.agent))
        .chain_update([0])
        .chain_update(network(&ctx.origin.address));
    Device { id: hex::encode(hash.finalize()), user_id: user.id.clone(), created_at: ctx.now() }
}

/// The network of an address: the first two bytes in IPv4, the first four in IPv6, as providers hand them out.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            format!("{a}.{b}")
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, ..] = ip.segments();
            format!("{a:x}:{b:x}")
        }
        Err(_) => address.to_owned(),
    }
}

/// A browser's own words as people say them: `Firefox on Linux`.
pub fn name(agent: &str) -> String {
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    let program = named(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = named(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) if agent.is_empty() => "Unknown".to_owned(),
        (None, None) => agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_as_people_name_them() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1";
        assert_eq!(
            [name(firefox), name(phone), name("curl/8.5.0")],
            ["Firefox on Linux", "Safari on iPhone", "curl"]
        );
        assert_eq!([name(""), name("my-script 1")], ["Unknown", "my-script 1"]);
    }

    #[test]
    fn a_new_address_of_the_same_network_is_no_new_network() {
        assert_eq!(network("203.0.113.7"), network("203.0.10.9"));
        assert_ne!(network("203.0.113.7"), network("198.51.100.1"));
        assert_eq!(network("2001:db8:1::1"), network("2001:db8:2::2"));
    }
}
