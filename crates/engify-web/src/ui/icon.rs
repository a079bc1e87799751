//! Our own icons: 16-px grid, 1.5-px stroke, drawn in the colour of the text around them.

use maud::{Markup, PreEscaped, html};

macro_rules! icons {
    ($($(#[$doc:meta])* $variant:ident = $path:literal),+ $(,)?) => {
        /// One drawing of the set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Icon { $($(#[$doc])* $variant),+ }

        impl Icon {
            fn path(self) -> &'static str {
                match self { $(Self::$variant => $path),+ }
            }
        }
    };
}

icons! {
    /// A magnifier.
    Search = r#"<circle cx="7" cy="7" r="4.5"/><path d="m10.5 10.5 3 3"/>"#,
    /// Books on a shelf.
    Library = r#"<path d="M2.5 3.5h4v9h-4zM6.5 3.5h3v9h-3z"/><path d="m10.5 4.2 2.3-.6 1.7 8.4-2.3.5z"/>"#,
    /// Four tiles that repeat.
    Patterns = r#"<path d="M2.5 2.5h4.5v4.5H2.5zM9 9h4.5v4.5H9z"/><circle cx="11.25" cy="4.75" r="2.25"/><circle cx="4.75" cy="11.25" r="2.25"/>"#,
    /// Columns side by side.
    Workbench = r#"<path d="M2.5 3.5h3v9h-3zM6.5 3.5h3v9h-3zM10.5 3.5h3v9h-3z"/>"#,
    /// A clock.
    History = r#"<circle cx="8" cy="8" r="5.5"/><path d="M8 5v3l2 1.5"/>"#,
    /// Bars.
    Dashboard = r#"<path d="M2.5 13.5h11M4 11V8M7 11V4M10 11V6.5M13 11V9"/>"#,
    /// A key.
    Key = r#"<circle cx="5" cy="11" r="2.5"/><path d="m7 9 5.5-5.5M10 6l2 2"/>"#,
    /// A heartbeat.
    Pulse = r#"<path d="M2 8h3l1.5-4 3 8L11 8h3"/>"#,
    /// Two sheets.
    Copy = r#"<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M3.5 10.5h-1v-8h8v1"/>"#,
    /// A tick.
    Check = r#"<path d="m3 8.5 3.5 3.5L13 4.5"/>"#,
    /// A star.
    Star = r#"<path d="m8 2.5 1.7 3.5 3.8.5-2.8 2.6.7 3.9L8 11.2 4.6 13l.7-3.9L2.5 6.5 6.3 6z"/>"#,
    /// A page marker: what one keeps.
    Bookmark = r#"<path d="M4.5 2.5h7v11L8 10.5l-3.5 3z"/>"#,
    /// Half dark, half light.
    Theme = r#"<circle cx="8" cy="8" r="5.5"/><path d="M8 2.5v11A5.5 5.5 0 0 0 8 2.5z" fill="currentColor"/>"#,
    /// A triangle: go.
    Run = r#"<path d="M5 3.5v9l7-4.5z"/>"#,
    /// A square: halt.
    Stop = r#"<rect x="4.5" y="4.5" width="7" height="7" rx="1"/>"#,
    /// Lines of a log.
    Log = r#"<path d="M3 4h10M3 8h10M3 12h6"/>"#,
    /// An envelope.
    Letter = r#"<rect x="2.5" y="4" width="11" height="8.5" rx="1"/><path d="m3 5 5 4 5-4"/>"#,
    /// A box with a lid.
    Archive = r#"<path d="M2.5 3.5h11v3h-11zM3.5 6.5v7h9v-7M6.5 9.5h3"/>"#,
    /// Two people.
    Users = r#"<circle cx="6" cy="6" r="2.5"/><path d="M2 13c.5-2.5 2-3.5 4-3.5s3.5 1 4 3.5M11 4a2.5 2.5 0 0 1 0 4.5M12 10c1.2.4 1.8 1.5 2 3"/>"#,
    /// One person.
    User = r#"<circle cx="8" cy="5.5" r="2.5"/><path d="M3.5 13.5c.5-3 2.2-4 4.5-4s4 1 4.5 4"/>"#,
    /// A plus.
    Plus = r#"<path d="M8 3v10M3 8h10"/>"#,
    /// A cross.
    Close = r#"<path d="m4 4 8 8M12 4l-8 8"/>"#,
    /// Opens downwards.
    Down = r#"<path d="m4.5 6.5 3.5 3.5 3.5-3.5"/>"#,
    /// Leads on.
    Right = r#"<path d="m6.5 4.5 3.5 3.5-3.5 3.5"/>"#,
    /// A pencil.
    Edit = r#"<path d="m3 13 .5-2.8L10.7 3l2.3 2.3-7.2 7.2zM9.3 4.4l2.3 2.3"/>"#,
    /// A bin.
    Trash = r#"<path d="M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9"/>"#,
    /// Around again.
    Again = r#"<path d="M13 8a5 5 0 1 1-1.5-3.5L13 6M13 3v3h-3"/>"#,
    /// A triangle with a sign: look here.
    Warn = r#"<path d="M8 2.5 14 13H2zM8 6.5v3M8 11.2v.1"/>"#,
    /// A circle with a sign: worth knowing.
    Info = r#"<circle cx="8" cy="8" r="5.5"/><path d="M8 7.5V11M8 5.2v.1"/>"#,
    /// Three lines: a menu.
    Menu = r#"<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/>"#,
    /// Out of the door.
    Leave = r#"<path d="M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6"/>"#,
    /// A shield.
    Shield = r#"<path d="M8 2 3 4v4c0 3 2 5 5 6 3-1 5-3 5-6V4z"/>"#,
    /// A plug.
    Plug = r#"<path d="M5.5 2.5v3M10.5 2.5v3M3.5 5.5h9v2a4.5 4.5 0 0 1-9 0zM8 12v2"/>"#,
    /// A link of a chain.
    Link = r#"<path d="M6.5 9.5 9.5 6.5M7.5 4.5l1.2-1.2a2.7 2.7 0 0 1 4 4L11.5 8.5M8.5 11.5l-1.2 1.2a2.7 2.7 0 0 1-4-4L4.5 7.5"/>"#,
    /// A funnel.
    Filter = r#"<path d="M2.5 4h11M4.5 8h7M6.5 12h3"/>"#,
    /// Sheets of the API.
    Code = r#"<path d="m5.5 4.5-3.5 3.5 3.5 3.5M10.5 4.5l3.5 3.5-3.5 3.5"/>"#,
}

impl maud::Render for Icon {
    fn render(&self) -> Markup {
        html! { svg.i viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" { (PreEscaped(self.path())) } }
    }
}

/// The mark: a diamond in the accent.
pub(super) fn mark() -> Markup {
    html! { svg.mark-i viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
        rect x="3" y="3" width="10" height="10" rx="2.5" transform="rotate(45 8 8)" {}
    } }
}
