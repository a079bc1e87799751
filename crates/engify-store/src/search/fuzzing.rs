//! The language of the search field and the cursors of its answers, for fuzzers. See [`crate::fuzzing`].

use engify_core::tenancy::Scope;

use super::question::{PageOf, Place, columns};
use super::text::{self, Kind};
use super::{Filters, Search, Sort};

/// The first line is a text, the second a cursor. Any text is a question within its bounds whose terms cannot leave their
/// quotes; what is no cursor of that question is refused by name.
pub fn search_question(bytes: &[u8]) {
    let given = String::from_utf8_lossy(bytes);
    let (words, cursor) = given.split_once('\n').unwrap_or((&given, ""));
    let clean = text::clean(words);
    let terms = text::terms(&clean);
    assert!(clean.chars().count() <= 500 && terms.len() <= 16);
    for term in &terms {
        assert!(term.text.chars().any(char::is_alphanumeric) && !term.text.contains('"'), "{term:?}");
        assert!(term.kind == Kind::Phrase || !term.text.contains(char::is_whitespace), "{term:?}");
    }
    if let Some(expression) = text::expression(&terms, |_| Vec::new()) {
        assert!(expression.matches('"').count().is_multiple_of(2), "{expression}");
    }
    for sort in [Sort::Relevance, Sort::Newest, Sort::Rating, Sort::Title] {
        let search = Search {
            scope: Scope::visible_to(None, None),
            text: words.to_owned(),
            filters: Filters::default(),
            sort,
            limit: 10,
            cursor: Some(cursor.to_owned()),
        };
        let page = PageOf::from(&search);
        match Place::decode(&page) {
            Ok(Some(place)) => assert_eq!(place.0.len(), columns(page.sort).len()),
            Ok(None) => {}
            Err(refusal) => assert_eq!(refusal.code(), "invalid_cursor"),
        }
    }
}
