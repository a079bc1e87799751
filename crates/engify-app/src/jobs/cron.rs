//! Times in cron's five fields: minute, hour, day of the month, month, day of the week; UTC.

use std::fmt;

use croner::parser::{CronParser, Seconds, Year};
use engify_core::Time;

/// An expression that was understood and has a next time.
#[derive(Debug, Clone)]
pub(crate) struct Cron(croner::Cron, String);

impl Cron {
    /// Reads an expression; `@daily` and the like count as well.
    ///
    /// # Errors
    /// Says what is wrong and how one looks.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let wrong = |why: &str| {
            format!(
                "is not a schedule ({why}); write five fields: minute, hour, day of the month, month, day of the week, as in \
                 30 2 * * * for half past two at night (UTC) or */15 * * * * for every quarter of an hour"
            )
        };
        if text.len() > 100 {
            return Err(wrong("longer than 100 characters"));
        }
        let fields = text.split_whitespace().count();
        if fields != 5 && !text.starts_with('@') {
            return Err(wrong(&format!("fields: {fields}")));
        }
        let cron = parser.parse(text).map_err(|fault| wrong(fault.to_string().trim_end_matches('.')))?;
        let cron = Self(cron, text.to_owned());
        // The 30th of February is well-formed.
        match cron.after(Time::from_millis(0)) {
            Some(_) => Ok(cron),
            None => Err(wrong("it never comes")),
        }
    }

    /// The first time behind this one; none where the calendar has no more.
    pub(crate) fn after(&self, time: Time) -> Option<Time> {
        let from = time.timestamp().to_zoned(jiff::tz::TimeZone::UTC);
        let next = self.0.find_next_occurrence(&from, false).ok()?;
        Some(Time::from_millis(next.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_behind_the_given_one() {
        let noon: Time = "2026-11-22T12:00:00.000Z".parse().unwrap();
        for (text, expected) in [
            ("* * * * *", "2026-11-22T12:01:00.000Z"),
            ("0 * * * *", "2026-11-22T13:00:00.000Z"),
            ("0 12 * * *", "2026-11-23T12:00:00.000Z"),
            ("0 8 * * MON", "2026-11-23T08:00:00.000Z"),
            ("@monthly", "2026-12-01T00:00:00.000Z"),
        ] {
            assert_eq!(Cron::parse(text).unwrap().after(noon).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_an_example() {
        for text in
            ["", "daily", "* * * *", "0 0 * * * *", "61 * * * *", "0 0 30 2 *", "* * * * * 2030", "0 0 * * x"]
        {
            let issue = Cron::parse(text).unwrap_err();
            assert!(issue.contains("30 2 * * *"), "{text}: {issue}");
        }
        assert!(Cron::parse(&"1,".repeat(60)).is_err());
    }
}
