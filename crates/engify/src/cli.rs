//! What may be typed: commands, options and their help.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod audit;
mod backup;
mod jobs;
mod migrate;
mod redis;
mod restore;

pub(crate) use audit::{AuditExport, AuditVerify, Lines};
pub(crate) use backup::{Backup, Backups, CollectionExport, CollectionImport, Layout, Table, Verify};
pub(crate) use jobs::{Cron, How, Jobs, ListJobs, RunCron, RunJob};
pub(crate) use migrate::Migrate;
pub(crate) use redis::{Flush, Redis, RedisTest};
pub(crate) use restore::{Diff, Drill, Restore};

/// Find a prompt, run it, keep the key: a prompt library and workbench in one program.
#[derive(Debug, Parser)]
#[command(name = "engify", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = "Without a command it serves.\n\
    Settings come from the environment, .env.local and .env: `engify config docs`.\n\
    Exit codes: 0 done, 1 checked and found wanting, 2 could not run.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

impl Cli {
    /// What to do; without a word it is to serve.
    pub(crate) fn asked(self) -> Command {
        self.command.unwrap_or_else(|| Command::Serve(Serve::default()))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the pages and the API until SIGTERM or Ctrl-C
    Serve(Serve),
    /// Check, show and explain the settings
    #[command(subcommand)]
    Config(Config),
    /// Look after the database
    #[command(subcommand)]
    Db(Db),
    /// Make administrators, look at accounts
    #[command(subcommand)]
    Admin(Admin),
    /// List, import and export prompts
    #[command(subcommand)]
    Prompts(Prompts),
    /// Run a prompt of the library on an AI provider
    Run(Run),
    /// Try the providers' keys, change the encryption key, prove the audit log
    #[command(subcommand)]
    Security(Security),
    /// Look after the Redis that replicas share
    #[command(subcommand)]
    Redis(Redis),
    /// See what is done outside of requests, have it done, do it again
    #[command(subcommand)]
    Jobs(Jobs),
    /// See when which jobs are done by themselves, or do one now
    #[command(subcommand)]
    Cron(Cron),
    /// Ask the server on this machine whether it is ready, as health checks do
    Ready(Report),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it is in less of a hurry than a server on the same machine.
    pub(crate) fn gives_way(&self) -> bool {
        matches!(self, Self::Db(Db::Backup(_) | Db::Verify(_)))
    }

    /// Whether the person asked for JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Serve(_) | Self::Completions { .. } | Self::Config(Config::Docs { .. }) => false,
            Self::Config(Config::Check(report) | Config::Show(report)) => report.json,
            Self::Db(db) => db.json(),
            Self::Admin(Admin::Setup(setup)) => setup.report.json,
            Self::Admin(Admin::CheckUser { report, .. } | Admin::ResetMfa { report, .. }) => report.json,
            Self::Prompts(Prompts::List(list)) => list.report.json,
            Self::Prompts(Prompts::Import(import)) => import.report.json,
            Self::Prompts(Prompts::Export(export)) => export.report.json,
            Self::Security(Security::AuditVerify(verify)) => verify.report.json,
            Self::Security(Security::AuditExport(export)) => export.report.json,
            Self::Run(run) => run.report.json,
            Self::Security(Security::TestKeys(test)) => test.report.json,
            Self::Security(Security::RotateKey(rotate)) => rotate.report.json,
            Self::Ready(report) => report.json,
            Self::Redis(redis) => redis.json(),
            Self::Jobs(jobs) => jobs.json(),
            Self::Cron(cron) => cron.json(),
        }
    }
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Report {
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to serve.
#[derive(Debug, Default, Args)]
pub(crate) struct Serve {
    /// The port to listen on, instead of PORT [3000]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// The address to listen on, instead of HOST [127.0.0.1; 0.0.0.0 in production]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<IpAddr>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Name everything that is wrong with the settings, at once
    Check(Report),
    /// Show every setting, its value and where it came from; secrets only as `set (…last 4)`
    Show(Report),
    /// Print the table of all settings, .env.example, or the table of roles and permissions
    Docs {
        /// What to print
        #[arg(long, value_enum, default_value_t)]
        format: Docs,
    },
}

/// What `config docs` prints.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Docs {
    /// The settings, as Markdown (docs/settings.md)
    #[default]
    Markdown,
    /// The settings, to fill in (.env.example)
    Env,
    /// Roles and permissions, as Markdown (docs/permissions.md)
    Permissions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Make the indexes that are missing
    CreateIndexes(Report),
    /// Put the shipped prompts in; what somebody here changed stays
    Seed(Report),
    /// Count what every collection holds
    Stats(Report),
    /// Take a backup, restore it into a scratch database and compare, delete those whose time is over
    Backup(Backup),
    /// List the backups at the target
    Backups(Backups),
    /// Check the sums of a backup; with --deep, restore it into a scratch database and compare
    Verify(Verify),
    /// Print BACKUP_ENCRYPTION_KEY as age writes keys, for decrypting by hand
    BackupKey(Report),
    /// Write a collection to a file, as mongoexport does; what is stored encrypted stays encrypted
    Export(CollectionExport),
    /// Read a file into a collection, as mongoimport does
    Import(CollectionImport),
    /// Bring back a backup, or any moment of the last days; one collection or document, if need be
    Restore(Restore),
    /// Tell what differs between two moments
    Diff(Diff),
    /// Practise a disaster against a copy, and measure how long it takes and what is lost
    Drill(Drill),
    /// Move to another database while the site runs: embedded to MongoDB, or back
    Migrate(Migrate),
}

