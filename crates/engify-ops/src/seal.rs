//! What leaves this machine is encrypted with `BACKUP_ENCRYPTION_KEY`: age, authenticated in chunks of 64 KiB, so that the
//! age command line reads it as well.
//!
//! The key is one age identity, written as age writes it (`AGE-SECRET-KEY-1…`) or as the 32 bytes of it in hex. Names and
//! sums of what is encrypted are sealed by a code that only who has the key can make, so that nothing can be swapped.

use std::io::{self, Read, Write};

use engify_core::{Error, Kind, Result, Secret};
use sha2::{Digest as _, Sha256};

mod bech32;

/// How age writes an identity.
const IDENTITY: &str = "AGE-SECRET-KEY-";

/// What every age file begins with.
const MAGIC: &[u8] = b"age-encryption.org/";

/// The key of everything that is kept at backup targets.
#[derive(Clone)]
pub struct Key {
    identity: age::x25519::Identity,
    /// What codes are made with: derived from the secret, and of no use for decryption.
    code: Secret<[u8; 32]>,
    id: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Key {
    /// Reads 64 hex digits or an age identity.
    ///
    /// # Errors
    /// `invalid_settings` with the remedy; it never repeats what was given.
    pub fn parse(text: &Secret<String>) -> Result<Self> {
        let given = text.reveal().trim();
        let wrong = || {
            Error::new(
                Kind::Invalid,
                "invalid_settings",
                "BACKUP_ENCRYPTION_KEY is neither 32 bytes as 64 hex digits nor an age identity. Make one with \
                 `openssl rand -hex 32` or `age-keygen`, and keep it elsewhere as well: without it nothing is restored.",
            )
        };
        let identity: age::x25519::Identity = match hex::decode(given) {
            Ok(bytes) if bytes.len() == 32 => Secret::new(bech32::encode(IDENTITY, &bytes).to_uppercase())
                .reveal()
                .parse()
                .map_err(|_| wrong())?,
            _ => given.to_uppercase().parse().map_err(|_| wrong())?,
        };
        let public = identity.to_public().to_string();
        let secret = identity.to_string();
        let secret = age::secrecy::ExposeSecret::expose_secret(&secret);
        let code = Sha256::new().chain_update("engify backup seal\0").chain_update(secret).finalize();
        let id = hex::encode(&Sha256::digest(public.as_bytes())[..4]);
        Ok(Self { identity, code: Secret::new(code.into()), id })
    }

    /// A name of the key that gives nothing away: 8 hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As `age-keygen` would have written it: the public half, and the secret one.
    pub fn age_identity(&self) -> (String, Secret<String>) {
        let secret = self.identity.to_string();
        let secret = age::secrecy::ExposeSecret::expose_secret(&secret).to_owned();
        (self.identity.to_public().to_string(), Secret::new(secret))
    }

    /// A code over `data` that only who has the key can make, as hex: HMAC-SHA256 (RFC 2104).
    pub fn seal(&self, data: &[u8]) -> String {
        let pad = |with: u8| {
            let mut block = [with; 64];
            block.iter_mut().zip(self.code.reveal()).for_each(|(byte, key)| *byte ^= key);
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(data).finalize();
        hex::encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
    }

    /// Whether somebody with the key made this code over `data`.
    pub fn is_seal_of(&self, seal: &str, data: &[u8]) -> bool {
        Secret::new(self.seal(data)).matches(seal)
    }

    /// Encrypts what is written. [`Sealing::finish`] ends it; without that it cannot be read back.
    ///
    /// # Errors
    /// The writer's own.
    pub fn sealing<W: Write>(&self, output: W) -> io::Result<Sealing<W>> {
        let recipient = self.identity.to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _))
            .map_err(|fault| io::Error::other(fault.to_string()))?;
        encryptor.wrap_output(output).map(Sealing)
    }

    /// Decrypts what is read.
    ///
    /// # Errors
    /// `wrong_key` where it was encrypted with another one, `damaged` where it is not whole or not ours.
    pub fn opening<R: Read>(&self, input: R) -> Result<age::stream::StreamReader<R>> {
        let decryptor = age::Decryptor::new(input).map_err(|fault| unreadable(&fault))?;
        decryptor.decrypt(std::iter::once(&self.identity as _)).map_err(|fault| unreadable(&fault))
    }
}

