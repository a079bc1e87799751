//! See `engify_clients::fuzzing::provider_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_clients::fuzzing::provider_stream(bytes));
