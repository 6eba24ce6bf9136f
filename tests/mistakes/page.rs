//! The table of mistakes in docs/operations.md.

use std::fs;
use std::path::PathBuf;

use super::Answer;

const BEGIN: &str = "<!-- generated: mistakes -->\n";
const END: &str = "<!-- end -->\n";
const HEAD: &str = "| mistake | what was typed | what is answered |\n|---|---|---|\n";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")
}

/// What stands before the table, in it, and behind it.
fn parts(page: &str) -> (&str, &str, &str) {
    let (before, rest) = page.split_once(BEGIN).expect("the mark of the table");
    let (table, after) = rest.split_once(END).expect("the end of the table");
    (before, table, after)
}

/// The rows that the page has.
pub fn rows() -> Vec<String> {
    let page = fs::read_to_string(path()).unwrap();
    parts(&page).1.lines().skip(HEAD.lines().count()).map(str::to_owned).collect()
}

/// Writes the table anew.
pub fn write(answers: &[Answer]) {
    let page = fs::read_to_string(path()).unwrap();
    let (before, _, after) = parts(&page);
    let rows: String = answers.iter().map(|answer| answer.row() + "\n").collect();
    fs::write(path(), format!("{before}{BEGIN}{HEAD}{rows}{END}{after}")).unwrap();
}
