//! S3, against `moto`, which other people wrote; and through a proxy that breaks connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::Response;
use bytes::Bytes;
use engify_clients::objects::{FailureKind, Objects, ObjectsOptions};
use engify_core::settings::{ObjectPlace, ServerSideEncryption};
use engify_testkit::parts::{self, Moto};
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::double::Double;
use crate::objects::{keeps_its_promises, megabytes, options, s3, whole};

fn bucket(endpoint: &str, prefix: &str) -> Objects {
    let place = ObjectPlace::S3 { bucket: "backups".to_owned(), prefix: prefix.to_owned() };
    Objects::new(&place, &s3(endpoint), options()).unwrap()
}

async fn server() -> Moto {
    let moto = tokio::task::spawn_blocking(parts::moto).await.unwrap();
    tokio::task::spawn_blocking(move || {
        moto.make_bucket("backups");
        moto
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_bucket_keeps_its_promises() {
    let moto = server().await;
    keeps_its_promises(&bucket(&moto.url(), "some/prefix")).await;
    // Another prefix is another place.
    let other = bucket(&moto.url(), "some/pre");
    assert!(other.list("", None, 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let moto = server().await;
    let place = ObjectPlace::S3 { bucket: "elsewhere".to_owned(), prefix: String::new() };
    let objects = Objects::new(&place, &s3(&moto.url()), options()).unwrap();
    let failure = objects.put("a", Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Missing, "{failure}");
    assert!(failure.message.contains("s3://elsewhere") && failure.message.contains("bucket"), "{failure}");
}

#[tokio::test]
async fn parts_whose_connection_breaks_are_sent_again() {
    let moto = server().await;
    // Every third connection breaks after a megabyte has gone through.
    let proxy = Breaking::start(moto.port(), 3, 1 << 20).await;
    let objects = bucket(&proxy.address, "p");
    objects.put_stream("large", stream::iter(megabytes(23))).await.unwrap();
    let broken = proxy.broken.load(Ordering::SeqCst);
    assert!(broken > 0, "the proxy has broken something");
    assert_eq!(whole(&bucket(&moto.url(), "p"), "large", 0).await.len(), 23 << 20);
    // Reading goes on where it broke.
    assert_eq!(whole(&objects, "large", 0).await.len(), 23 << 20);
}

/// Passes bytes on to a server; each n-th connection breaks once this many bytes went towards the server.
struct Breaking {
    address: String,
    broken: Arc<AtomicUsize>,
}

impl Breaking {
    async fn start(port: u16, every: usize, after: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let broken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&broken);
        tokio::spawn(async move {
            for number in 1.. {
                let (client, _) = listener.accept().await.unwrap();
                let limit = (number % every == 0).then_some(after);
                tokio::spawn(pass(client, port, limit, Arc::clone(&count)));
            }
        });
        Self { address, broken }
    }
}

async fn pass(client: TcpStream, port: u16, limit: Option<usize>, broken: Arc<AtomicUsize>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let down = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut passed = 0;
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        passed += read;
        if limit.is_some_and(|limit| passed > limit) {
            broken.fetch_add(1, Ordering::SeqCst);
            down.abort();
            return;
        }
        if to_server.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

fn refusal(status: u16, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>No.</Message></Error>");
    crate::double::text(status, "application/xml", body)
}

#[tokio::test]
async fn refusals_are_told_apart_and_encryption_is_asked_for() {
    for (status, code, kind) in [
        (403, "AccessDenied", FailureKind::Denied),
        (507, "QuotaExceeded", FailureKind::Full),
        (503, "SlowDown", FailureKind::Refused),
        (400, "Strange", FailureKind::Broken),
    ] {
        let double = Double::start(move |_, _| refusal(status, code)).await;
        let mut settings = s3(&double.address);
        settings.encryption = Some(ServerSideEncryption::KeyService("key-1".to_owned()));
        let place = ObjectPlace::S3 { bucket: "backups".to_owned(), prefix: String::new() };
        let quick = ObjectsOptions { retries: 1, ..options() };
        let failure = Objects::new(&place, &settings, quick)
            .unwrap()
            .put("a", Bytes::from_static(b"x"))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        let seen = double.seen();
        assert_eq!(seen[0].header("x-amz-server-side-encryption"), "aws:kms");
        assert_eq!(seen[0].header("x-amz-server-side-encryption-aws-kms-key-id"), "key-1");
        assert!(!seen[0].header("x-amz-checksum-sha256").is_empty(), "uploads carry their checksum");
    }
}
