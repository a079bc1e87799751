//! Answers that were given lately and still hold: bounded in number, and valid for one generation of the catalogue.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answer::Resolved;
use super::generations::Generation;
use super::question::{PageOf, Question};
use super::{Facets, Hits};

/// Uses and ratings on a remembered page are at most this old. What is found, and by whom, is never old.
const COUNTERS_AGE: Duration = Duration::from_secs(1);
/// Questions whose reading, total and facets are kept.
const QUESTIONS: usize = 512;
/// Cards that are kept, over all pages; some kB each.
const CARDS: usize = 2048;

/// What is remembered. When it is full it starts anew: simple, and rarely needed.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    resolved: Mutex<HashMap<Question, (u64, Resolved)>>,
    facets: Mutex<HashMap<Question, (u64, Facets)>>,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    cards: usize,
    pages: HashMap<PageOf, (Generation, Instant, Hits)>,
}

impl Remembered {
    pub(crate) fn resolved(&self, question: &Question, now: Generation) -> Option<Resolved> {
        fresh(&self.resolved, question, now)
    }

    pub(crate) fn keep_resolved(&self, question: &Question, at: Generation, resolved: &Resolved) {
        keep(&self.resolved, question, at, resolved);
    }

    pub(crate) fn facets(&self, question: &Question, now: Generation) -> Option<Facets> {
        fresh(&self.facets, question, now)
    }

    pub(crate) fn keep_facets(&self, question: &Question, at: Generation, facets: &Facets) {
        keep(&self.facets, question, at, facets);
    }

    pub(crate) fn page(&self, page: &PageOf, now: Generation) -> Option<Hits> {
        let pages = lock(&self.pages);
        let (at, when, hits) = pages.pages.get(page)?;
        let holds = *at == now || (at.content == now.content && when.elapsed() < COUNTERS_AGE);
        holds.then(|| hits.clone())
    }

    pub(crate) fn keep_page(&self, page: &PageOf, at: Generation, hits: &Hits) {
        let mut pages = lock(&self.pages);
        // A page without cards takes room too.
        pages.cards += hits.cards.len() + 1;
        if pages.cards > CARDS {
            *pages = Pages { cards: hits.cards.len() + 1, pages: HashMap::new() };
        }
        pages.pages.insert(page.clone(), (at, Instant::now(), hits.clone()));
    }
}

fn fresh<T: Clone>(
    map: &Mutex<HashMap<Question, (u64, T)>>,
    question: &Question,
    now: Generation,
) -> Option<T> {
    lock(map).get(question).filter(|(at, _)| *at == now.content).map(|(_, answer)| answer.clone())
}

fn keep<T: Clone>(map: &Mutex<HashMap<Question, (u64, T)>>, question: &Question, at: Generation, answer: &T) {
    let mut map = lock(map);
    bound(&mut map);
    map.insert(question.clone(), (at.content, answer.clone()));
}

fn bound<K: Hash + Eq, V>(map: &mut HashMap<K, V>) {
    if map.len() >= QUESTIONS {
        map.clear();
    }
}

/// A thread that panicked while it held the lock left nothing half-done that matters: entries are whole or absent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
