//! See `engify_clients::fuzzing::provider_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_clients::fuzzing::provider_answer(bytes));
