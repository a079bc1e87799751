//! A value that must not be shown. `Debug` prints `[redacted]`, there is no `Display` and no `Serialize`;
//! [`Secret::reveal`] is the only way out, so that a search for it is the audit.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A value that must not be shown; wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a secret.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call site is a place to look at.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Secret<String> {
    /// How operators see it: `set (…last 4)`; shorter than 12 characters: only `set`.
    pub fn hint(&self) -> String {
        let count = self.0.chars().count();
        if count < 12 {
            return "set".to_owned();
        }
        let last: String = self.0.chars().skip(count - 4).collect();
        format!("set (…{last})")
    }

    /// Compares in a time that does not depend on where the two differ.
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

/// For `#[serde(with = "secret::at_rest")]` on entities whose store keeps the value (a password hash); views never use it.
pub mod at_rest {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Secret;

    /// Writes the value itself.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(secret: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.reveal())
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }

    /// The same for a value that may not be there.
    pub mod optional {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use super::Secret;

        /// Writes the value itself, or null.
        ///
        /// # Errors
        /// Those of the serializer.
        pub fn serialize<S: Serializer>(
            secret: &Option<Secret<String>>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            secret.as_ref().map(Secret::reveal).serialize(serializer)
        }

        /// Reads it back.
        ///
        /// # Errors
        /// Those of the deserializer.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Secret<String>>, D::Error> {
            Option::<String>::deserialize(deserializer).map(|text| text.map(Secret::new))
        }
    }
}
