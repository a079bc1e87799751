//! A letter as mail programs show it: plain text, and the same as HTML. No images, nothing from elsewhere, nothing that
//! tells anybody that it was opened.

use std::fmt::Write as _;

use engify_core::message::Content;

use super::letter::{Letter, Piece, Written};
use crate::App;

/// A letter of this installation to somebody of this name.
pub(super) fn content(app: &App, letter: &Letter, name: &str) -> Content {
    let installation = app.settings().mail.from_name.as_str();
    let letter = letter.write(installation);
    let frame = Frame { name: greeted(name), installation, url: &app.settings().public.app_url };
    let subject = letter.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Content { subject, text: frame.text(&letter), html: frame.html(&letter) }
}

/// What stands around every letter.
struct Frame<'a> {
    name: Option<&'a str>,
    installation: &'a str,
    url: &'a str,
}

/// Whoever signs somebody else up chooses the name: one that mail programs would make a link of is left out.
fn greeted(name: &str) -> Option<&str> {
    let dotted = name.split('.').skip(1).any(|rest| rest.starts_with(char::is_alphanumeric));
    Some(name).filter(|name| !name.is_empty() && !dotted && !name.contains(['/', '@', '<', '>', ':']))
}

impl Frame<'_> {
    fn greeting(&self) -> String {
        self.name.map_or_else(|| "Hello,".to_owned(), |name| format!("Hello {name},"))
    }

    fn text(&self, letter: &Written) -> String {
        let mut text = format!("{}\n\n", self.greeting());
        for piece in &letter.pieces {
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Say(words) => write!(text, "{words}\n\n"),
                Piece::Press(label, link) => write!(text, "{label}:\n{}\n\n", link.reveal()),
                Piece::Facts(facts) => {
                    let lines: String =
                        facts.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
                    writeln!(text, "{lines}")
                }
            };
        }
        let _ = write!(text, "-- \n{} · {}\n", self.installation, self.url);
        text
    }

    /// Mail programs drop style sheets, so styles stand at the elements; they follow light and dark by themselves.
    fn html(&self, letter: &Written) -> String {
        let mut body = format!("<p>{}</p>", escaped(&self.greeting()));
        for piece in &letter.pieces {
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Say(words) => write!(body, "<p>{}</p>", escaped(words)),
                Piece::Press(label, link) => write!(
                    body,
                    "<p style=\"margin:24px 0\"><a href=\"{0}\" style=\"{BUTTON}\">{1}</a></p>\
                     <p style=\"font-size:12px\">Or open this address:<br>{0}</p>",
                    escaped(link.reveal()),
                    escaped(label)
                ),
                Piece::Facts(facts) => {
                    let rows: String = facts
                        .iter()
                        .map(|(name, value)| {
                            format!(
                                "<tr><td style=\"padding:2px 16px 2px 0\">{}</td><td>{}</td></tr>",
                                escaped(name),
                                escaped(value)
                            )
                        })
                        .collect();
                    write!(body, "<table role=\"presentation\">{rows}</table>")
                }
            };
        }
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>{}</title></head><body style=\"{BODY}\">{body}<p style=\"margin-top:32px;font-size:12px\">{} · {}</p></body></html>",
            escaped(&letter.subject),
            escaped(self.installation),
            escaped(self.url)
        )
    }
}

const BODY: &str = "max-width:560px;margin:24px auto;padding:0 16px;font:15px/1.5 system-ui,sans-serif";
const BUTTON: &str = "display:inline-block;padding:10px 18px;border-radius:6px;background:#c2410c;color:#ffffff;text-decoration:none";

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use engify_core::{Secret, Time};

    use super::*;

    fn written(organization: &str, inviter: &str) -> (Written, Frame<'static>) {
        let letter = Letter::Invitation {
            organization: organization.to_owned(),
            inviter: inviter.to_owned(),
            role: "member".to_owned(),
            link: Secret::new("https://engify.example.com/invitations?token=a&b".to_owned()),
            expires: Time::from_millis(1_795_000_000_000),
        };
        let frame = Frame { name: Some("Ana"), installation: "Engify", url: "https://engify.example.com" };
        (letter.write("Engify"), frame)
    }

    #[test]
    fn text_and_html_say_the_same_and_words_of_strangers_stay_words() {
        let (letter, frame) =
            written("<img src=x> & Co", "Ben https://evil.example www.bad.example/win a@b.example");
        let (text, html) = (frame.text(&letter), frame.html(&letter));
        assert!(text.contains("https://engify.example.com/invitations?token=a&b"), "{text}");
        assert!(html.contains("href=\"https://engify.example.com/invitations?token=a&amp;b\""), "{html}");
        assert!(html.contains("&lt;img src=x&gt; &amp; Co") && !html.contains("<img"), "{html}");
        for form in [&text, &html] {
            for link in ["https://evil", "evil.example", "bad.example", "www.b", "a@b"] {
                assert!(!form.contains(link), "{form}");
            }
            assert!(form.contains("Hello Ana,"), "{form}");
        }
    }

    #[test]
    fn a_name_that_is_an_address_is_not_said() {
        for name in ["", "evil.example", "see https://x", "a@b", "<b>", "Win at x.co now"] {
            assert_eq!(greeted(name), None, "{name}");
        }
        for name in ["Ana", "J. Smith", "Ana-María O'Neil", "Dr. No"] {
            assert_eq!(greeted(name), Some(name));
        }
    }
}
