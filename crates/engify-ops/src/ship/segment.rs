//! A piece of the journal as an object: a header and changes, as BSON, zstd and, where a key is set, age.
//!
//! Its name says what is inside, so that the way to a moment is found by names alone:
//! `journal/<day>/<after>-<to>-<earliest>-<latest>.bson.zst[.age]`: the positions behind `after` up to `to`, and the times of
//! its changes in milliseconds. Names grow with positions. A break (`….break`) says that what is behind it does not follow
//! from what is before it. The header names the piece before and the SHA-256 of its bytes: nothing can be changed,
//! swapped or left out unseen.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use engify_core::{Error, Kind, Result, Time};
use engify_store::Doc;
use engify_store::bson::{self, Encoded};
use engify_store::journal::Change;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::seal::{Key, is_sealed};

/// The format that is written.
const FORMAT: u32 = 1;

/// Below what name segments lie at a target.
pub(crate) const FOLDER: &str = "journal";

/// The largest segment that is written and read, bytes as they lie there. One is closed behind the page of the journal that brings
/// it to 4 MiB, and a page is 8 MiB and one document more: 28 MiB at most, even where nothing of it could be packed.
pub(crate) const LONGEST: u64 = 64 << 20;

/// The most that one holds unpacked: what a damaged one claims beyond that is not believed.
const UNPACKED: u64 = 128 << 20;

/// What a segment's name says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The folder: the day on which it was written, never before the one before it.
    pub(crate) day: String,
    /// Its first change comes behind this position.
    pub after: u64,
    /// Its last position.
    pub to: u64,
    /// The smallest of its changes' times.
    pub earliest: Time,
    /// The largest.
    pub latest: Time,
    /// Whether it is a break.
    pub is_break: bool,
}

impl Name {
    /// The object's name.
    pub(crate) fn key(&self, sealed: bool) -> String {
        let Self { day, after, to, earliest, latest, is_break } = self;
        let (earliest, latest) = (earliest.millis().max(0), latest.millis().max(0));
        let broken = if *is_break { ".break" } else { "" };
        let age = if sealed { ".age" } else { "" };
        format!("{FOLDER}/{day}/{after:020}-{to:020}-{earliest:014}-{latest:014}{broken}.bson.zst{age}")
    }

    /// Reads an object's name; none where it is not that of a segment.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (day, name) = key.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
        let name = name.strip_suffix(".age").unwrap_or(name).strip_suffix(".bson.zst")?;
        let (name, is_break) = name.strip_suffix(".break").map_or((name, false), |name| (name, true));
        let mut numbers = name.split('-');
        let after = numbers.next()?.parse().ok()?;
        let to = numbers.next()?.parse().ok()?;
        let mut time = || Some(Time::from_millis(numbers.next()?.parse().ok()?));
        let (earliest, latest) = (time()?, time()?);
        (day.len() == 10 && after < to && numbers.next().is_none()).then(|| Self {
            day: day.to_owned(),
            after,
            to,
            earliest,
            latest,
            is_break,
        })
    }
}

/// What every segment begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Header {
    engify_journal: u32,
    /// As in the name.
    pub(crate) after: u64,
    /// As in the name.
    pub(crate) to: u64,
    /// As in the name.
    pub(crate) is_break: bool,
    /// The segment before, and the SHA-256 of its bytes as hex; none for the first.
    pub(crate) previous: Option<Previous>,
    /// SHA-256 of the changes behind the header, as hex: damage is seen even where no segment follows.
    content_sha256: String,
}

/// The segment before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Previous {
    /// Its last position.
    pub(crate) to: u64,
    /// Of its bytes as they lie at the target.
    pub(crate) sha256: String,
}

/// A segment that was read.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) changes: Vec<Change>,
    pub(crate) sha256: String,
}

/// Changes on their way into a segment. They are kept as bytes, which are a tenth of what documents are in memory.
#[derive(Debug, Default)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    /// How many they are.
    pub(crate) changes: usize,
    /// Of all of them; none where there are none.
    pub(crate) span: Option<Span>,
}

/// What changes reach over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// The last position.
    pub(crate) to: u64,
    /// When the first was made.
    pub(crate) first: Time,
    /// The smallest of their times.
    pub(crate) earliest: Time,
    /// The largest.
    pub(crate) latest: Time,
}

impl Content {
    /// Adds changes behind those that are there.
    pub(crate) fn extend(&mut self, changes: &[Change<Encoded>]) {
        for change in changes {
            let (to, at) = (change.position, change.at);
            self.bytes.extend(bson::change(change));
            self.changes += 1;
            let span = self.span.get_or_insert(Span { to, first: at, earliest: at, latest: at });
            (span.to, span.earliest, span.latest) = (to, span.earliest.min(at), span.latest.max(at));
        }
    }

