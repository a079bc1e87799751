//! The files in `deploy/`: what cannot run here is at least read, and held against the program.

use std::fs;
use std::path::Path;
use std::process::Command;

use engify_core::settings::{SETTINGS, load};
use engify_testkit::parts;
use serde_json::Value;

use crate::engify::{Engify, workspace};
use crate::serve::Server;

fn text(path: &str) -> String {
    fs::read_to_string(workspace().join("deploy").join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

fn manifests() -> Vec<(String, Value)> {
    let folder = workspace().join("deploy/kubernetes");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|name| (name.clone(), yaml(&format!("kubernetes/{name}")))).collect()
}

fn keys(map: &Value) -> Vec<String> {
    map.as_object().unwrap().keys().cloned().collect()
}

/// Names that `KEY=value KEY=value` lines set.
fn assigned(lines: &str, directive: &str) -> Vec<String> {
    lines
        .lines()
        .filter_map(|line| line.strip_prefix(directive))
        .flat_map(str::split_whitespace)
        .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()))
        .collect()
}

fn container() -> Value {
    yaml("kubernetes/deployment.yaml")["spec"]["template"]["spec"]["containers"][0].clone()
}

#[test]
fn every_variable_that_they_set_is_a_setting() {
    let named: Vec<String> = container()["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect();
    let sources = [
        ("compose.yaml", keys(&yaml("compose.yaml")["services"]["engify"]["environment"])),
        ("configmap.yaml", keys(&yaml("kubernetes/configmap.yaml")["data"])),
        ("secret.example.yaml", keys(&yaml("kubernetes/secret.example.yaml")["stringData"])),
        ("deployment.yaml", named),
        ("engify@.service", assigned(&text("systemd/engify@.service"), "Environment=")),
        ("Dockerfile", assigned(&text("Dockerfile"), "ENV ")),
    ];
    for (file, names) in sources {
        assert!(!names.is_empty(), "{file} sets nothing");
        for name in names {
            assert!(
                SETTINGS.iter().any(|setting| setting.name == name),
                "{file} sets {name}, which nothing reads"
            );
        }
    }
}

#[test]
fn filled_in_they_are_settings_that_start() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let compose = yaml("compose.yaml")["services"]["engify"]["environment"].clone();
    let cluster = {
        let (mut config, secret) =
            (yaml("kubernetes/configmap.yaml")["data"].clone(), yaml("kubernetes/secret.example.yaml"));
        config.as_object_mut().unwrap().extend(secret["stringData"].as_object().unwrap().clone());
        config
    };
    for (file, given) in [("compose.yaml", compose), ("kubernetes", cluster)] {
        let value = |name: &str| {
            let value = given.get(name)?.as_str()?.to_owned();
            // `${NAME:-default}` and `${NAME:?message}`, the way compose fills them in.
            let filled = match value.split_once("${") {
                Some((before, rest)) => {
                    let (inner, after) = rest.split_once('}')?;
                    let default = inner.split_once(":-").map_or(SECRET, |(_, default)| default);
                    format!("{before}{default}{after}")
                }
                None => value,
            };
            let needed = ["NEXTAUTH_SECRET", "API_KEY_ENCRYPTION_KEY", "CRON_SECRET", "METRICS_TOKEN"];
            if filled.is_empty() && needed.contains(&name) { Some(SECRET.to_owned()) } else { Some(filled) }
        };
        let faults = load(value).err().unwrap_or_default();
        assert!(faults.is_empty(), "{file}: {faults:?}");
    }
}

#[test]
fn every_probe_names_a_route_that_is_there_and_the_image_asks_the_same() {
    let engify = Engify::new();
    let server = Server::start(&engify);
    let mut probed: Vec<String> = ["startupProbe", "livenessProbe", "readinessProbe"]
        .map(|probe| container()[probe]["httpGet"]["path"].as_str().unwrap().to_owned())
        .to_vec();
    let haproxy = text("haproxy.cfg");
    let check =
        haproxy.lines().find_map(|line| line.trim().strip_prefix("http-check send meth GET uri ")).unwrap();
    probed.push(check.split_whitespace().next().unwrap().to_owned());
    for path in probed {
        let reply = server.get(&path);
        assert!(reply.starts_with("HTTP/1.1 200"), "{path}: {reply}");
    }
    let port = server.port.to_string();
    let beside = Engify::new().with("PORT", &port);
    assert_eq!(beside.run(&["ready"]).ended(0).stdout, "ready\n");
    drop(server);
    let (code, report) = beside.report(&["ready", "--json"]);
    assert_eq!((code, &report["ready"]), (1, &false.into()));
}

