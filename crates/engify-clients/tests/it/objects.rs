//! Places for objects: what every one of them keeps, and a folder's own ways.

use std::time::Duration;

use bytes::Bytes;
use engify_clients::objects::{FailureKind, Objects, ObjectsOptions, Unwritten};
use engify_core::settings::{ObjectPlace, S3};
use engify_core::{Clock, Error};
use futures_util::{TryStreamExt as _, stream};

/// Settings of S3 that lead nowhere.
pub(crate) fn s3(endpoint: &str) -> S3 {
    S3 {
        key: Some(("AKIAEXAMPLE".to_owned(), engify_core::Secret::new("very-secret-key".to_owned()))),
        session_token: None,
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        encryption: None,
    }
}

/// Bounds that keep tests short.
pub(crate) fn options() -> ObjectsOptions {
    ObjectsOptions {
        stall: Duration::from_secs(20),
        patience: Duration::from_secs(20),
        part_bytes: 5 << 20,
        ..ObjectsOptions::default()
    }
}

pub(crate) fn dir(path: &std::path::Path) -> Objects {
    Objects::new(&ObjectPlace::Dir(path.to_owned()), &s3("http://127.0.0.1:1"), options()).unwrap()
}

/// Pieces of a stream, each a megabyte of its number.
pub(crate) fn megabytes(count: u8) -> Vec<Result<Bytes, Error>> {
    (0..count).map(|number| Ok(Bytes::from(vec![number; 1 << 20]))).collect()
}

pub(crate) async fn whole(objects: &Objects, key: &str, offset: u64) -> Vec<u8> {
    let (_, content) = objects.open(key, offset).await.unwrap();
    content
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
        .unwrap()
}

/// What every place keeps.
pub(crate) async fn keeps_its_promises(objects: &Objects) {
    assert!(objects.head("a/one").await.unwrap().is_none());
    assert_eq!(objects.get("a/one", 10).await.unwrap_err().kind, FailureKind::Missing);
    assert!(objects.list("", None, 10).await.unwrap().is_empty(), "an empty place lists nothing");
    objects.put("a/one", Bytes::from_static(b"first")).await.unwrap();
    objects.put("a/one", Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(&objects.get("a/one", 10).await.unwrap()[..], b"second");
    assert_eq!(
        objects.get("a/one", 3).await.unwrap_err().kind,
        FailureKind::Broken,
        "too large to be read whole"
    );
    assert_eq!(whole(objects, "a/one", 3).await, b"ond");
    assert_eq!(objects.head("a/one").await.unwrap().unwrap().bytes, 6);

    let taken = objects.create("a/one", Bytes::from_static(b"third")).await.unwrap_err();
    assert_eq!(taken.kind, FailureKind::Taken);
    objects.create("a/two", Bytes::new()).await.unwrap();
    assert_eq!(objects.get("a/two", 10).await.unwrap().len(), 0);

    let written = objects.put_stream("a/large", stream::iter(megabytes(12))).await.unwrap();
    assert_eq!(written.bytes, 12 << 20);
    let large = whole(objects, "a/large", 0).await;
    assert!(
        large.len() == 12 << 20
            && large
                .chunks(1 << 20)
                .enumerate()
                .all(|(n, part)| part.iter().all(|byte| usize::from(*byte) == n))
    );
    assert_eq!(objects.put_stream("b/small", stream::iter(megabytes(1))).await.unwrap().bytes, 1 << 20);

    let keys = async |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
        objects.list(prefix, after, limit).await.unwrap().into_iter().map(|object| object.key).collect()
    };
    assert_eq!(keys("", None, 10).await, ["a/large", "a/one", "a/two", "b/small"]);
    assert_eq!(keys("", None, 2).await, ["a/large", "a/one"]);
    assert_eq!(keys("", Some("a/one"), 2).await, ["a/two", "b/small"]);
    assert_eq!(keys("a", Some("a/large"), 1).await, ["a/one"]);
    assert!(keys("c", None, 5).await.is_empty());

    // A source that fails leaves nothing behind, however far it got.
    let mut pieces = megabytes(12);
    pieces.push(Err(Error::not_found("source")));
    let failed = objects.put_stream("a/half", stream::iter(pieces)).await.unwrap_err();
    assert!(matches!(failed, Unwritten::Source(_)), "{failed:?}");
    assert!(objects.head("a/half").await.unwrap().is_none());

    objects.delete("a/one").await.unwrap();
    objects.delete("a/one").await.unwrap();
    assert_eq!(keys("a", None, 5).await, ["a/large", "a/two"]);
}

#[tokio::test]
async fn a_folder_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("not/there/yet");
    let objects = dir(&root);
    assert!(!root.exists(), "nothing is made before something is put");
    keeps_its_promises(&objects).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[tokio::test]
async fn what_a_killed_writer_left_is_swept_and_never_listed() {
    let folder = tempfile::tempdir().unwrap();
    let objects = dir(folder.path());
    objects.put("a/whole", Bytes::from_static(b"whole")).await.unwrap();
    std::fs::write(folder.path().join("a/partial#1"), b"half").unwrap();
    std::fs::write(folder.path().join("a/fresh#2"), b"half").unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    std::fs::File::options()
        .write(true)
        .open(folder.path().join("a/partial#1"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    assert_eq!(objects.list("", None, 9).await.unwrap().len(), 1);
    let hour_ago = Clock::system().now().minus(Duration::from_secs(3600));
    assert_eq!(objects.sweep("", hour_ago).await.unwrap(), 1, "only the old one");
    assert!(folder.path().join("a/fresh#2").exists() && folder.path().join("a/whole").exists());
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_told_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let failure = dir(&file).put("a", Bytes::new()).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Taken | FailureKind::Missing), "{failure}");
    let below = dir(&file.join("below")).put("a", Bytes::new()).await.unwrap_err();
    assert_eq!(below.kind, FailureKind::Missing, "{below}");
    assert!(below.message.contains("Check the path"), "{below}");
}

#[tokio::test]
async fn a_full_disk_is_told_as_full() {
    // Whatever is written there meets a full disk.
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let error = std::io::Write::write_all(&mut std::fs::File::create(full).unwrap(), b"x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "what the client takes for full");
}

#[tokio::test]
async fn a_server_that_is_away_is_told_without_the_secret() {
    let place = ObjectPlace::S3 { bucket: "bucket".to_owned(), prefix: "p".to_owned() };
    let quick = ObjectsOptions { retries: 1, ..options() };
    let objects = Objects::new(&place, &s3("http://127.0.0.1:1"), quick).unwrap();
    let failure = objects.put("a", Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
    assert!(
        failure.message.contains("s3://bucket/p") && failure.message.contains("AWS_ENDPOINT_URL"),
        "{failure}"
    );
    assert!(!format!("{failure} {objects:?}").contains("very-secret-key"));
}
