//! See `engify_app::fuzzing::schedule`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_app::fuzzing::schedule(bytes));
