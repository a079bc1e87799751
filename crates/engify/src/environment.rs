//! The environment: the only place that reads it. What the process has wins over `.env.local`, that over `.env`.

use std::collections::BTreeMap;
use std::path::Path;

use engify_core::settings::{self, Fault, SETTINGS, Settings, Shown};

/// Where a value was found, in the words of `engify config show`.
const COMMAND_LINE: &str = "command line";
const PROCESS: &str = "process";
/// The files, the stronger first.
const FILES: [&str; 2] = [".env.local", ".env"];

/// What is set, and where. Only names of the table of settings are kept.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    layers: Vec<Layer>,
    faults: Vec<Fault>,
    notes: Vec<Fault>,
}

#[derive(Debug)]
struct Layer {
    source: &'static str,
    values: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the process environment and the files of this folder. What is wrong with them is reported together with
    /// what is wrong with the values.
    pub(crate) fn read(dir: &Path) -> Self {
        let mut environment = Self::default();
        environment.read_process();
        for name in FILES {
            environment.read_file(dir, name);
        }
        environment
    }

    /// A value given on the command line wins over all others.
    pub(crate) fn with(mut self, name: &str, value: Option<String>) -> Self {
        if let Some(value) = value {
            let values = BTreeMap::from([(name.to_owned(), value)]);
            self.layers.insert(0, Layer { source: COMMAND_LINE, values });
        }
        self
    }

    /// The settings, or everything that is wrong with them.
    pub(crate) fn settings(&self) -> Result<Settings, Vec<Fault>> {
        let loaded = settings::load(|name| self.found(name).map(|(value, _)| value));
        match loaded {
            Ok(settings) if self.faults.is_empty() => Ok(settings),
            Ok(_) => Err(self.faults.clone()),
            Err(faults) => Err(self.faults.iter().cloned().chain(faults).collect()),
        }
    }

    /// The value of a name and where it was found. A name that is set to nothing in one place hides the weaker places.
    pub(crate) fn found(&self, name: &str) -> Option<(String, &'static str)> {
        self.layers.iter().find_map(|layer| Some((layer.values.get(name)?.clone(), layer.source)))
    }

    /// What is in force and where it came from, without secrets.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        settings::show(|name| self.found(name))
    }

    /// What is set and does nothing, for want of something beside it.
    pub(crate) fn idle(&self) -> Vec<Fault> {
        settings::idle(|name| self.found(name).map(|(value, _)| value))
    }

    /// What is worth knowing and wrong with nothing: names that nobody reads, names that are set twice.
    pub(crate) fn notes(&self) -> &[Fault] {
        &self.notes
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    fn read_process(&mut self) {
        let mut values = BTreeMap::new();
        for setting in SETTINGS {
            let Some(value) = std::env::var_os(setting.name) else { continue };
            match value.into_string() {
                Ok(value) => drop(values.insert(setting.name.to_owned(), value)),
                Err(_) => self.faults.push(fault(setting.name, "is not UTF-8; set it again")),
            }
        }
        self.layers.push(Layer { source: PROCESS, values });
    }

    fn read_file(&mut self, dir: &Path, source: &'static str) {
        let text = match std::fs::read(dir.join(source)).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => return self.faults.push(fault(source, "is not UTF-8; save it as UTF-8")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.faults.push(fault(source, &format!("cannot be read: {error}"))),
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut values = BTreeMap::new();
        let mut searched = 0;
        for line in dotenvy::Iter::new(text.as_bytes()) {
            match line {
                Ok((name, value)) => self.keep(source, &mut values, name, value),
                Err(dotenvy::Error::LineParse(content, _)) => {
                    let at = place_of(&content, text, searched);
                    searched = (at + content.len()).min(text.len());
                    let number = 1 + text[..at].matches('\n').count();
                    let issue =
                        "is not NAME=value; put a value that has spaces, # or quotes into single quotes";
                    self.faults.push(fault(&format!("{source} line {number}"), issue));
                }
                Err(error) => self.faults.push(fault(source, &format!("cannot be read: {error}"))),
            }
        }
        self.layers.push(Layer { source, values });
    }

    fn keep(&mut self, source: &str, values: &mut BTreeMap<String, String>, name: String, value: String) {
        if !SETTINGS.iter().any(|setting| setting.name == name) {
            let issue = format!("is in {source} and is not a setting; nothing reads it");
            return self.notes.push(fault(&name, &issue));
        }
        if values.insert(name.clone(), value).is_some() {
            self.notes.push(fault(&name, &format!("is set twice in {source}; the last one counts")));
        }
    }
}

fn fault(name: &str, issue: &str) -> Fault {
    Fault { name: name.to_owned(), issue: issue.to_owned() }
}

/// Where a malformed line starts: the parser names its content, not its place. `searched` is where the last one ended.
fn place_of(content: &str, text: &str, searched: usize) -> usize {
    let starts = text.match_indices('\n').map(|(at, _)| at + 1).chain([text.len()]);
    std::iter::once(0)
        .chain(starts)
        .filter(|at| *at >= searched)
        .find(|at| {
            let rest = text[*at..].strip_prefix(content);
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '#')
            })
        })
        .unwrap_or(searched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&'static str, &str)]) -> Environment {
        let dir = tempfile::tempdir().unwrap();
        let mut environment = Environment::default();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
            environment.read_file(dir.path(), name);
        }
        environment
    }

    #[test]
    fn the_stronger_place_wins_and_an_empty_value_hides_the_weaker_one() {
        let read =
            read(&[(".env.local", "PORT=\nHOST=::1"), (".env", "PORT=4000\nHOST=0.0.0.0\nLOG_LEVEL=warn")]);
        assert_eq!(read.found("HOST"), Some(("::1".to_owned(), ".env.local")));
        assert_eq!(read.found("LOG_LEVEL"), Some(("warn".to_owned(), ".env")));
        assert_eq!(read.settings().unwrap().core.port, 3000);
        let read = read.with("PORT", Some("3005".to_owned()));
        assert_eq!(read.settings().unwrap().core.port, 3005);
    }

    #[test]
    fn a_malformed_line_is_named_by_number_and_never_shown() {
        let read = read(&[(
            ".env",
            "# keys\nOPENAI_API_KEY=sk-one\n\nsk-two three\nLOG_LEVEL=info\nsk-two three\nHOST='::1",
        )]);
        let faults = read.settings().unwrap_err();
        let names: Vec<&str> = faults.iter().map(|fault| fault.name.as_str()).collect();
        assert_eq!(names, [".env line 4", ".env line 6", ".env line 7"]);
        assert!(!format!("{faults:?}").contains("sk-"), "{faults:?}");
        assert_eq!(read.found("LOG_LEVEL"), Some(("info".to_owned(), ".env")));
    }

    #[test]
    fn names_that_nobody_reads_are_noted() {
        let read = read(&[(".env", "OPEN_AI_KEY=x\nPORT=1\nPORT=3001")]);
        let notes: Vec<String> = read.notes().iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].starts_with("OPEN_AI_KEY") && notes[1].starts_with("PORT"), "{notes:?}");
        assert_eq!(read.settings().unwrap().core.port, 3001);
    }
}
