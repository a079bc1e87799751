//! Installing the third-party servers and tools that tests run against: pinned, once, into `target/parts/`.
//! What they are stands in [`table`]; how a test starts one is the testkit's business.

mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::Outcome;
use crate::process::{self, must_run};
use crate::workspace::Workspace;
use table::{PARTS, Part, Source};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these parts; all of them when none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print the table of parts and what is installed, and install nothing.
    #[arg(long)]
    list: bool,
}

/// A part that could not be had, and why.
pub(crate) struct Missing {
    pub(crate) name: &'static str,
    /// The word that the names of tests which need this part contain, if Rust tests do.
    pub(crate) test_word: Option<&'static str>,
    pub(crate) reason: String,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Outcome> {
    let wanted = choose(&options.names)?;
    let shelf = Shelf::open(workspace)?;
    if options.list {
        for part in wanted {
            let state = if shelf.holds(part) { "installed" } else { "missing" };
            println!("{:<14} {:<10} {} ({})", part.name, state, part.what, part.source);
        }
        return Ok(Outcome::Done);
    }
    let missing = shelf.install(&wanted);
    for part in &missing {
        eprintln!("missing: {}: {}", part.name, part.reason);
    }
    Ok(Outcome::of(missing.is_empty()))
}

/// Installs every part that is not there yet and returns those that could not be had.
pub(crate) fn install_all(workspace: &Workspace) -> Result<Vec<Missing>> {
    Ok(Shelf::open(workspace)?.install(&PARTS.iter().collect::<Vec<_>>()))
}

/// Installs the named parts; not having one is an error.
pub(crate) fn require(workspace: &Workspace, names: &[&str]) -> Result<()> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    match Shelf::open(workspace)?.install(&choose(&names)?).first() {
        None => Ok(()),
        Some(missing) => bail!("{} is missing: {}", missing.name, missing.reason),
    }
}

/// The browser that the browser tests drive.
pub(crate) fn browser() -> Result<PathBuf> {
    process::find_program(table::BROWSERS).context("chromium is missing: run `cargo xtask parts chromium`")
}

fn choose(names: &[String]) -> Result<Vec<&'static Part>> {
    if names.is_empty() {
        return Ok(PARTS.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            PARTS.iter().find(|part| part.name == name).with_context(|| {
                let known: Vec<_> = PARTS.iter().map(|part| part.name).collect();
                format!("there is no part named {name}; the parts are {}", known.join(", "))
            })
        })
        .collect()
}

/// The folder that parts are installed in. A stamp file per part holds what was installed, so that a changed pin
/// installs again and an unchanged one costs nothing.
struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    fn open(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.parts();
        std::fs::create_dir_all(folder.join("stamps"))
            .with_context(|| format!("cannot make {}", folder.display()))?;
        std::fs::write(folder.join("leash"), process::LEASH).context("cannot write the leash")?;
        Ok(Self { folder })
    }

    fn holds(&self, part: &Part) -> bool {
        match part.source {
            Source::Debian { probe, .. } => probe_succeeds(probe),
            Source::Python(pin) | Source::PythonAlone(pin) | Source::Node(pin) => {
                std::fs::read_to_string(self.stamp(part)).is_ok_and(|stamp| stamp == pin)
            }
        }
    }

    fn install(&self, wanted: &[&'static Part]) -> Vec<Missing> {
        let lacking: Vec<_> = wanted.iter().copied().filter(|part| !self.holds(part)).collect();
        let of = |kind: fn(&Source) -> bool| -> Vec<&'static Part> {
            lacking.iter().copied().filter(|part| kind(&part.source)).collect()
        };
        let mut missing = Vec::new();
        // Debian comes first: it brings what the other two need.
        for (parts, install) in [
            (of(|source| matches!(source, Source::Debian { .. })), Self::debian as Installer),
            (of(|source| matches!(source, Source::Python(_))), Self::python),
            (of(|source| matches!(source, Source::PythonAlone(_))), Self::python_alone),
            (of(|source| matches!(source, Source::Node(_))), Self::node),
        ] {
            if parts.is_empty() {
                continue;
            }
            let names: Vec<_> = parts.iter().map(|part| part.name).collect();
            eprintln!("parts: installing {}", names.join(", "));
            if let Err(error) = install(self, &parts) {
                let reason = format!("{error:#}");
                missing.extend(parts.iter().filter(|part| !self.holds(part)).map(|part| Missing {
                    name: part.name,
                    test_word: part.test_word,
                    reason: reason.clone(),
                }));
            }
        }
        missing
    }

    fn debian(&self, parts: &[&'static Part]) -> Result<()> {
        let packages: Vec<&str> = parts
            .iter()
            .filter_map(|part| match part.source {
                Source::Debian { package, .. } => Some(package),
                Source::Python(_) | Source::PythonAlone(_) | Source::Node(_) => None,
            })
            .collect();
        let line = format!("apt-get install --no-install-recommends {}", packages.join(" "));
        if process::find_program(&["apt-get"]).is_none() {
            bail!("not on this machine, and there is no apt-get to install it with; on Debian: {line}");
        }
        if process::capture(Command::new("id").arg("-u"))?.trim() != "0" {
            bail!("not on this machine; install it as root: {line}");
        }
        let mut update = Command::new("apt-get");
        must_run(update.args(["update", "-qq"]))?;
        let mut install = Command::new("apt-get");
        install.env("DEBIAN_FRONTEND", "noninteractive");
        must_run(install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&packages))
    }

    fn python(&self, parts: &[&'static Part]) -> Result<()> {
        self.pip("py", parts)
    }

    fn python_alone(&self, parts: &[&'static Part]) -> Result<()> {
        parts.iter().try_for_each(|part| self.pip(part.name, std::slice::from_ref(part)))
    }

    /// Installs into the virtual environment with this name.
    fn pip(&self, name: &str, parts: &[&'static Part]) -> Result<()> {
        let venv = self.folder.join(name);
        let python = venv.join("bin/python");
        if !python.exists() {
            must_run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        }
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(pins(parts));
        must_run(&mut pip)?;
        self.stamp_all(parts)
    }

    fn node(&self, parts: &[&'static Part]) -> Result<()> {
        let prefix = self.folder.join("node");
        std::fs::create_dir_all(&prefix)?;
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--save-exact",
            "--loglevel=error",
        ])
        .arg("--prefix")
        .arg(&prefix)
        .args(pins(parts));
        must_run(&mut npm)?;
        self.stamp_all(parts)
    }

    fn stamp(&self, part: &Part) -> PathBuf {
        self.folder.join("stamps").join(part.name)
    }

    fn stamp_all(&self, parts: &[&'static Part]) -> Result<()> {
        for part in parts {
            if let Some(pin) = part.source.pin() {
                let path = self.stamp(part);
                std::fs::write(&path, pin).with_context(|| cannot_write(&path))?;
            }
        }
        Ok(())
    }
}

type Installer = fn(&Shelf, &[&'static Part]) -> Result<()>;

fn pins(parts: &[&'static Part]) -> impl Iterator<Item = &'static str> {
    parts.iter().filter_map(|part| part.source.pin()).flat_map(|pin| pin.split(' '))
}

fn probe_succeeds(probe: &str) -> bool {
    Command::new("sh").args(["-c", probe]).output().is_ok_and(|output| output.status.success())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
