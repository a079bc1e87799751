//! The chores as they are typed: what help promises is there, and what is mistyped is refused before anything is started.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

use std::process::{Command, Output};

fn xtask(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(words).output().unwrap()
}

#[test]
fn every_chore_that_help_lists_explains_itself() {
    let help = String::from_utf8(xtask(&["--help"]).stdout).unwrap();
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A name stands two spaces in; what is further in goes on with the line above.
    let chores: Vec<&str> = listed
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(chores.contains(&"cluster") && chores.contains(&"faults"), "{chores:?}");
    for chore in chores.into_iter().filter(|chore| *chore != "help") {
        let output = xtask(&[chore, "--help"]);
        assert!(output.status.success() && !output.stdout.is_empty(), "{chore}");
    }
}

#[test]
fn what_is_mistyped_is_refused() {
    for words in [
        &["clusters"][..],
        &["cluster", "--replicas", "0"],
        &["cluster", "--replicas", "10"],
        &["faults", "--slow"],
    ] {
        assert_eq!(xtask(words).status.code(), Some(2), "{words:?}");
    }
}
