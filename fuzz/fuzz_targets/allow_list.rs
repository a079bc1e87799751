//! See `engify_app::fuzzing::allow_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_app::fuzzing::allow_list(bytes));
