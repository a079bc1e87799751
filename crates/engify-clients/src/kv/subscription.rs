//! What others publish, as it comes, and when some of it may have been missed.
//!
//! A connection can fall silent without breaking. So every listener also hears a beat of its own: it publishes one by the
//! common connection and must hear it come back, or the line counts as lost and is made anew.

use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::PubSubStream;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::redis::{Redis, failure};
use super::{Failure, Kv};

/// What is kept for a listener that is busy.
const BACKLOG: usize = 1024;
/// Waits between two tries to make the line again: the first, doubled up to the last.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Something that a listener learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The line stands: what is published from now on is heard. It comes first, and after every [`Heard::Lost`].
    Listening,
    /// The line is lost: until the next [`Heard::Listening`] nothing is heard, and something may have been missed.
    Lost,
    /// Somebody published.
    Message {
        /// The channel, as it was named to [`Kv::subscribe`].
        channel: String,
        /// What was published.
        message: String,
    },
}

/// A line to what others publish. It ends when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    heard: mpsc::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Subscription {
    /// The next thing; waits for it.
    pub async fn next(&mut self) -> Heard {
        // The task ends only with us.
        self.heard.recv().await.unwrap_or(Heard::Lost)
    }

    /// Listens at a server.
    pub(super) fn at_server(kv: Kv, redis: Redis, channels: Vec<String>, beat: Duration) -> Self {
        Self::run(|told| async move {
            let mut wait = WAITS.0;
            loop {
                match Line::open(&redis, &channels, &kv).await {
                    Ok(line) => {
                        wait = WAITS.0;
                        let _ = told.send(Heard::Listening).await;
                        line.follow(&kv, &told, beat).await;
                        let _ = told.send(Heard::Lost).await;
                    }
                    Err(fault) => {
                        tracing::debug!(kv.failure = fault.kind.word(), "kv.not_listening: {fault}")
                    }
                }
                sleep(wait).await;
                wait = (wait * 2).min(WAITS.1);
            }
        })
    }

    /// Listens to this process.
    pub(super) fn in_memory(
        mut news: broadcast::Receiver<(String, String)>,
        prefix: String,
        channels: Vec<String>,
    ) -> Self {
        Self::run(|told| async move {
            let _ = told.send(Heard::Listening).await;
            loop {
                match news.recv().await {
                    Ok((channel, message)) if channels.contains(&channel) => {
                        let channel = unprefixed(&channel, &prefix);
                        let _ = told.send(Heard::Message { channel, message }).await;
                    }
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        let _ = told.send(Heard::Lost).await;
                        let _ = told.send(Heard::Listening).await;
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        })
    }

    fn run<F: Future<Output = ()> + Send + 'static>(work: impl FnOnce(mpsc::Sender<Heard>) -> F) -> Self {
        let (told, heard) = mpsc::channel(BACKLOG);
        Self { heard, task: tokio::spawn(work(told)) }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection that listens.
struct Line {
    stream: PubSubStream,
    /// The name of the channel of our own beats, without the prefix.
    beats: String,
}

impl Line {
    async fn open(redis: &Redis, channels: &[String], kv: &Kv) -> Result<Self, Failure> {
        let place = redis.guard().place();
        let beats = format!("beat:{}", kv.fresh());
        let work = async {
            let (mut sink, stream) = redis.client().get_async_pubsub().await?.split();
            let all: Vec<String> = channels.iter().cloned().chain([kv.prefixed(&beats)]).collect();
            sink.subscribe(all).await?;
            Ok::<_, redis::RedisError>(stream)
        };
        match timeout(redis.patience(), work).await {
            Ok(opened) => Ok(Self { stream: opened.map_err(|fault| failure(place, &fault))?, beats }),
            Err(_) => Err(Failure::silent(place)),
        }
    }

    /// Hands on what is published until the line breaks or falls silent.
    async fn follow(mut self, kv: &Kv, told: &mpsc::Sender<Heard>, beat: Duration) {
        let mut ticks = interval(beat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            tokio::select! {
                message = self.stream.next() => {
                    let Some(message) = message else { return };
                    last = Instant::now();
                    let channel = unprefixed(message.get_channel_name(), kv.prefix());
                    if channel != self.beats {
                        let message = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
                        let _ = told.send(Heard::Message { channel, message }).await;
                    }
                }
                _ = ticks.tick() => {
                    if last.elapsed() > beat * 2 {
                        return;
                    }
                    // Whether it arrives is what shows; a slow server must not hold up what it still delivers.
                    let (kv, beats) = (kv.clone(), self.beats.clone());
                    tokio::spawn(async move { drop(kv.publish(&beats, "").await) });
                }
            }
        }
    }
}

fn unprefixed(channel: &str, prefix: &str) -> String {
    channel.strip_prefix(prefix).unwrap_or(channel).to_owned()
}
