//! SQLite's failures in our words: each with what the operator can do about it.

use engify_core::{Error, Kind};
use rusqlite::ErrorCode;

use crate::adapter::{duplicate, unavailable};

/// The one translation of the driver's errors.
pub(crate) fn fault(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, text) = &error else { return Error::internal(error) };
    let translated = match code.code {
        ErrorCode::ConstraintViolation => match text.as_deref().and_then(violated_index) {
            Some(index) => duplicate(&index),
            None => return Error::internal(error),
        },
        ErrorCode::DiskFull => unavailable(
            "The disk that holds the data folder is full, so nothing can be written. Free some space; nothing was lost.",
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => unavailable(
            "Another process holds the database for writing. Wait until it ends (a backup, an import), or stop it, and try again.",
        ),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            unavailable(
                "The database may not be written: permission denied. Give the account that runs Engify read and write access to the data folder and to the files in it.",
            )
        }
        ErrorCode::CannotOpen => unavailable(
            "The database file cannot be opened. See that the data folder (ENGIFY_DATA_DIR) is there and that the account that runs Engify may read and write it.",
        ),
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => Error::unavailable(
            "database_damaged",
            "The database file is damaged or is not a database. Keep a copy of it and restore the last backup with `engify db restore`.",
        ),
        ErrorCode::SystemIoFailure => unavailable(
            "The disk that holds the data folder fails to read or write. Check the disk and the system log before anything else.",
        ),
        ErrorCode::OperationInterrupted => Error::new(
            Kind::Timeout,
            "database_timeout",
            "The database did not answer in time. Narrow the question, or try again when there is less to do.",
        ),
        ErrorCode::TooBig => {
            Error::new(Kind::TooLarge, "too_large", "The document is larger than the database takes (1 GB).")
        }
        _ => return Error::internal(error),
    };
    translated.because(error)
}

/// `UNIQUE constraint failed: index 'users.email_1'` or `…: users.id`, as `users.email_1` or `users._id_`.
fn violated_index(text: &str) -> Option<String> {
    let what = text.strip_prefix("UNIQUE constraint failed: ")?;
    match what.strip_prefix("index '") {
        Some(index) => Some(index.trim_end_matches('\'').to_owned()),
        None => what.strip_suffix(".id").map(|collection| format!("{collection}._id_")),
    }
}

#[cfg(test)]
mod tests {
    use super::violated_index;

    #[test]
    fn a_unique_violation_names_the_index() {
        assert_eq!(
            violated_index("UNIQUE constraint failed: index 'users.email_1'").as_deref(),
            Some("users.email_1")
        );
        assert_eq!(violated_index("UNIQUE constraint failed: users.id").as_deref(), Some("users._id_"));
        assert_eq!(violated_index("NOT NULL constraint failed: users.doc"), None);
    }
}
