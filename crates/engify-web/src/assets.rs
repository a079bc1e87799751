//! The files that browsers load: embedded, named after their content, compressed once.
//!
//! A public name holds twelve digits of the content's SHA-256, so it may be kept for ever. With a folder given, files
//! are read from it on every request under their plain names and nothing is kept: for developing. This module knows
//! nothing of routes; it answers names with bytes.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::coding::Coding;

/// Where assets live in addresses.
pub const PREFIX: &str = "/assets/";

/// A file as it is shipped.
struct Source {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! sources {
    ($($name:literal: $kind:literal),+ $(,)?) => {
        &[$(Source { name: $name, content_type: $kind, bytes: include_bytes!(concat!("../assets/", $name)) }),+]
    };
}

/// Every file; a script stands behind those it imports, so that their public names are known by then.
const SOURCES: &[Source] = sources![
    "favicon.svg": "image/svg+xml",
    "app.css": "text/css; charset=utf-8",
    "theme.js": "text/javascript; charset=utf-8",
    "stream.js": "text/javascript; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "run.js": "text/javascript; charset=utf-8",
    "bench.js": "text/javascript; charset=utf-8",
    "tail.js": "text/javascript; charset=utf-8",
    "passkey.js": "text/javascript; charset=utf-8",
];

/// All assets. Cheap to clone.
#[derive(Clone)]
pub struct Assets(Arc<Inner>);

struct Inner {
    folder: Option<PathBuf>,
    files: Vec<File>,
}

struct File {
    name: &'static str,
    url: String,
    content_type: &'static str,
    etag: String,
    bytes: Bytes,
    packed: OnceLock<(Bytes, Bytes)>,
}

/// One file, ready to be sent.
pub struct Asset {
    /// The content.
    pub bytes: Bytes,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// The same content as brotli and gzip; none for files from a folder.
    pub encodings: Option<(Bytes, Bytes)>,
    /// A strong `ETag`, quotes included.
    pub etag: String,
}

impl Assets {
    /// The embedded files, or those in `folder`, read again on every request.
    pub fn new(folder: Option<PathBuf>) -> Self {
        let mut files: Vec<File> = Vec::with_capacity(SOURCES.len());
        for source in SOURCES {
            let bytes = with_public_imports(source.bytes, &files);
            let digest = hex::encode(Sha256::digest(&bytes));
            let (stem, ending) = source.name.rsplit_once('.').unwrap_or((source.name, ""));
            let url = match folder {
                Some(_) => format!("{PREFIX}{}", source.name),
                None => format!("{PREFIX}{stem}.{}.{ending}", &digest[..12]),
            };
            files.push(File {
                name: source.name,
                url,
                content_type: source.content_type,
                etag: format!("\"{}\"", &digest[..24]),
                bytes,
                packed: OnceLock::new(),
            });
        }
        Self(Arc::new(Inner { folder, files }))
    }

    /// The public address of a file, `/assets/app.0123456789ab.css`; of an unknown name, the name below `/assets/`.
    pub fn url(&self, name: &str) -> String {
        let file = self.0.files.iter().find(|file| file.name == name);
        file.map_or_else(|| format!("{PREFIX}{name}"), |file| file.url.clone())
    }

    /// A word that changes with any of the files.
    pub fn fingerprint(&self) -> String {
        let etags: Vec<&str> = self.0.files.iter().map(|file| file.etag.as_str()).collect();
        hex::encode(&Sha256::digest(etags.concat())[..6])
    }

