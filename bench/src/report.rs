//! What was measured: a line for each figure, with its goal where it has one, as a table for people, Markdown or JSON.

use serde::Serialize;

use crate::machine::Machine;

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    /// The measurement, as on the command line.
    name: &'static str,
    /// What it is a figure of.
    what: String,
    figure: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<String>,
    /// Whether the goal is met; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

impl Line {
    /// A figure that is stated.
    pub(crate) fn stated(name: &'static str, what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { name, what: what.into(), figure: figure.into(), goal: None, met: None }
    }

    /// Gives the figure its goal.
    pub(crate) fn goal(self, goal: impl Into<String>, met: bool) -> Self {
        Self { goal: Some(goal.into()), met: Some(met), ..self }
    }

    fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        }
    }
}

/// All figures of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    pub(crate) lines: Vec<Line>,
}

impl Report {
    /// Whether every goal is met.
    pub(crate) fn good(&self) -> bool {
        self.lines.iter().all(|line| line.met != Some(false))
    }

    /// The table, as in `docs/performance.md`.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}: {}.\n\n", self.date, self.machine.line());
        if self.quick {
            text.push_str("Measured with `--quick`: shorter, and on a smaller library where it says so.\n\n");
        }
        text.push_str("| measurement | what | figure | goal | |\n|---|---|---|---|---|\n");
        for line in &self.lines {
            let goal = line.goal.as_deref().unwrap_or_default();
            text.push_str(&format!(
                "| {} | {} | {} | {goal} | {} |\n",
                line.name,
                line.what,
                line.figure,
                line.verdict()
            ));
        }
        text
    }
}

/// A line for the terminal, as soon as it is known.
pub(crate) fn said(line: &Line) -> String {
    let goal =
        line.goal.as_ref().map(|goal| format!("   goal {goal}: {}", line.verdict())).unwrap_or_default();
    format!("{:<9} {:<52} {}{goal}", line.name, line.what, line.figure)
}

/// The middle one, the least and the greatest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
        let half = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(at(half.wrapping_sub(1)), at(half))
        } else {
            at(half)
        };
        Self { median, least: at(0), most: at(values.len().wrapping_sub(1)) }
    }

    /// Of many values, where single ones say nothing: the ends are those of the middle half.
    pub(crate) fn of_middle_half(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let quarter = values.len() / 4;
        Self::of(values[quarter..values.len() - quarter].to_vec())
    }

    /// `0.81 (0.79 to 0.83)`.
    pub(crate) fn text(&self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).text(1), "2.5 (1.0 to 4.0)");
        assert_eq!(Spread::of(vec![9.0]).text(0), "9 (9 to 9)");
        let many = (0..100).map(f64::from).chain([1e9]).collect();
        assert_eq!(Spread::of_middle_half(many).text(0), "50 (25 to 75)");
    }
}
