//! A scan of a running server for known weaknesses by wapiti: injection, cross-site scripting, open redirects, headers, cookies.
//! It crawls what it finds and attacks each field; any finding is a failure. It refuses to judge what wapiti says.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process::{capture, stream};
use crate::server::{self, Server};
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{Outcome, e2e, parts};

/// What a scan needs.
pub(crate) const PARTS: &[&str] = &["python3-venv", "wapiti", "aimock"];

/// What is looked for. Left out: what needs a server of wapiti's on the internet (ssrf, xxe), what guesses names for minutes (buster, nikto), and
/// csrf, which only knows tokens in forms; ours is tried by a test of its own.
const MODULES: &str = "csp,cookieflags,http_headers,crlf,exec,file,permanentxss,redirect,sql,xss,methods";
/// Where the crawl begins: pages with fields of their own.
const STARTS: &[&str] = &[
    "/",
    "/prompts?q=review&sort=used",
    "/login",
    "/forgot-password",
    "/patterns",
    "/workbench",
    "/settings/profile",
];
/// What a crawl must not call: it would sign itself out.
const LEFT_OUT: &[&str] = &["/logout", "/api/auth/signout", "/settings/security"];

pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    parts::require(workspace, PARTS)?;
    let tally = scans(workspace)?;
    tally.print();
    Ok(Outcome::of(tally.is_good()))
}

/// Both scans, on the debug build.
pub(crate) fn scans(workspace: &Workspace) -> Result<Tally> {
    let server = Server::start(workspace, &server::build(workspace)?)?;
    let cookie = capture(&mut e2e::script(workspace, &server, "session.mjs")?)?;
    let mut tally = Tally::default();
    tally.add(scan(workspace, &server, "a stranger", None)?);
    tally.add(scan(workspace, &server, "somebody signed in", Some(cookie.trim()))?);
    Ok(tally)
}

fn scan(workspace: &Workspace, server: &Server, who: &str, cookie: Option<&str>) -> Result<Tally> {
    let name = who.replace(' ', "-");
    let folder = workspace.target.join("e2e");
    std::fs::create_dir_all(&folder)?;
    let report = folder.join(format!("wapiti-{name}.json"));
    let mut wapiti = Command::new(workspace.parts().join("wapiti/bin/wapiti"));
    wapiti
        .args(["--url", &format!("{}/", server.url), "--module", MODULES, "--format", "json", "--output"])
        .arg(&report)
        .arg("--store-session")
        .arg(folder.join(format!("wapiti-{name}")))
        .args(["--flush-session", "--no-bugreport", "--verbose", "0", "--depth", "1"])
        // Bounds that keep a scan within two minutes on two cores.
        .args([
            "--max-links-per-page",
            "12",
            "--max-files-per-dir",
            "5",
            "--max-scan-time",
            "25",
            "--max-attack-time",
            "8",
        ]);
    for start in STARTS {
        wapiti.args(["--start", &format!("{}{start}", server.url)]);
    }
    for path in LEFT_OUT {
        wapiti.args(["--exclude", &format!("{}{path}", server.url)]);
    }
    if let Some(cookie) = cookie {
        wapiti.args(["--header", &format!("Cookie: {cookie}")]);
    }
    let status = stream(&mut wapiti, |_, _| {})?;
    let mut tally = Tally::default();
    let read =
        std::fs::read_to_string(&report).with_context(|| format!("wapiti left no report ({status})"))?;
    let report: Value = serde_json::from_str(&read)?;
    let pages = report["infos"]["crawled_pages_nbr"].as_u64().unwrap_or(0);
    let findings = findings(&report);
    for finding in &findings {
        tally.fail(format!("scan as {who}: {finding}"));
    }
    if pages < 10 {
        tally.fail(format!("scan as {who}: only {pages} pages were found, so nothing is proven"));
    } else if findings.is_empty() {
        println!("scan as {who}: {pages} pages, no finding");
        tally.pass();
    }
    if !tally.is_good() {
        eprintln!("{}", server.last_words());
    }
    Ok(tally)
}

/// What follows from scanning over plain http: cookies are `Secure` where the address is https, which tests of their own
/// prove.
const ON_HTTP: &str = "Secure Flag cookie";

/// Vulnerabilities of any level above informational, and anomalies (5xx, timeouts).
fn findings(report: &Value) -> Vec<String> {
    let groups =
        ["vulnerabilities", "anomalies"].into_iter().filter_map(|kind| report[kind].as_object()).flatten();
    let all =
        groups.flat_map(|(name, found)| found.as_array().into_iter().flatten().map(move |one| (name, one)));
    all.filter(|(name, one)| one["level"].as_u64() != Some(0) && *name != ON_HTTP)
        .map(|(name, one)| {
            let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
            format!("{name}: {} {} {}", text("method"), text("path"), text("info"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_informational_is_a_finding() {
        let one =
            |level| serde_json::json!([{ "level": level, "method": "GET", "path": "/x", "info": "seen" }]);
        let report = serde_json::json!({ "vulnerabilities": { "XSS": one(2), "Hint": one(0), "Secure Flag cookie": one(1) }, "anomalies": { "500": one(1) } });
        assert_eq!(findings(&report), ["XSS: GET /x seen", "500: GET /x seen"]);
    }
}
