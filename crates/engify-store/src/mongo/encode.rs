//! Documents to the bytes of BSON: those in memory, and those that are JSON text, without a tree in between.

use std::borrow::Cow;
use std::fmt;

use engify_core::{Error, Result, Time};
use mongodb::bson::raw::{CStr, RawArrayBuf, RawBsonRef, RawDocumentBuf};
use mongodb::bson::{Bson, DateTime, Decimal128};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::Doc;
use crate::adapter::too_large;

/// How deep a document may nest. MongoDB stops at 100 levels; the journal's entry and a margin are ours.
const DEPTH: usize = 90;

/// Room for a document within another; more where it has more.
const NESTED: usize = 128;

/// The longest document that MongoDB takes, bytes of BSON; the embedded database takes none that is longer.
pub(crate) const LONGEST: usize = 16 * 1024 * 1024;

/// A document as the bytes of BSON.
///
/// # Errors
/// `invalid_request` for a NUL in a field name, and for nesting deeper than MongoDB takes; `document_too_large`.
pub(crate) fn raw(doc: &Doc) -> Result<RawDocumentBuf> {
    said(|refused| doc.deserialize_map(Whole { refused, room: 0 })).and_then(bounded)
}

/// A document that is JSON text as the bytes of BSON; its fields keep their order.
///
/// # Errors
/// As [`raw`]; `internal` for text that is no JSON object.
pub(crate) fn raw_of_text(text: &str) -> Result<RawDocumentBuf> {
    let mut json = serde_json::Deserializer::from_str(text);
    let made = said(|refused| json.deserialize_map(Whole { refused, room: text.len() }))?;
    json.end().map_err(Error::internal)?;
    bounded(made)
}

/// One value as BSON; `field` is its name, the last part of a dotted path counts.
///
/// # Errors
/// As [`raw`].
pub(super) fn value(field: &str, value: &Value) -> Result<Bson> {
    let name = field.rsplit('.').next().unwrap_or(field);
    let mut made = Ok(Bson::Null);
    said(|refused| {
        let put = Put { name, depth: DEPTH, refused, into: &mut |raw| made = Bson::try_from(raw) };
        put.deserialize(value)
    })?;
    made.map_err(Error::internal)
}

fn bounded(made: RawDocumentBuf) -> Result<RawDocumentBuf> {
    if made.as_bytes().len() > LONGEST { Err(too_large()) } else { Ok(made) }
}

/// What a walk was refused for, in our words; what else stopped it is a defect.
fn said<T, E: serde::de::Error>(walk: impl FnOnce(&mut Option<Error>) -> Result<T, E>) -> Result<T> {
    let mut refused = None;
    walk(&mut refused).map_err(|fault| refused.unwrap_or_else(|| Error::internal(fault.to_string())))
}

/// Makes a document of what is an object.
struct Whole<'a> {
    refused: &'a mut Option<Error>,
    /// Bytes that it will have, about.
    room: usize,
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = RawDocumentBuf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawDocumentBuf, A::Error> {
        fields(empty(self.room), map, DEPTH, self.refused)
    }
}

/// Puts one value where it belongs: behind its name, or into a list.
struct Put<'a> {
    name: &'a str,
    depth: usize,
    refused: &'a mut Option<Error>,
    into: &'a mut dyn FnMut(RawBsonRef<'_>),
}

impl<'de> DeserializeSeed<'de> for Put<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, source: D) -> Result<(), D::Error> {
        match self.depth.checked_sub(1) {
            Some(below) => self.depth = below,
            None => {
                let why = format!("is nested deeper than {DEPTH} levels");
                *self.refused = Some(Error::field(self.name, why));
                return Err(D::Error::custom("too deep"));
            }
        }
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Put<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        (self.into)(RawBsonRef::Null);
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        (self.into)(RawBsonRef::Boolean(flag));
        Ok(())
    }

    fn visit_i64<E>(self, whole: i64) -> Result<(), E> {
        (self.into)(RawBsonRef::Int64(whole));
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, whole: u64) -> Result<(), E> {
        (self.into)(match i64::try_from(whole) {
            Ok(whole) => RawBsonRef::Int64(whole),
            // Beyond 64 signed bits only a decimal keeps every digit.
            Err(_) => RawBsonRef::Decimal128(whole.to_string().parse::<Decimal128>().map_err(E::custom)?),
        });
        Ok(())
    }

    fn visit_f64<E>(self, real: f64) -> Result<(), E> {
        (self.into)(RawBsonRef::Double(real));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        (self.into)(match Time::of_field(self.name, text) {
            Some(time) => RawBsonRef::DateTime(DateTime::from_millis(time.millis())),
            None => RawBsonRef::String(text),
        });
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut list = RawArrayBuf::new();
        loop {
            // A time in a list has no name that ends in `At`: it stays text.
            let put =
                Put { name: "", depth: self.depth, refused: self.refused, into: &mut |item| list.push(item) };
            if items.next_element_seed(put)?.is_none() {
                break;
            }
        }
        (self.into)(RawBsonRef::Array(&list));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let made = fields(empty(NESTED), map, self.depth, self.refused)?;
        (self.into)(RawBsonRef::Document(&made));
        Ok(())
    }
}

/// The name of a field, without a copy where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A document without fields, and with room for some.
pub(crate) fn empty(room: usize) -> RawDocumentBuf {
    let mut bytes = Vec::with_capacity(room);
    bytes.extend_from_slice(RawDocumentBuf::new().as_bytes());
    // What is copied from a document is one.
    RawDocumentBuf::from_bytes(bytes).unwrap_or_default()
}

fn fields<'de, A: MapAccess<'de>>(
    mut made: RawDocumentBuf,
    mut map: A,
    depth: usize,
    refused: &mut Option<Error>,
) -> Result<RawDocumentBuf, A::Error> {
    while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
        let Ok(key) = <&CStr>::try_from(&*name) else {
            let shown = name.replace('\0', "\u{fffd}");
            let why = "has a NUL character in its name, which the database does not take";
            *refused = Some(Error::field(shown, why));
            return Err(A::Error::custom("a NUL in a name"));
        };
        map.next_value_seed(Put { name: &name, depth, refused, into: &mut |value| made.append(key, value) })?;
    }
    Ok(made)
}
