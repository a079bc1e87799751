//! Where sealed values live: every entity that holds one is listed here, and nowhere else, so that a rotation forgets none.
//! A test reads the entities' source and fails when one with a [`Sealed`] is missing.

use engify_core::factor::Factors;
use engify_core::identity::{OauthStep, OauthTicket};
use engify_core::message::Message;
use engify_core::provider_key::ProviderKey;
use engify_core::{Result, Sealed};
use engify_store::Entity;

use super::rotation::Walk;
use crate::factors::totp;
use crate::identities;
use crate::messages;

/// Looks at one sealed value with its place, and may replace it.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&str, &mut Sealed) -> Result<()>;

/// An entity that holds sealed values.
pub(crate) trait Seals: Entity + Clone {
    /// The document's top-level fields that hold them.
    const FIELDS: &'static [&'static str];

    /// The field that counts changes, where others write a whole document under the condition that it did not grow: without
    /// it, a write that is on its way during a rotation would bring the old seal back.
    const REVISION: Option<&'static str> = None;

    /// Shows each sealed value, with the place it was sealed for, to `visit`.
    ///
    /// # Errors
    /// Those of `visit`.
    fn each(&mut self, visit: Visit<'_>) -> Result<()>;
}

impl Seals for ProviderKey {
    const FIELDS: &'static [&'static str] = &["sealed"];

    fn each(&mut self, visit: Visit<'_>) -> Result<()> {
        visit(&self.place(), &mut self.sealed)
    }
}

impl Seals for Message {
    const FIELDS: &'static [&'static str] = &["content"];

    fn each(&mut self, visit: Visit<'_>) -> Result<()> {
        let place = messages::place(&self.id);
        self.content.as_mut().map_or(Ok(()), |content| visit(&place, content))
    }
}

impl Seals for Factors {
    const FIELDS: &'static [&'static str] = &["totp", "totpPending"];
    const REVISION: Option<&'static str> = Some("revision");

    fn each(&mut self, visit: Visit<'_>) -> Result<()> {
        let place = totp::place(&self.id);
        self.totp.iter_mut().chain(&mut self.totp_pending).try_for_each(|app| visit(&place, &mut app.secret))
    }
}

impl Seals for OauthTicket {
    const FIELDS: &'static [&'static str] = &["step"];

    fn each(&mut self, visit: Visit<'_>) -> Result<()> {
        match &mut self.step {
            OauthStep::Provider { nonce, verifier } => visit(&identities::place(nonce), verifier),
            OauthStep::Proof(_) => Ok(()),
        }
    }
}

macro_rules! registered {
    // An entity, and in brackets the types inside it that hold the value, where it does not hold it itself.
    ($($entity:ident $(($inner:ident))?),+ $(,)?) => {
        /// Walks all of them.
        ///
        /// # Errors
        /// Those of the store.
        pub(super) async fn walk(walk: &mut Walk<'_>) -> Result<()> {
            $(walk.collection::<$entity>().await?;)+
            Ok(())
        }

        #[cfg(test)]
        const REGISTERED: &[&str] = &[$(registered!(@holder $entity $($inner)?)),+];
    };
    (@holder $entity:ident $inner:ident) => { stringify!($inner) };
    (@holder $entity:ident) => { stringify!($entity) };
}

registered! { ProviderKey, Message, Factors (TotpFactor), OauthTicket (OauthStep) }

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Names of structs and enums whose body names [`Sealed`].
    fn holders(source: &str) -> BTreeSet<String> {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let (mut holders, mut current) = (BTreeSet::new(), None);
        for line in code.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            let declared = ["pub struct ", "pub enum "].iter().find_map(|word| line.strip_prefix(word));
            if let Some(rest) = declared {
                current = rest.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned);
            } else if line.starts_with("impl") || line.contains("fn ") {
                current = None;
            } else if let Some(holder) = &current
                && line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "Sealed")
            {
                holders.insert(holder.clone());
            }
        }
        holders
    }

    #[test]
    fn every_entity_with_a_sealed_value_is_registered() {
        let entities = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engify-core/src");
        let mut found = BTreeSet::new();
        for file in std::fs::read_dir(&entities).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("sealed.rs") {
                found.extend(holders(&std::fs::read_to_string(path).unwrap()));
            }
        }
        let registered: BTreeSet<String> = REGISTERED.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            found, registered,
            "an entity that holds a Sealed needs `impl Seals` and a place in `registered!`"
        );
    }

    #[test]
    fn a_new_holder_is_seen() {
        let source = "/// Sealed?\npub struct Plain { a: u8 }\npub struct Box {\n    secret: Option<Sealed>,\n}\nimpl Box {\n    fn x(s: Sealed) {}\n}";
        assert_eq!(holders(source), BTreeSet::from(["Box".to_owned()]));
    }
}
