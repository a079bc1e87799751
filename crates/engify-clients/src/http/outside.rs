//! Calls to addresses that users give us: they reach the public internet, and nothing behind our own walls.
//!
//! An address is checked where it is connected to, not where it is written: the name is resolved once, and the connection goes
//! to what was checked, so that a name that changes its answer in between gains nothing. Numbers instead of names, in
//! whatever notation, are checked as what they mean. A redirect is looked at like the first address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Method, RequestBuilder};
use url::{Host, Url};

use super::{ClientOptions, builder, chain, install_tls};

/// How many redirects are followed.
const HOPS: usize = 3;

/// A client for addresses that users give. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Outside {
    client: Client,
    allowed: Allowed,
}

/// Addresses that an operator vouches for although they are not public: a webhook's target in the same network.
type Allowed = Arc<[IpAddr]>;

/// Why an address is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is no address at all.
    Unreadable,
    /// It begins neither with `https://` nor with `http://`.
    Scheme,
    /// It holds a name or a password.
    Credentials,
    /// It leads to this machine or a private network.
    Inside,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "is not an address such as https://example.com/hook",
            Self::Scheme => "must begin with https:// or http://",
            Self::Credentials => "must not hold a user name or a password",
            Self::Inside => {
                "leads to this machine or a private network; use an address of the public internet"
            }
        })
    }
}

impl std::error::Error for Refused {}

/// A client that reaches the public internet only, and beside it the addresses in `allowed`.
///
/// # Errors
/// Says why TLS cannot be set up.
pub fn outside(options: ClientOptions, allowed: &[IpAddr]) -> Result<Outside, String> {
    install_tls();
    let allowed: Allowed = allowed.into();
    let (for_names, for_redirects) = (Arc::clone(&allowed), Arc::clone(&allowed));
    let client = builder(options)
        .dns_resolver(Arc::new(Guarded(for_names)))
        .redirect(Policy::custom(move |attempt| followed(attempt, &for_redirects)))
        .build()
        .map_err(|fault| format!("cannot set up TLS for outgoing calls: {}", chain(&fault)))?;
    Ok(Outside { client, allowed })
}

impl Outside {
    /// A request to an address that a user gave. Its deadline and the bound of its reply are the caller's.
    ///
    /// # Errors
    /// Why this address is not called. A name that leads inside is only found out when it is called, and fails then.
    pub fn request(&self, method: Method, address: &str) -> Result<RequestBuilder, Refused> {
        Ok(self.client.request(method, check(address, &self.allowed)?))
    }

    /// Checks an address where it is entered, before it is stored. Resolves nothing.
    ///
    /// # Errors
    /// As [`Outside::request`].
    pub fn check(&self, address: &str) -> Result<(), Refused> {
        check(address, &self.allowed).map(drop)
    }
}

fn check(address: &str, allowed: &[IpAddr]) -> Result<Url, Refused> {
    let url = Url::parse(address).map_err(|_| Refused::Unreadable)?;
    check_url(&url, allowed).map(|()| url)
}

fn check_url(url: &Url, allowed: &[IpAddr]) -> Result<(), Refused> {
    if !matches!(url.scheme(), "https" | "http") {
        return Err(Refused::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    let ip: IpAddr = match url.host() {
        // The parser has read every notation of a number: 0x7f.1, 2130706433, 0177.0.0.1.
        Some(Host::Ipv4(ip)) => ip.into(),
        Some(Host::Ipv6(ip)) => ip.into(),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err(Refused::Unreadable),
    };
    if reaches(ip, allowed) { Ok(()) } else { Err(Refused::Inside) }
}

/// A redirect is followed three times at most, not from https to http, and only to where a first call might go.
fn followed(attempt: Attempt<'_>, allowed: &[IpAddr]) -> reqwest::redirect::Action {
    let downgraded = attempt.previous().last().is_some_and(|before| before.scheme() == "https")
        && attempt.url().scheme() != "https";
    if downgraded || attempt.previous().len() > HOPS {
        return attempt.error("redirected too often, or from https to http");
    }
    match check_url(attempt.url(), allowed) {
        Ok(()) => attempt.follow(),
        Err(refused) => attempt.error(refused),
    }
}

/// Resolves names to addresses that may be reached, and to no others.
struct Guarded(Allowed);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (name, allowed) = (name.as_str().to_owned(), Arc::clone(&self.0));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let outside: Vec<_> = found.filter(|address| reaches(address.ip(), &allowed)).collect();
            if outside.is_empty() {
                return Err(Refused::Inside.into());
            }
            Ok(Box::new(outside.into_iter()) as Addrs)
        })
    }
}

fn reaches(ip: IpAddr, allowed: &[IpAddr]) -> bool {
    is_public(ip) || allowed.contains(&ip.to_canonical())
}

/// Whether an address is of the public internet: everything that the registries of special-purpose addresses (RFC 6890)
/// do not set aside, and that leads to no such address in disguise.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let set_aside = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)              // this network, private, loopback
            | (100, 64..=127, _)        // shared by carriers
            | (169, 254, _)             // link-local: the metadata service of clouds
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)           // protocol assignments, documentation
            | (192, 88, 99)             // relays of 6to4
            | (198, 18 | 19, _)         // benchmarks
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, ..) // multicast, reserved, broadcast
    );
    !set_aside
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let within = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        // IPv4 in disguise: mapped, NAT64, 6to4. What was translated inside a network (64:ff9b:1::/48) is never public.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => within(high, low),
        // Benchmarks, Teredo, ORCHID and other protocol assignments; documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // Global unicast is all that is left of the space.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_inside_address_is_refused() {
        for inside in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://0/",
            "http://10.0.0.1:8080/x",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://198.18.0.1/",
            "http://192.0.0.170/",
            "http://192.0.2.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[::]/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001::1]/",
            "http://[fe80::1]/",
            "http://[fec0::1]/",
            "http://[fc00::1]/",
            "http://[fd00:ec2::254]/",
            "http://[ff02::1]/",
            "http://[2001:db8::1]/",
            "http://[100::1]/",
            "http://\u{ff11}27.0.0.1/",
            "http://127.0.0.1./",
            "https://①②⑦.0.0.1/",
        ] {
            assert_eq!(check(inside, &[]), Err(Refused::Inside), "{inside}");
        }
        for (odd, why) in [
            ("ftp://example.com/", Refused::Scheme),
            ("file:///etc/passwd", Refused::Scheme),
            ("gopher://example.com/", Refused::Scheme),
            ("https://user@example.com/", Refused::Credentials),
            ("https://example.com@127.0.0.1/", Refused::Credentials),
            ("example.com/hook", Refused::Unreadable),
            ("http://", Refused::Unreadable),
            ("http://256.256.256.256/", Refused::Unreadable),
        ] {
            assert_eq!(check(odd, &[]).map(drop), Err(why), "{odd}");
        }
    }

    #[test]
    fn public_addresses_and_those_that_an_operator_vouches_for_are_called() {
        for public in [
            "https://example.com/hook",
            "http://1.1.1.1/",
            "https://[2606:4700:4700::1111]/",
            "http://[64:ff9b::101:101]/",
        ] {
            assert!(check(public, &[]).is_ok(), "{public}");
        }
        let vouched = [IpAddr::from([10, 0, 0, 5])];
        assert!(check("http://10.0.0.5/hook", &vouched).is_ok());
        assert!(check("http://[::ffff:10.0.0.5]/hook", &vouched).is_ok());
        assert_eq!(check("http://10.0.0.6/hook", &vouched), Err(Refused::Inside));
    }
}
