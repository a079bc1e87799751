//! The documents of a part as they come: bytes are fetched on the runtime, and decoded on a thread where that may take its
//! time. A few pieces of each are in memory.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use engify_clients::objects;
use engify_core::{Error, Result};
use engify_store::Doc;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::layers::{Layers, Sums, Undecoded, decode};

/// Pieces of bytes that wait to be decoded; a piece is up to 1 MiB.
const PIECES: usize = 8;

/// Pages of documents that wait to be taken.
const WAITING: usize = 2;

/// Pages of documents, and in the end the sums.
#[derive(Debug)]
pub(crate) struct Pages {
    steps: mpsc::Receiver<Step>,
}

#[derive(Debug)]
enum Step {
    Page(Vec<Doc>),
    End(Result<Sums, Undecoded>),
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Documents.
    Page(Vec<Doc>),
    /// Nothing more.
    End(Sums),
}

impl Pages {
    /// Begins to read.
    pub(crate) fn of(mut content: objects::Content, layers: Layers) -> Self {
        let (pieces, received) = mpsc::channel(PIECES);
        let (taken, steps) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(piece) = content.next().await {
                // Who decodes may have seen enough.
                if pieces.send(piece.map_err(Error::from)).await.is_err() {
                    return;
                }
            }
        });
        tokio::task::spawn_blocking(move || {
            let input = Pieces { received, held: Bytes::new() };
            let gone = || Error::internal("nobody takes the pages any more");
            let sums =
                decode(input, &layers, |page| taken.blocking_send(Step::Page(page)).map_err(|_| gone()));
            let _ = taken.blocking_send(Step::End(sums));
        });
        Self { steps }
    }

    /// The next page, or the sums behind the last one.
    pub(crate) async fn next(&mut self) -> Result<Next, Undecoded> {
        match self.steps.recv().await {
            Some(Step::Page(page)) => Ok(Next::Page(page)),
            Some(Step::End(sums)) => sums.map(Next::End),
            None => Err(Error::internal("the thread that decodes a backup has ended early").into()),
        }
    }
}

/// Pieces as a reader.
struct Pieces {
    received: mpsc::Receiver<Result<Bytes>>,
    held: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.held.is_empty() {
            match self.received.blocking_recv() {
                Some(piece) => self.held = piece.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.held.len());
        self.held.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
