//! Batches, patches, unique values and the journal.

use std::time::Duration;

use engify_core::account::User;
use engify_core::api_key::ApiKey;
use engify_core::ids::{PromptId, UserId, VersionId};
use engify_core::prompt::{Prompt, PromptVersion};
use engify_core::provider_key::ProviderKey;
use engify_core::tenancy::Audience;
use engify_core::{Error, Kind, Sealed};
use engify_store::{Batch, Entity, Patch, Store, bson, queries};
use tokio::time::timeout;

use crate::builders::{self, everything, ids};
use crate::database::Database;

async fn insert<E: Entity>(store: &Store, entity: &E) -> Result<u64, Error> {
    store.write(Batch::new().insert(entity).expect("an entity")).await
}

fn is_duplicate(result: Result<u64, Error>, index: &str) {
    let fault = result.expect_err("a duplicate");
    assert_eq!((fault.kind(), fault.code()), (Kind::Conflict, "duplicate"));
    assert_eq!(fault.details()[0].field, index);
}

pub(crate) async fn a_unique_violation_names_its_index(database: Database) {
    let store = database.open().await;
    let user = builders::user();
    insert(&store, &user).await.expect("the first");
    is_duplicate(insert(&store, &User { id: UserId::make(&ids()), ..user.clone() }).await, "users.email_1");
    is_duplicate(insert(&store, &User { email: builders::user().email, ..user.clone() }).await, "users._id_");
    let key = builders::api_key(&user.id);
    insert(&store, &key).await.expect("the first");
    let same = ApiKey { key_hash: key.key_hash.clone(), ..builders::api_key(&user.id) };
    is_duplicate(insert(&store, &same).await, "api_keys.keyHash_1");
    let prompt = builders::prompt("Review", builders::public());
    insert(&store, &prompt).await.expect("the first");
    let same = Prompt { slug: prompt.slug.clone(), ..builders::prompt("Other", builders::public()) };
    is_duplicate(insert(&store, &same).await, "prompts.slug_1");
    let run = builders::run(&user.id);
    insert(&store, &run).await.expect("the first");
    let mut same = builders::run(&user.id);
    same.run_id.clone_from(&run.run_id);
    is_duplicate(insert(&store, &same).await, "ai_runs.userId_1_runId_1");
    let put = Batch::new().put(&User { name: "New".to_owned(), ..user.clone() }).expect("a user");
    store.write(put).await.expect("the same document may be put again");
}

pub(crate) async fn a_missing_unique_value_is_no_duplicate(database: Database) {
    let store = database.open().await;
    let user = UserId::make(&ids());
    for _ in 0..2 {
        let mut run = builders::run(&user);
        run.tenancy = builders::public();
        run.run_id = "the same".to_owned();
        insert(&store, &run).await.expect("a run of nobody has no owner to be unique for");
    }
}

pub(crate) async fn a_batch_is_all_or_nothing(database: Database) {
    let store = database.open().await;
    let user = builders::user();
    insert(&store, &user).await.expect("written");
    let before = store.journal_position().await.expect("a position");
    let prompt = builders::prompt("Half written", builders::public());
    let batch = Batch::new()
        .insert(&prompt)
        .and_then(|batch| batch.insert(&builders::user()))
        .map(|batch| batch.delete::<User>(everything(), &user.id))
        .and_then(|batch| batch.insert(&Prompt { id: PromptId::make(&ids()), ..prompt.clone() }))
        .expect("a batch");
    is_duplicate(store.write(batch).await, "prompts.slug_1");
    assert!(store.get::<Prompt>(&everything(), prompt.id.as_str()).await.expect("read").is_none());
    assert!(store.get::<User>(&everything(), user.id.as_str()).await.expect("read").is_some());
    assert_eq!(store.count(&queries::users(everything(), None)).await.expect("a count"), 1);
    assert_eq!(store.journal_position().await.expect("a position"), before);
    assert!(store.journal_after(before, 10).await.expect("the journal").is_empty());
}

