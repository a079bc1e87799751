//! The stream that callers hold, and the reader behind it.
//!
//! It knows chunks, time limits and bounds; the meaning of each event is the wire format's.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, stream};
use reqwest::Response;
use tokio::sync::OwnedSemaphorePermit;

use super::call::{self, Limits, MAX_BODY, Miss};
use super::endpoint::Wire;
use super::replicate::Running;
use super::sse::{Parser, TooLong};
use super::{
    Completion, Endpoint, Event, Failure, Finish, Usage, anthropic, google, openai, replicate, reply,
};

/// How long the rest of a finished answer may take to arrive before its connection is given up.
const DRAIN: Duration = Duration::from_secs(1);

/// The answer as it comes: [`Event::Delta`]s, then one [`Event::End`]; or one failure, and nothing after it.
///
/// Dropping it before its end closes the connection, by which providers stop working (and billing); Replicate is
/// also told so.
pub struct EventStream(Pin<Box<dyn Stream<Item = Result<Event, Failure>> + Send>>);

impl EventStream {
    /// `first`, then what `reader` still has.
    pub(super) fn new(first: Event, reader: Reader) -> Self {
        let start = (Some(first), Some(reader));
        Self(Box::pin(stream::unfold(start, |(first, reader)| async move {
            if let Some(first) = first {
                return Some((Ok(first), (None, reader)));
            }
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(event)) => Some((Ok(event), (None, Some(reader)))),
                Ok(None) => None,
                Err(miss) => Some((Err(miss.failure), (None, None))),
            }
        })))
    }

    /// An answer that came in one piece.
    pub(super) fn whole(completion: Completion) -> Self {
        let Completion { text, usage, model, finish } = completion;
        let delta = Some(text).filter(|text| !text.is_empty()).map(|text| Ok(Event::Delta(text)));
        let end = Ok(Event::End { usage, model, finish });
        Self(Box::pin(stream::iter(delta.into_iter().chain([end]))))
    }
}

impl Stream for EventStream {
    type Item = Result<Event, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}

/// What the events of a stream have told so far; filled by the wire formats.
#[derive(Debug, Default)]
pub(super) struct Progress {
    ready: VecDeque<Event>,
    spoke: bool,
    /// The provider's count, the latest it gave.
    pub(super) usage: Option<Usage>,
    /// The model that answers.
    pub(super) model: Option<String>,
    /// Why the answer ended, once told.
    pub(super) finish: Option<Finish>,
    /// The provider's own words on why it refused.
    pub(super) refusal: Option<String>,
    /// The format's own mark of the end was seen.
    pub(super) done: bool,
}

impl Progress {
    /// More text.
    pub(super) fn say(&mut self, text: String) {
        if !text.is_empty() {
            self.spoke = true;
            self.ready.push_back(Event::Delta(text));
        }
    }
}

/// Takes one chunk of an answer apart and tells the wire format each event in it, up to the one that ends the answer.
fn understand(
    endpoint: &Endpoint,
    parser: &mut Parser,
    progress: &mut Progress,
    chunk: &[u8],
) -> Result<(), Fault> {
    parser.feed(chunk, &mut |name, data| {
        if progress.done {
            return Ok(());
        }
        match endpoint.wire() {
            Wire::OpenAi => openai::event(endpoint, progress, data),
            Wire::Anthropic => anthropic::event(endpoint, progress, data),
            Wire::Google => google::event(endpoint, progress, data),
            Wire::Replicate => replicate::event(endpoint, progress, name, data),
        }
        .map_err(Fault::Told)
    })
}

/// What an answer that comes in these chunks tells: its events, whether it ended, and whether all of it was understood.
#[cfg(feature = "fuzzing")]
pub(super) fn told(endpoint: &Endpoint, chunks: &[&[u8]]) -> (Vec<Event>, bool, bool) {
    let (mut parser, mut progress) = (Parser::default(), Progress::default());
    let understood =
        chunks.iter().all(|chunk| understand(endpoint, &mut parser, &mut progress, chunk).is_ok());
    (progress.ready.into(), progress.done, understood)
}

