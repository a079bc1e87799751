//! Markdown that somebody wrote, as HTML that nothing can hide in.
//!
//! The tree is made safe before it is written: raw HTML is shown as text, links and images keep their address only when
//! it is `http`, `https`, `mailto` or within this site, images become links (a page loads nothing from elsewhere), and
//! headings move so that the highest is an h2 and the page keeps its one h1. Blanks of a prompt (`{{name}}`) become labels of their fields.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options};
use engify_core::template::{Piece, pieces};
use maud::{Markup, PreEscaped, html};

/// Longer texts are cut here, in bytes, and say so: nobody reads on, and the page stays quick.
pub const BOUND: usize = 200_000;
/// Deeper quotes and lists than this are shown as plain text: no reader nests so, only attackers do.
const DEPTH: usize = 60;

/// A text about something: a pattern, a description. Headings begin at h2.
pub fn text(markdown: &str) -> Markup {
    render(markdown, Kind::Text)
}

/// What a model answered: as a text, but line breaks stay.
pub fn answer(markdown: &str) -> Markup {
    render(markdown, Kind::Answer)
}

/// A prompt: line breaks stay, and each blank is a label of the field `var.<name>`.
pub fn prompt(markdown: &str) -> Markup {
    render(markdown, Kind::Prompt)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Answer,
    Prompt,
}

fn render(markdown: &str, kind: Kind) -> Markup {
    let blanks = kind == Kind::Prompt;
    let shown = cut(markdown);
    let cut_note = (shown.len() < markdown.len()).then_some("The text goes on; the rest is not shown here.");
    let body = if is_too_deep(shown) { plain(shown, blanks) } else { PreEscaped(tree(shown, kind)) };
    html! { (body) @if let Some(note) = cut_note { p.faint { (note) } } }
}

fn cut(markdown: &str) -> &str {
    let mut end = markdown.len().min(BOUND);
    while !markdown.is_char_boundary(end) {
        end -= 1;
    }
    &markdown[..end]
}

/// A line that opens very many quotes or lists, or brackets that nest without end.
fn is_too_deep(markdown: &str) -> bool {
    let opens = |line: &str| {
        let marks = line.bytes().take_while(|b| b" \t>-*+0123456789.)".contains(b));
        marks.filter(|b| b">-*+.)".contains(b)).count()
    };
    let indent = |line: &str| line.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    markdown.lines().any(|line| (opens(line) > DEPTH && !is_rule(line)) || indent(line) > DEPTH * 8)
        || longest_run(markdown) > DEPTH * 8
}

fn is_rule(line: &str) -> bool {
    let mut marks = line.chars().filter(|c| !c.is_whitespace());
    marks.next().is_some_and(|first| "-*".contains(first) && marks.all(|c| c == first))
}

fn longest_run(markdown: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for byte in markdown.bytes() {
        run = if matches!(byte, b'[' | b'!' | b'(' | b'<') { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn plain(markdown: &str, blanks: bool) -> Markup {
    html! { div.verbatim { (filled(markdown, blanks)) } }
}

fn options(kind: Kind) -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.autolink = kind != Kind::Prompt;
    options.render.escape = true;
    options.render.hardbreaks = kind != Kind::Text;
    options
}

fn tree(markdown: &str, kind: Kind) -> String {
    let blanks = kind == Kind::Prompt;
    let arena = Arena::new();
    let options = options(kind);
    let root = comrak::parse_document(&arena, markdown, &options);
    let nodes: Vec<&AstNode<'_>> = root.descendants().collect();
    let top = nodes.iter().filter_map(|node| level(node)).min().unwrap_or(1);
    for node in nodes {
        make_safe(&arena, node, (blanks, top));
    }
    let mut html = String::with_capacity(markdown.len() * 2);
    match comrak::format_html(root, &options, &mut html) {
        Ok(()) => html,
        Err(_) => plain(markdown, blanks).0,
    }
}

fn level(node: &AstNode<'_>) -> Option<u8> {
    match &node.data.borrow().value {
        NodeValue::Heading(heading) => Some(heading.level),
        _ => None,
    }
}

fn make_safe<'a>(arena: &'a Arena<'a>, node: &'a AstNode<'a>, (blanks, top): (bool, u8)) {
    let raw = |markup: Markup| NodeValue::Raw(markup.0);
    let value = node.data.borrow().value.clone();
    let safe = match value {
        NodeValue::Heading(mut heading) => {
            heading.level = (heading.level - top + 2).min(6);
            NodeValue::Heading(heading)
        }
        NodeValue::HtmlBlock(block) => {
            raw(html! { div.verbatim { (filled(block.literal.trim_end(), blanks)) } })
        }
        NodeValue::HtmlInline(literal) => raw(filled(&literal, blanks)),
        NodeValue::CodeBlock(block) => {
            raw(html! { pre tabindex="0" { code { (filled(&block.literal, blanks)) } } })
        }
        NodeValue::Code(code) => raw(html! { code { (filled(&code.literal, blanks)) } }),
        NodeValue::Text(literal) if blanks && literal.contains("{{") => raw(filled(&literal, true)),
        NodeValue::TaskItem(item) => {
            node.prepend(
                arena.alloc(inline(raw(html! { (if item.symbol.is_some() { "☑ " } else { "☐ " }) }))),
            );
            return;
        }
        NodeValue::Link(link) => return unwrap(arena, node, &link.url, false),
        NodeValue::Image(link) => return unwrap(arena, node, &link.url, true),
        _ => return,
    };
    node.data.borrow_mut().value = safe;
}

/// Puts a link's children between tags of our own, or between nothing where the address is not safe.
fn unwrap<'a>(arena: &'a Arena<'a>, node: &'a AstNode<'a>, url: &str, image: bool) {
    if let Some(tag) = opening_tag(url) {
        node.insert_before(arena.alloc(inline(NodeValue::Raw(tag))));
        node.insert_after(arena.alloc(inline(NodeValue::Raw("</a>".to_owned()))));
    }
    if image {
        node.insert_before(arena.alloc(inline(NodeValue::Raw("image: ".to_owned()))));
    }
    let children: Vec<&AstNode<'_>> = node.children().collect();
    for child in children {
        node.insert_before(child);
    }
    node.detach();
}

