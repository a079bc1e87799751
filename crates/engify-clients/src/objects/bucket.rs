//! A bucket: the library's client of S3 with our credentials, our HTTP client and our bounds.

use std::time::Duration;

use engify_core::settings::{S3, ServerSideEncryption};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, RetryConfig};

use super::ObjectsOptions;
use crate::http::{ClientOptions, client};

/// A client of this bucket.
pub(super) fn open(bucket: &str, s3: &S3, options: &ObjectsOptions) -> Result<AmazonS3, String> {
    let wire = ClientOptions { stall: Some(options.stall), ..ClientOptions::default() };
    let mut builder = AmazonS3Builder::new()
        .with_http_connector(Wire(client(wire)?))
        .with_retry(RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() },
            max_retries: options.retries,
            retry_timeout: options.patience,
        })
        .with_bucket_name(bucket)
        .with_region(&s3.region)
        .with_checksum_algorithm(Checksum::SHA256)
        // Not every server knows the bulk form.
        .with_disable_bulk_delete(true);
    if let Some((id, secret)) = &s3.key {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.reveal());
    }
    if let Some(token) = &s3.session_token {
        builder = builder.with_token(token.reveal());
    }
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder = match &s3.encryption {
        None => builder,
        Some(ServerSideEncryption::KeyService(id)) => builder.with_sse_kms_encryption(id),
        Some(ServerSideEncryption::Own) => {
            let key: AmazonS3ConfigKey = "aws_server_side_encryption"
                .parse()
                .map_err(|error: object_store::Error| error.to_string())?;
            builder.with_config(key, "AES256")
        }
    };
    builder.build().map_err(|error| error.to_string())
}

/// Our own HTTP client for the library, which would otherwise make one that reads the environment.
#[derive(Debug)]
struct Wire(reqwest::Client);

impl HttpConnector for Wire {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}