/// Reads one answer, event by event.
pub(super) struct Reader {
    endpoint: Endpoint,
    answer: Option<Response>,
    limits: Limits,
    parser: Parser,
    progress: Progress,
    bytes: usize,
    /// What went wrong after the events that are still to be handed on.
    broken: Option<Miss>,
    /// Replicate's prediction, which must be cancelled if nobody waits for it any more.
    running: Option<Running>,
    slot: Option<OwnedSemaphorePermit>,
}

/// Why a chunk could not be understood.
enum Fault {
    Line,
    Told(Miss),
}

impl From<TooLong> for Fault {
    fn from(_: TooLong) -> Self {
        Self::Line
    }
}

impl Reader {
    pub(super) fn new(
        endpoint: &Endpoint,
        answer: Response,
        limits: Limits,
        running: Option<Running>,
    ) -> Self {
        Self {
            endpoint: endpoint.clone(),
            answer: Some(answer),
            limits,
            parser: Parser::default(),
            progress: Progress::default(),
            bytes: 0,
            broken: None,
            running,
            slot: None,
        }
    }

    /// Keeps the right to this call until the answer is over.
    pub(super) fn hold(&mut self, slot: OwnedSemaphorePermit) {
        self.slot = Some(slot);
    }

    /// Gives back what is needed to open another stream on the same prediction.
    pub(super) fn take_running(&mut self) -> Option<Running> {
        self.running.take()
    }

    /// The next event; `None` after the end.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Miss> {
        loop {
            if let Some(event) = self.progress.ready.pop_front() {
                return Ok(Some(event));
            }
            if let Some(miss) = self.broken.take() {
                self.answer = None;
                return Err(miss);
            }
            let Some(answer) = &mut self.answer else { return Ok(None) };
            if self.progress.done {
                return self.end().await.map(Some);
            }
            match call::chunk(answer, &self.endpoint, self.limits).await? {
                Some(chunk) => self.take(&chunk),
                // A server that says why it stopped and then closes has said everything.
                None if self.progress.finish.is_some() => self.progress.done = true,
                None => {
                    let what = "broke off in the middle of its answer";
                    self.broken = Some(Miss::passing(Failure::upstream(self.endpoint.provider(), what)));
                }
            }
        }
    }

    /// Understands one chunk; what is wrong with it waits until the events before it are handed on.
    fn take(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len();
        let endpoint = &self.endpoint;
        let told = understand(endpoint, &mut self.parser, &mut self.progress, chunk);
        self.broken = match told {
            Err(Fault::Told(miss)) => Some(miss),
            Err(Fault::Line) => {
                let what = "sent a line of more than 1 MiB, which no answer has";
                Some(Miss::last(Failure::upstream(endpoint.provider(), what)))
            }
            Ok(()) if self.bytes > MAX_BODY => Some(Miss::last(call::too_large(endpoint))),
            Ok(()) => None,
        };
    }

    /// Closes the books.
    async fn end(&mut self) -> Result<Event, Miss> {
        if let Some(mut answer) = self.answer.take() {
            // The last bytes of the transfer are often still under way; with them read, the connection serves again.
            tokio::spawn(async move {
                let rest = async { while let Ok(Some(_)) = answer.chunk().await {} };
                let _ = tokio::time::timeout(DRAIN, rest).await;
            });
        }
        if let Some(running) = self.running.take() {
            let told = running.finished(&self.endpoint, self.limits).await;
            self.progress.usage = told.usage.or(self.progress.usage);
            self.progress.model = self.progress.model.take().or(told.model);
        }
        self.slot = None;
        let Progress { spoke, usage, model, finish, refusal, .. } = std::mem::take(&mut self.progress);
        let finish = finish.unwrap_or(Finish::Other);
        let text = if spoke { "…" } else { "" };
        reply::unless_filtered(&self.endpoint, text, finish, refusal.as_deref()).map_err(Miss::last)?;
        Ok(Event::End { usage, model, finish })
    }
}
