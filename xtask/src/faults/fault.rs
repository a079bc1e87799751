//! What can break, how it is broken here and mended, and what callers may notice of it.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::cluster::{self, Cluster};

/// One thing that breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    StopReplica,
    KillReplica,
    CutReplica,
    KillRedis,
    FreezeRedis,
    FillRedis,
    KillDatabase,
}

/// What callers may notice at most.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// Nothing.
    Nothing,
    /// Requests that were under way in the replica fail, one a caller at most; reads are repeated elsewhere.
    UnderWay,
    /// Whoever needs the database is told when to come again (503 with `Retry-After`); what is remembered is answered.
    Refusals,
}

/// A replica that is broken; not the first, which the others may have been started after.
const SECOND: usize = 1;

impl Fault {
    pub(super) const ALL: &[Self] = &[
        Self::StopReplica,
        Self::KillReplica,
        Self::CutReplica,
        Self::KillRedis,
        Self::FreezeRedis,
        Self::FillRedis,
        Self::KillDatabase,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::StopReplica => "a replica is told to stop (SIGTERM)",
            Self::KillReplica => "a replica is killed (SIGKILL)",
            Self::CutReplica => "a replica's network is cut",
            Self::KillRedis => "Redis is killed (SIGKILL)",
            Self::FreezeRedis => "Redis is frozen (SIGSTOP)",
            Self::FillRedis => "Redis' memory is full",
            Self::KillDatabase => "the database is killed (SIGKILL)",
        }
    }

    pub(super) fn allows(self) -> Notice {
        match self {
            Self::StopReplica | Self::KillRedis | Self::FreezeRedis | Self::FillRedis => Notice::Nothing,
            Self::KillReplica | Self::CutReplica => Notice::UnderWay,
            Self::KillDatabase => Notice::Refusals,
        }
    }

    /// How long it takes at least until callers can notice it.
    pub(super) fn at_least(self) -> Duration {
        match self {
            // A database that is back within the 5 s that a write waits for one was never away.
            Self::KillDatabase => Duration::from_secs(8),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn needs_network(self) -> bool {
        self == Self::CutReplica
    }

    pub(super) fn begin(self, cluster: &mut Cluster) -> Result<()> {
        match self {
            Self::StopReplica => cluster.replicas[SECOND].signal("TERM"),
            Self::KillReplica => {
                cluster.replicas[SECOND].signal("KILL")?;
                cluster.replicas[SECOND].wait().map(drop)
            }
            Self::CutReplica => cluster.network.as_ref().map_or(Ok(()), |network| network.cut()),
            Self::KillRedis => cluster.redis.kill(),
            Self::FreezeRedis => cluster.redis.signal("STOP"),
            Self::FillRedis => {
                cluster.redis.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])?;
                // One string as large as all the room there is.
                cluster.redis.ask(&["SETRANGE", "fill", cluster::ROOM, "x"]).map(drop)
            }
            Self::KillDatabase => cluster.database.kill(),
        }
    }

    pub(super) fn end(self, cluster: &mut Cluster) -> Result<()> {
        match self {
            Self::StopReplica => {
                let code = cluster.replicas[SECOND].wait()?;
                ensure!(code == Some(0), "it ended with {code:?} instead of 0");
                cluster.replicas[SECOND].launch()
            }
            Self::KillReplica => cluster.replicas[SECOND].launch(),
            Self::CutReplica => cluster.network.as_ref().map_or(Ok(()), |network| network.mend()),
            Self::KillRedis => cluster.redis.launch_again(),
            Self::FreezeRedis => cluster.redis.signal("CONT"),
            Self::FillRedis => {
                cluster.redis.ask(&["DEL", "fill"])?;
                cluster.redis.ask(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]).map(drop)
            }
            Self::KillDatabase => cluster.database.launch_again(),
        }
    }
}
