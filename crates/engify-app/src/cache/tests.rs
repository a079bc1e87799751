//! The promise of the cache, for any interleaving over three replicas: what is read was true within the last second.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use engify_clients::kv::{Kv, KvOptions};
use engify_core::{Clock, Ids, Time};
use proptest::prelude::*;

use super::freshness::Freshness;
use super::{Backing, Family, Tiered};

/// The stated bound, milliseconds.
const BOUND: i64 = 1_000;
const TTL: Duration = Duration::from_millis(2_500);

struct Numbers;

impl Family for Numbers {
    const NAME: &'static str = "number";
    type Value = u64;

    fn weight(_: &u64) -> usize {
        8
    }

    fn encode(value: &u64) -> Option<Vec<u8>> {
        Some(value.to_be_bytes().to_vec())
    }

    fn decode(&self, bytes: Bytes) -> Option<u64> {
        Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?))
    }
}

/// What may happen between reads, and while one is under way.
#[derive(Debug, Clone)]
enum Event {
    /// A replica writes under a key.
    Write { replica: usize, key: usize },
    /// A replica's follower reads some of the journal.
    Hear { replica: usize, count: usize },
    /// A replica's follower reads all of it.
    Look { replica: usize },
    /// Time passes.
    Pass { millis: u64 },
}

#[derive(Debug, Clone)]
enum Step {
    Event(Event),
    /// A replica reads; the events happen between its reading from the database and its keeping of what it read.
    Read {
        replica: usize,
        key: usize,
        meanwhile: Vec<Event>,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (0..3_usize, 0..2_usize).prop_map(|(replica, key)| Event::Write { replica, key }),
        1 => (0..3_usize, 1..3_usize).prop_map(|(replica, count)| Event::Hear { replica, count }),
        2 => (0..3_usize).prop_map(|replica| Event::Look { replica }),
        2 => (1..700_u64).prop_map(|millis| Event::Pass { millis }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let read = (0..3_usize, 0..2_usize, prop::collection::vec(event(), 0..4))
        .prop_map(|(replica, key, meanwhile)| Step::Read { replica, key, meanwhile });
    prop_oneof![1 => event().prop_map(Step::Event), 1 => read]
}

struct Replica {
    tier: Tiered<Numbers>,
    freshness: Arc<Freshness>,
    /// How much of the journal it has noted, and when it last knew all of it.
    noted: usize,
    known: Arc<AtomicI64>,
    /// Its own last write under each key.
    own: HashMap<usize, u64>,
}

struct World {
    clock: Clock,
    /// Each write: its key and its time. Its position is its place, counted from 1; its value is its position.
    journal: Vec<(usize, i64)>,
    replicas: Vec<Replica>,
}

impl World {
    fn new() -> Self {
        let clock = Clock::fixed(Time::from_millis(1_800_000_000_000));
        let kv = Kv::memory(&KvOptions::default(), clock.clone(), Ids::seeded(clock.clone(), 3));
        let replicas = (0..3).map(|_| Replica::new(&clock, kv.clone())).collect();
        Self { clock, journal: Vec::new(), replicas }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Write { replica, key } => {
                self.journal.push((key, self.clock.now().millis()));
                let position = self.journal.len() as u64;
                self.replicas[replica].freshness.changed(position);
                self.replicas[replica].own.insert(key, position);
            }
            Event::Hear { replica, count } => {
                let end = self.journal.len().min(self.replicas[replica].noted + count);
                self.replicas[replica].note(end);
            }
            Event::Look { replica } => {
                let end = self.journal.len();
                self.replicas[replica].note(end);
                self.replicas[replica].known.store(self.clock.now().millis(), Ordering::SeqCst);
            }
            Event::Pass { millis } => self.clock.advance(Duration::from_millis(millis)),
        }
    }

    /// What the database has under a key.
    fn stored(&self, key: usize) -> u64 {
        let last = self.journal.iter().rposition(|(written, _)| *written == key);
        last.map_or(0, |at| at as u64 + 1)
    }

    /// Reads as a use case does, and says what was read, when it was asked, and what the replica had written itself.
    async fn read(&mut self, replica: usize, key: usize, meanwhile: &[Event]) -> (u64, i64, u64) {
        let asked = self.clock.now().millis();
        let own = self.replicas[replica].own.get(&key).copied().unwrap_or(0);
        let name = format!("key-{key}");
        // Out of the world while it is read from, so that the world can go on meanwhile.
        let tier = std::mem::replace(&mut self.replicas[replica].tier, Tiered::idle(&self.clock));
        let value = match tier.peek(&name) {
            Some(value) => value,
            None => match tier.find(&name).await {
                Ok(value) => value,
                Err(slot) => {
                    let value = self.stored(key);
                    meanwhile.iter().for_each(|event| self.happen(event));
                    slot.fill(value, TTL).await
                }
            },
        };
        self.replicas[replica].tier = tier;
        // The lock is given back behind the read.
        tokio::task::yield_now().await;
        (value, asked, own)
    }

    /// When a value was overwritten; never is long from now.
    fn overwritten(&self, key: usize, value: u64) -> i64 {
        let later = self.journal.iter().enumerate().skip(usize::try_from(value).expect("a position"));
        later.filter(|(_, (written, _))| *written == key).map(|(_, (_, at))| *at).next().unwrap_or(i64::MAX)
    }
}

impl Tiered<Numbers> {
    fn idle(clock: &Clock) -> Self {
        let freshness = Arc::new(Freshness::new(|| Duration::ZERO));
        Self::new(Numbers, Backing { freshness, shared: None, clock: clock.clone() }, 0, "")
    }
}

impl Replica {
    fn new(clock: &Clock, kv: Kv) -> Self {
        let known = Arc::new(AtomicI64::new(clock.now().millis()));
        let (lag_clock, lag_known) = (clock.clone(), Arc::clone(&known));
        let freshness = Arc::new(Freshness::new(move || {
            lag_clock.now().since(Time::from_millis(lag_known.load(Ordering::SeqCst)))
        }));
        freshness.begin(0, 0);
        let backing = Backing { freshness: Arc::clone(&freshness), shared: Some(kv), clock: clock.clone() };
        let tier = Tiered::new(Numbers, backing, 1 << 20, "test");
        Self { tier, freshness, noted: 0, known, own: HashMap::new() }
    }

