//! Reports on the configuration: what is wrong, and the tables of the documentation.

use engify_core::permission::{Permission, Role};
use engify_core::settings::{Fault, Group, SETTINGS, Setting};
use serde::Serialize;

/// What `config check` says.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// True where the program would start.
    pub ok: bool,
    /// Everything that is wrong.
    pub faults: Vec<Fault>,
    /// What is worth knowing and wrong with nothing.
    pub notes: Vec<Fault>,
}

/// Adds up a check.
pub fn check(faults: Vec<Fault>, notes: Vec<Fault>) -> Check {
    Check { ok: faults.is_empty(), faults, notes }
}

/// The groups with their settings, in the order of the table.
fn groups() -> impl Iterator<Item = (Group, impl Iterator<Item = &'static Setting>)> {
    let mut groups: Vec<Group> = SETTINGS.iter().map(|setting| setting.group).collect();
    groups.dedup();
    groups.into_iter().map(|group| (group, SETTINGS.iter().filter(move |setting| setting.group == group)))
}

/// `docs/settings.md`.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Settings\n\n\
         <!-- Made by `engify config docs`; change the table in crates/engify-core/src/settings/table.rs instead. -->\n\n\
         Each is an environment variable. What the process has wins over `.env.local`, and that over `.env`, both in the \
         folder where the program starts. An empty value counts as not set. In the files, `NAME=value` stands on a line \
         of its own; put a value that has spaces, `#` or `$` into single quotes.\n\n\
         `engify config check` names every fault at once, `engify config show` tells what is in force and where it came \
         from, and `GET /api/admin/settings` what the server that answers runs on. **Secret** ones are never shown: not in logs, errors, pages or reports, which say `set (…last 4)`.\n",
    );
    for (group, settings) in groups() {
        text.push_str(&format!("\n## {}\n\n| name | default | meaning |\n|---|---|---|\n", group.title()));
        for setting in settings {
            let default = if setting.default.is_empty() { "not set" } else { setting.default };
            let mut meaning = setting.meaning.to_owned();
            if setting.secret {
                meaning.push_str(" **Secret.**");
            }
            if !setting.example.is_empty() {
                meaning.push_str(&format!(" Example: `{}`.", setting.example));
            }
            text.push_str(&format!("| `{}` | {default} | {meaning} |\n", setting.name));
        }
    }
    text
}

/// `.env.example`: every name, commented out, with its meaning.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Copy to .env.local and set what you need; nothing is required to start on your own machine.\n\
         # Made by `engify config docs --format env`. `engify config check` names every fault at once.\n",
    );
    for (group, settings) in groups() {
        text.push_str(&format!("\n# --- {} ---\n", group.title()));
        for setting in settings {
            let example = if setting.example.is_empty() { plain_default(setting) } else { setting.example };
            text.push_str(&format!("\n# {}\n", setting.meaning));
            if !setting.default.is_empty() && setting.default != example {
                text.push_str(&format!("# Default: {}\n", setting.default));
            }
            text.push_str(&format!("# {}={}\n", setting.name, quoted(example)));
        }
    }
    text
}

/// The default where it is a value and not a description of one.
fn plain_default(setting: &Setting) -> &'static str {
    if setting.default.contains([' ', ';']) || SETTINGS.iter().any(|other| other.name == setting.default) {
        return "";
    }
    setting.default
}

fn quoted(value: &str) -> String {
    if value.contains([' ', '#', '$', '&']) { format!("'{value}'") } else { value.to_owned() }
}

/// `docs/permissions.md`: the table role × permission.
pub fn permissions() -> String {
    let mut text = String::from(
        "# Roles and permissions\n\n\
         <!-- Made by `engify config docs --format permissions`; change crates/engify-core/src/permission.rs instead. -->\n\n\
         What a person may do follows from their role; what an API key may do is what both its scopes and its owner's \
         role allow. Scopes are these same words. New accounts are `user`. Strangers may read public prompts and nothing \
         else.\n\n| permission |",
    );
    for role in Role::ALL {
        text.push_str(&format!(" `{role}` |"));
    }
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(Role::ALL.len())));
    for permission in Permission::ALL {
        text.push_str(&format!("| `{permission}` |"));
        for role in Role::ALL {
            text.push_str(if role.allows(*permission) { " yes |" } else { " – |" });
        }
        text.push('\n');
    }
    text
}
