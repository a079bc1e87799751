//! See `engify_core::fuzzing::api_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_core::fuzzing::api_key(bytes));
