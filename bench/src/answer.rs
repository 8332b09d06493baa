//! The answer on standard output. A reader that goes away early, as `head` does, is no error.

use std::io::Write as _;

use crate::exit::{Done, OrFail as _, Outcome};

/// Writes the answer whole, with a line end.
pub(crate) fn print(text: &str) -> Done {
    let mut out = std::io::stdout().lock();
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    match out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(line_end.as_bytes()))
        .and_then(|()| out.flush())
    {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.or_fail(Outcome::Io),
    }
}

/// Writes the answer as JSON for programs.
pub(crate) fn json(value: &impl serde::Serialize) -> Done {
    print(&serde_json::to_string_pretty(value).or_fail(Outcome::Io)?)
}

/// Columns aligned for people: the first row is the head.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let pad = width(column).unwrap_or(0) - cell.chars().count();
            format!("{cell}{}", " ".repeat(pad))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_lines_end_clean() {
        let rows = vec![
            vec!["id".to_owned(), "name".to_owned()],
            vec!["cuda:0".to_owned(), "x".to_owned()],
        ];
        assert_eq!(columns(&rows), "id      name\ncuda:0  x");
    }
}
