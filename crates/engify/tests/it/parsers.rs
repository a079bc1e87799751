//! Every parser of what strangers send, fed with its seeds, with seeds cut up and put together wrongly, and with noise. The
//! same targets are fuzzed with coverage by `cargo xtask fuzz`; what it finds becomes a seed here.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

use crate::engify::workspace;

type Targets = &'static [(&'static str, fn(&[u8]))];

/// All of them: core, store, clients, app, ops, web.
const CRATES: [Targets; 6] = [
    engify_core::fuzzing::TARGETS,
    engify_store::fuzzing::TARGETS,
    engify_clients::fuzzing::TARGETS,
    engify_app::fuzzing::TARGETS,
    engify_ops::fuzzing::TARGETS,
    engify_web::fuzzing::TARGETS,
];

#[test]
fn core_survives_what_strangers_send() {
    survives(CRATES[0]);
}

#[test]
fn store_survives_what_strangers_send() {
    survives(CRATES[1]);
}

#[test]
fn clients_survive_what_strangers_send() {
    survives(CRATES[2]);
}

#[test]
fn app_survives_what_strangers_send() {
    survives(CRATES[3]);
}

#[test]
fn ops_survives_what_strangers_send() {
    survives(CRATES[4]);
}

#[test]
fn web_survives_what_strangers_send() {
    survives(CRATES[5]);
}

#[test]
fn every_target_is_fuzzed_and_every_fuzzer_is_a_target() {
    let targets: BTreeSet<String> =
        CRATES.iter().flat_map(|targets| targets.iter().map(|(name, _)| (*name).to_owned())).collect();
    let listed = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(workspace().join("fuzz").join(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(listed("fuzz_targets"), targets, "fuzz/fuzz_targets");
    assert_eq!(listed("seeds"), targets, "fuzz/seeds");
    let manifest = fs::read_to_string(workspace().join("fuzz/Cargo.toml")).unwrap();
    for target in &targets {
        assert!(manifest.contains(&format!("name = \"{target}\"\n")), "fuzz/Cargo.toml lacks {target}");
    }
}

/// How many cases of each: few in every run, many with `--deep`.
#[expect(clippy::disallowed_methods, reason = "a test asks how thorough it shall be")]
fn cases() -> u32 {
    if std::env::var_os("ENGIFY_DEEP").is_some() { 20_000 } else { 256 }
}

/// Runs each target on its seeds as they are, then on what becomes of them. The runner catches what falls and shrinks it.
fn survives(targets: Targets) {
    for (name, target) in targets {
        let seeds = seeds(name);
        seeds.iter().for_each(|seed| target(seed));
        let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
        let fault = TestRunner::new(config).run(&input(seeds), |bytes| {
            target(&bytes);
            Ok(())
        });
        assert!(fault.is_ok(), "{name}: {}", fault.unwrap_err());
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = workspace().join("fuzz/seeds").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|_| panic!("{target} has no seeds in {}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no seeds");
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// One change to some bytes.
#[derive(Debug, Clone)]
enum Edit {
    Put(Index, Vec<u8>),
    Cut(Index, usize),
    Flip(Index, u8),
    Repeat(Index, usize, usize),
    /// Goes on as another seed does.
    Splice(Index, Index, Index),
}

/// What parsers stumble over, more often than chance has it.
fn odd_piece() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 26] = [
        "",
        "\0",
        "\r\n",
        "\n\n",
        "\"",
        "'",
        "\\",
        "\\u0000",
        ",",
        ";",
        "=",
        ":",
        "-",
        "/",
        "%00",
        "..",
        "{",
        "}",
        "[",
        "]",
        "---\n",
        "null",
        "1e999",
        "-9223372036854775809",
        "\u{feff}",
        "é\u{202e}🦀",
    ];
    prop_oneof![
        select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        vec(any::<u8>(), 1..6),
        (select(PIECES.to_vec()), 2..200_usize).prop_map(|(piece, times)| piece.repeat(times).into_bytes()),
    ]
}

fn input(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edit = prop_oneof![
        3 => (any::<Index>(), odd_piece()).prop_map(|(at, piece)| Edit::Put(at, piece)),
        2 => (any::<Index>(), 1..20_usize).prop_map(|(at, length)| Edit::Cut(at, length)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, mask)| Edit::Flip(at, mask)),
        1 => (any::<Index>(), 1..40_usize, 1..40_usize).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        1 => any::<(Index, Index, Index)>().prop_map(|(at, other, from)| Edit::Splice(at, other, from)),
    ];
    let edited = (select(seeds.clone()), vec(edit, 0..6)).prop_map(move |(mut bytes, edits)| {
        edits.iter().for_each(|edit| apply(edit, &mut bytes, &seeds));
        bytes
    });
    prop_oneof![8 => edited, 1 => vec(any::<u8>(), 0..300)]
}

fn apply(edit: &Edit, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let place = |at: &Index, length: usize| at.index(length + 1);
    match edit {
        Edit::Put(at, piece) => {
            let at = place(at, bytes.len());
            bytes.splice(at..at, piece.iter().copied());
        }
        Edit::Cut(at, length) => {
            let at = place(at, bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Edit::Flip(at, mask) => {
            let at = place(at, bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
        }
        Edit::Repeat(at, length, times) => {
            let at = place(at, bytes.len());
            let piece = bytes[at..(at + length).min(bytes.len())].repeat(*times);
            bytes.splice(at..at, piece);
        }
        Edit::Splice(at, other, from) => {
            let other = &seeds[other.index(seeds.len())];
            bytes.truncate(place(at, bytes.len()));
            bytes.extend_from_slice(&other[place(from, other.len())..]);
        }
    }
}
