//! Ranges of network addresses, for allow-lists. Parsed once, when what holds them is read from the store; asking
//! whether an address lies inside is a mask and a comparison.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What one caller counts as: their address, or in IPv6 its first 64 bits, because whoever has one address there has all that
/// share them, and could count as somebody else with each request. What is no address stays as it is.
pub fn counted(address: &str) -> Cow<'_, str> {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(network @ IpAddr::V6(_)) => Cow::Owned(format!("{}/64", masked(network, 64))),
        _ => Cow::Borrowed(address),
    }
}

/// An address or a block of them: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`. An IPv4 address that comes wrapped in
/// IPv6 (`::ffff:203.0.113.7`) counts as the IPv4 address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressRange {
    network: IpAddr,
    prefix: u8,
}

impl AddressRange {
    /// Whether `address` lies inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_head(u128::from(network.to_bits()), u128::from(address.to_bits()), 32, self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_head(network.to_bits(), address.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }

    fn width(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

/// Whether two addresses of `width` bits agree in their first `prefix` bits.
fn same_head(a: u128, b: u128, width: u8, prefix: u8) -> bool {
    prefix == 0 || (a ^ b) >> (width - prefix.min(width)) == 0
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault =
            || "is not an address or a block such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32".to_owned();
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let written: IpAddr = address.parse().map_err(|_| fault())?;
        let network = written.to_canonical();
        let width = Self::width(network);
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let bits: u8 = digits.parse().map_err(|_| fault())?;
                // `::ffff:203.0.113.0/120` is written in 128 bits and means the last 32 of them.
                bits.checked_sub(Self::width(written) - width)
                    .filter(|bits| *bits <= width)
                    .ok_or_else(fault)?
            }
            Some(_) => return Err(fault()),
        };
        let range = Self { network, prefix };
        if masked(network, prefix) != network {
            let block = Self { network: masked(network, prefix), prefix };
            return Err(format!(
                "names an address inside a block; write the block as {block}, or the address alone"
            ));
        }
        Ok(range)
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == Self::width(self.network) {
            write!(f, "{}", self.network)
        } else {
            write!(f, "{}/{}", self.network, self.prefix)
        }
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn who_has_many_addresses_counts_as_one_caller() {
        assert_eq!(counted("203.0.113.7"), "203.0.113.7");
        assert_eq!(counted("2001:db8:1:2::7"), counted("2001:db8:1:2:ffff::1"));
        assert_ne!(counted("2001:db8:1:2::7"), counted("2001:db8:1:3::7"));
        assert_eq!(counted("::ffff:203.0.113.7"), "::ffff:203.0.113.7");
        assert_eq!(counted("unknown"), "unknown");
    }

    #[test]
    fn blocks_hold_what_lies_inside_and_nothing_else() {
        for (block, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "198.51.100.1", "2001:db8::1"),
            ("::/0", "2001:db8::1", "198.51.100.1"),
            ("198.51.100.0/31", "::ffff:198.51.100.1", "::ffff:198.51.100.2"),
            ("::ffff:198.51.100.0/120", "198.51.100.9", "198.51.101.9"),
        ] {
            assert!(range(block).contains(inside.parse().unwrap()), "{inside} in {block}");
            assert!(!range(block).contains(outside.parse().unwrap()), "{outside} in {block}");
        }
    }

    #[test]
    fn what_is_not_a_block_is_refused_with_what_would_be_one() {
        for wrong in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "::/129",
            "example.com",
            "10.0.0.0/8/8",
            "::ffff:1.2.3.4/95",
        ] {
            assert!(wrong.parse::<AddressRange>().unwrap_err().contains("203.0.113.0/24"), "{wrong}");
        }
        assert!("10.0.0.7/8".parse::<AddressRange>().unwrap_err().contains("10.0.0.0/8"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bits in any::<u128>(), prefix in 0_u8..=128) {
            let network = masked(IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix);
            let text = format!("{network}/{prefix}");
            if let Ok(range) = text.parse::<AddressRange>() {
                prop_assert_eq!(range.to_string().parse::<AddressRange>().unwrap(), range);
                prop_assert!(range.contains(network));
            }
        }

        #[test]
        fn no_text_makes_it_stumble(text in ".{0,60}") {
            drop(text.parse::<AddressRange>());
        }
    }
}
