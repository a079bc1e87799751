//! The log: one event, one line, on stderr. JSON in production and wherever nobody watches; words for a terminal.
//!
//! A line is appended to a bounded buffer in memory and written by a thread of its own. The thread gathers what comes
//! within some milliseconds and writes it at once: waking it for each line would cost a busy server more than all the
//! rest of a short request. Warnings and errors are written without that delay. A reader that does not keep up costs
//! lines, which are counted and reported, and never makes a request wait.
//!
//! Each line passes a redactor on its way: what has the shape of a mail address, a phone or card number, a key, a token or a
//! password is struck out, whoever logged it.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engify_core::redact::redact;
use engify_core::settings::{LogLevel, Mode, Settings};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

mod json;

/// What waits to be written takes at most this much memory.
const ROOM: usize = 4 * 1024 * 1024;
/// This much is written at once, without waiting for more.
const ENOUGH: usize = 512 * 1024;
/// How long lines are gathered.
const GATHER: Duration = Duration::from_millis(5);
/// How long the end of the program waits for a reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// The areas that `DEBUG` names, and the parts of the program that each is.
const AREAS: &[(&str, &[&str])] = &[
    ("http", &["http", "engify_web", "engify::serve"]),
    ("store", &["engify_store"]),
    ("ai", &["engify_clients::ai", "engify_app::ai"]),
    (
        "auth",
        &["engify_app::accounts", "engify_app::keys", "engify_app::passwords", "engify_app::setup", "auth"],
    ),
    ("search", &["engify_store::search"]),
    ("jobs", &["engify_app::jobs", "jobs"]),
];
/// The targets that are ours; those of dependencies log warnings only.
const OURS: &[&str] = &["engify", "http", "auth", "jobs"];

/// Keeps the log alive; its end writes what still waits.
#[derive(Debug)]
pub(crate) struct Log {
    buffer: Arc<Buffer>,
}

/// What the log is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A server: everything from `LOG_LEVEL` on.
    Server,
    /// A command: errors only, in words, unless LOG_LEVEL or DEBUG ask for more.
    Command,
}

/// Starts the log of this process.
pub(crate) fn start(settings: &Settings, audience: Audience, level_given: bool) -> Log {
    let monitoring = &settings.monitoring;
    let level = match audience {
        Audience::Command if !level_given => LogLevel::Error,
        _ => monitoring.log_level,
    };
    let (targets, unknown) = targets(level, &monitoring.debug);
    let terminal = std::io::stderr().is_terminal();
    let as_json = audience == Audience::Server && (settings.core.mode == Mode::Production || !terminal);
    let buffer = Buffer::start(as_json);
    let lines = Lines(Arc::clone(&buffer));
    let layer = tracing_subscriber::fmt::layer().with_writer(lines);
    let layer = if as_json {
        layer.with_ansi(false).event_format(json::Json).boxed()
    } else {
        // On a terminal the subscriber's own default holds: colours, unless NO_COLOR is set.
        let layer = layer.with_target(false);
        if terminal { layer.boxed() } else { layer.with_ansi(false).boxed() }
    };
    // An error says that a log was started before: a test's, and that one goes on.
    let _ = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
    for area in unknown {
        let known: Vec<&str> = AREAS.iter().map(|(area, _)| *area).collect();
        tracing::warn!(
            setting = "DEBUG",
            area,
            "there is no such area; there are * and {}",
            known.join(", ")
        );
    }
    Log { buffer }
}

/// Which target logs from which level on, and the areas that there are not.
fn targets(level: LogLevel, debug: &[String]) -> (Targets, Vec<String>) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let mut targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(OURS.iter().map(|target| (*target, level)));
    let mut unknown = Vec::new();
    for word in debug {
        let named: &[&str] = match AREAS.iter().find(|(area, _)| area == word) {
            _ if word == "*" => OURS,
            Some((_, named)) => named,
            None => {
                unknown.push(word.clone());
                continue;
            }
        };
        targets = targets.with_targets(named.iter().map(|target| (*target, LevelFilter::DEBUG)));
    }
    (targets, unknown)
}

/// Logs panics as events, so that they are lines like all others.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.message = message, panic.place = place, "panic");
    }));
}

impl Drop for Log {
    fn drop(&mut self) {
        self.buffer.drain();
    }
}

/// Lines that wait for the writer.
#[derive(Debug)]
struct Buffer {
    state: Mutex<State>,
    changed: Condvar,
    as_json: bool,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    dropped: u64,
    writing: bool,
    /// The thread waits for a first line, and must be woken.
    idle: bool,
    /// What waits is to be written now.
    hurry: bool,
}

