//! Cells of CSV on their way out, and back in: quotes where RFC 4180 needs them, and no cell that a spreadsheet takes for a
//! formula. It knows nothing of what the columns mean.
//!
//! People send others' text in these files: names, prompts, what a browser calls itself. A spreadsheet runs text that begins
//! with `=`, `+`, `-` or `@`, so that such a cell gets an apostrophe in front. [`read`] takes it off again, and nothing else.

/// One row with its line break.
pub fn row<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(text.as_ref())).collect();
    cells.join(",") + "\r\n"
}

/// One cell as it is written.
pub fn cell(text: &str) -> String {
    let guard = if is_formula(text) { "'" } else { "" };
    let bare = text.trim() == text && !text.contains([',', ';', '\t', '"', '\n', '\r']);
    if bare { format!("{guard}{text}") } else { format!("\"{guard}{}\"", text.replace('"', "\"\"")) }
}

/// The text of a cell that [`cell`] wrote, its quotes taken off already.
pub fn read(mut cell: String) -> String {
    if cell.starts_with('\'') && is_formula(&cell) {
        cell.remove(0);
    }
    cell
}

/// Whether a spreadsheet would run this. Apostrophes in front count as one of ours, so that what is written reads back the same
/// whatever it begins with.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_survive_commas_and_spreadsheets() {
        for (text, written) in [
            ("Ana", "Ana"),
            ("Núñez, \"Ana\"", "\"Núñez, \"\"Ana\"\"\""),
            ("=HYPERLINK(\"http://evil\")", "\"'=HYPERLINK(\"\"http://evil\"\")\""),
            ("=1+1", "'=1+1"),
            ("-1", "'-1"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("a,b\nc", "\"a,b\nc\""),
        ] {
            assert_eq!(cell(text), written);
        }
        assert_eq!(row(["a", "b c"]), "a,b c\r\n");
    }

    proptest! {
        #[test]
        fn no_cell_is_a_formula_and_each_reads_back(text in "['=+@a \"\\n-]{0,6}") {
            let written = cell(&text);
            let inside = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&written);
            prop_assert!(!inside.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{}", written);
            prop_assert_eq!(read(inside.replace("\"\"", "\"")), text);
        }
    }
}
