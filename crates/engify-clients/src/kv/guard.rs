//! What every call to a server goes through: bounds, two circuits, the deadline.
//!
//! One circuit is for reaching the server at all, the other for what puts something into its memory: a full or read-only
//! server is still read.

use std::time::Duration;

use tokio::time::Instant;

use super::circuit::{Circuit, CircuitOptions};
use super::command::Command;
use super::reply::Reply;
use super::{Failure, FailureKind, MAX_KEY, MAX_VALUE, Place};

/// The guard of one server.
#[derive(Debug)]
pub(super) struct Guard {
    place: Place,
    deadline: Duration,
    reach: Circuit,
    filling: Circuit,
}

impl Guard {
    pub(super) fn new(place: Place, deadline: Duration, circuit: CircuitOptions) -> Self {
        Self {
            place,
            deadline,
            reach: Circuit::new("redis", circuit),
            filling: Circuit::new("redis writes", circuit),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Makes a call, if the circuits let it.
    pub(super) async fn call(
        &self,
        commands: &[Command],
        work: impl AsyncFnOnce(Instant) -> Result<Vec<Reply>, Failure>,
    ) -> Result<Vec<Reply>, Failure> {
        check(&self.place, commands)?;
        let fills = commands.iter().any(Command::fills);
        let begun = Instant::now();
        let pass = self.reach.admit(begun)?;
        let filling = if fills { Some(self.filling.admit(begun)?) } else { None };
        let answered = work(begun + self.deadline).await.and_then(|replies| self.unrefused(replies));
        let now = Instant::now();
        match &answered {
            Ok(_) => {
                self.reach.succeeded(now);
                if fills {
                    self.filling.succeeded(now);
                }
            }
            Err(failure) if failure.kind == FailureKind::TooLarge => {}
            Err(failure) if failure.kind.concerns_writes() => {
                self.reach.succeeded(now);
                if let Some(pass) = filling {
                    self.filling.missed(pass, failure, now);
                }
            }
            Err(failure) => self.reach.missed(pass, failure, now),
        }
        answered
    }

    /// The replies, if there is no refusal among them.
    fn unrefused(&self, replies: Vec<Reply>) -> Result<Vec<Reply>, Failure> {
        match replies.iter().find_map(|reply| match reply {
            Reply::Refusal(text) => Some(Failure::said(&self.place, text)),
            _ => None,
        }) {
            Some(failure) => Err(failure),
            None => Ok(replies),
        }
    }
}

/// Keys and values within their bounds.
pub(super) fn check(place: &Place, commands: &[Command]) -> Result<(), Failure> {
    for (key, value) in commands.iter().map(Command::sizes) {
        if key > MAX_KEY {
            let what = format!("is not asked about a key of {key} bytes; {MAX_KEY} is the most");
            return Err(Failure::new(FailureKind::TooLarge, place, &what));
        }
        if value > MAX_VALUE {
            let what = format!("is not given a value of {value} bytes; {MAX_VALUE} is the most");
            return Err(Failure::new(FailureKind::TooLarge, place, &what));
        }
    }
    Ok(())
}
