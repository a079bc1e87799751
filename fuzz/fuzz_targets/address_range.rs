//! See `engify_core::fuzzing::address_range`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_core::fuzzing::address_range(bytes));
