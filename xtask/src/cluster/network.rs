//! A network of its own for one replica: a namespace, joined to this machine by a pair of virtual cables, one of which can be
//! pulled. Needs root and Linux' `ip`; elsewhere there is none.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::{Leashed, News, capture, find_program};
use crate::server::Scratch;

/// How long making it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the network and takes it down when told, also when whoever started it was killed.
const KEEP: &str = r#"
name=$1 outside=$2 inside=$3
trap 'ip netns del "$name"; exit 0' TERM
ip netns add "$name" || exit 1
ip link add "$name-o" type veth peer name "$name-i" netns "$name" &&
    ip addr add "$outside/30" dev "$name-o" && ip link set "$name-o" up &&
    ip -n "$name" link set lo up &&
    ip -n "$name" addr add "$inside/30" dev "$name-i" && ip -n "$name" link set "$name-i" up &&
    echo made || { ip netns del "$name"; exit 1; }
while :; do sleep 3600 & wait $!; done
"#;

/// The network; it goes with this value.
pub(crate) struct Network {
    name: String,
    outside: Ipv4Addr,
    inside: Ipv4Addr,
    _keeper: Leashed,
}

impl Network {
    /// None where this user may not make one.
    pub(super) fn make(scratch: &Scratch) -> Result<Option<Self>> {
        let is_root = capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
        if !is_root || find_program(&["ip"]).is_none() {
            return Ok(None);
        }
        // Of the addresses that are set aside for measuring networks (RFC 2544), four that no other run uses.
        let process = std::process::id();
        let block = process % (1 << 15) * 4;
        let outside = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + block + 1);
        let inside = Ipv4Addr::from(u32::from(outside) + 1);
        let name = format!("eng{process}");
        let mut keeper = Leashed::start("sh", 20, scratch.log("network.log"), |command| {
            command.args(["-c", KEEP, "keep", &name, &outside.to_string(), &inside.to_string()]);
        })?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match keeper.news(Duration::from_millis(50))? {
                News::Line(line) if line == "made" => {
                    return Ok(Some(Self { name, outside, inside, _keeper: keeper }));
                }
                // A container may be root without the right to do this.
                News::Ended(_) => return Ok(None),
                _ if Instant::now() > deadline => bail!("no network was made:\n{}", keeper.last_words()),
                _ => {}
            }
        }
    }

    /// This machine, as seen from inside.
    pub(super) fn outside(&self) -> IpAddr {
        self.outside.into()
    }

    /// Where what runs inside can be reached.
    pub(super) fn inside(&self) -> IpAddr {
        self.inside.into()
    }

    /// What runs a program inside.
    pub(super) fn entrance(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Pulls the cable: what is sent is lost, and nobody is told.
    pub(crate) fn cut(&self) -> Result<()> {
        self.set("down")
    }

    /// Puts it back.
    pub(crate) fn mend(&self) -> Result<()> {
        self.set("up")
    }

    fn set(&self, state: &str) -> Result<()> {
        let cable = format!("{}-i", self.name);
        capture(Command::new("ip").args(["-n", &self.name, "link", "set", &cable, state])).map(drop)
    }
}
