//! See `engify_store::fuzzing::document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_store::fuzzing::document(bytes));
