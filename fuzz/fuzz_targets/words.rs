//! See `engify_core::fuzzing::words`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_core::fuzzing::words(bytes));
