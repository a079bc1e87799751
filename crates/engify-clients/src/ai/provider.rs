//! Who can run a prompt: a closed list, with what an operator needs to know about each.
//!
//! It knows names, addresses and key formats; it refuses to know wire formats and prices.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Somebody who can run a prompt, or the dry run that calls nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// OpenAI.
    OpenAi,
    /// Anthropic (Claude).
    Anthropic,
    /// Google (Gemini, by the Generative Language API).
    Google,
    /// Groq.
    Groq,
    /// Replicate.
    Replicate,
    /// A model server of one's own that speaks OpenAI's format, by default Ollama on this machine.
    Ollama,
    /// Nobody: the rendered prompt comes back, with its token count and what it would cost.
    DryRun,
}

impl Provider {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Google,
        Self::Groq,
        Self::Replicate,
        Self::Ollama,
        Self::DryRun,
    ];

    /// Takes a provider by name: `openai`, `anthropic` or `claude`, `google` or `gemini`, `groq`, `replicate`,
    /// `ollama`, `dry-run`.
    ///
    /// # Errors
    /// Lists the names.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "openai" => Self::OpenAi,
            "anthropic" | "claude" => Self::Anthropic,
            "google" | "gemini" => Self::Google,
            "groq" => Self::Groq,
            "replicate" => Self::Replicate,
            "ollama" => Self::Ollama,
            "dry-run" => Self::DryRun,
            _ => {
                return Err(
                    "is not a provider; use openai, anthropic (or claude), google (or gemini), groq, \
                            replicate, ollama or dry-run"
                        .to_owned(),
                );
            }
        })
    }

    /// The stable name, as in the API and in stored runs.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
            Self::Groq => "groq",
            Self::Replicate => "replicate",
            Self::Ollama => "ollama",
            Self::DryRun => "dry-run",
        }
    }

    /// The name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Google => "Google Gemini",
            Self::Groq => "Groq",
            Self::Replicate => "Replicate",
            Self::Ollama => "Ollama",
            Self::DryRun => "Dry run",
        }
    }

    /// What its keys look like, as the operations guide writes them; `None` where no key is needed.
    pub fn key_format(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("sk-…"),
            Self::Anthropic => Some("sk-ant-…"),
            Self::Google => Some("AI…"),
            Self::Groq => Some("gsk_…"),
            Self::Replicate => Some("r8_…"),
            Self::Ollama | Self::DryRun => None,
        }
    }

    /// Checks that a key looks like one of this provider's, without asking anybody.
    ///
    /// # Errors
    /// Says what is wrong and what the keys look like; never repeats the key.
    pub fn check_key(self, key: &str) -> Result<(), String> {
        let (Some(format), Some(begin)) = (self.key_format(), self.key_begin()) else {
            return Err(format!("is not needed: {} takes no key", self.label()));
        };
        let label = self.label();
        if !(8..=512).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "is not a key of {label}: its keys look like {format}, 8 to 512 characters without spaces; paste the key \
                 alone, without quotes"
            ));
        }
        // OpenAI's beginning is also the beginning of Anthropic's: the longest that fits tells whose it is.
        let owner = Self::ALL
            .into_iter()
            .filter(|other| other.key_begin().is_some_and(|begin| key.starts_with(begin)))
            .max_by_key(|other| other.key_begin().map_or(0, str::len));
        match owner {
            Some(owner) if owner == self => Ok(()),
            Some(owner) => {
                let other = owner.label();
                Err(format!("looks like a key of {other}; {label}'s begin with {begin}"))
            }
            None => Err(format!("is not a key of {label}: its keys look like {format}")),
        }
    }

    /// What its keys begin with.
    fn key_begin(self) -> Option<&'static str> {
        self.key_format().map(|format| format.trim_end_matches('…'))
    }

    /// The variable that holds the key; `None` where no key is needed.
    pub fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Google => Some("GOOGLE_API_KEY"),
            Self::Groq => Some("GROQ_API_KEY"),
            Self::Replicate => Some("REPLICATE_API_TOKEN"),
            Self::Ollama | Self::DryRun => None,
        }
    }

    /// The variable that moves the address; `None` for the dry run.
    pub fn base_url_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("OPENAI_BASE_URL"),
            Self::Anthropic => Some("ANTHROPIC_BASE_URL"),
            Self::Google => Some("GOOGLE_BASE_URL"),
            Self::Groq => Some("GROQ_BASE_URL"),
            Self::Replicate => Some("REPLICATE_BASE_URL"),
            Self::Ollama => Some("OLLAMA_BASE_URL"),
            Self::DryRun => None,
        }
    }

    /// Where it is called unless told otherwise: the default of its vendor's own client; empty for the dry run.
    pub fn default_base_url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Google => "https://generativelanguage.googleapis.com/v1beta",
            Self::Groq => "https://api.groq.com/openai/v1",
            Self::Replicate => "https://api.replicate.com/v1",
            Self::Ollama => "http://localhost:11434/v1",
            Self::DryRun => "",
        }
    }

    /// The model that runs when none is named: a current, inexpensive one, listed in `data/models.json`.
    pub fn default_model(self) -> &'static str {
        match self {
            Self::OpenAi => "gpt-6-luna",
            Self::Anthropic => "claude-haiku-5-5",
            Self::Google => "gemini-3.8-flash",
            Self::Groq => "openai/gpt-oss-120b",
            Self::Replicate => "meta/meta-llama-3-70b-instruct",
            Self::Ollama => "llama3.2",
            Self::DryRun => "dry-run",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Provider {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Provider;

    #[test]
    fn a_key_of_another_provider_is_told_from_one_of_none() {
        for (provider, key) in [
            (Provider::OpenAi, "sk-proj-0123456789"),
            (Provider::Anthropic, "sk-ant-api03-0123456789"),
            (Provider::Google, "AIzaSy0123456789"),
            (Provider::Groq, "gsk_0123456789"),
            (Provider::Replicate, "r8_0123456789"),
        ] {
            assert_eq!(provider.check_key(key), Ok(()));
            for other in Provider::ALL.into_iter().filter(|other| *other != provider) {
                assert!(other.check_key(key).is_err(), "{other} takes {key}");
            }
        }
        let wrong = Provider::OpenAi.check_key("sk-ant-api03-0123456789").unwrap_err();
        assert_eq!(wrong, "looks like a key of Anthropic; OpenAI's begin with sk-");
        for bad in ["hunter2hunter2", "sk-1", "\"sk-0123456789\"", "sk-0123 456789", ""] {
            let wrong = Provider::OpenAi.check_key(bad).unwrap_err();
            assert!(wrong.contains("sk-…") && (bad.is_empty() || !wrong.contains(bad)), "{wrong}");
        }
    }
}
