//! Work that gives way: a backup, its proof, and what is read and packed of the journal take the processors that nobody else wants.

use engify_core::{Error, Result};
#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
#[cfg(target_os = "linux")]
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How far behind others such work stands at the disks: as far as there is.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;

/// Makes this thread give way, and every thread that it begins from now on: they run when nobody else wants to, on half of the
/// processors, so that whoever serves people finds one that is free. Elsewhere than on Linux, where threads have no priority of
/// their own, it does nothing.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    {
        // A niceness alone would not do: who wakes up on a processor that is busy with such work waits for its turn to end, where
        // `SCHED_IDLE` counts as nobody. It never starves: some thousandth of a processor is left to it.
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let behind = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
        let behind = behind.map_err(|fault| format!("{fault:?}"));
        let halved = stand_back().map_err(|fault| fault.to_string());
        if let Err(fault) = behind.and(halved) {
            tracing::debug!(error = fault, "background.priority: it stays as it is");
        }
    }
}

#[cfg(target_os = "linux")]
fn stand_back() -> rustix::io::Result<()> {
    rustix::process::nice(NICENESS)?;
    let allowed = sched_getaffinity(None)?;
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|one| allowed.is_set(*one)).collect();
    let mut half = CpuSet::new();
    processors.iter().skip(processors.len() / 2).for_each(|one| half.set(*one));
    sched_setaffinity(None, &half)
}

/// Does work on a thread of its own that gives way. It goes on to its end where the caller stops waiting.
///
/// # Errors
/// What the work fails with; where the machine gives no thread.
pub(crate) async fn quietly<T: Send + 'static, W: Future<Output = Result<T>>>(
    work: impl FnOnce() -> W + Send + 'static,
) -> Result<T> {
    let (done, ended) = oneshot::channel();
    drive(move |runtime| drop(done.send(runtime.block_on(work()))))?;
    // Only a panic ends the thread without an answer; its words are in the log.
    ended.await.map_err(|_| Error::internal("work in the background panicked"))?
}

/// Threads that give way, until the guard is dropped.
///
/// # Errors
/// Where the machine gives no thread.
pub(crate) fn threads() -> Result<(Handle, DropGuard)> {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let handle = drive(move |runtime| runtime.block_on(stopped.cancelled()))?;
    Ok((handle, stop.drop_guard()))
}

/// A thread that gives way, with a runtime of its own: what is left to other threads there is left to some that give way as well.
/// Both end with `work`.
fn drive(work: impl FnOnce(&Runtime) + Send + 'static) -> Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
    let handle = runtime.handle().clone();
    let thread = move || {
        give_way();
        work(&runtime);
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name("background".to_owned()).spawn(thread).map_err(Error::internal)?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_what_is_done_quietly_gives_way_and_all_of_it() {
        let standing = || {
            let policy = thread_priority::thread_schedule_policy().unwrap();
            let processors = sched_getaffinity(None).unwrap().count();
            (policy, rustix::process::getpriority_process(None).unwrap(), processors)
        };
        let before = standing();
        let ran = quietly(move || async move {
            let left = tokio::task::spawn_blocking(standing).await.map_err(Error::internal)?;
            Ok((standing(), left))
        });
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let behind = (idle, NICENESS, before.2.div_ceil(2));
        assert_eq!(ran.await.unwrap(), (behind, behind));
        let (threads, _guard) = threads().unwrap();
        let left = threads.spawn(async move { tokio::task::spawn_blocking(standing).await.unwrap() });
        assert_eq!(left.await.unwrap(), behind);
        assert_eq!(standing(), before, "whoever asked goes on as before");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_not_the_end() {
        let ran: Result<()> = quietly(|| async { panic!("meant") }).await;
        assert_eq!(ran.unwrap_err().code(), "internal");
    }
}