    /// Bytes of them.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// The bytes of a segment, and their SHA-256.
///
/// # Errors
/// A defect, or the library's.
pub(crate) fn write(
    name: &Name,
    previous: Option<Previous>,
    content: &Content,
    key: Option<&Key>,
) -> Result<(Bytes, String)> {
    let content = &content.bytes;
    let header = Header {
        engify_journal: FORMAT,
        after: name.after,
        to: name.to,
        is_break: name.is_break,
        previous,
        content_sha256: hex::encode(Sha256::digest(content)),
    };
    let header = serde_json::to_value(header).map_err(Error::internal)?;
    let mut plain = bson::encode(&object(header)?)?;
    plain.extend_from_slice(content);
    let packed = zstd::bulk::compress(&plain, 3).map_err(Error::internal)?;
    let bytes = match key {
        None => packed,
        Some(key) => {
            let mut sealing = key.sealing(Vec::new()).map_err(Error::internal)?;
            sealing.write_all(&packed).map_err(Error::internal)?;
            sealing.finish().map_err(Error::internal)?
        }
    };
    if plain.len() as u64 > UNPACKED || bytes.len() as u64 > LONGEST {
        let (plain, bytes) = (plain.len(), bytes.len());
        return Err(Error::internal(format!(
            "a segment of {plain} bytes, {bytes} packed, would not be read again"
        )));
    }
    let sha256 = hex::encode(Sha256::digest(&bytes));
    Ok((bytes.into(), sha256))
}

/// Reads a segment; what it says of itself must be what its name says.
///
/// # Errors
/// `journal_damaged`, `wrong_key`.
pub(crate) fn read(name: &Name, bytes: &[u8], key: Option<&Key>) -> Result<Segment> {
    let sha256 = hex::encode(Sha256::digest(bytes));
    let packed = if is_sealed(bytes) {
        let key = key.ok_or_else(|| {
            Error::new(
                Kind::Invalid,
                "wrong_key",
                "The shipped journal is encrypted, and BACKUP_ENCRYPTION_KEY is not set. Set the key that it was made with.",
            )
        })?;
        let mut packed = Vec::new();
        key.opening(bytes)?
            .read_to_end(&mut packed)
            .map_err(|_| damaged(name, "it is cut or was changed"))?;
        packed
    } else {
        bytes.to_vec()
    };
    let mut plain = Vec::new();
    zstd::Decoder::new(packed.as_slice())
        .and_then(|decoder| decoder.take(UNPACKED).read_to_end(&mut plain))
        .map_err(|_| damaged(name, "it is cut or was changed"))?;
    let length = plain.first_chunk().and_then(|beginning| bson::length(*beginning));
    let Some((header, content)) = length.and_then(|length| plain.split_at_checked(length)) else {
        return Err(damaged(name, "it is empty or cut"));
    };
    let header = bson::decode(header).ok().map(Value::Object);
    let header: Header = header
        .and_then(|header| serde_json::from_value(header).ok())
        .ok_or_else(|| damaged(name, "it has no header"))?;
    if header.engify_journal > FORMAT {
        return Err(Error::new(
            Kind::Invalid,
            "database_newer",
            "The shipped journal was written by a newer Engify. Restore with that version.",
        ));
    }
    if (header.after, header.to, header.is_break) != (name.after, name.to, name.is_break) {
        return Err(damaged(name, "it is not what its name says"));
    }
    if hex::encode(Sha256::digest(content)) != header.content_sha256 {
        return Err(damaged(name, "it was changed"));
    }
    let changes =
        split(name, content)?.into_iter().map(|doc| change(name, doc)).collect::<Result<Vec<_>>>()?;
    let mut before = name.after;
    for change in &changes {
        if change.position <= before || change.position > name.to {
            return Err(damaged(name, "its changes are not in order"));
        }
        before = change.position;
    }
    Ok(Segment { header, changes, sha256 })
}

/// A piece of the journal that cannot be believed.
pub(crate) fn damaged(name: &Name, why: &str) -> Error {
    let message = format!(
        "The shipped journal is damaged between the positions {} and {} ({}): {why}. What is before that can be restored: \
         --at {}.",
        name.after, name.to, name.earliest, name.after
    );
    Error::new(Kind::Invalid, "journal_damaged", message)
}

fn object(value: Value) -> Result<Doc> {
    match value {
        Value::Object(doc) => Ok(doc),
        _ => Err(Error::internal("a header is an object")),
    }
}

fn change(name: &Name, mut doc: Doc) -> Result<Change> {
    let text = |doc: &mut Doc, field: &str| match doc.remove(field) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let position = doc.get("_id").and_then(Value::as_u64);
    let at = doc.get("at").and_then(Value::as_i64).map(Time::from_millis);
    let (collection, id) = (text(&mut doc, "collection"), text(&mut doc, "id"));
    let document = match doc.remove("document") {
        Some(Value::Object(document)) => Some(Some(document)),
        Some(Value::Null) => Some(None),
        _ => None,
    };
    match (position, at, collection, id, document) {
        (Some(position), Some(at), Some(collection), Some(id), Some(document)) => {
            Ok(Change { position, at, collection, id, document })
        }
        _ => Err(damaged(name, "a change is not as it should be")),
    }
}

fn split(name: &Name, mut rest: &[u8]) -> Result<Vec<Doc>> {
    let mut docs = Vec::new();
    while !rest.is_empty() {
        let length = rest.first_chunk().and_then(|beginning| bson::length(*beginning));
        let Some((one, more)) = length.and_then(|length| rest.split_at_checked(length)) else {
            return Err(damaged(name, "it is cut"));
        };
        docs.push(bson::decode(one)?);
        rest = more;
    }
    Ok(docs)
}

#[cfg(test)]
mod tests {
    use engify_core::Secret;