    fn note(&mut self, end: usize) {
        for position in self.noted..end {
            self.freshness.changed(position as u64 + 1);
            self.freshness.saw(position as u64 + 1);
        }
        self.noted = self.noted.max(end);
    }
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(work)
}

/// Whoever reads, whatever happened before and meanwhile: what they get was true less than a second before they asked, and is
/// never older than what was written at the same replica.
#[test]
fn no_interleaving_shows_what_is_older_than_a_second() {
    let (worst, reads) = (AtomicI64::new(0), AtomicI64::new(0));
    proptest!(|(steps in prop::collection::vec(step(), 1..60))| {
        in_runtime(async {
            let mut world = World::new();
            for step in &steps {
                match step {
                    Step::Event(event) => world.happen(event),
                    Step::Read { replica, key, meanwhile } => {
                        let (value, asked, own) = world.read(*replica, *key, meanwhile).await;
                        let late = asked - world.overwritten(*key, value);
                        prop_assert!(late < BOUND, "{value} under {key} was overwritten {late} ms before it was asked for");
                        prop_assert!(value >= own, "{value} is older than {own}, written at the same replica");
                        worst.fetch_max(late, Ordering::SeqCst);
                        reads.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            Ok(())
        })?;
    });
    let (worst, reads) = (worst.into_inner(), reads.into_inner());
    println!("the oldest of {reads} reads over three replicas was overwritten {worst} ms before");
}

#[test]
fn a_cold_key_costs_one_making_over_all_replicas() {
    in_runtime(async {
        let mut world = World::new();
        world.happen(&Event::Write { replica: 0, key: 0 });
        (0..3).for_each(|replica| world.happen(&Event::Look { replica }));
        let made = std::sync::atomic::AtomicUsize::new(0);
        let askers = (0..30).map(|number| {
            let (tier, made) = (&world.replicas[number % 3].tier, &made);
            async move {
                match tier.find("cold").await {
                    Ok(value) => value,
                    Err(slot) => {
                        made.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        slot.fill(7, TTL).await
                    }
                }
            }
        });
        let values = futures_util::future::join_all(askers).await;
        assert_eq!((values, made.into_inner()), (vec![7; 30], 1));
    });
}

#[test]
fn when_its_time_is_up_one_makes_it_anew_and_the_others_get_what_is_there() {
    in_runtime(async {
        let mut world = World::new();
        let Err(slot) = world.replicas[0].tier.find("key").await else { panic!("nothing is kept yet") };
        slot.fill(1, TTL).await;
        world.happen(&Event::Pass { millis: 3_000 });
        world.happen(&Event::Look { replica: 0 });
        let tier = &world.replicas[0].tier;
        assert_eq!([tier.peek("key"), tier.peek("key"), tier.peek("key")], [None, Some(1), Some(1)]);
        let Err(slot) = tier.find("key").await else { panic!("it is to be made anew") };
        slot.fill(2, TTL).await;
        assert_eq!(tier.peek("key"), Some(2));
    });
}

#[test]
fn what_cannot_be_made_is_shown_as_it_was_for_a_while_but_not_what_was_withdrawn() {
    in_runtime(async {
        let mut world = World::new();
        for key in ["kept", "withdrawn"] {
            let Err(slot) = world.replicas[0].tier.find(key).await else { panic!("nothing is kept yet") };
            slot.fill(1, TTL).await;
        }
        world.happen(&Event::Pass { millis: 60_000 });
        let there = async |world: &World, key: &str| match world.replicas[0].tier.find(key).await {
            Ok(_) => panic!("nothing is true for sure while the journal is not heard"),
            Err(slot) => slot.stale().map(|(value, age)| (value, age.as_secs())),
        };
        assert_eq!(there(&world, "kept").await, Some((1, 60)));
        world.replicas[0].freshness.changed(1);
        assert_eq!(there(&world, "kept").await, Some((1, 60)), "edited, and public still");
        world.replicas[0].freshness.withdrawn(2);
        assert_eq!(there(&world, "withdrawn").await, None);
        world.happen(&Event::Pass { millis: 15 * 60_000 });
        assert_eq!(there(&world, "kept").await, None);
    });
}
