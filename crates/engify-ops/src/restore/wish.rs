//! What somebody wants back.

use std::fmt;

use engify_core::Time;

/// To which moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// That of the backup that was named; where none was, the newest that can be reached.
    Newest,
    /// The last change that was made by then.
    Time(Time),
    /// A position of the journal.
    Position(u64),
}

impl Moment {
    /// Reads a time (`2026-11-22T18:04:05Z`) or a position.
    ///
    /// # Errors
    /// Says what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Position).map_err(|_| "is larger than any position".to_owned());
        }
        let time: Result<jiff::Timestamp, _> = text.parse();
        time.map(|time| Self::Time(Time::from_millis(time.as_millisecond()))).map_err(|_| {
            "is neither a time such as 2026-11-22T18:04:05Z nor a position of the journal".to_owned()
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("newest"),
            Self::Time(time) => time.fmt(f),
            Self::Position(position) => position.fmt(f),
        }
    }
}

/// What to restore.
#[derive(Debug, Clone)]
pub struct Wish {
    /// A backup's id, a target, a folder of `mongodump`; none: the newest backup that leads to the moment.
    pub from: Option<String>,
    /// To which moment.
    pub moment: Moment,
    /// These collections only; empty for all that go back.
    pub collections: Vec<String>,
    /// Of the one collection, only documents whose field has this value.
    pub filter: Vec<(String, String)>,
    /// Keys and accounts that were revoked or disabled since come back as they were.
    pub revive: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            from: None,
            moment: Moment::Newest,
            collections: Vec::new(),
            filter: Vec::new(),
            revive: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_or_positions() {
        assert_eq!(Moment::parse(" 42 "), Ok(Moment::Position(42)));
        let time = Time::from_millis(1_795_370_645_000);
        for text in ["2026-11-22T18:04:05Z", "2026-11-22T18:04:05.000Z", "2026-11-22T19:04:05+01:00"] {
            assert_eq!(Moment::parse(text), Ok(Moment::Time(time)), "{text}");
        }
        for wrong in ["", "yesterday", "2026-11-22", "-1", "99999999999999999999999"] {
            assert!(Moment::parse(wrong).is_err(), "{wrong}");
        }
    }
}
