//! Writes the generated parts of `docs/commands.md` and `docs/settings.md` from the tables in the source. Run it by
//! `scripts/docs.sh`; with `--check` it changes nothing and fails when a page differs.

use std::error::Error;
use std::fs;

use pgcache::cache::Access;
use pgcache::commands::{all, help};
use pgcache::server::command::Registration;
use pgcache::settings::{Definition, Scope, ALL};

/// A page, and the blocks that the source writes in it: the name of each, and its text.
type Page = (&'static str, Vec<(String, String)>);

fn main() -> Result<(), Box<dyn Error>> {
    let is_check = std::env::args().nth(1).as_deref() == Some("--check");
    for (path, blocks) in [commands(), settings()] {
        let before = fs::read_to_string(path)?;
        let after = written(&before, &blocks).map_err(|error| format!("{path}: {error}"))?;
        if !is_check {
            fs::write(path, after)?;
        } else if before != after {
            return Err(format!("{path} differs from the source: run scripts/docs.sh").into());
        }
    }
    every_command_stands_in(&fs::read_to_string("README.md")?)
}

fn every_command_stands_in(readme: &str) -> Result<(), Box<dyn Error>> {
    // No client sends it.
    let of_users = |name: &String| name != "PGCACHE.ANNOUNCE";
    let missing = all().iter().map(name).filter(of_users).find(|name| !readme.contains(&format!("`{name}`")));
    missing.map_or(Ok(()), |name| Err(format!("README.md: no line for {name}").into()))
}

/// `page` with each block between its marks. Every block has its marks, and every mark its block.
fn written(page: &str, blocks: &[(String, String)]) -> Result<String, String> {
    const END: &str = "<!-- end -->\n";
    let marks = page.matches("<!-- generated: ").count();
    if marks != blocks.len() {
        return Err(format!("{marks} blocks are marked, and the source has {}", blocks.len()));
    }
    blocks.iter().try_fold(page.to_owned(), |page, (name, text)| {
        let begin = format!("<!-- generated: {name} -->\n");
        let (before, rest) = page.split_once(&begin).ok_or_else(|| format!("no mark {}", begin.trim()))?;
        let (_, after) = rest.split_once(END).ok_or_else(|| format!("no end of {name}"))?;
        Ok(format!("{before}{begin}{text}{END}{after}"))
    })
}

fn commands() -> Page {
    ("docs/commands.md", all().iter().map(|command| (name(command), described(command))).collect())
}

fn name(command: &Registration) -> String {
    command.spec.name().to_uppercase()
}

fn described(command: &Registration) -> String {
    let spec = &command.spec;
    let usage = match command.help {
        [] => help::lines(spec)[0].clone(),
        lines => lines.join("\n"),
    };
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let flags: Vec<String> = text(spec.flags).split(' ').map(|flag| format!("`{flag}`")).collect();
    let categories: Vec<String> = text(spec.categories).split(' ').map(|word| format!("`@{word}`")).collect();
    let rights: Vec<&str> = spec.accesses.iter().copied().map(right).collect();
    let rights = if rights.is_empty() { "none".to_owned() } else { rights.join(", ") };
    format!(
        "{}.\n\n```text\n{usage}\n```\n\n| complexity | flags | categories | right to the cache key |\n|---|---|---|---|\n| {} | {} | {} | {rights} |\n",
        text(spec.summary),
        text(spec.complexity),
        flags.join(" "),
        categories.join(" "),
    )
}

fn right(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
        Access::Delete => "delete",
    }
}

fn settings() -> Page {
    let rows = |is_wanted: fn(&Definition) -> bool| {
        let head = "| setting | default | what it is for | values |\n|---|---|---|---|\n".to_owned();
        ALL.iter().filter(|setting| is_wanted(setting)).fold(head, |table, setting| table + &row(setting))
    };
    let blocks = vec![
        ("settings of each source".to_owned(), rows(|setting| setting.scope == Scope::Source)),
        ("settings of the module".to_owned(), rows(|setting| setting.scope == Scope::Global && !is_for_tests(setting))),
        ("settings for tests".to_owned(), rows(is_for_tests)),
    ];
    ("docs/settings.md", blocks)
}

fn is_for_tests(setting: &Definition) -> bool {
    setting.name == "test_hooks" || setting.is_for_tests()
}

fn row(setting: &Definition) -> String {
    let star = if setting.runtime { " *" } else { "" };
    let default = if setting.default.is_empty() { "(empty)".into() } else { format!("`{}`", setting.default) };
    let hidden = if setting.in_config { "" } else { "; not in CONFIG" };
    format!("| `{}`{star} | {default} | {} | {}{hidden} |\n", setting.name, setting.doc, setting.kind.wanted())
}
