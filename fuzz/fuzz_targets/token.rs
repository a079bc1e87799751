//! See `engify_app::fuzzing::token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_app::fuzzing::token(bytes));