/// What is being encrypted.
pub struct Sealing<W: Write>(age::stream::StreamWriter<W>);

impl<W: Write> Sealing<W> {
    /// Writes the last chunk, which says that it is the last.
    ///
    /// # Errors
    /// The writer's own.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether bytes begin as an encrypted file does.
pub fn is_sealed(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC)
}

/// It was encrypted with another key.
pub fn wrong_key(what: &str, theirs: &str, ours: Option<&Key>) -> Error {
    let ours = ours.map_or_else(
        || "BACKUP_ENCRYPTION_KEY is not set".to_owned(),
        |key| format!("BACKUP_ENCRYPTION_KEY is the key {}", key.id()),
    );
    Error::new(
        Kind::Invalid,
        "wrong_key",
        format!("{what} was encrypted with the key {theirs}, and {ours}. Set the key that it was made with."),
    )
}

fn unreadable(fault: &age::DecryptError) -> Error {
    match fault {
        age::DecryptError::NoMatchingKeys
        | age::DecryptError::KeyDecryptionFailed
        | age::DecryptError::DecryptionFailed => Error::new(
            Kind::Invalid,
            "wrong_key",
            "It was encrypted with another key. Set BACKUP_ENCRYPTION_KEY to the one that it was made with.",
        ),
        _ => Error::new(Kind::Invalid, "damaged", "It is not an encrypted file of ours, or it is damaged."),
    }
    .because(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0000000000000000000000000000000000000000000000000000000000000001";

    fn key(text: &str) -> Key {
        Key::parse(&Secret::new(text.to_owned())).unwrap()
    }

    #[test]
    fn both_ways_of_writing_are_one_key() {
        let key_of_hex = key(HEX);
        let (public, identity) = key_of_hex.age_identity();
        assert!(public.starts_with("age1"), "{public}");
        assert!(identity.reveal().starts_with("AGE-SECRET-KEY-1"));
        assert_eq!(key(identity.reveal()).id(), key_of_hex.id());
        assert_eq!(key(&HEX.to_uppercase()).id(), key_of_hex.id());
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        for wrong in ["hunter2hunter2hunter2", &HEX[1..], "AGE-SECRET-KEY-1QQQQ", "age1qqqq"] {
            let refused = Key::parse(&Secret::new(wrong.to_owned())).unwrap_err();
            assert!(refused.message().contains("openssl rand -hex 32"), "{refused}");
            assert!(!format!("{refused:?}").contains(wrong), "{refused:?}");
        }
    }

    #[test]
    fn what_was_encrypted_comes_back_and_nothing_else_does() {
        let key = key(HEX);
        let text = b"0123456789".repeat(20_000);
        let mut sealing = key.sealing(Vec::new()).unwrap();
        sealing.write_all(&text).unwrap();
        let sealed = sealing.finish().unwrap();
        assert!(is_sealed(&sealed) && !is_sealed(&text));
        let read = |bytes: &[u8], key: &Key| {
            let mut back = Vec::new();
            let read = key.opening(bytes).map_err(|error| error.code())?.read_to_end(&mut back);
            read.map(|_| back).map_err(|_| "cut or changed")
        };
        assert_eq!(read(&sealed, &key), Ok(text));
        assert_eq!(read(&sealed[..sealed.len() - 20], &key), Err("cut or changed"));
        assert_eq!(read(&sealed[..70_000], &key), Err("cut or changed"));
        let mut flipped = sealed.clone();
        flipped[100_000] ^= 1;
        assert_eq!(read(&flipped, &key), Err("cut or changed"));
        assert_eq!(read(&sealed, &self::key(&"ab".repeat(32))), Err("wrong_key"));
        assert_eq!(read(b"hello", &key), Err("damaged"));
    }

    #[test]
    fn only_the_key_makes_its_codes() {
        let key = key(HEX);
        let seal = key.seal(b"a");
        assert!(key.is_seal_of(&seal, b"a") && !key.is_seal_of(&seal, b"b"));
        assert!(!self::key(&"ab".repeat(32)).is_seal_of(&seal, b"a"));
    }
}