fn inline<'a>(value: NodeValue) -> AstNode<'a> {
    let at = comrak::nodes::LineColumn { line: 0, column: 0 };
    AstNode::from(comrak::nodes::Ast::new(value, at))
}

fn opening_tag(url: &str) -> Option<String> {
    let tight: String = url.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let lower = tight.to_ascii_lowercase();
    let elsewhere = ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme));
    let within = (tight.starts_with('/') && !tight.starts_with("//") && !tight.contains('\\'))
        || tight.starts_with('#');
    let markup = match (elsewhere, within) {
        (true, _) => html! { a href=(tight) rel="noopener nofollow ugc" {} },
        (_, true) => html! { a href=(tight) {} },
        _ => return None,
    };
    markup.0.strip_suffix("</a>").map(str::to_owned)
}

/// Text with its blanks as labels, everything else escaped.
pub fn filled(text: &str, blanks: bool) -> Markup {
    if !blanks {
        return html! { (text) };
    }
    html! {
        @for piece in pieces(text) {
            @match piece {
                Piece::Text(part) => (part),
                Piece::Blank(name) => label.blank for={ "f-var-" (name) } data-var=(name) { (name) },
            }
        }
    }
}

/// True if the HTML holds a tag, attribute or address of which a browser would run something. It reads tags as a
/// browser does: only what stands between `<` and `>` counts, text does not.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn is_executable(html: &str) -> bool {
    const TAGS: [&str; 28] = [
        "a",
        "p",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "label",
        "div",
        "pre",
        "code",
        "blockquote",
        "ul",
        "li",
        "ol",
        "em",
        "strong",
        "del",
        "br",
        "hr",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "span",
        "input",
    ];
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        let Some(length) = rest[open..].find('>') else { return true };
        let tag = rest[open + 1..open + length].trim_start_matches('/').trim_end_matches('/').trim();
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        if !TAGS.contains(&name) || !are_harmless(attributes) {
            return true;
        }
        rest = &rest[open + length + 1..];
    }
    false
}