impl Buffer {
    fn start(as_json: bool) -> Arc<Self> {
        let buffer = Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), as_json });
        let writer = Arc::clone(&buffer);
        // Without the thread nothing is logged, and nothing else suffers.
        let _ = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.write_on(std::io::stderr()));
        buffer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8], urgent: bool) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > ROOM {
            state.dropped += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        let hurry = urgent || state.waiting.len() >= ENOUGH;
        let wake = state.idle || hurry && !state.hurry;
        state.idle = false;
        state.hurry |= hurry;
        drop(state);
        if wake {
            self.changed.notify_all();
        }
    }

    /// Writes until the process ends.
    fn write_on(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let mut state = self.state();
            state.writing = false;
            self.changed.notify_all();
            while state.waiting.is_empty() {
                state.idle = true;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.idle = false;
            let more = self.changed.wait_timeout_while(state, GATHER, |state| !state.hurry);
            state = more.unwrap_or_else(PoisonError::into_inner).0;
            state.hurry = false;
            std::mem::swap(&mut batch, &mut state.waiting);
            let dropped = std::mem::take(&mut state.dropped);
            state.writing = true;
            drop(state);
            if dropped > 0 {
                batch.extend_from_slice(self.report(dropped).as_bytes());
            }
            // Where stderr is closed there is nobody to tell.
            let _ = out.write_all(&batch).and_then(|()| out.flush());
            batch.clear();
        }
    }

    fn report(&self, dropped: u64) -> String {
        if self.as_json {
            format!("{{\"level\":\"WARN\",\"message\":\"log.dropped\",\"log.lines\":{dropped}}}\n")
        } else {
            format!(" WARN log.dropped log.lines={dropped}\n")
        }
    }

    /// Waits until everything is written, at most [`PATIENCE`].
    fn drain(&self) {
        let mut state = self.state();
        state.hurry = true;
        self.changed.notify_all();
        let busy = |state: &mut State| state.writing || !state.waiting.is_empty();
        drop(self.changed.wait_timeout_while(state, PATIENCE, busy));
    }
}

/// The near end of the buffer, as the subscriber wants it.
#[derive(Debug, Clone)]
struct Lines(Arc<Buffer>);

/// One line on its way into the buffer.
#[derive(Debug)]
struct Line<'a> {
    buffer: &'a Buffer,
    urgent: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { buffer: &self.0, urgent: true }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line { buffer: &self.0, urgent: *event.level() <= Level::WARN }
    }
}

impl Write for Line<'_> {
    /// The subscriber writes each event by one call, so that what is struck out is never cut in two.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => self.buffer.push(redact(text).as_bytes(), self.urgent),
            Err(_) => self.buffer.push(redact(&String::from_utf8_lossy(line)).as_bytes(), self.urgent),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn debug_names_areas_and_dependencies_stay_quiet() {
        let (targets, unknown) = targets(LogLevel::Info, &["store".to_owned(), "kitchen".to_owned()]);
        assert!(targets.would_enable("engify_store::sqlite", &Level::DEBUG));
        assert!(!targets.would_enable("engify_app::ai", &Level::DEBUG));
        assert!(targets.would_enable("http", &Level::INFO));
        assert!(!targets.would_enable("hyper::proto", &Level::INFO));
        assert_eq!(unknown, ["kitchen"]);
    }

    #[test]
    fn secrets_do_not_reach_the_log_whoever_logs_them() {
        let buffer = Arc::new(Buffer { state: Mutex::default(), changed: Condvar::new(), as_json: true });
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(Lines(Arc::clone(&buffer)))
            .with_ansi(false)
            .event_format(json::Json);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let key = "sk-0123456789abcdefghijklmn";
            tracing::info!(
                user.mail = "ana@example.com",
                url = "mongodb://root:hunter22@db/x",
                "a\nkey {key}"
            );
        });
        let written = String::from_utf8(buffer.state().waiting.clone()).unwrap();
        for secret in ["ana@example", "hunter22", "sk-0123"] {
            assert!(!written.contains(secret), "{written}");
        }
        assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok(), "{written}");
    }

    /// A reader that takes nothing until it is told to.
    struct Stuck(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            self.1.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_is_told_how_many() {
        let (go, wait) = mpsc::channel();
        let (out, lines) = mpsc::channel();
        let buffer = Arc::new(Buffer { state: Mutex::default(), changed: Condvar::new(), as_json: true });
        let writer = Arc::clone(&buffer);
        std::thread::spawn(move || writer.write_on(Stuck(wait, out)));
        let line = vec![b'x'; ROOM / 2];
        // The writer may or may not have taken the first before the second comes: at most three can be held.
        for _ in 0..8 {
            buffer.push(&line, false);
        }
        drop(go);
        let mut written = lines.iter();
        let told = written.any(|bytes| String::from_utf8_lossy(&bytes).contains("log.dropped"));
        assert!(told);
    }
}
