//! Rules on third-party crates: which ones never, how many, and a written reason for each.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Finding;
use crate::process::capture;
use crate::workspace::Workspace;

/// One TLS stack that builds with a C compiler alone; none of these may come in through a dependency's defaults.
const BANNED: &[&str] = &["openssl-sys", "native-tls", "aws-lc-sys", "cmake", "bindgen"];

/// Crates in the binary's own tree, build scripts included. Each costs seconds of everybody's cold build and is
/// somebody to trust; 346 were there when it was first set, and `age` alone brought 70. Raise it knowingly, with the reason in
/// docs/dependencies.md.
const MAX_CRATES: usize = 575;

const REASONS: &str = "docs/dependencies.md";

pub(super) fn check_tree(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut tree = workspace.cargo();
    tree.args([
        "tree",
        "--package",
        "engify",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    Ok(tree_faults(&capture(&mut tree)?))
}

fn tree_faults(tree: &str) -> Vec<Finding> {
    let crates: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    let mut findings: Vec<Finding> = crates
        .iter()
        .filter(|(name, _)| BANNED.contains(name))
        .map(|(name, version)| {
            let what = format!(
                "{name} {version} came in: `cargo tree -e normal,build -i {name}` shows through whom"
            );
            Finding::new("Cargo.lock", 1, what)
        })
        .collect();
    if crates.len() > MAX_CRATES {
        let what = format!(
            "{} crates in the binary, the bound is {MAX_CRATES}: see docs/dependencies.md",
            crates.len()
        );
        findings.push(Finding::new("Cargo.lock", 1, what));
    }
    findings
}

pub(super) fn check_reasons(root: &Path) -> Result<Vec<Finding>> {
    let read =
        |name: &str| std::fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"));
    Ok(reason_faults(&read("Cargo.toml")?, &read(REASONS)?))
}

/// Each dependency needs a table row that starts with its name in back quotes, and each such row a dependency.
fn reason_faults(manifest: &str, reasons: &str) -> Vec<Finding> {
    let rows: Vec<(usize, &str)> = (1..)
        .zip(reasons.lines())
        .filter_map(|(number, line)| Some((number, line.strip_prefix("| `")?.split('`').next()?)))
        .collect();
    let dependencies: Vec<(usize, &str)> = dependencies(manifest).collect();
    let without_reason = dependencies
        .iter()
        .filter(|(_, name)| !rows.iter().any(|(_, row)| row == name))
        .map(|(line, name)| {
            Finding::new("Cargo.toml", *line, format!("{name} has no reason: write one in {REASONS}"))
        });
    let without_dependency = rows
        .iter()
        .filter(|(_, row)| !dependencies.iter().any(|(_, name)| name == row))
        .map(|(line, row)| {
            Finding::new(REASONS, *line, format!("{row} is no longer a dependency: remove the row"))
        });
    without_reason.chain(without_dependency).collect()
}

/// The names in `[workspace.dependencies]` that are not our own crates, with their line numbers.
fn dependencies(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(manifest.lines())
        .skip_while(|(_, line)| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|(_, line)| !line.starts_with('['))
        .filter(|(_, line)| !line.contains("path = "))
        .filter_map(|(number, line)| Some((number, line.split_once(" = ")?.0)))
        .filter(|(_, name)| !name.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_crates_are_found_in_the_tree() {
        let findings =
            tree_faults("engify v0.1.0 (/work)\nserde v1.0.0\nopenssl-sys v0.9.1\nserde v1.0.0 (*)\n");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.starts_with("openssl-sys v0.9.1"));
    }

    #[test]
    fn every_dependency_has_a_reason_and_no_reason_is_stale() {
        let manifest = "[workspace.dependencies]\nours = { path = \"crates/ours\" }\n\n# Words\nserde = \"1\"\nurl = \"2\"\n[profile.dev]\ndebug = 1\n";
        let reasons = "| crate | reason |\n|---|---|\n| `serde` | words |\n| `gone` | no |\n";
        let lines: Vec<_> = reason_faults(manifest, reasons).into_iter().map(|f| (f.file, f.line)).collect();
        assert_eq!(lines, [("Cargo.toml".into(), 6), (REASONS.into(), 4)]);
    }
}
