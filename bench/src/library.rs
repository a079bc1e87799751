//! A large library and what people ask of it, made from the sentences of the shipped prompts: the words come as often as
//! they do in real prompts, and the same seed makes the same library on every machine.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

/// Made-up names of products, so that some words are rare as they are in a real library.
const SYLLABLES: &[&str] = &[
    "ba", "cor", "del", "fen", "gra", "hal", "jun", "kel", "lo", "mir", "nex", "or", "pra", "quil", "ras",
    "sol",
];
/// The first moment of the library, 2025-01-01, seconds; each prompt is half an hour younger than the one before.
const FIRST: i64 = 1_735_689_600;
const APART: i64 = 1800;

/// What prompts are made of.
pub(crate) struct Stock {
    titles: Vec<String>,
    sentences: Vec<String>,
    kinds: Vec<Kind>,
}

/// How one of the shipped prompts is classified.
struct Kind {
    category: String,
    role: String,
    tags: String,
}

impl Stock {
    /// Reads the shipped prompts.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
            .collect();
        paths.sort();
        let mut stock = Self { titles: Vec::new(), sentences: Vec::new(), kinds: Vec::new() };
        for path in paths {
            let text = std::fs::read_to_string(&path)?;
            let Some((front, body)) = text.strip_prefix("---\n").and_then(|text| text.split_once("\n---\n"))
            else {
                continue;
            };
            let field = |name: &str| {
                let line = front.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_default().trim_matches(['[', ']', '"']).to_owned()
            };
            stock.titles.push(field("title"));
            stock.kinds.push(Kind { category: field("category"), role: field("role"), tags: field("tags") });
            let plain =
                body.lines().map(|line| line.trim_start_matches(['-', '*', '#', '>', ' '])).filter(|line| {
                    // Blanks, tags and tables are marks of one prompt, not words of the language.
                    !line.contains(['{', '}', '<', '>', '|', '`']) && line.len() > 20
                });
            for line in plain {
                stock.sentences.extend(line.split_inclusive(". ").map(|sentence| sentence.trim().to_owned()));
            }
        }
        stock.titles.retain(|title| title.len() > 8);
        if stock.titles.len() < 20 || stock.sentences.len() < 200 {
            bail!("{} holds too few prompts to make a library of", folder.display());
        }
        Ok(stock)
    }

    /// Writes the public prompts of these numbers as JSON Lines. None is featured: those that are shipped remain the
    /// featured ones.
    pub(crate) fn write(&self, numbers: Range<usize>, file: &Path) -> Result<()> {
        let mut out =
            BufWriter::new(File::create(file).with_context(|| format!("cannot write {}", file.display()))?);
        let mut dice = Dice(0x0005_1a7e + numbers.start as u64);
        for number in numbers {
            let kind = &self.kinds[dice.below(self.kinds.len())];
            let mut content = String::from("Work on this for {{customer}}:\n\n{{input}}\n\n");
            for sentence in 0..dice.between(6, 14) {
                content.push_str(dice.pick::<String>(&self.sentences));
                content.push_str(if sentence % 4 == 3 { "\n\n" } else { " " });
            }
            let created = jiff::Timestamp::from_second(FIRST + APART * i64::try_from(number)?)?;
            let prompt = json!({
                "slug": slug(number),
                "title": self.title(number),
                "description": cut(dice.pick::<String>(&self.sentences), 200),
                "content": content,
                "category": kind.category,
                "role": kind.role,
                "tags": kind.tags,
                "visibility": "public",
                "createdAt": created.to_string(),
            });
            writeln!(out, "{prompt}")?;
        }
        Ok(out.flush()?)
    }

    /// The title of a prompt by its number.
    fn title(&self, number: usize) -> String {
        let mut dice = Dice(0x7171_e000 + number as u64);
        cut(&format!("{} for {}", dice.pick(&self.titles), dice.name()), 110)
    }

    /// `count` different questions, as people type them, to a library of `size` prompts: words, pairs, beginnings of
    /// words, phrases, exclusions, slips.
    pub(crate) fn questions(&self, count: usize, size: usize, seed: u64) -> Vec<String> {
        let mut dice = Dice(seed);
        let mut seen = HashSet::new();
        let mut questions = Vec::with_capacity(count);
        while questions.len() < count {
            let title = self.title(dice.below(size)).to_lowercase();
            let words: Vec<&str> = title
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| word.len() > 3 && word.is_ascii())
                .collect();
            let [first, second, .., name] = words.as_slice() else { continue };
            let question = match dice.below(20) {
                0..=4 => (*dice.pick(&[first, second, name])).to_string(),
                5..=10 => format!("{first} {second}"),
                11..=13 => format!("{second} {name}"),
                14..=16 => format!("{first} {}", &second[..3.min(second.len())]),
                17 => format!("\"{first} {second}\""),
                18 => format!("{second} -{first}"),
                _ if second.len() > 6 => {
                    format!("{}{}{}", &second[..2], &second[3..4], &second[2..3]) + &second[4..]
                }
                _ => continue,
            };
            if seen.insert(question.clone()) {
                questions.push(question);
            }
        }
        questions
    }
}

/// The slug of a prompt by its number.
pub(crate) fn slug(number: usize) -> String {
    format!("bench-prompt-{number}")
}

/// Text inside a query.
pub(crate) fn encoded(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

/// Numbers that look like chance and are the same every time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from((self.next() >> 16) % bound as u64).unwrap_or(0)
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A made-up name of three syllables.
    fn name(&mut self) -> String {
        let name: String = (0..3).map(|_| *self.pick(SYLLABLES)).collect();
        let mut letters = name.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_differ_and_the_same_seed_asks_the_same() {
        let stock = Stock::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../content/prompts")).unwrap();
        let questions = stock.questions(300, 10_000, 7);
        assert_eq!(questions.iter().collect::<HashSet<_>>().len(), 300);
        assert_eq!(questions, stock.questions(300, 10_000, 7));
    }
}
