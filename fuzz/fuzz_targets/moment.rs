//! See `engify_ops::fuzzing::moment`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_ops::fuzzing::moment(bytes));
