//! Becoming equal to another database, and the journal's old end.

use std::time::Duration;

use engify_core::Clock;
use engify_core::account::User;
use engify_core::prompt::Prompt;
use engify_store::comparison::Comparison;
use engify_store::search::{Filters, Search, Sort};
use engify_store::{Batch, Collection, Entity, Options, Store, Target, collections};

use crate::builders::{self, everything};
use crate::database::Database;

/// An embedded database beside the one under test.
async fn side() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let target = Target::Embedded { dir: folder.path().to_owned() };
    (Store::open(target, Options::new(Clock::system())).await.expect("a database"), folder)
}

async fn differences(a: &Store, b: &Store) -> usize {
    let (mut a, mut b) = (a.snapshot().await.expect("a"), b.snapshot().await.expect("b"));
    let mut count = 0;
    for collection in collections::ALL {
        let mut walk = Comparison::new(collection, &mut a, &mut b);
        while walk.next().await.expect("a walk").is_some() {
            count += 1;
        }
    }
    count
}

fn all() -> Vec<&'static Collection> {
    collections::ALL.iter().collect()
}

async fn put<E: Entity>(store: &Store, entity: &E) {
    store.write(Batch::new().put(entity).expect("an entity")).await.expect("written");
}

pub(crate) async fn a_database_becomes_equal_to_another_and_journals_it(database: Database) {
    let live = database.open().await;
    let (wanted, _folder) = side().await;
    let (same, changed, fresh, gone) = (
        builders::prompt("Same", builders::public()),
        builders::prompt("Before", builders::public()),
        builders::prompt("Harvester", builders::public()),
        builders::prompt("Zeppelin", builders::public()),
    );
    for prompt in [&same, &changed, &gone] {
        put(&live, prompt).await;
    }
    let mut later = changed.clone();
    later.draft.title = "Lighthouse".to_owned();
    for prompt in [&same, &later, &fresh] {
        put(&wanted, prompt).await;
    }
    // Two people who have exchanged their addresses: neither can be written before the other.
    let (ana, ben) = (builders::user(), builders::user());
    put(&live, &ana).await;
    put(&live, &ben).await;
    put(&wanted, &User { email: builders::user().email, ..ana.clone() }).await;
    put(&wanted, &User { email: ana.email.clone(), ..ben.clone() }).await;
    put(&wanted, &User { email: ben.email.clone(), ..ana.clone() }).await;

    let mut feed = live.changes();
    let before = live.journal_position().await.expect("a position");
    let replaced = live.replace_with(&wanted, &all()).await.expect("replaced");
    assert_eq!((replaced.inserted, replaced.replaced, replaced.removed), (1, 3, 1), "{replaced:?}");
    assert!(replaced.position > before, "the journal goes on");
    assert_eq!(differences(&live, &wanted).await, 0);
    let told = feed.recv().await.expect("the feed tells");
    assert!(told.iter().all(|change| change.position > before));

    // What the journal says, done again elsewhere, has the same end.
    let (again, _folder) = side().await;
    let mut position = 0;
    loop {
        let changes = live.journal_after(position, 100).await.expect("changes");
        let Some(last) = changes.last() else { break };
        position = last.position;
        again.apply(changes).await.expect("applied");
    }
    assert_eq!(differences(&again, &wanted).await, 0);

    // The search knows as well.
    let asked = |text: &str| Search {
        scope: everything(),
        text: text.to_owned(),
        filters: Filters::default(),
        sort: Sort::Relevance,
        cursor: None,
        limit: 10,
    };
    assert_eq!(live.search(&asked("harvester")).await.expect("hits").cards.len(), 1);
    assert_eq!(live.search(&asked("lighthouse")).await.expect("hits").cards.len(), 1);
    assert_eq!(live.search(&asked("zeppelin")).await.expect("hits").cards.len(), 0);

    let nothing = live.replace_with(&wanted, &all()).await.expect("replaced");
    assert_eq!((nothing.inserted, nothing.replaced, nothing.removed), (0, 0, 0), "once is enough");
    assert!(live.get::<Prompt>(&everything(), gone.id.as_str()).await.expect("read").is_none());
}

pub(crate) async fn the_journals_old_end_goes_and_is_remembered(database: Database) {
    let store = database.open().await;
    for _ in 0..6 {
        put(&store, &builders::organization()).await;
    }
    let changes = store.journal_after(0, 10).await.expect("changes");
    let third = changes[2].position;
    let later = Clock::system().now().plus(Duration::from_secs(3600));
    assert_eq!(store.trim_journal(third, changes[0].at).await.expect("trimmed"), 0, "nothing is that old");
    assert_eq!(store.trim_journal(third, later).await.expect("trimmed"), 3);
    assert_eq!(store.trim_journal(third, later).await.expect("trimmed"), 0);
    assert_eq!(store.journal_trimmed().await.expect("known"), third);
    let left: Vec<u64> =
        store.journal_after(0, 10).await.expect("changes").iter().map(|change| change.position).collect();
    assert_eq!(left, changes[3..].iter().map(|change| change.position).collect::<Vec<_>>());
    store.trim_journal(u64::MAX >> 2, later).await.expect("trimmed");
    put(&store, &builders::organization()).await;
    let last = store.journal_position().await.expect("a position");
    assert!(last > changes[5].position, "positions are never used again");
    store.check().await.expect("sound");
}

pub(crate) async fn half_a_copy_is_refused_until_it_is_whole(database: Database) {
    let store = database.open().await;
    store.filling("file:/elsewhere").await.expect("noted");
    let refusal = database.open_as(Options::default()).await.expect_err("half a copy");
    assert_eq!(refusal.code(), "migration_unfinished");
    assert!(refusal.message().contains("file:/elsewhere"), "{refusal}");
    let half = Options { unfinished_migration: true, ..Options::default() };
    let again = database.open_as(half).await.expect("whoever goes on with it may");
    assert_eq!(again.half_of().await.expect("a note").as_deref(), Some("file:/elsewhere"));
    again.filled().await.expect("noted");
    database.open().await;
}

pub(crate) async fn of_two_who_note_something_once_the_first_wins(database: Database) {
    let (one, other) = (database.open().await, database.open().await);
    let noted = tokio::join!(one.note_once("name", "a".to_owned()), other.note_once("name", "b".to_owned()));
    let (first, second) = (noted.0.expect("a note"), noted.1.expect("a note"));
    assert_eq!(first, second);
    assert_eq!(one.note("name").await.expect("a note"), Some(first));
    one.drop_note("name").await.expect("gone");
    assert_eq!(other.note("name").await.expect("a note"), None);
}
