//! An authenticator in memory: makes passkeys and signs with them as a browser and a device together would, so that a test
//! at the HTTP boundary can also do what no real device does (a counter that goes back, a person who is not asked).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A P-256 key of nobody's, PKCS #8; its last 64 bytes are the public point.
const KEY: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420bf90973de451a7d37339b9c9e93f5d71bc01948f\
                   26882ad546664b698689058fa144034200040809d9c49995207f874a296b1ffcbcb2a312dba67788aeb31583131f3a1f1aa0b7d133fc3674\
                   3b052a5d6d65d705b740e07a76bbbacc5f5b0817c15eb65ddc60";

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const HAS_CREDENTIAL: u8 = 1 << 6;

/// One passkey on one device.
#[derive(Debug, Clone)]
pub struct SoftPasskey {
    /// Where the browser is.
    pub origin: String,
    /// How often it signed; what the device says next is one more.
    pub counter: u32,
    /// Whether the device asks for finger, face or PIN.
    pub verifies: bool,
    id: Vec<u8>,
    owner: Option<String>,
}

impl SoftPasskey {
    /// A device that holds nothing yet; `name` tells its passkey from others.
    pub fn new(name: &str) -> Self {
        let id = Sha256::digest(name).to_vec();
        Self { origin: "http://localhost:3000".to_owned(), counter: 0, verifies: true, id, owner: None }
    }

    /// What `navigator.credentials.create` answers to these options (`publicKey`), as JSON.
    pub fn create(&mut self, options: &Value) -> Value {
        self.owner = options["user"]["id"].as_str().map(str::to_owned);
        let mut data = self.head(options["rp"]["id"].as_str().unwrap_or_default(), HAS_CREDENTIAL);
        data.extend([0; 16]);
        data.extend([0, u8::try_from(self.id.len()).expect("a short id")]);
        data.extend(&self.id);
        data.extend(cose_key());
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("short data"));
        object.extend(data);
        let response = json!({
            "clientDataJSON": BASE64.encode(self.client_data("webauthn.create", options)),
            "attestationObject": BASE64.encode(object),
        });
        self.credential(response)
    }

    /// What `navigator.credentials.get` answers to these options (`publicKey`), as JSON.
    pub fn get(&mut self, options: &Value) -> Value {
        self.counter += 1;
        let data = self.head(options["rpId"].as_str().unwrap_or_default(), 0);
        let client = self.client_data("webauthn.get", options);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client));
        let response = json!({
            "clientDataJSON": BASE64.encode(client),
            "authenticatorData": BASE64.encode(data),
            "signature": BASE64.encode(sign(&signed)),
            "userHandle": self.owner,
        });
        self.credential(response)
    }

    fn credential(&self, response: Value) -> Value {
        let id = BASE64.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    /// The first 37 bytes of authenticator data: whose site, which flags, how often.
    fn head(&self, site: &str, flags: u8) -> Vec<u8> {
        let verified = if self.verifies { USER_VERIFIED } else { 0 };
        let mut data = Sha256::digest(site).to_vec();
        data.push(flags | USER_PRESENT | verified);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }
}

fn key() -> Vec<u8> {
    let digits: Vec<char> = KEY.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex");
    digits.chunks(2).map(byte).collect()
}

/// The public key as COSE writes it: EC2, ES256, P-256, x, y.
fn cose_key() -> Vec<u8> {
    let key = key();
    let point = &key[key.len() - 64..];
    let mut cose = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
    cose.extend(&point[..32]);
    cose.extend([0x22, 0x58, 0x20]);
    cose.extend(&point[32..]);
    cose
}

fn sign(message: &[u8]) -> Vec<u8> {
    let key = any_ecdsa_type(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key()))).expect("a key");
    let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]).expect("a signer");
    signer.sign(message).expect("a signature")
}
