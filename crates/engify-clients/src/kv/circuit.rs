//! The circuit breaker: after so many misses in a row nobody is asked for a while, then one caller tries.
//!
//! It says so in the log once when it opens and once when it closes, never per call. It knows instants and failures; it
//! refuses to know what is called.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Failure;

/// When a circuit opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitOptions {
    /// Misses in a row that open it. Default 5.
    pub misses: u32,
    /// The first rest; doubled with every try that misses. Default 500 ms.
    pub rest: Duration,
    /// The longest rest, and so the longest time until a server that is back is noticed. Default 4 s.
    pub longest_rest: Duration,
}

impl Default for CircuitOptions {
    fn default() -> Self {
        Self { misses: 5, rest: Duration::from_millis(500), longest_rest: Duration::from_secs(4) }
    }
}

/// One circuit.
#[derive(Debug)]
pub(super) struct Circuit {
    /// What it guards, for the log.
    name: &'static str,
    options: CircuitOptions,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed { misses: u32 },
    Open { since: Instant, until: Instant, rest: Duration, cause: Failure },
}

/// The right to make one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    /// Whether this call is the one that tries an open circuit.
    trial: bool,
}

impl Circuit {
    pub(super) fn new(name: &'static str, options: CircuitOptions) -> Self {
        Self { name, options, state: Mutex::new(State::Closed { misses: 0 }) }
    }

    /// Lets a call through, or answers with what opened the circuit.
    ///
    /// The one who tries moves the next trial a rest away, so that a caller who gives up in the middle holds up nobody.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass, Failure> {
        self.with(|state| match state {
            State::Closed { .. } => Ok(Pass { trial: false }),
            State::Open { until, rest, .. } if now >= *until => {
                *until = now + *rest;
                Ok(Pass { trial: true })
            }
            State::Open { cause, .. } => Err(cause.clone()),
        })
    }

    /// A call succeeded.
    pub(super) fn succeeded(&self, now: Instant) {
        let rested = self.with(|state| match std::mem::replace(state, State::Closed { misses: 0 }) {
            State::Open { since, .. } => Some(now.saturating_duration_since(since)),
            State::Closed { .. } => None,
        });
        if let Some(rested) = rested {
            tracing::info!(
                kv.circuit = self.name,
                kv.open_seconds = rested.as_secs_f64(),
                "kv.circuit_closed: it answers again"
            );
        }
    }

    /// A call missed. Those that were under way when the circuit opened change nothing any more.
    pub(super) fn missed(&self, pass: Pass, failure: &Failure, now: Instant) {
        let CircuitOptions { misses: most, rest: first, longest_rest } = self.options;
        let opened = self.with(|state| match state {
            State::Closed { misses } if *misses + 1 < most => {
                *misses += 1;
                false
            }
            State::Closed { .. } => {
                *state = State::Open { since: now, until: now + first, rest: first, cause: failure.clone() };
                true
            }
            State::Open { until, rest, cause, .. } => {
                if pass.trial {
                    *rest = (*rest * 2).min(longest_rest);
                    *until = now + *rest;
                    *cause = failure.clone();
                }
                false
            }
        });
        if opened {
            tracing::warn!(
                kv.circuit = self.name,
                kv.failure = failure.kind.word(),
                "kv.circuit_opened: {}",
                failure.message
            );
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FailureKind, Place};
    use super::*;

    fn failure() -> Failure {
        Failure::new(FailureKind::Refused, &Place::memory(), "is away")
    }

    fn opened() -> (Circuit, Instant) {
        let circuit = Circuit::new("test", CircuitOptions::default());
        let now = Instant::now();
        for _ in 0..5 {
            let pass = circuit.admit(now).unwrap();
            circuit.missed(pass, &failure(), now);
        }
        (circuit, now)
    }

    #[test]
    fn it_opens_after_five_misses_in_a_row_and_not_before() {
        let circuit = Circuit::new("test", CircuitOptions::default());
        let now = Instant::now();
        for _ in 0..3 {
            for _ in 0..4 {
                let pass = circuit.admit(now).unwrap();
                circuit.missed(pass, &failure(), now);
            }
            circuit.admit(now).unwrap();
            circuit.succeeded(now);
        }
        assert!(circuit.admit(now).is_ok());
        let (circuit, now) = opened();
        assert_eq!(circuit.admit(now).unwrap_err(), failure());
    }

    #[test]
    fn one_caller_tries_after_the_rest_and_a_success_closes() {
        let (circuit, now) = opened();
        let later = now + Duration::from_millis(500);
        assert!(circuit.admit(later).unwrap().trial);
        assert!(circuit.admit(later).is_err(), "one at a time");
        circuit.succeeded(later);
        assert!(circuit.admit(later).is_ok() && circuit.admit(later).is_ok());
    }

    #[test]
    fn a_trial_that_misses_doubles_the_rest_up_to_its_bound() {
        let (circuit, mut now) = opened();
        for rest in [500, 1000, 2000, 4000, 4000] {
            let rest = Duration::from_millis(rest);
            assert!(circuit.admit(now + rest - Duration::from_millis(1)).is_err());
            now += rest;
            let pass = circuit.admit(now).unwrap();
            circuit.missed(pass, &failure(), now);
        }
    }

    #[test]
    fn what_was_under_way_when_it_opened_does_not_lengthen_the_rest() {
        let (circuit, now) = opened();
        for _ in 0..100 {
            circuit.missed(Pass { trial: false }, &failure(), now);
        }
        assert!(circuit.admit(now + Duration::from_millis(500)).is_ok());
    }
}