    use super::*;

    fn name() -> Name {
        let at = Time::from_millis(1_795_370_645_123);
        Name { day: at.day(), after: 3, to: 9, earliest: at, latest: at, is_break: false }
    }

    fn changes() -> Vec<Change> {
        let document = serde_json::json!({"_id": "a", "title": "Ana 😀", "n": 0.1, "seenAt": "2026-11-22T18:04:05.123Z"});
        let one = |position, document: Option<&Value>| Change {
            position,
            at: Time::from_millis(1_795_370_645_123),
            collection: "prompts".to_owned(),
            id: "a".to_owned(),
            document: document.and_then(Value::as_object).cloned(),
        };
        vec![one(5, Some(&document)), one(9, None)]
    }

    fn content() -> Content {
        let mut content = Content::default();
        let encoded = changes().into_iter().map(|change| Change {
            position: change.position,
            at: change.at,
            collection: change.collection,
            id: change.id,
            document: change.document.as_ref().map(|doc| Encoded::try_from(doc).unwrap()),
        });
        content.extend(&encoded.collect::<Vec<_>>());
        content
    }

    #[test]
    fn names_are_read_as_written_and_grow_with_positions() {
        let name = name();
        for sealed in [false, true] {
            assert_eq!(Name::parse(&name.key(sealed)), Some(name.clone()));
        }
        let broken = Name { is_break: true, ..name.clone() };
        assert_eq!(Name::parse(&broken.key(true)), Some(broken));
        let later = Name { after: 10, to: 11, ..name.clone() };
        assert!(name.key(false) < later.key(false));
        for wrong in ["", "journal/x", "backups/a/b", "journal/2026-11-22/1-2-3.bson.zst"] {
            assert_eq!(Name::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_goes_in_comes_out_and_anything_else_is_refused() {
        let key = Key::parse(&Secret::new("ab".repeat(32))).unwrap();
        for key in [None, Some(&key)] {
            let previous = Previous { to: 3, sha256: "00".to_owned() };
            let (bytes, sha256) = write(&name(), Some(previous.clone()), &content(), key).unwrap();
            let read_back = read(&name(), &bytes, key).unwrap();
            assert_eq!((read_back.header.previous, read_back.sha256), (Some(previous), sha256));
            assert_eq!(format!("{:?}", read_back.changes), format!("{:?}", changes()));
            let code = |bytes: &[u8], name: &Name| read(name, bytes, key).unwrap_err().code();
            assert_eq!(code(&bytes[..bytes.len() - 3], &name()), "journal_damaged");
            assert_eq!(code(&bytes, &Name { to: 10, ..name() }), "journal_damaged");
            assert_eq!(code(b"", &name()), "journal_damaged");
            for at in 0..bytes.len() {
                let mut flipped = bytes.to_vec();
                flipped[at] ^= 1;
                if let Ok(same) = read(&name(), &flipped, key) {
                    let all = format!("{:?}", changes());
                    assert_eq!(format!("{:?}", same.changes), all, "byte {at} changed a change unseen");
                }
            }
        }
        let (sealed, _) = write(&name(), None, &content(), Some(&key)).unwrap();
        assert_eq!(read(&name(), &sealed, None).unwrap_err().code(), "wrong_key");
    }

    #[test]
    fn what_would_not_be_read_again_is_not_written() {
        let too_much = Content { bytes: vec![0; usize::try_from(UNPACKED).unwrap()], ..Content::default() };
        assert_eq!(write(&name(), None, &too_much, None).unwrap_err().code(), "internal");
    }
}
