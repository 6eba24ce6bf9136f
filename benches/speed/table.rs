//! The figures as a table, for the terminal and for `docs/performance.md`.

use crate::figure::Figure;
use crate::number::shown;
use crate::record::Record;

const BEGIN: &str = "<!-- speed: written by `make bench PUBLISH=1` -->\n";
const END: &str = "<!-- speed: end -->\n";

/// For the terminal: every server with all of its figures.
pub fn plain(record: &Record) -> String {
    let mut text = String::new();
    for (server, figures) in record.servers() {
        let heads = ["pgcache", "other side", "unit", "ratio", "at least", "aim"];
        text += &format!("\n{server:<66}{}\n", cells(&heads.map(String::from)));
        for figure in figures {
            let [ratio, least, aim] = figure.texts();
            let pair = figure.pair;
            let row = [shown(pair.ours), shown(pair.theirs), figure.unit.clone(), ratio, least, aim];
            text += &format!("{:<66}{} {}\n", figure.name, cells(&row), figure.verdict());
        }
    }
    text
}

fn cells(texts: &[String; 6]) -> String {
    texts.iter().zip([12, 12, 9, 8, 9, 6]).map(|(text, width)| format!("{text:>width$}")).collect()
}

/// For `docs/performance.md`: the first server's figures, and the ratios of the others.
pub fn markdown(record: &Record) -> String {
    let Some(((first, figures), others)) = record.servers().split_first() else { return String::new() };
    let mut heads = vec!["figure".to_owned(), "pgcache".into(), "other side".into(), format!("ratio, {first}")];
    heads.extend(others.iter().map(|(name, _)| name.clone()));
    heads.extend(["at least".into(), "aim".into()]);
    let mut text = line(&heads) + &line(&vec!["---".to_owned(); heads.len()]);
    for figure in figures {
        let [ratio, least, aim] = figure.texts();
        let unit = &figure.unit;
        let side = |number: f64| if number.is_nan() { String::new() } else { with_unit(number, unit) };
        let mut row = vec![figure.name.clone(), side(figure.pair.ours), side(figure.pair.theirs), ratio];
        row.extend(others.iter().map(|(_, figures)| ratio_of(figures, figure)));
        row.extend([least, aim]);
        text += &line(&row);
    }
    text
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn with_unit(number: f64, unit: &str) -> String {
    let space = if unit.starts_with('/') { "" } else { " " };
    format!("{}{space}{unit}", shown(number))
}

/// The ratio of the same figure among those of another server.
fn ratio_of(figures: &[Figure], wanted: &Figure) -> String {
    let same = figures.iter().find(|figure| figure.name == wanted.name);
    same.map(|figure| figure.texts()[0].clone()).unwrap_or_default()
}

/// `page` with `table` between the two marks.
pub fn put_into(page: &str, table: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("the page has the mark where the figures begin");
    let (_, after) = rest.split_once(END).expect("the page has the mark where the figures end");
    format!("{before}{BEGIN}{table}{END}{after}")
}
