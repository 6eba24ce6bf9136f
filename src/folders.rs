//! The folders of `src`, and which of them import which: `cargo test --lib folders -- --nocapture` prints that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each folder with those that it imports. They all stand before it, so that no imports run in a circle.
const IMPORTS: [(&str, &[&str]); 11] = [
    ("cache", &[]),
    ("settings", &[]),
    ("server", &["cache", "settings"]),
    ("postgres", &["cache", "settings"]),
    ("cdc", &["cache", "settings", "postgres"]),
    ("workers", &["cache", "settings", "postgres", "cdc"]),
    ("plugins", &["cache", "settings", "server"]),
    ("http", &["cache", "settings", "plugins"]),
    ("engine", &["cache", "settings", "postgres", "cdc", "workers", "plugins", "http"]),
    ("module", &["cache", "settings", "server", "plugins", "engine"]),
    ("commands", &["cache", "settings", "server", "workers", "plugins", "engine", "module"]),
];

/// What each folder imports of the others, with the files that do.
type Graph = BTreeMap<(String, String), BTreeSet<PathBuf>>;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the source is there");
    entries.map(|entry| entry.expect("it can be read").path()).collect()
}

fn folders() -> BTreeSet<String> {
    let folders = children(&source()).into_iter().filter(|path| path.is_dir());
    folders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}

/// Those of a folder and of what is in it, but for tests, which may stand on anything.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    if folder.ends_with("tests") {
        return vec![];
    }
    let files_of = |path: PathBuf| if path.is_dir() { rust_files(&path) } else { vec![path] };
    let files = children(folder).into_iter().flat_map(files_of);
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The text without lines of comments, which may name anything, and without white space.
fn code_of(text: &str) -> String {
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

/// The name that a path begins with.
fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The names that the paths at the start of `code` begin with: that of `a::B;`, those of `{a::{B, C}, d};`.
fn first_names(code: &str) -> Vec<String> {
    let Some(group) = code.strip_prefix('{') else { return vec![first_name(code)] };
    let (mut names, mut depth) = (vec![first_name(group)], 1);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(first_name(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

/// What follows each `crate::`, and each row of at least `depth` times `super::`, which leads as far.
fn from_the_root(code: &str, depth: usize) -> Vec<&str> {
    let row = "super::".repeat(depth);
    let rests = |start: &str| code.match_indices(start).map(|(at, found)| &code[at + found.len()..]).collect();
    let (mut named, above): (Vec<&str>, Vec<&str>) = (rests("crate::"), rests(&row));
    named.extend(above.into_iter().map(|rest| rest.trim_start_matches("super::")));
    named
}

/// How many modules deep the code of a file of `src` stands: 2 in `engine/ask.rs` and in `engine/queries/mod.rs`.
fn depth_of(file: &Path) -> usize {
    file.components().count() - usize::from(file.ends_with("mod.rs"))
}

fn imports_of(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(source().join(file)).expect("the source can be read");
    from_the_root(&code_of(&text), depth_of(file)).into_iter().flat_map(first_names).collect()
}

fn graph() -> Graph {
    let (source, folders) = (source(), folders());
    let mut graph = Graph::new();
    for folder in &folders {
        for file in rust_files(&source.join(folder)) {
            let file = file.strip_prefix(&source).expect("a file of the source");
            for name in imports_of(file).intersection(&folders).filter(|name| *name != folder) {
                graph.entry((folder.clone(), name.clone())).or_default().insert(file.to_owned());
            }
        }
    }
    graph
}

/// What `IMPORTS` says, as a graph without files.
fn said() -> Graph {
    let edge = |folder: &str, other: &str| ((folder.to_owned(), other.to_owned()), BTreeSet::new());
    IMPORTS.iter().flat_map(|(folder, others)| others.iter().map(move |other| edge(folder, other))).collect()
}

#[test]
fn every_folder_imports_what_is_said_and_nothing_else() {
    let (graph, said) = (graph(), said());
    for ((folder, other), files) in &graph {
        println!("{folder} imports {other} in {} files", files.len());
    }
    let unsaid: Vec<_> = graph.iter().filter(|(edge, _)| !said.contains_key(edge)).collect();
    assert!(unsaid.is_empty(), "IMPORTS does not have these: {unsaid:#?}");
    let gone: Vec<_> = said.keys().filter(|edge| !graph.contains_key(edge)).collect();
    assert!(gone.is_empty(), "nobody imports these any more, delete them from IMPORTS: {gone:?}");
}

#[test]
fn imports_do_not_run_in_a_circle() {
    let mut before = BTreeSet::new();
    for (folder, others) in IMPORTS {
        assert!(others.iter().all(|other| before.contains(other)), "{folder} imports what stands behind it");
        before.insert(folder);
    }
    assert_eq!(before, folders().iter().map(String::as_str).collect());
}

#[test]
fn imports_are_found_however_they_are_written() {
    let names = |text: &str| -> Vec<String> {
        let code = code_of(text);
        let names = from_the_root(&code, 2).into_iter().flat_map(first_names);
        names.filter(|name| !name.is_empty()).collect()
    };
    assert_eq!(names("use crate::a::B;\nlet x = crate::c::d();"), ["a", "c"]);
    assert_eq!(names("use crate::{\n    a::{B, C},\n    d,\n};"), ["a", "d"]);
    assert_eq!(names("use super::super::a::B;\nuse super::b;\nmod tests { use super::super::super::c; }"), ["a", "c"]);
    assert!(names("//! [`crate::a`]\n    // crate::b").is_empty());
}