    /// Finds a file by its address, `/assets/…`. Only names of the table are ever opened.
    pub fn find(&self, path: &str) -> Option<Asset> {
        let file = self.0.files.iter().find(|file| file.url == path)?;
        if let Some(folder) = &self.0.folder {
            let bytes = std::fs::read(folder.join(file.name)).ok()?;
            let etag = format!("\"{}\"", &hex::encode(Sha256::digest(&bytes))[..24]);
            return Some(Asset {
                bytes: bytes.into(),
                content_type: file.content_type,
                encodings: None,
                etag,
            });
        }
        let packed = file.packed.get_or_init(|| (brotli(&file.bytes, 9), gzip(&file.bytes)));
        Some(Asset {
            bytes: file.bytes.clone(),
            content_type: file.content_type,
            encodings: Some(packed.clone()),
            etag: file.etag.clone(),
        })
    }
}

impl Asset {
    /// The reply: 304 where the caller has it, else the best encoding that the caller takes.
    pub fn response(self, request: &HeaderMap) -> Response<Body> {
        let asked =
            |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
        let known = asked(header::IF_NONE_MATCH).split(',').any(|tag| tag.trim() == self.etag);
        let cache = match &self.encodings {
            Some(_) => "public, max-age=31536000, immutable",
            None => "no-cache",
        };
        let coding = Coding::chosen(request);
        let (coding, body) = match (self.encodings, coding) {
            _ if known => (Coding::Plain, Bytes::new()),
            (Some((packed, _)), Coding::Brotli) | (Some((_, packed)), Coding::Gzip) => (coding, packed),
            _ => (Coding::Plain, self.bytes),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        if let Some(encoding) = coding.name() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

/// Scripts import each other as `"./stream.js"`; the browser must see the public name there.
fn with_public_imports(bytes: &'static [u8], earlier: &[File]) -> Bytes {
    let Ok(text) = std::str::from_utf8(bytes) else { return Bytes::from_static(bytes) };
    let named = |file: &&File| text.contains(&format!("\"./{}\"", file.name));
    let mut changed: Option<String> = None;
    for file in earlier.iter().filter(named) {
        let text = changed.as_deref().unwrap_or(text);
        changed = Some(text.replace(&format!("\"./{}\"", file.name), &format!("\"{}\"", file.url)));
    }
    changed.map_or_else(|| Bytes::from_static(bytes), Bytes::from)
}

/// Packs as brotli, quality 0 (quick) to 11. The window is no larger than a page needs: the packer's memory grows with it.
pub(crate) fn brotli(bytes: &[u8], quality: i32) -> Bytes {
    let mut packed = Vec::new();
    let options = brotli::enc::BrotliEncoderParams { quality, lgwin: 18, ..Default::default() };
    match brotli::BrotliCompress(&mut &bytes[..], &mut packed, &options) {
        Ok(_) => packed.into(),
        Err(_) => Bytes::new(),
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Bytes {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    match packer.write_all(bytes).and_then(|()| packer.finish()) {
        Ok(packed) => packed.into(),
        Err(_) => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_names_follow_the_content_and_are_kept_for_ever() {
        let assets = Assets::new(None);
        let url = assets.url("app.css");
        let digits = url.strip_prefix("/assets/app.").and_then(|rest| rest.strip_suffix(".css"));
        assert_eq!(digits.map(str::len), Some(12));
        let reply = assets.find(&url).unwrap().response(&HeaderMap::new());
        assert_eq!(reply.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(reply.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert!(
            assets.find("/assets/app.css").is_none(),
            "a plain name would be kept for ever under a stale content"
        );
        assert!(assets.find("/assets/../Cargo.toml").is_none());
    }

    #[test]
    fn encodings_unpack_to_the_same_bytes() {
        use std::io::Read;
        let assets = Assets::new(None);
        for source in SOURCES {
            let asset = assets.find(&assets.url(source.name)).unwrap();
            let (br, gz) = asset.encodings.unwrap();
            let (mut from_br, mut from_gz) = (Vec::new(), Vec::new());
            brotli::BrotliDecompress(&mut &br[..], &mut from_br).unwrap();
            flate2::read::GzDecoder::new(&gz[..]).read_to_end(&mut from_gz).unwrap();
            assert_eq!(from_br, asset.bytes, "{}", source.name);
            assert_eq!(from_gz, asset.bytes, "{}", source.name);
        }
    }

    #[test]
    fn a_caller_who_has_it_gets_304_and_one_who_refuses_brotli_gets_gzip() {
        let assets = Assets::new(None);
        let asset = || assets.find(&assets.url("app.css")).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, asset().etag.parse().unwrap());
        assert_eq!(asset().response(&headers).status(), StatusCode::NOT_MODIFIED);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("br;q=0, gzip"));
        assert_eq!(asset().response(&headers).headers()[header::CONTENT_ENCODING], "gzip");
    }

    #[test]
    fn scripts_import_each_other_by_public_name() {
        let assets = Assets::new(None);
        let script = assets.find(&assets.url("run.js")).unwrap().bytes;
        let script = std::str::from_utf8(&script).unwrap();
        assert!(script.contains(&assets.url("stream.js")) && !script.contains("\"./stream.js\""));
    }

    #[test]
    fn files_of_a_folder_are_read_again_on_every_request() {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets"));
        let assets = Assets::new(Some(folder));
        assert_eq!(assets.url("app.css"), "/assets/app.css");
        let reply = assets.find("/assets/app.css").unwrap().response(&HeaderMap::new());
        assert_eq!(reply.headers()[header::CACHE_CONTROL], "no-cache");
        assert!(assets.find("/assets/secret.env").is_none());
    }

    #[test]
    fn weights_stay_small() {
        let size =
            |name: &str| SOURCES.iter().find(|source| source.name == name).map_or(0, |s| s.bytes.len());
        assert!(size("app.css") < 35_000, "app.css is {} bytes", size("app.css"));
        let scripts: usize = SOURCES.iter().filter(|s| s.name.ends_with(".js")).map(|s| s.bytes.len()).sum();
        assert!(scripts < 18_200, "scripts are {scripts} bytes");
    }
}