/// Whether a tag's attributes are of those that we write, each with its value in quotes.
#[cfg(any(test, feature = "fuzzing"))]
fn are_harmless(attributes: &str) -> bool {
    const PLAIN: [&str; 10] =
        ["class", "rel", "for", "data-var", "tabindex", "start", "align", "type", "checked", "disabled"];
    const PLACES: [&str; 5] = ["http://", "https://", "mailto:", "/", "#"];
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let Some((name, behind)) = rest.split_once("=\"") else { return false };
        let Some((value, behind)) = behind.split_once('"') else { return false };
        let value = value.to_ascii_lowercase();
        let leads_on = name == "href" && PLACES.iter().any(|place| value.starts_with(place));
        if !(PLAIN.contains(&name) || leads_on && !value.starts_with("//")) {
            return false;
        }
        rest = behind.trim_start();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_leave_nothing_executable() {
        let table: &[&str] = &[
            "<script>alert(1)</script>",
            "text <script src=//evil.example/x.js></script> text",
            "<img src=x onerror=alert(1)>",
            "<svg/onload=alert(1)>",
            "<iframe src=\"javascript:alert(1)\"></iframe>",
            "<style>*{display:none}</style>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java\tscript:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](<javascript:alert(1)>)",
            "[x]( \u{1}javascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:msgbox)",
            "[x](//evil.example)",
            "[x](/\\evil.example)",
            "![x](javascript:alert(1))",
            "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
            "![\" onerror=alert(1) x=\"](https://a.example/b.png)",
            "[x](https://a.example/\"onmouseover=alert(1)//)",
            "[x](https://a.example 'title\" onmouseover=\"alert(1)')",
            "<javascript:alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
            "```\"><script>alert(1)</script>\ncode</code></pre><script>alert(1)</script>\n```",
            "``` x onload=alert(1)\n```",
            "`<script>alert(1)</script>`",
            "| a |\n|---|\n| <script>alert(1)</script> |",
            "- [x] <script>alert(1)</script>",
            "<!-- --><script>alert(1)</script>",
            "<!--><script>alert(1)</script>-->",
            "<![CDATA[><script>alert(1)</script>]]>",
            "<?php <script>alert(1)</script> ?>",
            "**bold [a](x *em** b](javascript:x) <b <script>",
            "<scr<script>ipt>alert(1)</scr</script>ipt>",
            "{{name}} <label for=x onclick=alert(1)>{{name}}</label>",
            "[{{name}}](javascript:{{name}})",
            "<{{name}} onload=x>",
            "\0<script>\0alert(1)</script>",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "https://a.example/<script>alert(1)</script>",
            "www.a.example/\"onmouseover=\"alert(1)",
        ];
        for hostile in table {
            for html in [text(hostile).0, prompt(hostile).0] {
                assert!(!is_executable(&html), "{hostile:?} became {html}");
            }
        }
    }

    #[test]
    fn huge_and_deep_texts_are_bounded() {
        let started = std::time::Instant::now();
        for hostile in [
            "a <script>alert(1)</script> b\n".repeat(40_000),
            ">".repeat(100_000) + "<script>",
            "> ".repeat(50_000),
            "- ".repeat(50_000),
            "[".repeat(100_000),
            "![".repeat(50_000) + "x" + &"](y)".repeat(50_000),
            "*a ".repeat(60_000),
            "**a _b ".repeat(30_000),
            "<".repeat(100_000),
            "`".repeat(100_000),
            "|a".repeat(50_000) + "\n" + &"|-".repeat(50_000),
            (0..400).map(|depth| " ".repeat(depth * 2) + "- x\n").collect::<String>(),
            "&".repeat(100_000),
            "{{".repeat(100_000),
        ] {
            let html = prompt(&hostile).0;
            assert!(!is_executable(&html), "{:?}…", &hostile[..40]);
            assert!(html.len() < BOUND * 12, "{} bytes from {:?}…", html.len(), &hostile[..40]);
        }
        assert!(started.elapsed().as_secs() < 20, "took {:?}", started.elapsed());
    }

    #[test]
    fn what_people_write_reads_well() {
        let html =
            text("# Title\n\nA [link](https://a.example) and <b>.\n\n| a |\n|---|\n| 1 |\n\n- [x] done").0;
        assert!(html.contains("<h2>Title</h2>"), "{html}");
        assert!(
            html.contains("<a href=\"https://a.example\" rel=\"noopener nofollow ugc\">link</a>"),
            "{html}"
        );
        assert!(html.contains("&lt;b&gt;") && html.contains("<table>") && html.contains("☑"), "{html}");
    }

    #[test]
    fn the_highest_heading_is_an_h2() {
        assert_eq!(text("## a\n\n#### b").0, "<h2>a</h2>\n<h4>b</h4>\n");
        assert_eq!(text("# a\n\n###### b").0, "<h2>a</h2>\n<h6>b</h6>\n");
    }

    #[test]
    fn blanks_are_labels_wherever_they_stand_but_never_inside_a_tag() {
        let blank = "<label class=\"blank\" for=\"f-var-diff\" data-var=\"diff\">diff</label>";
        for source in [
            "{{diff}}",
            "a **{{ diff }}**",
            "```\n{{diff}}\n```",
            "`{{diff}}`",
            "<diff>\n{{diff}}\n</diff>",
            "# {{diff}}",
        ] {
            let html = prompt(source).0;
            assert!(html.contains(blank), "{source:?} became {html}");
        }
        assert!(prompt("[x](https://a.example/{{diff}} \"{{diff}}\")").0.matches("<label").count() == 0);
        assert!(text("{{diff}}").0.contains("{{diff}}"));
    }
}
