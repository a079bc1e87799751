//! The question that a library page answers, and the addresses of its neighbours: one filter more, one less, the next page.

use url::form_urlencoded::Serializer;

/// The question, as it stands in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LibraryQuery {
    /// What was searched.
    pub text: String,
    /// This category.
    pub category: Option<String>,
    /// This role.
    pub role: Option<String>,
    /// This tag.
    pub tag: Option<String>,
    /// This pattern.
    pub pattern: Option<String>,
    /// This difficulty.
    pub difficulty: Option<String>,
    /// Featured ones only.
    pub featured: bool,
    /// Only what reaches this far.
    pub visibility: Option<String>,
    /// The order, a word of [`SORTS`]; empty for the one that fits.
    pub sort: String,
}

/// The orders there are, and how people call them.
pub const SORTS: [(&str, &str); 6] = [
    ("relevance", "Best match"),
    ("newest", "Newest"),
    ("updated", "Last changed"),
    ("used", "Most used"),
    ("rating", "Best rated"),
    ("title", "By title"),
];

/// What can be narrowed, in the order of the page: name in the address, heading.
pub const FACETS: [(&str, &str); 5] = [
    ("category", "Category"),
    ("role", "Role"),
    ("pattern", "Pattern"),
    ("difficulty", "Difficulty"),
    ("tag", "Tags"),
];

impl LibraryQuery {
    /// What this facet is narrowed to.
    pub fn facet(&self, name: &str) -> Option<&str> {
        match name {
            "category" => self.category.as_deref(),
            "role" => self.role.as_deref(),
            "pattern" => self.pattern.as_deref(),
            "difficulty" => self.difficulty.as_deref(),
            "tag" => self.tag.as_deref(),
            _ => None,
        }
    }

    /// Everything but the text, as it stands in the address.
    pub fn kept(&self) -> Vec<(&'static str, String)> {
        let facets =
            FACETS.iter().filter_map(|(name, _)| self.facet(name).map(|value| (*name, value.to_owned())));
        let mut kept: Vec<_> = facets.collect();
        if self.featured {
            kept.push(("featured", "true".to_owned()));
        }
        kept.extend(self.visibility.clone().map(|word| ("visibility", word)));
        if !self.sort.is_empty() {
            kept.push(("sort", self.sort.clone()));
        }
        kept
    }

    /// The filters that are on: name in the address, value.
    pub fn filters(&self) -> Vec<(&'static str, String)> {
        self.kept().into_iter().filter(|(name, _)| *name != "sort").collect()
    }

    /// The address with this parameter changed, or taken out.
    pub fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        if !self.text.is_empty() && name != "q" {
            query.append_pair("q", &self.text);
        }
        for (kept, old) in self.kept() {
            if kept != name {
                query.append_pair(kept, &old);
            }
        }
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        let query = query.finish();
        if query.is_empty() { "/prompts".to_owned() } else { format!("/prompts?{query}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_keep_the_rest_of_the_question() {
        let query = LibraryQuery {
            text: "a&b".into(),
            role: Some("qa".into()),
            sort: "used".into(),
            ..Default::default()
        };
        assert_eq!(query.with("role", None), "/prompts?q=a%26b&sort=used");
        assert_eq!(query.with("tag", Some("x y")), "/prompts?q=a%26b&role=qa&sort=used&tag=x+y");
        assert_eq!(query.with("q", None), "/prompts?role=qa&sort=used");
        assert_eq!(LibraryQuery::default().with("cursor", None), "/prompts");
    }
}
