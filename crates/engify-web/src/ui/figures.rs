//! How numbers, money and times are written, the same on every page.

use std::time::Duration;

use engify_core::Time;
use engify_core::run::NanoUsd;
use maud::{Markup, html};

/// `1,284`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `1,284 runs`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `$14.80`, `$0.0062`; below a ten-thousandth as many digits as it takes for two that matter.
pub fn usd(nanos: NanoUsd) -> String {
    let dollars = nanos.usd();
    match nanos.0 {
        0 => "$0".to_owned(),
        1_000_000_000.. => {
            let cents = (dollars * 100.0).round();
            format!("${}.{:02}", count((cents / 100.0).trunc() as u64), (cents % 100.0) as u64)
        }
        10_000_000.. => format!("${dollars:.3}"),
        100_000.. => format!("${dollars:.4}"),
        1_000.. => format!("${dollars:.6}"),
        _ => "under $0.000001".to_owned(),
    }
}

/// A price for a million tokens: `$3`, `$0.40`.
pub fn price(dollars: f64) -> String {
    if dollars.fract().abs() < 1e-9 { format!("${dollars:.0}") } else { format!("${dollars:.2}") }
}

/// `512 B`, `1.4 MB`, `12 GB`; thousands, as disks are sold.
pub fn bytes(bytes: u64) -> String {
    let mut figure = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if figure < 999.5 {
            let digits = usize::from(unit != "B" && figure < 9.95);
            return format!("{figure:.digits$} {unit}");
        }
        figure /= 1000.0;
    }
    format!("{figure:.1} TB")
}

/// `18 ms`, `0.42 s`, `2 min 5 s`.
pub fn millis(millis: f64) -> String {
    match millis {
        m if m < 10.0 => format!("{m:.1} ms"),
        m if m < 100.0 => format!("{m:.0} ms"),
        m if m < 10_000.0 => format!("{:.2} s", m / 1000.0),
        m if m < 60_000.0 => format!("{:.1} s", m / 1000.0),
        m => format!("{} min {} s", (m / 60_000.0) as u64, (m / 1000.0) as u64 % 60),
    }
}

/// `12 d 4 h`, `4 h 10 min`, `3 min`.
pub fn span(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{} s", time.as_secs()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `4.8`.
pub fn stars(mean: f64) -> String {
    format!("{mean:.1}")
}

/// A time as people say it, the exact one on hover.
pub fn when(now: Time, then: Time) -> Markup {
    let words = if then > now { ahead(now, then) } else { ago(now, then) };
    html! { time datetime=(then) title=(exact(then)) { (words) } }
}

/// `22 Nov 2026, 18:04:05 UTC`.
pub fn exact(time: Time) -> String {
    time.timestamp().strftime("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// `22 Nov 2026`.
pub fn day(time: Time) -> String {
    time.timestamp().strftime("%-d %b %Y").to_string()
}

fn ago(now: Time, then: Time) -> String {
    let minutes = now.since(then).as_secs() / 60;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min ago"),
        60..1440 => format!("{} h ago", minutes / 60),
        1440..2880 => "yesterday".to_owned(),
        2880..43_200 => format!("{} days ago", minutes / 1440),
        _ => day(then),
    }
}

fn ahead(now: Time, then: Time) -> String {
    let minutes = then.since(now).as_secs() / 60;
    match minutes {
        0..60 => format!("in {} min", minutes.max(1)),
        60..2880 => format!("in {} h", minutes / 60),
        2880..86_400 => format!("in {} days", minutes / 1440),
        _ => day(then),
    }
}

/// A word of the classification as people read it: `sre` is SRE, `product-manager` is Product manager.
pub fn label(word: &str) -> String {
    match word {
        "qa" | "cto" | "sre" | "ai" | "api" => word.to_uppercase(),
        "devops" => "DevOps".to_owned(),
        "react" => "ReAct".to_owned(),
        "zero-shot" => "Zero-shot".to_owned(),
        "few-shot" => "Few-shot".to_owned(),
        _ => sentence(&word.replace(['-', '_'], " ").replace("api key", "API key")),
    }
}

/// The first letter as a capital.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The first letters of the first and the last name.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().and_then(|word| word.chars().next());
    let last = words.next_back().and_then(|word| word.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_keeps_the_digits_that_matter() {
        for (nanos, text) in [
            (0, "$0"),
            (400, "under $0.000001"),
            (42_000, "$0.000042"),
            (6_200_000, "$0.0062"),
            (14_800_000_000, "$14.80"),
            (1_234_567_000_000, "$1,234.57"),
            (1_999_999_999, "$2.00"),
        ] {
            assert_eq!(usd(NanoUsd(nanos)), text);
        }
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let now: Time = "2026-11-22T18:00:00.000Z".parse().unwrap();
        let said = |seconds| ago(now, now.minus(Duration::from_secs(seconds)));
        assert_eq!(
            [said(20), said(300), said(7200), said(90_000)],
            ["just now", "5 min ago", "2 h ago", "yesterday"]
        );
        assert_eq!(said(86_400 * 40), "13 Oct 2026");
        assert_eq!(ahead(now, now.plus(Duration::from_secs(86_400 * 3))), "in 3 days");
    }

    #[test]
    fn words_and_counts_read_well() {
        assert_eq!([count(7), count(1284), count(1_204_118)], ["7", "1,284", "1,204,118"]);
        assert_eq!([label("sre"), label("product-manager")], ["SRE", "Product manager"]);
        assert_eq!([bytes(512), bytes(1_430_000), bytes(12_000_000_000)], ["512 B", "1.4 MB", "12 GB"]);
        assert_eq!([initials("Ana"), initials("ana maria núñez")], ["A", "AN"]);
        assert_eq!([millis(4.2), millis(420.0), millis(125_000.0)], ["4.2 ms", "0.42 s", "2 min 5 s"]);
    }
}
