//! From documents to the bytes of a part, and back: BSON, then zstd, then age. One page of documents at a time is in memory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use engify_core::{Error, Result};
use engify_store::{Doc, bson};
use sha2::{Digest as _, Sha256};

use crate::contents::{Content, Tally};
use crate::seal::{Key, Sealing};

/// zstd's own default: backups are written far more often than they are read.
const LEVEL: i32 = 3;

/// Documents of one page at most.
const PAGE: usize = 1000;

/// Bytes of one page's BSON, after which no further document joins it.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What lies between documents and stored bytes.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    /// Whether it is compressed.
    pub(crate) zstd: bool,
    /// What it is encrypted with.
    pub(crate) key: Option<Key>,
}

impl Layers {
    /// What a file with the documents of a collection is called.
    pub(crate) fn name(&self, collection: &str) -> String {
        let (zstd, age) = (if self.zstd { ".zst" } else { "" }, if self.key.is_some() { ".age" } else { "" });
        format!("engify/{collection}.bson{zstd}{age}")
    }
}

/// The sums of a part that was written or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) content: Content,
    pub(crate) stored_bytes: u64,
    pub(crate) stored_sha256: String,
}

/// Where finished bytes wait until they are taken away.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Outer {
    Plain(Sink),
    Sealed(Box<Sealing<Sink>>),
}

impl Outer {
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Sealed(sealing) => sealing.finish().map(drop),
        }
    }
}

impl Write for Outer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(bytes),
            Self::Sealed(sealing) => sealing.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.flush(),
            Self::Sealed(sealing) => sealing.flush(),
        }
    }
}

enum Inner {
    Plain(Outer),
    Zipped(Box<zstd::Encoder<'static, Outer>>),
}

/// Documents in, bytes out. Works on the thread that calls.
pub(crate) struct Encoder {
    inner: Inner,
    sink: Sink,
    tally: Tally,
    stored: Sha256,
    stored_bytes: u64,
}

impl Encoder {
    pub(crate) fn new(layers: &Layers) -> io::Result<Self> {
        let sink = Sink::default();
        let outer = match &layers.key {
            Some(key) => Outer::Sealed(Box::new(key.sealing(sink.clone())?)),
            None => Outer::Plain(sink.clone()),
        };
        let inner = if layers.zstd {
            let mut encoder = zstd::Encoder::new(outer, LEVEL)?;
            encoder.include_checksum(true)?;
            Inner::Zipped(Box::new(encoder))
        } else {
            Inner::Plain(outer)
        };
        Ok(Self { inner, sink, tally: Tally::default(), stored: Sha256::new(), stored_bytes: 0 })
    }

    /// Takes documents; answers with what is finished by now, which may be nothing.
    pub(crate) fn feed(&mut self, docs: &[Doc]) -> Result<Bytes> {
        for doc in docs {
            let bytes = bson::encode(doc)?;
            self.tally.add(&bytes);
            match &mut self.inner {
                Inner::Plain(outer) => outer.write_all(&bytes),
                Inner::Zipped(encoder) => encoder.write_all(&bytes),
            }
            .map_err(Error::internal)?;
        }
        Ok(self.drain())
    }

    /// The last bytes, and the sums of all.
    pub(crate) fn finish(mut self) -> Result<(Bytes, Sums)> {
        let inner = std::mem::replace(&mut self.inner, Inner::Plain(Outer::Plain(Sink::default())));
        let outer = match inner {
            Inner::Plain(outer) => outer,
            Inner::Zipped(encoder) => encoder.finish().map_err(Error::internal)?,
        };
        outer.finish().map_err(Error::internal)?;
        let last = self.drain();
        let sums = Sums {
            content: self.tally.content(),
            stored_bytes: self.stored_bytes,
            stored_sha256: hex::encode(self.stored.finalize()),
        };
        Ok((last, sums))
    }

