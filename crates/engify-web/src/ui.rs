//! The design system: tokens live in `assets/app.css`, components are the functions here. A component takes plain
//! values and returns markup; none knows a page, a route's handler or the product's rules.

use maud::{Markup, Render, html};

pub mod chart;
pub mod diff;
pub mod figures;
pub mod form;
mod frame;
mod icon;
pub mod qr;

pub use frame::{Find, Frame, FrameUser, Head, find, frame};
pub use icon::Icon;

/// The meaning of a colour; a word or an icon always says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Ok,
    /// Look at it soon.
    Warn,
    /// Broken, or about to destroy something.
    Bad,
    /// Worth knowing.
    Info,
    /// Nothing to say.
    Plain,
}

impl Tone {
    /// The class that carries its colour.
    pub fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Info => "info",
            Self::Plain => "faint",
        }
    }

    fn icon(self) -> Icon {
        match self {
            Self::Ok => Icon::Check,
            Self::Warn | Self::Bad => Icon::Warn,
            Self::Info | Self::Plain => Icon::Info,
        }
    }
}

/// Something said once: what just happened, or what stands in the way.
#[derive(Debug, Clone)]
pub struct Notice {
    /// How serious it is.
    pub tone: Tone,
    /// One sentence with the remedy.
    pub text: String,
    /// Where to go for it: text and address.
    pub link: Option<(String, String)>,
}

impl Notice {
    /// A sentence of this tone.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into(), link: None }
    }
}

impl Render for Notice {
    fn render(&self) -> Markup {
        let role = if matches!(self.tone, Tone::Bad | Tone::Warn) { "alert" } else { "status" };
        html! {
            div class={ "notice " (self.tone.class()) } role=(role) {
                (self.tone.icon())
                p { (self.text) @if let Some((text, href)) = &self.link { " " a href=(href) { (text) } } }
            }
        }
    }
}

/// A problem above a form; nothing where there is none.
pub fn problem(text: Option<&str>) -> Markup {
    html! { @if let Some(text) = text { (Notice::new(Tone::Bad, text)) } }
}

/// The page's one h1 with its actions on the right.
pub fn heading(title: &str, actions: Markup) -> Markup {
    html! { div.head { h1 { (title) } @if !actions.0.is_empty() { div.row.wrap { (actions) } } } }
}

/// A word of classification.
pub fn chip(word: &str) -> Markup {
    html! { span.chip { (figures::label(word)) } }
}

/// A state in a word, with a dot of its colour.
pub fn status(tone: Tone, word: &str) -> Markup {
    html! { span class={ "status " (tone.class()) } { (word) } }
}

/// The way down to this page: all but the last are links.
pub fn breadcrumb(steps: &[(&str, &str)]) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumb" {
            @for (at, (text, href)) in steps.iter().enumerate() {
                @if at > 0 { span aria-hidden="true" { "/" } }
                a href=(href) { (text) }
            }
        }
    }
}

/// Tabs as links: text, count, address, whether it is the current one.
pub fn tabs(label: &str, tabs: &[(&str, Option<u64>, String, bool)]) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            @for (text, count, href, current) in tabs {
                a href=(href) aria-current=[current.then_some("page")] {
                    (text) @if let Some(count) = count { " " span.faint { (figures::count(*count)) } }
                }
            }
        }
    }
}

/// A box with a heading; `aside` stands at the right of the heading.
pub fn card(title: &str, aside: Markup, body: Markup) -> Markup {
    html! { section.card { header { h2 { (title) } (aside) } div.body { (body) } } }
}

/// A box around a table or list that brings its own padding.
pub fn flush(title: &str, aside: Markup, body: Markup) -> Markup {
    html! { section.card { header { h2 { (title) } (aside) } (body) } }
}

/// Nothing here yet, and what to do about it.
pub fn empty(title: &str, text: Markup) -> Markup {
    html! { div.empty { h2 { (title) } p { (text) } } }
}

/// Copies the text of what `selector` finds. Hidden without scripts.
pub fn copy_button(selector: &str, text: &str) -> Markup {
    html! { button.btn.js type="button" data-copy=(selector) { (Icon::Copy) span { (text) } } }
}

/// A form behind a question: a dialog that the browser itself opens and closes, with or without scripts.
pub struct Confirm<'a> {
    /// On the button that opens the question: `Delete`.
    pub open: &'a str,
    /// The question: `Delete this prompt?`
    pub title: &'a str,
    /// What follows from it, spelled out.
    pub consequence: &'a str,
    /// On the button that does it: `Delete the prompt`.
    pub button: &'a str,
    /// Where the form is posted.
    pub action: String,
    /// Hidden fields.
    pub fields: Vec<(&'a str, String)>,
    /// Whether it destroys something; else it is a plain question.
    pub destroys: bool,
}

impl Render for Confirm<'_> {
    fn render(&self) -> Markup {
        let mut id = format!("ask{}", self.action.replace('/', "-"));
        for (_, value) in &self.fields {
            id = format!("{id}-{value}");
        }
        html! {
            button.btn.bare type="button" popovertarget=(id) { (self.open) }
            dialog id=(id) popover="auto" aria-labelledby={ (id) "-title" } {
                form method="post" action=(self.action) {
                    h2 id={ (id) "-title" } { (self.title) }
                    p { (self.consequence) }
                    @for (name, value) in &self.fields { input type="hidden" name=(name) value=(value); }
                    div.row.end {
                        button.btn type="button" popovertarget=(id) popovertargetaction="hide" autofocus { "Cancel" }
                        button type="submit" class=(if self.destroys { "btn danger" } else { "btn go" }) { (self.button) }
                    }
                }
            }
        }
    }
}

/// A mean of stars with how many gave them; a word where nobody did.
pub fn rating(mean: Option<f64>, count: u64) -> Markup {
    html! {
        @match mean {
            Some(mean) => span.stars title={ (figures::counted(count, "rating", "ratings")) } {
                (Icon::Star) span.sr { "Rated " } (figures::stars(mean))
            },
            None => span.stars { "not rated" },
        }
    }
}

/// Text in which what was searched is marked. Words match from their beginning, whatever their case.
pub fn marked(text: &str, query: &str) -> Markup {
    let words: Vec<String> = query
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 1)
        .map(str::to_lowercase)
        .collect();
    let hit = |word: &str| {
        let lower = word.to_lowercase();
        words.iter().find(|sought| lower.starts_with(sought.as_str())).map(|sought| sought.chars().count())
    };
    html! {
        @for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
            @match hit(word) {
                Some(length) => {
                    @let cut = word.char_indices().nth(length).map_or(word.len(), |(at, _)| at);
                    mark { (word[..cut]) } (word[cut..])
                },
                None => (word),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_searched_is_marked_and_everything_is_escaped() {
        let html = marked("Review <script> reviews", "rev").into_string();
        assert_eq!(html, "<mark>Rev</mark>iew &lt;script&gt; <mark>rev</mark>iews");
    }
}
