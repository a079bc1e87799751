//! Where things are: the root, the target folder and the manifests, as `cargo metadata` tells them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// The workspace that this program was started in.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One member of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependency tables.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` is a normal dependency.
    pub(crate) kind: Option<String>,
    /// Set for members of this workspace.
    pub(crate) path: Option<PathBuf>,
}

impl Dependency {
    /// True for a dependency that only tests have.
    pub(crate) fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

impl Workspace {
    /// Asks cargo; needs no network, because nothing is resolved.
    pub(crate) fn read() -> Result<Self> {
        let manifest = own_folder().join("../Cargo.toml");
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1", "--offline", "--manifest-path"])
            .arg(manifest)
            .output()
            .context("cargo could not be started: is it on the PATH?")?;
        if !output.status.success() {
            bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).context("cargo metadata answered something else than JSON")
    }

    /// A cargo command that starts in the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }

    /// Where third-party servers and tools live.
    pub(crate) fn parts(&self) -> PathBuf {
        self.target.join("parts")
    }

    /// A path as a reader of the repository would write it.
    pub(crate) fn short<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// The folder of this chore's manifest, as cargo tells whoever it runs: what was compiled in may be another clone's, where two
/// share a target folder, or one that has moved since.
#[expect(clippy::disallowed_methods, reason = "the chore asks where it was started from")]
fn own_folder() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

fn cargo() -> Command {
    Command::new("cargo")
}
