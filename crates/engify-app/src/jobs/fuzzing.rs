//! Schedules that administrators write, for fuzzers. See [`crate::fuzzing`].

use engify_core::Time;

use super::cron::Cron;

/// Whatever is taken for a schedule reads back as it is shown, and its times come one behind the other.
pub fn schedule(bytes: &[u8]) {
    let Ok(cron) = Cron::parse(&String::from_utf8_lossy(bytes)) else { return };
    assert!(Cron::parse(&cron.to_string()).is_ok(), "{cron}");
    let mut last = Time::from_millis(1_763_800_000_000);
    for _ in 0..3 {
        let Some(next) = cron.after(last) else { return };
        assert!(next > last, "{cron}: {next} behind {last}");
        last = next;
    }
}
