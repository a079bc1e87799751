//! See `engify_store::fuzzing::search_question`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_store::fuzzing::search_question(bytes));
