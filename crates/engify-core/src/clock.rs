//! Time, passed in. A [`Time`] is a UTC instant with millisecond precision, written as RFC 3339.
//!
//! Nothing else in the workspace asks the operating system for the time; clippy's `disallowed-methods` sees to it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A UTC instant, whole milliseconds, shown as `2026-11-22T18:04:05.123Z` (always 24 characters, so that text order is time order).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(jiff::Timestamp);

/// How a time prints itself, each digit as a zero.
const PRINTED: &str = "0000-00-00T00:00:00.000Z";

impl Time {
    /// The instant `millis` milliseconds after the Unix epoch; out-of-range values are clamped to the years 0001 to 9999.
    pub fn from_millis(millis: i64) -> Self {
        const FIRST: i64 = -62_135_596_800_000;
        const LAST: i64 = 253_402_207_200_000;
        Self(jiff::Timestamp::from_millisecond(millis.clamp(FIRST, LAST)).unwrap_or_default())
    }

    /// Milliseconds since the Unix epoch.
    pub fn millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// This instant moved forward.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_millis(self.millis().saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant moved back.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self::from_millis(self.millis().saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is in the future.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(u64::try_from(self.millis() - earlier.millis()).unwrap_or(0))
    }

    /// The calendar day in UTC, `2026-11-22`.
    pub fn day(self) -> String {
        self.0.strftime("%Y-%m-%d").to_string()
    }

    /// The time that a field of a document holds: its name ends in `At`, and its text is one exactly as it prints itself.
    pub fn of_field(field: &str, text: &str) -> Option<Self> {
        let is_printed =
            |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
        if !field.ends_with("At")
            || text.len() != PRINTED.len()
            || !text.bytes().zip(PRINTED.bytes()).all(is_printed)
        {
            return None;
        }
        // Every digit has its place: a parser that knows all ways to write a time takes several times as long, and every field of
        // every document that is shipped comes by here.
        let number = |place: Range<usize>| {
            text.as_bytes()[place].iter().fold(0_i16, |number, digit| number * 10 + i16::from(digit - b'0'))
        };
        let small = |place| i8::try_from(number(place)).ok();
        let (month, day) = (small(5..7)?, small(8..10)?);
        let (hour, minute, second) = (small(11..13)?, small(14..16)?, small(17..19)?);
        let nanos = i32::from(number(20..23)) * 1_000_000;
        let date = DateTime::new(number(0..4), month, day, hour, minute, second, nanos).ok()?;
        let stamp = Offset::UTC.to_timestamp(date).ok()?;
        let time = Self::from_millis(stamp.as_millisecond());
        (time.0 == stamp).then_some(time)
    }

    /// The instant as jiff's type, for calendars and formats.
    pub fn timestamp(self) -> jiff::Timestamp {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let stamp: jiff::Timestamp = text
            .parse()
            .map_err(|_| "is not an RFC 3339 time such as 2026-11-22T18:04:05.123Z".to_owned())?;
        Ok(Self::from_millis(stamp.as_millisecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "date-time",
            "description": "RFC 3339, UTC, milliseconds: 2026-11-22T18:04:05.123Z"
        })
    }
}

/// Where the time comes from: the system, or a test's hand.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] moves it. Clones share the hand.
    pub fn fixed(at: Time) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(at.millis()))))
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system for the time")]
    pub fn now(&self) -> Time {
        match &self.0 {
            Source::System => Time::from_millis(jiff::Timestamp::now().as_millisecond()),
            Source::Fixed(millis) => Time::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock forward; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Source::Fixed(millis) = &self.0 {
            millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_field_holds_a_time_where_its_text_is_one_as_it_prints_itself(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}[Zz]",
        ) {
            let printed = text.parse::<Time>().ok().filter(|time| time.to_string() == text);
            prop_assert_eq!(Time::of_field("createdAt", &text), printed);
            prop_assert_eq!(Time::of_field("title", &text), None);
        }

        #[test]
        fn every_time_prints_itself_so(millis in i64::MIN..i64::MAX) {
            let time = Time::from_millis(millis);
            prop_assert_eq!(Time::of_field("seenAt", &time.to_string()), Some(time));
        }
    }
}