    fn drain(&mut self) -> Bytes {
        let bytes = self.sink.take();
        self.stored.update(&bytes);
        self.stored_bytes += bytes.len() as u64;
        bytes.into()
    }
}

/// Counts and hashes what passes.
struct Passing<R> {
    input: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Passing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.hash.update(&into[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Reads all documents of a part, a page at a time, on the thread that calls; answers with the sums.
///
/// # Errors
/// What `each` refuses; in words what is wrong with the bytes.
pub(crate) fn decode<R: Read>(
    input: R,
    layers: &Layers,
    mut each: impl FnMut(Vec<Doc>) -> Result<()>,
) -> Result<Sums, Undecoded> {
    let mut passing = Passing { input, hash: Sha256::new(), bytes: 0 };
    let mut tally = Tally::default();
    {
        let through: Box<dyn Read + '_> = match &layers.key {
            Some(key) => Box::new(key.opening(BufReader::new(&mut passing))?),
            None => Box::new(&mut passing),
        };
        let mut through: Box<dyn BufRead + '_> = if layers.zstd {
            Box::new(BufReader::new(zstd::Decoder::new(through)?))
        } else {
            Box::new(BufReader::new(through))
        };
        loop {
            let page = page(&mut *through, &mut tally)?;
            if page.is_empty() {
                break;
            }
            each(page)?;
        }
    }
    // Whatever follows counts as well: the sums are of the whole object.
    io::copy(&mut passing, &mut io::sink())?;
    Ok(Sums {
        content: tally.content(),
        stored_bytes: passing.bytes,
        stored_sha256: hex::encode(passing.hash.finalize()),
    })
}

/// Why a part could not be read to its end.
#[derive(Debug)]
pub(crate) enum Undecoded {
    /// The bytes are not what they should be.
    Damaged(String),
    /// Somebody else failed.
    Failed(Error),
}

impl From<io::Error> for Undecoded {
    fn from(fault: io::Error) -> Self {
        // What the source of the bytes says comes through as it is.
        match fault.downcast::<Error>() {
            Ok(error) => Self::Failed(error),
            Err(fault) => Self::Damaged(fault.to_string()),
        }
    }
}

impl From<Error> for Undecoded {
    fn from(error: Error) -> Self {
        match error.code() {
            "damaged" | "not_bson" => Self::Damaged(error.message().trim_end_matches('.').to_owned()),
            _ => Self::Failed(error),
        }
    }
}

fn page(input: &mut dyn BufRead, tally: &mut Tally) -> Result<Vec<Doc>, Undecoded> {
    let (mut page, mut bytes, mut held) = (Vec::new(), 0, Vec::new());
    while page.len() < PAGE && bytes < PAGE_BYTES && !input.fill_buf()?.is_empty() {
        let mut beginning = [0; 4];
        input.read_exact(&mut beginning)?;
        let length = bson::length(beginning)
            .ok_or_else(|| Undecoded::Damaged("a document has no possible length".to_owned()))?;
        held.clear();
        held.extend_from_slice(&beginning);
        held.resize(length, 0);
        input.read_exact(&mut held[4..])?;
        tally.add(&held);
        bytes += length;
        page.push(bson::decode(&held)?);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use engify_core::Secret;
    use serde_json::json;

    use super::*;

    fn docs(count: usize) -> Vec<Doc> {
        let doc = |number| match json!({ "_id": format!("{number:05}"), "text": "lorem ipsum ".repeat(20) }) {
            serde_json::Value::Object(doc) => doc,
            _ => unreachable!("an object"),
        };
        (0..count).map(doc).collect()
    }

    fn all() -> Vec<Layers> {
        let key = Key::parse(&Secret::new("ab".repeat(32))).unwrap();
        [(false, None), (true, None), (true, Some(key))].map(|(zstd, key)| Layers { zstd, key }).into()
    }

    fn encoded(layers: &Layers, docs: &[Doc]) -> (Vec<u8>, Sums) {
        let mut encoder = Encoder::new(layers).unwrap();
        let mut bytes = Vec::new();
        for page in docs.chunks(700) {
            bytes.extend_from_slice(&encoder.feed(page).unwrap());
        }
        let (last, sums) = encoder.finish().unwrap();
        bytes.extend_from_slice(&last);
        (bytes, sums)
    }

    #[test]
    fn documents_come_back_through_all_layers() {
        let docs = docs(2500);
        let mut hashes = Vec::new();
        for layers in all() {
            let (bytes, sums) = encoded(&layers, &docs);
            assert_eq!(sums.stored_bytes, bytes.len() as u64);
            let mut back = Vec::new();
            let read = decode(bytes.as_slice(), &layers, |page| {
                back.extend(page);
                Ok(())
            });
            assert_eq!(read.unwrap(), sums);
            assert!(back == docs);
            hashes.push(sums.content);
        }
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "the content is the same in every layer");
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_found() {
        for layers in all() {
            let (bytes, sums) = encoded(&layers, &docs(40));
            let found = |bytes: &[u8]| match decode(bytes, &layers, |_| Ok(())) {
                Ok(read) => read != sums,
                Err(_) => true,
            };
            for place in (0..bytes.len()).step_by(bytes.len() / 97 + 1) {
                assert!(found(&bytes[..place]), "cut at {place}");
                let mut flipped = bytes.clone();
                flipped[place] ^= 0x10;
                assert!(found(&flipped), "flipped at {place}");
            }
            assert!(found(&[bytes.as_slice(), b"more"].concat()), "something behind it");
            assert!(!found(&bytes));
        }
    }
}
