//! The library: facets on the left, dense rows on the right, everything a link, so that it works without scripts.

use maud::{Markup, html};

use super::library_query::{FACETS, LibraryQuery, SORTS};
use super::{CardView, hits, pager};
use crate::ui::{Find, Frame, Head, Icon, empty, figures, frame, heading};

/// What the library shows.
pub struct LibraryView {
    /// What was asked.
    pub query: LibraryQuery,
    /// This page's prompts, in order.
    pub cards: Vec<CardView>,
    /// How many match in all.
    pub matching: u64,
    /// How many there are without any narrowing.
    pub total: u64,
    /// How long the search took, in milliseconds.
    pub took_ms: f64,
    /// What was searched instead, where a word was taken for another.
    pub corrected: Option<String>,
    /// Words with their counts for each facet.
    pub facets: FacetsView,
    /// Where this page begins; none on the first.
    pub cursor: Option<String>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
    /// Whether the person may write prompts.
    pub may_write: bool,
    /// Whose prompts the person can narrow to: the address's word, and how people call it.
    pub reaches: &'static [(&'static str, &'static str)],
}

/// Word and count for each facet.
#[derive(Debug, Clone, Default)]
pub struct FacetsView {
    /// Subjects.
    pub category: Vec<(String, u64)>,
    /// Who uses them.
    pub role: Vec<(String, u64)>,
    /// Techniques.
    pub pattern: Vec<(String, u64)>,
    /// What they ask of their reader.
    pub difficulty: Vec<(String, u64)>,
    /// Free words.
    pub tag: Vec<(String, u64)>,
}

impl LibraryView {
    fn reach(&self, word: &str) -> String {
        let known = self.reaches.iter().find(|(name, _)| *name == word);
        known.map_or_else(|| figures::label(word), |(_, text)| (*text).to_owned())
    }
}

impl FacetsView {
    fn of(&self, name: &str) -> &[(String, u64)] {
        match name {
            "category" => &self.category,
            "role" => &self.role,
            "pattern" => &self.pattern,
            "difficulty" => &self.difficulty,
            _ => &self.tag,
        }
    }
}

/// How many words of a facet stand open; the others are folded.
const OPEN: usize = 8;

/// `/prompts`
pub fn page(at: &Frame<'_>, view: &LibraryView) -> Markup {
    let title = if view.query.text.is_empty() {
        "Library".to_owned()
    } else {
        format!("{} in the library", view.query.text)
    };
    let about =
        "Prompts of real use for engineering, operations, security, product and more: search, fill in, run.";
    let actions = html! { @if view.may_write { a.btn.go href="/prompts/new" { (Icon::Plus) "New prompt" } } };
    let body = html! {
        (heading("Library", actions))
        div.library {
            aside aria-label="Filters" {
                details.fold-s {
                    summary.btn { (Icon::Filter) "Filters" @let on = view.query.filters().len(); @if on > 0 { " (" (on) ")" } }
                    div #facets { (facets(view)) }
                }
            }
            section #results aria-label="Prompts" { (results(view)) }
        }
    };
    let find = Find::Bar { text: &view.query.text, keep: view.query.kept() };
    frame(at, &Head { find, ..Head::new(&title, about) }, body)
}

fn facets(view: &LibraryView) -> Markup {
    html! {
        @if !view.reaches.is_empty() {
            nav.facet aria-label="Who sees it" {
                h2 { "Who sees it" }
                @for (word, text) in view.reaches {
                    @let on = view.query.visibility.as_deref() == Some(*word);
                    a href=(view.query.with("visibility", (!on).then_some(*word))) aria-current=[on.then_some("true")] { span { (text) } }
                }
            }
        }
        @for (name, title) in FACETS {
            @let words = view.facets.of(name);
            @if !words.is_empty() {
                nav.facet aria-label=(title) {
                    h2 { (title) }
                    @for row in words.iter().take(OPEN) { (facet(view, name, row)) }
                    @if words.len() > OPEN {
                        details open[words.iter().skip(OPEN).any(|(word, _)| view.query.facet(name) == Some(word))] {
                            summary { (words.len() - OPEN) " more" }
                            @for row in words.iter().skip(OPEN) { (facet(view, name, row)) }
                        }
                    }
                }
            }
        }
    }
}

fn facet(view: &LibraryView, name: &str, (word, count): &(String, u64)) -> Markup {
    let on = view.query.facet(name) == Some(word);
    let href = view.query.with(name, (!on).then_some(word));
    html! { a href=(href) aria-current=[on.then_some("true")] { span { (figures::label(word)) } i { (figures::count(*count)) } } }
}

fn results(view: &LibraryView) -> Markup {
    let query = &view.query;
    html! {
        h2.sr { "Results" }
        div.tools {
            p.small.faint role="status" {
                b { (figures::count(view.matching)) } " of " (figures::count(view.total))
                @if view.took_ms > 0.0 { " · " (figures::millis(view.took_ms)) }
                @if let Some(corrected) = &view.corrected { " · searched for “" (corrected) "”" }
            }
            div.row.wrap.grow {
                @if !query.text.is_empty() { (active(&format!("“{}”", query.text), query.with("q", None))) }
                @for (name, value) in query.filters() {
                    @let word = match name {
                        "featured" => "Featured".to_owned(),
                        "visibility" => view.reach(&value),
                        _ => figures::label(&value),
                    };
                    (active(&word, query.with(name, None)))
                }
                @if query.filters().len() > 1 { a.small.quiet href="/prompts" { "Clear all" } }
            }
            (sorting(query))
        }
        @if view.cards.is_empty() { (nothing(view)) } @else { (hits(&view.cards, &query.text)) }
        (pager(view.cursor.as_ref().map(|_| query.with("cursor", None)), view.next.as_deref().map(|next| query.with("cursor", Some(next)))))
    }
}

fn active(word: &str, href: String) -> Markup {
    html! { a.chip.on href=(href) { (word) (Icon::Close) span.sr { "remove" } } }
}

fn sorting(query: &LibraryQuery) -> Markup {
    let fitting = if query.text.is_empty() { "used" } else { "relevance" };
    let current = if query.sort.is_empty() { fitting } else { &query.sort };
    let mut others = LibraryQuery { sort: String::new(), ..query.clone() }.kept();
    if !query.text.is_empty() {
        others.push(("q", query.text.clone()));
    }
    html! {
        form.row.sort action="/prompts" method="get" data-auto {
            @for (name, value) in others { input type="hidden" name=(name) value=(value); }
            label.sr for="sort" { "Order" }
            select.input #sort name="sort" {
                @for (word, text) in SORTS { option value=(word) selected[word == current] { (text) } }
            }
            button.btn.no-js type="submit" { "Sort" }
        }
    }
}

fn nothing(view: &LibraryView) -> Markup {
    if view.total == 0 {
        return empty(
            "The library is empty",
            html! {
                "Bring prompts in with one command: " code { "engify prompts import <folder>" }
                " reads Markdown, JSON and CSV."
                @if view.may_write { " Or " a href="/prompts/new" { "write the first one" } "." }
            },
        );
    }
    empty(
        "Nothing matches",
        html! {
            "Try fewer words" @if !view.query.filters().is_empty() { " or fewer filters" } ". "
            a href="/prompts" { "Show all " (figures::count(view.total)) " prompts" } "."
        },
    )
}
