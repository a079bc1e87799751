//! Full-text search and browsing of the library: one implementation on both databases (see the issue of ranking in
//! `docs/search.md`).

use engify_core::prompt::{Difficulty, Prompt};
use engify_core::tenancy::Scope;
use engify_core::{Result, Time};
use serde::{Deserialize, Serialize};

use crate::collection::Entity;

mod answer;
pub(crate) mod catalogue;
mod engine;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub(crate) mod generations;
mod question;
mod remembered;
mod spelling;
mod text;

pub(crate) use engine::Catalogue;

#[cfg(test)]
pub(crate) use answer::page_of as page;

/// The collection that is searched.
pub(crate) const SUBJECT: &str = Prompt::COLLECTION.name;

/// A question to the library.
#[derive(Debug, Clone)]
pub struct Search {
    /// Whose prompts.
    pub scope: Scope,
    /// Words, `"a phrase"`, `-without`; the last word matches as a prefix. Empty to browse.
    pub text: String,
    /// Narrowing.
    pub filters: Filters,
    /// The order.
    pub sort: Sort,
    /// At most this many, 1 to 100.
    pub limit: u32,
    /// Goes on behind a cursor from [`Hits::next`] of the same question.
    pub cursor: Option<String>,
}

/// Narrowing by classification; all that are set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filters {
    /// This category.
    pub category: Option<String>,
    /// This role.
    pub role: Option<String>,
    /// This tag.
    pub tag: Option<String>,
    /// This pattern.
    pub pattern: Option<String>,
    /// This difficulty.
    pub difficulty: Option<Difficulty>,
    /// Featured ones, or the others.
    pub featured: Option<bool>,
}

/// The order of hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Best match first; the newest first where there is no text.
    Relevance,
    /// Newest first.
    Newest,
    /// Last changed first.
    Updated,
    /// Most used first.
    Used,
    /// Best rated first.
    Rating,
    /// By title.
    Title,
}

/// What a list row needs to know of a prompt: all but its text and variables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// The prompt's id.
    #[serde(alias = "_id")]
    pub id: String,
    /// Its name in addresses.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Its sentence.
    pub description: String,
    /// Its category.
    pub category: String,
    /// Its role.
    pub role: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its pattern.
    pub pattern: Option<String>,
    /// Its difficulty.
    pub difficulty: Difficulty,
    /// On the home page.
    pub featured: bool,
    /// `private`, `organization`, `public`.
    pub visibility: engify_core::tenancy::Visibility,
    /// Its author's name.
    pub author: String,
    /// Its newest version.
    pub version: u32,
    /// How often it was run.
    pub uses: u64,
    /// Sum of stars.
    pub rating_sum: u64,
    /// How many gave stars.
    pub rating_count: u64,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// One page of answers.
#[derive(Debug, Clone)]
pub struct Hits {
    /// In order.
    pub cards: Vec<Card>,
    /// How many match in all.
    pub total: u64,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
    /// Where a word was taken for another (`reveiw` for `review`): what was searched instead.
    pub corrected: Option<String>,
}

/// How many prompts there are of each kind, for the question's text and filters (each facet ignores its own filter).
#[derive(Debug, Clone, Default)]
pub struct Facets {
    /// Word and count, most first.
    pub category: Vec<(String, u64)>,
    /// Word and count, most first.
    pub role: Vec<(String, u64)>,
    /// Word and count, most first; at most 30.
    pub tag: Vec<(String, u64)>,
    /// Word and count, most first.
    pub pattern: Vec<(String, u64)>,
    /// Word and count, easiest first.
    pub difficulty: Vec<(String, u64)>,
}

/// The result of a search.
pub type Found = Result<Hits>;
