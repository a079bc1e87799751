//! See `engify_core::fuzzing::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_core::fuzzing::settings(bytes));
