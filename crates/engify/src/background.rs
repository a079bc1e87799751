//! Work that gives way: a backup and its proof take as many processors as nobody else wants.

use engify_core::{Error, Result};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// How far behind others such work stands: at 10 of 19 it gets a tenth of what one who serves gets, so that it ends even on a
/// machine that is never idle.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Makes this thread give way, and every thread that it begins from now on. Elsewhere than on Linux, where threads have no priority
/// of their own, it does nothing.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(fault) = rustix::process::nice(NICENESS) {
        tracing::debug!(error = %fault, "background.priority: it stays as it is");
    }
}

/// Does work on a thread of its own that gives way. It goes on to its end where the caller stops waiting.
///
/// # Errors
/// What the work fails with; where the machine gives no thread.
pub(crate) async fn quietly<T: Send + 'static, W: Future<Output = Result<T>>>(
    work: impl FnOnce() -> W + Send + 'static,
) -> Result<T> {
    let (done, ended) = oneshot::channel();
    let thread = move || {
        give_way();
        // Its own runtime: what the work leaves to other threads is left to some that give way as well.
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let _ = done.send(runtime.block_on(work()));
                runtime.shutdown_background();
            }
            Err(fault) => drop(done.send(Err(Error::internal(fault)))),
        }
    };
    std::thread::Builder::new().name("background".to_owned()).spawn(thread).map_err(Error::internal)?;
    ended.await.map_err(Error::internal)?
}
