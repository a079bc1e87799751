//! What a test's own thread writes to the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;

/// The lines so far; nothing more is gathered once it is dropped.
pub(crate) struct Log {
    written: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

struct Pen(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Gathers what this thread logs: a test of one thread logs everything there.
    pub(crate) fn start() -> Self {
        let written = Arc::new(Mutex::new(Vec::new()));
        let pen = Arc::clone(&written);
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || Pen(Arc::clone(&pen))).finish();
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.written.lock().unwrap()).lines().map(str::to_owned).collect()
    }
}

impl Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
