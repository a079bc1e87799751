//! What the driver's failures mean to a caller. Every failure of this adapter goes through here, so that no address,
//! password or document content reaches a message, and every message names a remedy.

use std::io::ErrorKind as Io;

use engify_core::{Error, Kind};
use mongodb::error::{Error as Fault, ErrorKind, WriteFailure};

use crate::adapter::{duplicate, too_large, unavailable};

/// What a connection string looks like, for messages.
const FORMAT: &str =
    "mongodb+srv://username:password@cluster.mongodb.net/database?retryWrites=true&w=majority";

/// The failure of an operation on `collection`, as callers see it.
pub(super) fn of(collection: &str, fault: Fault) -> Error {
    match code(&fault) {
        Some((11_000 | 11_001 | 12_582, message)) => {
            return duplicate(&format!("{collection}.{}", index_of(&fault, &message)));
        }
        Some((18 | 8_000, _)) => return refused_login(&fault),
        Some((13, _)) => {
            return unavailable(
                "MongoDB does not let this user do that. Give the user of MONGODB_URI the role readWrite on the \
                 database that the URI names.",
            )
            .because(cause(&fault));
        }
        Some((50 | 262, _)) => return timeout(),
        Some((10_334 | 17_280 | 17_420, _)) => {
            return too_large().because(cause(&fault));
        }
        _ => {}
    }
    if is_away(&fault) {
        return away(&fault);
    }
    match &*fault.kind {
        ErrorKind::Authentication { .. } => refused_login(&fault),
        _ => Error::internal(cause(&fault)),
    }
}

/// The failure of a single write inside a command that was written by hand.
pub(super) fn of_write(collection: &str, code: i32, message: &str) -> Error {
    match (code, message.split_once("index: ").and_then(|(_, rest)| rest.split_whitespace().next())) {
        (11_000 | 11_001 | 12_582, index) => {
            duplicate(&format!("{collection}.{}", index.unwrap_or("unknown")))
        }
        (code, _) => Error::internal(format!("MongoDB write error {code}")),
    }
}

/// The failure to read the connection string or to make a client of it. The driver's own words may quote the string,
/// so they are kept out.
pub(super) fn of_uri(fault: &Fault) -> Error {
    match &*fault.kind {
        ErrorKind::DnsResolve { .. } => unavailable(format!(
            "MONGODB_URI names a cluster that the name service does not know. Check the host name, and that this machine \
             may ask for SRV and TXT records; the format is {FORMAT}."
        )),
        ErrorKind::InvalidTlsConfig { .. } => unavailable(
            "The TLS options of MONGODB_URI cannot be used. Check that the files of tlsCAFile and \
             tlsCertificateKeyFile exist and hold PEM.",
        ),
        _ => unavailable(format!(
            "MONGODB_URI cannot be read as a connection string. Check its format: {FORMAT}; special characters in the \
             user name and password are percent-encoded."
        )),
    }
}

/// An operation took longer than its deadline.
pub(super) fn timeout() -> Error {
    Error::new(
        Kind::Timeout,
        "database_timeout",
        "The database did not answer in time. Try again; if it stays so, look at its load and at its slow queries.",
    )
}

/// Whether the whole transaction may be tried again from its start.
pub(super) fn is_transient(fault: &Fault) -> bool {
    fault.contains_label(mongodb::error::TRANSIENT_TRANSACTION_ERROR)
        // A write conflict (112), a lock timeout (24), an interrupted operation of a failing-over server.
        || matches!(code(fault), Some((112 | 24 | 251, _)))
}

/// Whether nobody knows whether a commit took place, so that the same commit must be asked for again.
pub(super) fn is_unknown_commit(fault: &Fault) -> bool {
    fault.contains_label(mongodb::error::UNKNOWN_TRANSACTION_COMMIT_RESULT)
}

/// Whether a query named an index that is not there any more.
pub(super) fn is_bad_hint(fault: &Fault) -> bool {
    code(fault).is_some_and(|(code, message)| code == 2 && message.contains("hint"))
}

/// The server's code and words.
pub(super) fn code(fault: &Fault) -> Option<(i32, String)> {
    match &*fault.kind {
        ErrorKind::Command(command) => Some((command.code, command.message.clone())),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some((write.code, write.message.clone())),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => {
            Some((concern.code, concern.message.clone()))
        }
        ErrorKind::InsertMany(many) => {
            let first = many.write_errors.as_ref().and_then(|errors| errors.first());
            first.map(|write| (write.code, write.message.clone())).or_else(|| {
                many.write_concern_error.as_ref().map(|concern| (concern.code, concern.message.clone()))
            })
        }
        _ => None,
    }
}

