//! Charts drawn on the server: SVG without styles of its own, with the same numbers as a table behind it.

use maud::{Markup, html};

use super::Tone;

/// A row of numbers over time.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// What is counted, for people who hear the page: `Cost a day`.
    pub name: String,
    /// Each point: its label (`22 Nov`), its value, and the value in words (`$1.20`).
    pub points: Vec<Point>,
    /// A line that should not be crossed, and what it is called.
    pub limit: Option<(f64, String)>,
}

/// One point of a series.
#[derive(Debug, Clone, Default)]
pub struct Point {
    /// Where it stands: `22 Nov`, `18:04`.
    pub label: String,
    /// How high it stands.
    pub value: f64,
    /// The value in words.
    pub text: String,
}

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;

impl Series {
    fn top(&self) -> f64 {
        let highest = self.points.iter().map(|point| point.value).fold(0.0, f64::max);
        highest.max(self.limit.as_ref().map_or(0.0, |(limit, _)| *limit)) * 1.08
    }

    fn y(&self, value: f64) -> f64 {
        let top = self.top();
        if top > 0.0 { HEIGHT - 1.0 - (value / top) * (HEIGHT - 3.0) } else { HEIGHT - 1.0 }
    }

    fn limit_line(&self) -> Markup {
        html! {
            @if let Some((limit, _)) = &self.limit {
                @let y = format!("{:.1}", self.y(*limit));
                line.t x1="0" x2=(WIDTH) y1=(y) y2=(y) {}
            }
        }
    }
}

/// A line over a soft ground, as wide as its place.
#[expect(clippy::cast_precision_loss, reason = "positions on a drawing of 240 units")]
pub fn sparkline(series: &Series) -> Markup {
    let last = series.points.len().saturating_sub(1).max(1) as f64;
    let points: Vec<String> = series
        .points
        .iter()
        .enumerate()
        .map(|(at, point)| format!("{:.1},{:.1}", at as f64 / last * WIDTH, series.y(point.value)))
        .collect();
    let line = points.join(" ");
    html! {
        figure.plot {
            svg.chart viewBox="0 0 240 48" preserveAspectRatio="none" role="img" aria-label=(series.name) {
                title { (series.name) }
                @if !series.points.is_empty() {
                    polygon.a points={ "0,48 " (line) " 240,48" } {}
                    polyline.l points=(line) {}
                }
                (series.limit_line())
            }
            (numbers(series))
        }
    }
}

/// One bar for each point.
#[expect(clippy::cast_precision_loss, reason = "positions on a drawing of 240 units")]
pub fn bars(series: &Series) -> Markup {
    let slot = WIDTH / series.points.len().max(1) as f64;
    let broad = (slot * 0.72).min(14.0);
    html! {
        figure.plot {
            svg.chart.tall viewBox="0 0 240 48" preserveAspectRatio="none" role="img" aria-label=(series.name) {
                title { (series.name) }
                line.base x1="0" x2="240" y1="47.5" y2="47.5" {}
                @for (at, point) in series.points.iter().enumerate() {
                    @let y = series.y(point.value);
                    rect.b x=(format!("{:.2}", at as f64 * slot + (slot - broad) / 2.0)) y=(format!("{y:.1}"))
                        width=(format!("{broad:.2}")) height=(format!("{:.1}", (HEIGHT - 1.0 - y).max(0.0))) {
                        title { (point.label) ": " (point.text) }
                    }
                }
                (series.limit_line())
            }
            @if let (Some(first), Some(last)) = (series.points.first(), series.points.last()) {
                figcaption aria-hidden="true" { span { (first.label) } span { (last.label) } }
            }
            (numbers(series))
        }
    }
}

/// A moment or a stretch of a lane.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Where it begins, 0 to 1 of the lane.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// How tall it is, 0 to 1.
    pub height: f64,
    /// Its colour; the height or the words say the same.
    pub tone: Tone,
    /// What it is, in words.
    pub text: String,
}

/// Marks along time; `name` says in a sentence what they are.
pub fn lane(name: &str, marks: &[Mark]) -> Markup {
    html! {
        svg.chart.low viewBox="0 0 240 12" preserveAspectRatio="none" role="img" aria-label=(name) {
            title { (name) }
            line.base x1="0" x2="240" y1="11.5" y2="11.5" {}
            @for mark in marks {
                @let (from, height) = (mark.from.clamp(0.0, 1.0) * WIDTH, mark.height.clamp(0.0, 1.0) * 11.0);
                @let broad = (mark.to.clamp(0.0, 1.0) * WIDTH - from).max(1.4);
                rect class={ "m " (mark.tone.class()) } x=(format!("{:.2}", from.min(WIDTH - broad))) y=(format!("{:.1}", 11.0 - height))
                    width=(format!("{broad:.2}")) height=(format!("{height:.1}")) { title { (mark.text) } }
            }
        }
    }
}

/// How much of a whole is used, 0 to 1, as a small bar; the words beside it say the same.
pub fn level(share: f64, class: &str) -> Markup {
    html! {
        svg.level viewBox="0 0 64 4" width="64" height="4" preserveAspectRatio="none" aria-hidden="true" {
            rect.g width="64" height="4" rx="2" {}
            rect class={ "f " (class) } width=(format!("{:.1}", share.clamp(0.0, 1.0) * 64.0)) height="4" rx="2" {}
        }
    }
}

fn numbers(series: &Series) -> Markup {
    html! {
        div.sr { table {
            caption { (series.name) @if let Some((_, name)) = &series.limit { ", " (name) } }
            tbody { @for point in &series.points { tr { th scope="row" { (point.label) } td { (point.text) } } } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_says_its_numbers_and_survives_having_none() {
        let point = Point { label: "22 Nov".into(), value: 3.0, text: "$3".into() };
        let series =
            Series { name: "Cost".into(), points: vec![point], limit: Some((5.0, "limit $5".into())) };
        let html = bars(&series).into_string();
        assert!(html.contains("<th scope=\"row\">22 Nov</th><td>$3</td>") && !html.contains("style="));
        for empty in [bars(&Series::default()), sparkline(&Series::default())] {
            assert!(!empty.into_string().contains("NaN"));
        }
    }
}
