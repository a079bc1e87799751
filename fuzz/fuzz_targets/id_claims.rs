//! See `engify_clients::fuzzing::id_claims`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_clients::fuzzing::id_claims(bytes));
