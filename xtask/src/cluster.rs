//! `cargo xtask cluster`: a site of several replicas on this machine, as deploy/compose.yaml makes one of containers. It
//! starts a server of MongoDB's protocol, a Redis, the replicas and deploy's own load balancer, and stops them all; what is done
//! with them is others' business: the developer's, or that of [`crate::faults`].

mod balancer;
mod network;
mod replica;
mod services;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::process::{Leashed, News, must_run};
use crate::server::{self, Scratch, free_port, here};
use crate::workspace::Workspace;
use crate::{Outcome, parts};

use balancer::Balancer;
use network::Network;
pub(crate) use replica::Replica;
pub(crate) use services::{Database, ROOM, Redis};

/// What a cluster needs.
pub(crate) const PARTS: &[&str] = &["python3-venv", "secantus", "redis-server", "haproxy"];
/// How often to look whether a replica has ended.
const PACE: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many replicas, 1 to 9.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    replicas: u8,
    /// The release build instead of the debug build.
    #[arg(long)]
    release: bool,
    /// The load balancer's port; a free one where it is left out.
    #[arg(long)]
    port: Option<u16>,
    /// This program instead of one built now.
    #[arg(long = "bin", value_name = "PATH", conflicts_with = "release")]
    binary: Option<PathBuf>,
}

/// What kind of cluster.
pub(crate) struct Plan {
    pub(crate) binary: PathBuf,
    pub(crate) replicas: u8,
    /// The load balancer's port.
    pub(crate) port: u16,
    /// Whether the last replica gets a network of its own, which can be cut.
    pub(crate) with_network: bool,
}

/// A running site. Dropping it stops everything and removes the data. Fields end in the order they stand in.
pub(crate) struct Cluster {
    pub(crate) url: String,
    /// The one-time link that makes the first super admin.
    setup_url: String,
    _balancer: Balancer,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) redis: Redis,
    pub(crate) database: Database,
    /// The last replica's network; none where it was not asked for, or this user may not make one.
    pub(crate) network: Option<Network>,
    _sweeper: Leashed,
    _scratch: Scratch,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    parts::require(workspace, PARTS)?;
    let binary = binary(workspace, options.binary.as_deref(), options.release)?;
    let port = options.port.map_or_else(free_port, Ok)?;
    let plan = Plan { binary, replicas: options.replicas, port, with_network: false };
    let mut cluster = Cluster::start(workspace, &plan)?;
    cluster.print();
    // Ctrl-C ends this process, and the leashes end the others.
    loop {
        for replica in &mut cluster.replicas {
            if let News::Ended(status) = replica.news(PACE)? {
                bail!("{} ended with {status}:\n{}", replica.name, replica.last_words());
            }
        }
    }
}

/// The product's binary: the given one, or one built now.
pub(crate) fn binary(workspace: &Workspace, given: Option<&Path>, release: bool) -> Result<PathBuf> {
    if let Some(path) = given {
        return path.canonicalize().with_context(|| format!("no {}", path.display()));
    }
    if !release {
        return server::build(workspace);
    }
    must_run(workspace.cargo().args(["build", "--release", "--package", "engify"]))?;
    Ok(workspace.target.join("release/engify"))
}

impl Cluster {
    pub(crate) fn start(workspace: &Workspace, plan: &Plan) -> Result<Self> {
        let scratch = Scratch::make(workspace)?;
        // Outlives Ctrl-C and everything else by a second, and then takes the data away.
        let sweeper = Leashed::start("sh", 10, scratch.log("sweeper.log"), |command| {
            command.args(["-c", "trap '' TERM; sleep infinity"]).env("LEASH_SCRATCH", &scratch.0);
        })?;
        let network = if plan.with_network { Network::make(&scratch)? } else { None };
        // Where a replica in a network of its own finds what the others find on this machine.
        let host = network.as_ref().map_or(here(0).ip(), Network::outside);
        let database = Database::start(workspace, &scratch, SocketAddr::new(host, free_port()?))?;
        let redis = Redis::start(&scratch, SocketAddr::new(host, free_port()?))?;
        let url = format!("http://localhost:{}", plan.port);
        let mut replicas = Vec::new();
        let mut setup_url = None;
        for number in 1..=plan.replicas {
            let apart = network.as_ref().filter(|_| number == plan.replicas);
            let mut replica = Replica::new(number, &plan.binary, apart)?;
            replica.environment(&[
                ("NEXTAUTH_URL", &url),
                ("MONGODB_URI", &database.url()),
                ("REDIS_URL", &redis.url()),
            ]);
            // One after the other: the first makes indexes and library, and knows the link.
            setup_url = replica.start(&scratch)?.or(setup_url);
            replicas.push(replica);
        }
        let balancer = Balancer::start(workspace, &scratch, plan.port, &replicas)?;
        Ok(Self {
            url,
            setup_url: setup_url.context("no replica printed a set-up link (`…/setup?token=…`)")?,
            _balancer: balancer,
            replicas,
            redis,
            database,
            network,
            _sweeper: sweeper,
            _scratch: scratch,
        })
    }

    fn print(&self) {
        println!("site          {}", self.url);
        println!("super admin   {}", self.setup_url);
        for replica in &self.replicas {
            println!("{:<13} http://{}", replica.name, replica.address);
        }
        println!("MONGODB_URI   {}", self.database.url());
        println!("REDIS_URL     {}", self.redis.url());
        println!("Ctrl-C stops everything and removes the data.");
    }
}
