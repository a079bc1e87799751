//! See `engify_store::fuzzing::cursor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_store::fuzzing::cursor(bytes));