impl Db {
    fn json(&self) -> bool {
        match self {
            Self::CreateIndexes(report)
            | Self::Seed(report)
            | Self::Stats(report)
            | Self::BackupKey(report) => report.json,
            Self::Backup(backup) => backup.report.json,
            Self::Backups(backups) => backups.report.json,
            Self::Verify(verify) => verify.report.json,
            Self::Export(export) => export.report.json,
            Self::Import(import) => import.report.json,
            Self::Restore(restore) => restore.report.json,
            Self::Diff(diff) => diff.report.json,
            Self::Drill(drill) => drill.report.json,
            Self::Migrate(migrate) => migrate.report.json,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Make a super admin, or make an account one with a new password
    Setup(Setup),
    /// Tell what there is to know of an account
    CheckUser {
        /// The account's mail address
        email: String,
        #[command(flatten)]
        report: Report,
    },
    /// Remove every second factor of somebody who lost theirs, and end their sessions
    ResetMfa {
        /// The account's mail address
        #[arg(long)]
        email: String,
        /// Do it; without it only the plan is printed
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        report: Report,
    },
}

/// Who becomes super admin; what is left out is asked for.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// The mail address
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// The name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Read the password from the first line of stdin
    #[arg(long)]
    pub(crate) password_stdin: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Prompts {
    /// List the library, or search it
    List(List),
    /// Take prompts from files and folders: .md, .json, .jsonl, .csv; the same again changes nothing
    Import(Import),
    /// Write all prompts to files that can be imported again
    Export(Export),
}

/// Which prompts to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Words to search for, "a phrase", -without
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub(crate) q: String,
    /// Only this category
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Only this role
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// Only this tag
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// The order: relevance, newest, updated, used, rating, title
    #[arg(long)]
    pub(crate) sort: Option<String>,
    /// How many, 1 to 100
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Go on behind an earlier page
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Files and folders; folders with everything below them
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub(crate) paths: Vec<PathBuf>,
    /// Who may see new prompts that do not say it themselves
    #[arg(long, value_enum, default_value_t)]
    pub(crate) visibility: Visibility,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Who may see imported prompts. They have no owner, so there is no organization that could be meant.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Visibility {
    /// Everybody
    #[default]
    Public,
    /// Administrators of this installation only
    Private,
}

/// Where to export to.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The layout; left out, the ending of PATH says it
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// A folder for md, a file for the others, - for stdout
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// How prompts are laid out in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Markdown with front matter, one file a prompt
    Md,
    /// One JSON array
    Json,
    /// JSON Lines, one prompt a line
    Jsonl,
    /// A table with a header
    Csv,
}

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The prompt's name in addresses, as in /prompts/SLUG
    pub(crate) slug: String,
    /// Fill a variable
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) vars: Vec<(String, String)>,
    /// Fill a variable with a file's text; - is stdin
    #[arg(long = "var-file", value_name = "NAME=PATH", value_parser = assignment)]
    pub(crate) var_files: Vec<(String, String)>,
    /// openai, anthropic, google, groq, replicate, ollama or dry-run [the first that is configured]
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// The model, as the provider names it [the provider's default]
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The system prompt
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// How free the answer is, 0 to 2
    #[arg(long)]
    pub(crate) temperature: Option<f64>,
    /// The longest answer, tokens
    #[arg(long)]
    pub(crate) max_tokens: Option<u32>,
    /// Wait for the whole answer instead of printing words as they come
    #[arg(long)]
    pub(crate) no_stream: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Security {
    /// Try each configured provider key: its format, a call that costs nothing, and what to do where it fails
    TestKeys(TestKeys),
    /// Encrypt everything that is stored encrypted with another key, while servers run
    RotateKey(RotateKey),
    /// Prove that no line of the audit log was changed, removed, added or moved since it was sealed
    AuditVerify(AuditVerify),
    /// Write the audit log to a file, newest line first; that it was written is a line itself
    AuditExport(AuditExport),
}

/// Which keys to try.
#[derive(Debug, Args)]
pub(crate) struct TestKeys {
    /// Also the keys that people and organizations stored
    #[arg(long)]
    pub(crate) stored: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// What to encrypt with.
#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// Read the new key from stdin: 64 hex digits [API_KEY_ENCRYPTION_KEY]
    #[arg(long, conflicts_with = "new_key_file")]
    pub(crate) new_key_stdin: bool,
    /// Read the new key from a file [API_KEY_ENCRYPTION_KEY]
    #[arg(long, value_name = "FILE")]
    pub(crate) new_key_file: Option<PathBuf>,
    /// Only count what is encrypted with which key
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave what no known key opens, instead of refusing to begin
    #[arg(long)]
    pub(crate) skip_unreadable: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("is not NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_value_may_hold_equals_signs() {
        assert_eq!(assignment("code=a=b").unwrap(), ("code".to_owned(), "a=b".to_owned()));
        assert!(assignment("=b").is_err() && assignment("code").is_err());
    }
}
