//! Real third-party servers for tests, started from what `cargo xtask parts` installed. Each one gets a free port and
//! a folder of its own and ends with its handle, or with the test process if that dies first. This module knows how
//! to start them and when they are ready; it knows nothing of our own crates.
#![expect(
    clippy::panic,
    reason = "a test without its server has nothing left to do but fail with the reason"
)]

mod aimock;
mod issuer;
mod moto;
mod redis;
mod secantus;
mod server;
mod twilio;

use std::path::{Path, PathBuf};

pub use aimock::{Aimock, AimockOptions};
pub use issuer::{CLIENT, Issuer, Visit};
pub use moto::Moto;
pub use redis::Redis;
pub use secantus::Secantus;
pub use twilio::Twilio;

/// A real server of the MongoDB wire protocol with SCRAM authentication on, shared by all tests of this process.
/// Give each test a database of its own: `secantus().uri("name-of-the-test")`.
#[must_use]
pub fn secantus() -> &'static Secantus {
    Secantus::shared()
}

/// A server that speaks the wire formats of the AI providers and answers from `options.fixtures`.
#[must_use]
pub fn aimock(options: AimockOptions<'_>) -> Aimock {
    Aimock::start(options)
}

/// A certified OpenID Connect issuer that sends browsers back to `callback`.
#[must_use]
pub fn issuer(callback: &str) -> Issuer {
    Issuer::start(callback)
}

/// A Redis with these further arguments, empty.
#[must_use]
pub fn redis(args: &[&str]) -> Redis {
    Redis::start(args)
}

/// A server that speaks S3, with nothing in it.
#[must_use]
pub fn moto() -> Moto {
    Moto::start()
}

/// Twilio as far as codes and text messages go.
#[must_use]
pub fn twilio() -> Twilio {
    Twilio::start()
}

/// The Python interpreter that has the vendors' own clients.
#[must_use]
pub fn python() -> PathBuf {
    installed("py/bin/python")
}

/// A Node.js of version 24, which some of these packages need.
#[must_use]
pub fn node_24() -> PathBuf {
    installed(twilio::NODE_24)
}

/// The program that knows the schemas of Kubernetes' objects.
#[must_use]
pub fn kubernetes_validate() -> PathBuf {
    installed("kubernetes-validate/bin/kubernetes-validate")
}

/// The folder of the packages that Node.js programs may ask for.
#[must_use]
pub fn node_modules() -> PathBuf {
    installed("node/node_modules")
}

/// The folder of real prompts that nobody here wrote. It lies beside a developer's checkout and is absent in a
/// user's clone, where the test says so and ends.
#[must_use]
pub fn fabric_prompts() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/fabric");
    folder.is_dir().then_some(folder)
}

/// The path of an installed program or file.
fn installed(name: &str) -> PathBuf {
    let path = shelf().join(name);
    if !path.exists() {
        panic!("{} is not there: run `cargo xtask parts`", path.display());
    }
    path
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask tells the tests where the parts are, and nothing else does"
)]
fn shelf() -> PathBuf {
    match std::env::var_os("ENGIFY_PARTS") {
        Some(folder) => folder.into(),
        None => panic!("run `cargo xtask test`, which installs the real servers first"),
    }
}