#[test]
fn nothing_runs_as_root_or_writes_to_its_own_image() {
    let dockerfile = text("Dockerfile");
    let user = dockerfile.lines().rev().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(!user.starts_with('0') && !user.starts_with("root"), "{user}");
    assert!(
        dockerfile.contains("CMD [\"/usr/local/bin/engify\", \"ready\"]"),
        "no health check by the binary"
    );
    let pod = yaml("kubernetes/deployment.yaml")["spec"]["template"]["spec"].clone();
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(container()["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container()["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container()["securityContext"]["capabilities"]["drop"][0], "ALL");
    for (name, service) in yaml("compose.yaml")["services"].as_object().unwrap() {
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
    }
    assert_eq!(yaml("compose.yaml")["services"]["engify"]["read_only"], true);
    let unit = text("systemd/engify@.service");
    for line in ["DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="] {
        assert!(unit.lines().any(|found| found == line), "{line} is missing");
    }
}

#[test]
fn the_manifests_name_each_other_and_are_all_listed() {
    let all = manifests();
    let listed = &all.iter().find(|(name, _)| name == "kustomization.yaml").unwrap().1["resources"];
    let listed: Vec<&str> = listed.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for (name, manifest) in &all {
        assert!(name == "kustomization.yaml" || listed.contains(&name.as_str()), "{name} is not listed");
        assert!(manifest["apiVersion"].is_string() && manifest["kind"].is_string(), "{name}");
    }
    assert_eq!(listed.len() + 1, all.len());
    let label = yaml("kubernetes/deployment.yaml")["spec"]["template"]["metadata"]["labels"].clone();
    let selectors = [
        yaml("kubernetes/deployment.yaml")["spec"]["selector"]["matchLabels"].clone(),
        yaml("kubernetes/service.yaml")["spec"]["selector"].clone(),
        yaml("kubernetes/pdb.yaml")["spec"]["selector"]["matchLabels"].clone(),
        yaml("kubernetes/networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"].clone(),
    ];
    assert!(selectors.iter().all(|selector| *selector == label), "{selectors:?}");
    let scaled = yaml("kubernetes/hpa.yaml")["spec"]["scaleTargetRef"].clone();
    assert_eq!((&scaled["kind"], &scaled["name"]), (&"Deployment".into(), &"engify".into()));
}

#[test]
fn kubernetes_validate_takes_every_manifest() {
    for (name, manifest) in manifests() {
        // What kustomize reads is no object of a cluster's.
        if manifest["kind"] == "Kustomization" {
            continue;
        }
        let file = workspace().join("deploy/kubernetes").join(&name);
        let output = Command::new(parts::kubernetes_validate()).arg("--strict").arg(file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        // A kind without a schema is a warning, and proves nothing.
        assert!(output.status.success() && said.contains("passed"), "{name}: {said}");
    }
}

#[test]
fn systemd_takes_its_unit_and_finds_it_shut() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("engify@.service");
    // It looks whether the program is there; on this machine it is elsewhere.
    let here = text("systemd/engify@.service").replace("/usr/local/bin/engify", env!("CARGO_BIN_EXE_engify"));
    fs::write(&unit, here).unwrap();
    // 0 is shut, 100 open; what is not limited at all has 96.
    for args in [&["verify"][..], &["security", "--offline=true", "--threshold=15"]] {
        let output = Command::new("systemd-analyze").args(args).arg(&unit).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
    }
}

#[test]
fn haproxy_takes_its_file() {
    // Debian keeps it where not everybody's PATH leads.
    let haproxy = ["/usr/sbin/haproxy", "/usr/bin/haproxy", "/usr/local/sbin/haproxy"];
    let haproxy = haproxy.iter().map(Path::new).find(|path| path.exists()).unwrap();
    let file = workspace().join("deploy/haproxy.cfg");
    let output = Command::new(haproxy).args(["-c", "-q", "-f"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