pub(crate) async fn of_two_conditional_patches_one_wins(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    let prompt = builders::prompt("Contested", builders::public());
    insert(&one, &prompt).await.expect("written");
    for round in 1..=10_u32 {
        let patch = |title: &str| {
            let patch =
                Patch::new(everything(), &prompt.id).set("title", title)?.set("version", round + 1)?;
            Ok::<_, Error>(Batch::new().patch::<Prompt>(patch.when("version", round)?))
        };
        let (a, b) = (patch("by one").expect("a patch"), patch("by two").expect("a patch"));
        let (a, b) = tokio::join!(one.write(a), two.write(b));
        let (winner, loser) = if a.is_ok() { ("by one", b) } else { ("by two", a) };
        let fault = loser.expect_err("only one wins");
        assert_eq!((fault.kind(), fault.code()), (Kind::Conflict, "stale"), "{fault:?}");
        let now: Prompt = one.get(&everything(), prompt.id.as_str()).await.expect("read").expect("there");
        assert_eq!((now.draft.title.as_str(), now.version), (winner, round + 1));
    }
}

pub(crate) async fn patches_set_add_and_skip(database: Database) {
    let store = database.open().await;
    let prompt = builders::prompt("Counted", builders::public());
    insert(&store, &prompt).await.expect("written");
    let add = || Batch::new().patch::<Prompt>(Patch::new(everything(), &prompt.id).add("uses", 2));
    store.write(add().and(add())).await.expect("both in one batch");
    let now: Prompt = store.get(&everything(), prompt.id.as_str()).await.expect("read").expect("there");
    assert_eq!(now.uses, 4);
    let nobody = Patch::new(everything(), "nobody").add("uses", 1);
    let fault = store.write(Batch::new().patch::<Prompt>(nobody.clone())).await.expect_err("no such prompt");
    assert_eq!(fault.code(), "stale");
    let position = store.write(Batch::new().patch::<Prompt>(nobody.or_skip())).await.expect("skipped");
    assert_eq!(position, 0);
    let absent = Patch::new(everything(), &prompt.id).when("pattern", None::<String>).expect("a condition");
    let absent = absent.set("pattern", "few-shot").expect("a word");
    store.write(Batch::new().patch::<Prompt>(absent)).await.expect("a missing field equals null");
}

pub(crate) async fn the_journal_tells_every_change_in_order(database: Database) {
    let store = database.open().await;
    let user = builders::user();
    let first = insert(&store, &user).await.expect("written");
    let patch = Patch::new(everything(), &user.id).set("name", "Bea").expect("a name");
    let second = store.write(Batch::new().patch::<User>(patch)).await.expect("written");
    let third = store.write(Batch::new().delete::<User>(everything(), &user.id)).await.expect("written");
    assert!(first < second && second < third);
    assert_eq!(store.journal_position().await.expect("a position"), third);
    let changes = store.journal_after(0, 10).await.expect("the journal");
    let told: Vec<_> = changes
        .iter()
        .map(|change| {
            let name =
                change.document.as_ref().and_then(|doc| doc.get("name")).and_then(|name| name.as_str());
            (change.position, change.collection.as_str(), change.id.as_str(), name)
        })
        .collect();
    let id = user.id.as_str();
    assert_eq!(
        told,
        [
            (first, "users", id, Some(user.name.as_str())),
            (second, "users", id, Some("Bea")),
            (third, "users", id, None)
        ]
    );
    assert_eq!(store.journal_after(first, 1).await.expect("the journal")[0].position, second);
}

