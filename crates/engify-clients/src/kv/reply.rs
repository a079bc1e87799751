//! What a server answers, the same for both protocols and for memory.

use bytes::Bytes;

use super::window::{Quota, Window};
use super::{Failure, Place, Standing};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// There is nothing.
    Nothing,
    /// Done: `OK`, `PONG`.
    Done,
    /// A number.
    Count(i64),
    /// Text or a value.
    Bytes(Bytes),
    /// Several.
    List(Vec<Reply>),
    /// The server refuses, in its own words.
    Refusal(String),
}

impl Reply {
    /// A value, or none.
    pub(super) fn value(self, place: &Place) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::Nothing => Ok(None),
            Self::Bytes(bytes) => Ok(Some(bytes)),
            other => Err(other.senseless(place)),
        }
    }

    /// Whether it was done; nothing means that it was not.
    pub(super) fn done(self, place: &Place) -> Result<bool, Failure> {
        match self {
            Self::Done => Ok(true),
            Self::Nothing => Ok(false),
            Self::Bytes(bytes) if matches!(bytes.as_ref(), b"OK" | b"PONG") => Ok(true),
            other => Err(other.senseless(place)),
        }
    }

    /// A number that is not negative.
    pub(super) fn count(self, place: &Place) -> Result<u64, Failure> {
        match self {
            Self::Count(count) => {
                u64::try_from(count).map_err(|_| Failure::garbage(place, "counts below zero"))
            }
            other => Err(other.senseless(place)),
        }
    }

    /// Text.
    pub(super) fn text(self, place: &Place) -> Result<String, Failure> {
        match self {
            Self::Bytes(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            other => Err(other.senseless(place)),
        }
    }

    /// A page of keys: the cursor to go on from, none at the end, and the keys.
    pub(super) fn page(self, place: &Place) -> Result<(Option<String>, Vec<String>), Failure> {
        let [cursor, Self::List(keys)] = self.list::<2>(place)? else {
            return Err(Self::Nothing.senseless(place));
        };
        let cursor = match cursor {
            Self::Count(number) => number.to_string(),
            other => other.text(place)?,
        };
        let keys = keys.into_iter().map(|key| key.text(place)).collect::<Result<_, _>>()?;
        Ok((Some(cursor).filter(|cursor| cursor != "0"), keys))
    }

    /// How a window stands after something was taken from it: whether it fitted, the server's time, both counts.
    pub(super) fn standing(self, place: &Place, quota: Quota, cost: u64) -> Result<Standing, Failure> {
        let [fits, now, count, last] = self.list::<4>(place)?;
        let at = i64::try_from(now.count(place)?).unwrap_or(i64::MAX);
        let window = Window { count: count.count(place)?, last: last.count(place)?, at };
        Ok(window.standing(quota, cost, fits.count(place)? == 1))
    }

    fn list<const N: usize>(self, place: &Place) -> Result<[Self; N], Failure> {
        match self {
            Self::List(list) => list.try_into().map_err(|list| Self::List(list).senseless(place)),
            other => Err(other.senseless(place)),
        }
    }

    fn senseless(self, place: &Place) -> Failure {
        match self {
            Self::Refusal(text) => Failure::said(place, &text),
            _ => Failure::garbage(place, "answered something that is no answer to what was asked"),
        }
    }
}
