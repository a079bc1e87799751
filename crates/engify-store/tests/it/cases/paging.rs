//! Lists by pages: every document once, whatever others do meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use engify_core::Kind;
use engify_core::ids::UserId;
use engify_core::prompt::Prompt;
use engify_core::run::Run;
use engify_core::tenancy::Scope;
use engify_store::{Batch, Cursor, Entity, Query, Store, queries};

use crate::builders::{self, everything, ids, noon};
use crate::database::Database;

/// All ids of a query, page by page; `between` runs after every page.
async fn walk<E: Entity>(
    store: &Store,
    query: Query<E>,
    limit: u32,
    mut between: impl AsyncFnMut(),
) -> Vec<String> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.find(&query.clone().limit(limit).after(after)).await.expect("a page");
        found.extend(page.items.iter().map(|item| item.id().to_owned()));
        between().await;
        // As it travels through an address.
        let Some(next) = page.next else { return found };
        after = Some(Cursor::decode(&next.encode(), query.name()).expect("our own cursor"));
    }
}

pub(crate) async fn pages_stay_in_place_while_others_insert(database: Database) {
    let store = database.open().await;
    let user = UserId::make(&ids());
    let run_at = |minute: u64| Run {
        created_at: noon().plus(Duration::from_secs(60 * minute)),
        ..builders::run(&user)
    };
    let old: Vec<_> = (0..20).map(run_at).collect();
    let batch = old.iter().try_fold(Batch::new(), Batch::insert).expect("runs");
    store.write(batch).await.expect("written");
    let scope = Scope::Owner(user.clone());
    let newer = run_at(100);
    let query = queries::runs(scope, &queries::RunFilter::default());
    let found = walk(&store, query, 6, async || {
        let newest = Run { created_at: newer.created_at, ..builders::run(&user) };
        store.write(Batch::new().insert(&newest).expect("a run")).await.expect("written");
    })
    .await;
    let wanted: Vec<_> = old.iter().rev().map(|run| run.id.to_string()).collect();
    assert_eq!(found, wanted);
}

pub(crate) async fn equal_sort_values_are_neither_lost_nor_repeated(database: Database) {
    let store = database.open().await;
    let prompts: Vec<_> =
        (0..25).map(|n| builders::prompt(&format!("Same {n}"), builders::public())).collect();
    let batch = prompts.iter().try_fold(Batch::new(), Batch::insert).expect("prompts");
    store.write(batch).await.expect("written");
    let mut wanted: Vec<_> = prompts.iter().map(|prompt| prompt.id.to_string()).collect();
    wanted.sort_unstable_by(|a, b| b.cmp(a));
    for limit in [1, 7, 25, 100] {
        assert_eq!(walk(&store, queries::prompts_all(everything()), limit, async || ()).await, wanted);
    }
    wanted.clear();
    for prompt in &prompts {
        let batch = Batch::new()
            .insert(&builders::user())
            .expect("a user")
            .delete::<Prompt>(everything(), &prompt.id);
        store.write(batch).await.expect("written");
    }
    assert_eq!(walk(&store, queries::prompts_all(everything()), 10, async || ()).await, wanted);
    let users = walk(&store, queries::users(everything(), None), 10, async || ()).await;
    assert!(users.len() == 25 && users.is_sorted_by(|a, b| a > b));
}

pub(crate) async fn ten_thousand_prompts_are_walked_once_each(database: Database) {
    let store = database.open().await;
    for hundred in 0..20 {
        let many = (0..500).map(|n| builders::prompt(&format!("Prompt {hundred} {n}"), builders::public()));
        let batch = many.fold(Batch::new(), |batch, prompt| batch.insert(&prompt).expect("a prompt"));
        store.write(batch).await.expect("written");
    }
    let found = walk(&store, queries::prompts_all(everything()), 1000, async || ()).await;
    assert_eq!(found.len(), 10_000);
    assert_eq!(found.iter().collect::<HashSet<_>>().len(), 10_000);
    assert_eq!(store.count(&queries::prompts_all(everything())).await.expect("a count"), 10_000);
}

pub(crate) async fn a_cursor_of_another_list_is_refused(database: Database) {
    let store = database.open().await;
    let batch =
        [builders::user(), builders::user()].iter().try_fold(Batch::new(), Batch::insert).expect("users");
    store.write(batch).await.expect("written");
    let page = store.find(&queries::users(everything(), None).limit(1)).await.expect("a page");
    let foreign = queries::prompts_all(everything()).after(page.next);
    let fault = store.find(&foreign).await.expect_err("another list's cursor");
    assert_eq!((fault.kind(), fault.code()), (Kind::Invalid, "invalid_cursor"));
}

pub(crate) async fn a_forged_cursor_shows_nothing_of_others_and_breaks_nothing(database: Database) {
    let store = database.open().await;
    let (ana, bob) = (UserId::make(&ids()), UserId::make(&ids()));
    let batch = (0..6).try_fold(Batch::new(), |batch, number| {
        let owner = if number % 2 == 0 { &ana } else { &bob };
        batch.insert(&builders::prompt("One of several", builders::private(owner)))
    });
    store.write(batch.expect("prompts")).await.expect("written");
    let query = queries::prompts_all(Scope::Owner(bob.clone()));
    let hex = |text: String| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let values = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1e308",
        "9223372036854775807",
        "18446744073709551615",
        r#""""#,
        r#""9999""#,
        r#""0001-01-01T00:00:00.000Z""#,
        r#""2026-11-22T18:04:05.123Z""#,
        r#""\u0000""#,
        r#""' OR 1=1 --""#,
        r#""$gt""#,
    ];
    for value in values {
        for id in [r#""""#, r#""~""#, r#""\u0000""#, r#""' OR 1=1 --""#] {
            let text = hex(format!("[\"{}\",{value},{id}]", query.name()));
            let cursor = Cursor::decode(&text, query.name()).expect("in the form of one of ours");
            match store.find(&query.clone().after(Some(cursor))).await {
                Ok(page) => {
                    let theirs =
                        page.items.iter().find(|prompt| prompt.tenancy.user_id.as_ref() != Some(&bob));
                    assert!(theirs.is_none(), "{value} {id} shows somebody else's");
                }
                Err(fault) => assert_eq!(fault.kind(), Kind::Invalid, "{value} {id}: {fault}"),
            }
        }
    }
}
