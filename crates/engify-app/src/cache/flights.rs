//! Of many who need the same at once, one makes it and the others wait for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// What is being made, by key.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Arc<str>, Arc<Semaphore>>>);

/// The right, and the duty, to make something. Dropping it wakes who waits.
#[derive(Debug)]
pub(super) struct Lead<'a> {
    flights: &'a Flights,
    key: Arc<str>,
}

impl Flights {
    /// The lead, or none when somebody else who had it is done, however it ended for them.
    pub(super) async fn join(&self, key: &Arc<str>) -> Option<Lead<'_>> {
        let flight = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(flight) = flights.get(key) {
                Arc::clone(flight)
            } else {
                flights.insert(Arc::clone(key), Arc::new(Semaphore::new(0)));
                return Some(Lead { flights: self, key: Arc::clone(key) });
            }
        };
        // It has no permits and never gets any: the answer is always that it was closed.
        let _ = flight.acquire().await;
        None
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.remove(&self.key) {
            flight.close();
        }
    }
}