/// The name of the index that a duplicate violates: from `… index: email_1 dup key: …`, or made of the key pattern.
fn index_of(fault: &Fault, message: &str) -> String {
    let named = message.split_once("index: ").and_then(|(_, rest)| rest.split_whitespace().next());
    if let Some(name) = named {
        // Servers up to 4.0 wrote `database.collection.$email_1`.
        return name.rsplit('$').next().unwrap_or(name).to_owned();
    }
    let pattern = fault.server_response().and_then(|response| {
        let response = mongodb::bson::Document::try_from(response).ok()?;
        let first = response.get_array("writeErrors").ok().and_then(|errors| errors.first()?.as_document());
        first.unwrap_or(&response).get_document("keyPattern").ok().cloned()
    });
    let parts =
        pattern.map(|keys| keys.iter().map(|(field, way)| format!("{field}_{way}")).collect::<Vec<_>>());
    parts.map_or_else(|| "unknown".to_owned(), |parts| parts.join("_"))
}

fn is_away(fault: &Fault) -> bool {
    let by_code = matches!(
        code(fault),
        // Not primary, recovering, shutting down, unreachable, write concern not met in time.
        Some((
            10_107
                | 13_435
                | 13_436
                | 10_058
                | 189
                | 91
                | 11_600
                | 11_602
                | 6
                | 7
                | 89
                | 9_001
                | 64
                | 100
                | 133,
            _
        ))
    );
    by_code
        || matches!(
            &*fault.kind,
            ErrorKind::Io(_)
                | ErrorKind::ServerSelection { .. }
                | ErrorKind::ConnectionPoolCleared { .. }
                | ErrorKind::DnsResolve { .. }
                | ErrorKind::Shutdown
        )
}

fn away(fault: &Fault) -> Error {
    let text = cause(fault);
    if text.contains("AuthenticationFailed") || text.to_lowercase().contains("scram failure") {
        return refused_login(fault);
    }
    let why = match &*fault.kind {
        ErrorKind::Io(io) if io.kind() == Io::TimedOut => "connection timeout",
        ErrorKind::Io(io) if io.kind() == Io::ConnectionRefused => "connection refused",
        ErrorKind::ServerSelection { .. } if text.contains("Connection refused") => "connection refused",
        ErrorKind::ServerSelection { .. } if text.contains("tls") || text.contains("certificate") => {
            "no TLS connection"
        }
        ErrorKind::ServerSelection { .. } | ErrorKind::DnsResolve { .. } => "no server can be reached",
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => "the connection broke",
        _ => "the server is not ready",
    };
    unavailable(format!(
        "MongoDB does not answer ({why}). Check that it runs, that its network access list has this machine's address, \
         and the format of MONGODB_URI: {FORMAT}."
    ))
    .because(text)
}

fn refused_login(fault: &Fault) -> Error {
    unavailable(
        "MongoDB refused the user name or password of MONGODB_URI. Check both (special characters are percent-encoded), \
         and authSource if the user is defined in another database.",
    )
    .because(cause(fault))
}

/// The cause for the log: the kind, the server's code and its name. The server's own sentence only where it cannot
/// quote a document.
fn cause(fault: &Fault) -> String {
    match &*fault.kind {
        ErrorKind::Command(command) => {
            format!("MongoDB {} {}: {}", command.code, command.code_name, short(&command.message))
        }
        ErrorKind::Write(WriteFailure::WriteError(write)) => {
            format!("MongoDB write error {} {}", write.code, write.code_name.as_deref().unwrap_or_default())
        }
        ErrorKind::InsertMany(_) | ErrorKind::BulkWrite(_) => {
            format!("MongoDB write error {}", code(fault).map_or(0, |(code, _)| code))
        }
        other => format!("MongoDB driver: {}", short(&other.to_string())),
    }
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_names_the_index() {
        let fault = Fault::from(ErrorKind::Io(std::sync::Arc::new(Io::Other.into())));
        for (message, index) in [
            (
                "E11000 duplicate key error collection: t.users index: email_1 dup key: { email: \"e\" }",
                "email_1",
            ),
            ("E11000 duplicate key error index: t.users.$email_1 dup key: { : \"e\" }", "email_1"),
            ("E11000 duplicate key error collection: t.users index: _id_ dup key: { _id: \"a\" }", "_id_"),
            ("something else", "unknown"),
        ] {
            assert_eq!(index_of(&fault, message), index);
        }
    }

    #[test]
    fn a_network_failure_names_cause_and_remedy() {
        let fault = Fault::from(ErrorKind::Io(std::sync::Arc::new(Io::TimedOut.into())));
        let error = of("users", fault);
        assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "database_unavailable"));
        assert!(error.message().contains("connection timeout"), "{error}");
        assert!(error.message().contains("network access list"), "{error}");
    }

    #[tokio::test]
    async fn a_bad_uri_is_not_quoted() {
        let fault = mongodb::options::ClientOptions::parse("mongodb://me:s3cret@@/db").await.unwrap_err();
        let error = of_uri(&fault);
        assert!(!format!("{error:?} {error}").contains("s3cret"));
        assert!(error.message().contains("MONGODB_URI"));
    }
}
