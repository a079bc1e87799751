//! The only place that prints: results on stdout, talk and progress on stderr.

use std::error::Error as _;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use engify_core::{Error, Kind};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::stop::Stop;

/// Whether something could be printed.
pub(crate) type Printed = Result<(), Stop>;

/// Writes text to stdout as it is, at once.
pub(crate) fn raw(text: &str) -> Printed {
    binary(text.as_bytes())
}

/// Writes bytes to stdout as they are, at once.
pub(crate) fn binary(bytes: &[u8]) -> Printed {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(unwritten)
}

/// Writes a line to stdout.
pub(crate) fn line(text: impl Display) -> Printed {
    raw(&format!("{text}\n"))
}

/// Writes words of a model to stdout as they come. On a terminal, control characters become visible: nobody else
/// moves the cursor or sets the title.
pub(crate) fn words(text: &str) -> Printed {
    if std::io::stdout().is_terminal() { raw(&harmless(text)) } else { raw(text) }
}

fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

/// Writes a report to stdout as JSON.
pub(crate) fn json(report: &impl Serialize) -> Printed {
    line(serde_json::to_string_pretty(report).map_err(Error::internal)?)
}

/// Writes a table to stdout. Columns are apart by two spaces, so that a script can read it as well.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Printed {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    line(table.trim_fmt())
}

/// Says something to the person at the terminal. Where stderr is closed, nobody is there to be told.
pub(crate) fn talk(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A bar for long work, on a terminal only.
pub(crate) fn progress(steps: u64, what: &'static str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(10)
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(steps), target);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.set_prefix(what);
    bar
}

/// Says why a command could not run: what, the details, what to do.
pub(crate) fn fault(fault: &Error, json: bool) {
    if json {
        let report = serde_json::json!({
            "error": fault.code(), "message": fault.message(), "details": fault.details(),
        });
        return talk(report);
    }
    let (what, remedy) = split(fault);
    talk(format_args!("error: {what}"));
    for detail in fault.details() {
        talk(format_args!("  {} {}", detail.field, detail.issue));
    }
    talk(format_args!("help:  {remedy}"));
}

/// The sentence that says what happened, and those that say what to do.
fn split(fault: &Error) -> (String, String) {
    if fault.kind() == Kind::Internal {
        let mut what = "something broke inside".to_owned();
        let mut next = fault.source();
        while let Some(cause) = next {
            what.push_str(&format!(": {cause}"));
            next = cause.source();
        }
        return (what, "run it again with LOG_LEVEL=debug, and report what it says".to_owned());
    }
    if let Some((what, remedy)) = fault.message().split_once(". ") {
        return (what.to_owned(), remedy.trim_end_matches('.').to_owned());
    }
    let remedy = match fault.kind() {
        Kind::Invalid => "correct what is listed and try again; --help shows the options",
        Kind::Unauthenticated | Kind::Forbidden => "use an account or a key that may do this",
        Kind::NotFound => {
            "check the name; `engify prompts list`, `cron list` and `jobs list` show what there is"
        }
        Kind::Conflict => "look at what is there, then try again",
        Kind::TooLarge => "make it smaller",
        Kind::RateLimited | Kind::Timeout | Kind::Upstream => "wait a little and try again",
        Kind::Unavailable | Kind::Internal => "`engify config show` tells which settings are in force",
    };
    (fault.message().trim_end_matches('.').to_owned(), remedy.to_owned())
}

fn unwritten(error: std::io::Error) -> Stop {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return Stop::Unread;
    }
    let message = format!("The output cannot be written ({}). Is the disk full?", error.kind());
    Stop::Fault(Error::unavailable("output_unwritable", message).because(error))
}

/// `1.4 s`, `230 ms`.
pub(crate) fn duration(millis: f64) -> String {
    let time = Duration::from_secs_f64(millis.max(0.0) / 1000.0);
    if time < Duration::from_secs(1) {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// `0 B`, `14.2 KiB`.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_as_what_and_what_to_do() {
        let fault = Error::unavailable("database_unavailable", "The file is locked. Stop the other program.");
        assert_eq!(split(&fault), ("The file is locked".to_owned(), "Stop the other program".to_owned()));
        let fault = Error::internal(std::io::Error::other("disk full"));
        assert_eq!(split(&fault).0, "something broke inside: disk full");
    }

    #[test]
    fn an_answer_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}]0;title\u{7}b\n\tc"), "a\u{fffd}]0;title\u{fffd}b\n\tc");
    }
}
