//! What the machine is, and what a process on it uses, as Linux tells in `/proc`.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Ticks a second in `/proc/PID/stat`: 100 on every Linux that is of this century.
const TICKS: f64 = 100.0;

/// What the figures were measured on.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    rustc: String,
    /// Of the last minute, before the first measurement: what others did on the machine.
    pub(crate) load: f64,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpus = read("/proc/cpuinfo");
        let processor = cpus.lines().find(|line| line.starts_with("model name"));
        let processor = processor.and_then(|line| line.split_once(": ")).map(|(_, name)| name.trim());
        let rustc = Command::new("rustc").arg("--version").output();
        Self {
            processor: processor.unwrap_or("unknown processor").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kib(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0) / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            rustc: rustc
                .map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
                .unwrap_or_default(),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }

    /// One line.
    pub(crate) fn line(&self) -> String {
        format!(
            "{}, {} cores, {:.1} GiB, Linux {}, {}, load average before {:.2}",
            self.processor,
            self.cores,
            self.memory_mib as f64 / 1024.0,
            self.kernel,
            self.rustc,
            self.load
        )
    }
}

/// What a process holds in memory, MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Now, all of it.
    pub(crate) resident: f64,
    /// Now, without what files back (the binary, the database's shared index).
    pub(crate) own: f64,
    /// The most there ever was.
    pub(crate) peak: f64,
}

/// What a process holds in memory.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).context("this needs Linux's /proc")?;
    let mib = |name| kib(&status, name).map(|kib| kib as f64 / 1024.0).with_context(|| format!("no {name}"));
    Ok(Memory { resident: mib("VmRSS:")?, own: mib("RssAnon:")?, peak: mib("VmHWM:")? })
}

/// The processor time that a process has had, in user and system mode.
pub(crate) fn processor_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("this needs Linux's /proc")?;
    // The name may hold spaces; fields are counted behind it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("/proc/PID/stat is not as it should be")?;
    Ok(Duration::from_secs_f64((user + system) / TICKS))
}

/// How long each thread of a process has run, to the nanosecond.
pub(crate) struct Running(BTreeMap<String, u64>);

impl Running {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).context("this needs Linux's /proc")?;
        let mut running = BTreeMap::new();
        for thread in threads {
            let thread = thread?;
            // A thread that has just ended is not there any more.
            let Ok(told) = std::fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
            let nanos = nanos.context("schedstat is not as it should be")?;
            running.insert(thread.file_name().to_string_lossy().into_owned(), nanos);
        }
        Ok(Self(running))
    }

    /// What ran since then. What a thread ran that ended meanwhile is lost: those that serve do not end.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let ran =
            |(thread, now): (&String, &u64)| now.saturating_sub(before.0.get(thread).copied().unwrap_or(0));
        Duration::from_nanos(self.0.iter().map(ran).sum())
    }
}

fn kib(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}
