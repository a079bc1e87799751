//! See `engify_clients::fuzzing::sendgrid_report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engify_clients::fuzzing::sendgrid_report(bytes));
