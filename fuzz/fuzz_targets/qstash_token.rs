//! See `engify_clients::fuzzing::qstash_token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_clients::fuzzing::qstash_token(bytes));
