//! Every command explains itself, and only those are there that do something.

use crate::engify::Engify;

/// The commands below these words, from the help text itself.
fn walk(engify: &Engify, words: &[String], found: &mut Vec<String>) {
    let mut args = words.to_vec();
    args.push("--help".to_owned());
    let said = engify.run(&args).ended(0);
    let help = said.stdout;
    assert!(said.stderr.is_empty());
    let first = help.lines().next().unwrap_or_default();
    assert!(first.len() > 15 && !first.starts_with("Usage"), "{args:?} does not say what it does:\n{help}");
    for line in help.lines().filter(|line| line.trim_start().starts_with("--")) {
        let option = line.trim();
        let explained = option.split_once("  ").is_some() || help.contains(&format!("{line}\n          "));
        assert!(explained, "{args:?} does not explain {option}:\n{help}");
    }
    if !words.is_empty() {
        found.push(words.join(" "));
    }
    let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
    // Deeper lines go on with the explanation of the one above.
    let is_command = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    for line in listed.lines().take_while(|line| !line.is_empty()).filter(is_command) {
        let mut below = words.to_vec();
        below.push(line.split_whitespace().next().unwrap().to_owned());
        walk(engify, &below, found);
    }
}

#[test]
fn every_command_has_help() {
    let mut found = Vec::new();
    walk(&Engify::new(), &[], &mut found);
    insta::assert_snapshot!(found.join("\n"), @r"
    serve
    config
    config check
    config show
    config docs
    db
    db create-indexes
    db seed
    db stats
    db backup
    db backups
    db verify
    db backup-key
    db export
    db import
    db restore
    db diff
    db drill
    db migrate
    admin
    admin setup
    admin check-user
    admin reset-mfa
    prompts
    prompts list
    prompts import
    prompts export
    run
    security
    security test-keys
    security rotate-key
    security audit-verify
    security audit-export
    redis
    redis test
    redis health
    redis flush
    jobs
    jobs list
    jobs run
    jobs retry
    jobs cancel
    cron
    cron list
    cron run
    ready
    completions
    ");
}

#[test]
fn the_first_help_is_one_screen() {
    let help = Engify::new().run(&["--help"]).ended(0).stdout;
    insta::assert_snapshot!(help, @r"
    Find a prompt, run it, keep the key: a prompt library and workbench in one program

    Usage: engify [COMMAND]

    Commands:
      serve        Serve the pages and the API until SIGTERM or Ctrl-C
      config       Check, show and explain the settings
      db           Look after the database
      admin        Make administrators, look at accounts
      prompts      List, import and export prompts
      run          Run a prompt of the library on an AI provider
      security     Try the providers' keys, change the encryption key, prove the audit log
      redis        Look after the Redis that replicas share
      jobs         See what is done outside of requests, have it done, do it again
      cron         See when which jobs are done by themselves, or do one now
      ready        Ask the server on this machine whether it is ready, as health checks do
      completions  Print completions for a shell

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Without a command it serves.
    Settings come from the environment, .env.local and .env: `engify config docs`.
    Exit codes: 0 done, 1 checked and found wanting, 2 could not run.
    ");
}

#[test]
fn what_cannot_be_understood_is_exit_code_2() {
    let engify = Engify::new();
    for args in [&["deploi"][..], &["run"], &["serve", "--port", "0"], &["run", "x", "--var", "novalue"]] {
        let said = engify.run(args).ended(2);
        assert!(said.stdout.is_empty() && said.stderr.contains("--help"), "{said:?}");
    }
}

#[test]
fn completions_come_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = Engify::new().run(&["completions", shell]).ended(0);
        assert!(said.stdout.contains("create-indexes"), "{shell}");
    }
}
