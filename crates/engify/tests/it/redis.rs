//! `engify redis` where there is none.

use crate::engify::Engify;

#[test]
fn without_redis_health_says_so_and_nothing_is_wrong() {
    let (code, report) = Engify::new().report(&["redis", "health", "--json"]);
    assert_eq!((code, &report["state"]), (0, &"not_configured".into()));
    let engify = Engify::new().with("REDIS_ENABLED", "false").with("REDIS_URL", "redis://localhost:1");
    let (code, report) = engify.report(&["redis", "health", "--json"]);
    assert_eq!((code, &report["state"]), (0, &"disabled".into()));
}

#[test]
fn what_needs_a_redis_names_the_setting() {
    for args in [&["redis", "test"], &["redis", "flush"]] {
        Engify::new().run(args).fails_with("REDIS_URL");
        let off = Engify::new().with("REDIS_URL", "redis://localhost").with("REDIS_ENABLED", "false");
        off.run(args).fails_with("REDIS_ENABLED");
    }
}

#[test]
fn one_that_is_away_is_wanting_and_named_with_the_remedy() {
    // Nobody may listen on port 1, so nobody does.
    let engify = Engify::new().with("REDIS_URL", "redis://ana:hunter2hunter2@127.0.0.1:1");
    let (code, report) = engify.report(&["redis", "health", "--json"]);
    assert_eq!((code, &report["state"], &report["failure"]), (1, &"error".into(), &"refused".into()));
    let test = engify.run(&["redis", "test"]).ended(1);
    assert!(test.stdout.contains("REDIS_ENABLED=false") && test.stdout.contains("127.0.0.1:1"), "{test:?}");
    let flush = engify.run(&["redis", "flush", "--yes"]).fails_with("127.0.0.1:1");
    assert!(!format!("{report}{test:?}{flush:?}").contains("hunter2"));
    let wrong = Engify::new().with("REDIS_URL", "http://:hunter2hunter2@cache").run(&["redis", "health"]);
    assert!(!wrong.fails_with("REDIS_URL").stderr.contains("hunter2"));
}