pub(crate) async fn long_documents_come_from_the_journal_a_few_at_a_time(database: Database) {
    let store = database.open().await;
    let mut version = builders::version(&builders::prompt("Long", builders::public()));
    version.draft.content = "x".repeat(1024 * 1024);
    for number in 1..=24 {
        let version = PromptVersion { id: VersionId::make(&ids()), version: number, ..version.clone() };
        insert(&store, &version).await.expect("written");
    }
    let (mut position, mut pages) = (0, Vec::new());
    loop {
        let page = store.journal_after(position, 500).await.expect("a page");
        let encoded = store.journal_encoded_after(position, 500).await.expect("the same page");
        assert_eq!(
            page.iter().map(|change| (change.position, &change.id)).collect::<Vec<_>>(),
            encoded.iter().map(|change| (change.position, &change.id)).collect::<Vec<_>>()
        );
        for (change, encoded) in page.iter().zip(&encoded) {
            let entry = bson::decode(&bson::change(encoded)).expect("an entry");
            assert_eq!(entry["document"].as_object(), change.document.as_ref());
        }
        let Some(last) = page.last() else { break };
        position = last.position;
        pages.push(page.len());
    }
    assert_eq!(pages.iter().sum::<usize>(), 24, "all of them");
    assert!(pages.iter().all(|count| (1..=9).contains(count)), "8 MiB and one document: {pages:?}");
}

pub(crate) async fn a_write_outlives_the_runtime_of_its_caller(database: Database) {
    let store = database.open().await;
    let prompt = builders::prompt("Begun elsewhere", builders::public());
    let (id, mut feed, theirs) = (prompt.id.clone(), store.changes(), store.clone());
    let begun = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut writing = Box::pin(async move { insert(&theirs, &prompt).await });
        let once = |context: &mut std::task::Context<'_>| {
            std::task::Poll::Ready(writing.as_mut().poll(context).is_ready())
        };
        runtime.block_on(std::future::poll_fn(once))
    });
    assert!(!begun.join().expect("no panic"), "it ended at once, so this shows nothing");
    let told = timeout(Duration::from_secs(5), feed.recv()).await.expect("in time").expect("a commit");
    assert_eq!(told.iter().map(|change| change.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    assert!(store.get::<Prompt>(&everything(), id.as_str()).await.expect("an answer").is_some());
}

pub(crate) async fn what_is_longer_than_a_document_can_be_is_refused(database: Database) {
    let store = database.open().await;
    let mut version = builders::version(&builders::prompt("Long", builders::public()));
    version.draft.content = "x".repeat(17 * 1024 * 1024);
    let fault = insert(&store, &version).await.expect_err("too long");
    assert_eq!(fault.code(), "document_too_large");
    assert_eq!(store.journal_position().await.expect("a position"), 0, "nothing was written");
}

pub(crate) async fn a_sealed_value_is_replaced_only_where_nobody_else_did(database: Database) {
    let store = database.open().await;
    let key = builders::provider_key(builders::private(&UserId::make(&ids())), "openai");
    insert(&store, &key).await.expect("written");
    let newer = Sealed { key_id: "feedbeef".to_owned(), ..key.sealed.clone() };
    let replace = async || {
        let patch = Patch::new(everything(), &key.id).set("sealed", &newer).expect("a value");
        let patch = patch.when("sealed", &key.sealed).expect("a value");
        store.write(Batch::new().patch::<ProviderKey>(patch)).await
    };
    replace().await.expect("it is as it was read");
    assert_eq!(replace().await.expect_err("it is not any more").code(), "stale");
    let stored = store.find(&queries::all_of::<ProviderKey>()).await.expect("keys").items;
    assert_eq!(stored.iter().map(|key| &key.sealed).collect::<Vec<_>>(), [&newer]);
}

pub(crate) async fn an_owner_has_one_key_for_each_provider(database: Database) {
    let store = database.open().await;
    let (ana, ben) = (UserId::make(&ids()), UserId::make(&ids()));
    let key = |user, provider| builders::provider_key(builders::private(user), provider);
    for key in [key(&ana, "openai"), key(&ana, "groq"), key(&ben, "openai")] {
        insert(&store, &key).await.expect("written");
    }
    is_duplicate(insert(&store, &key(&ana, "openai")).await, "provider_keys.audience_1_provider_1");
    let keys = store.find(&queries::provider_keys_of(&Audience::User(ana))).await.expect("keys").items;
    assert_eq!(keys.iter().map(|key| key.provider.as_str()).collect::<Vec<_>>(), ["groq", "openai"]);
}
