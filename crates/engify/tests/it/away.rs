//! What a server's log says while its database is away: that it is, once, and not with each request.

mod secantus {
    use std::time::{Duration, Instant};

    use engify_testkit::parts::Secantus;

    use crate::engify::Engify;
    use crate::serve::Server;

    /// Requests that are refused for it.
    const REFUSED: usize = 20;

    #[test]
    #[cfg(unix)]
    fn an_outage_is_one_line_of_the_log_however_many_requests_it_fails() {
        let database = Secantus::start();
        let engify =
            Engify::new().with("MONGODB_URI", &database.uri("outage")).with("ENGIFY_STOP_GRACE_SECONDS", "0");
        let server = Server::start(&engify);
        drop(database);
        let begun = Instant::now();
        let mut refused = 0;
        while refused < REFUSED {
            assert!(begun.elapsed() < Duration::from_secs(60), "{refused} requests were refused");
            // Not a search: once its catalogue is in memory, that is answered without the database.
            refused += usize::from(server.get("/api/prompts/otter").starts_with("HTTP/1.1 503"));
        }
        let (_, log, _) = server.terminate();
        let lines = |word: &str| log.lines().filter(|line| line.contains(word)).count();
        assert_eq!(lines("\"database.away"), 1, "{log}");
        // One at most was under way when it went.
        assert!(lines("\"level\":\"ERROR\"") <= 1, "{log}");
        assert!(lines("\"http.status\":503") >= REFUSED, "{log}");
    }
}
