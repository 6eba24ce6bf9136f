//! Settings: lines of words. `name value` is an argument, `$NAME value` a variable of the environment, `>name value` a change at run time,
//! and `?pattern text` a pattern.

use std::ffi::OsString;

use pgcache::settings::{glob, load, AllowTables, Definition, Settings, ALL};

/// What no text may show.
const SECRET: &str = "Xq7-hidden-Xq7";

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.contains(SECRET) {
        return;
    }
    let (mut arguments, mut variables, mut changes) =
        (Vec::new(), vec![variable("PGCACHE_PG_PASSWORD", SECRET)], Vec::new());
    for line in text.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        match name.split_at_checked(1) {
            Some(("$", name)) => variables.push(variable(name, value)),
            Some((">", name)) => changes.push((name, value)),
            Some(("?", pattern)) => a_pattern_matches_what_it_says(pattern, value),
            _ => arguments.extend([name.to_owned(), value.to_owned()]),
        }
    }
    let loaded = match load(&arguments, variables) {
        Ok(loaded) => loaded,
        Err(error) => return is_one_line(&error.to_string()),
    };
    loaded.warnings.iter().for_each(|warning| hides_the_secret(warning));
    hold(&loaded.settings, text.len());
    let mut settings = loaded.settings;
    for (name, value) in changes {
        match settings.with(name, value) {
            Ok(changed) => {
                hold(&changed, text.len());
                let is_kept = changed.show(name) == value || Definition::named(name).is_none_or(Definition::is_secret);
                assert!(is_kept, "{name} is {:?} and not {value:?}", changed.show(name));
                settings = changed;
            }
            Err(error) => is_one_line(&error.to_string()),
        }
    }
}

fn variable(name: &str, value: &str) -> (OsString, OsString) {
    (name.into(), value.into())
}

/// An error is one line for the log, and shows no secret.
fn is_one_line(error: &str) {
    assert!(!error.contains(char::is_control), "{error:?}");
    hides_the_secret(error);
}

fn hides_the_secret(text: &str) {
    assert!(!text.contains(SECRET), "{text}");
}

/// Every setting has a value that it takes, and setting one to what it is changes nothing.
fn hold(settings: &Settings, chosen: usize) {
    hides_the_secret(&format!("{settings:?}"));
    for definition in ALL.iter().filter(|definition| !definition.is_secret()) {
        let value = settings.show(definition.name);
        assert_eq!(definition.check(definition.name, &value).map_err(|error| error.to_string()), Ok(()));
    }
    // One of them, or this would take most of the time.
    let definition = &ALL[chosen % ALL.len()];
    let value = settings.show(definition.name);
    let same = settings.with(definition.name, &value).expect("it has this value");
    assert_eq!(same.show(definition.name), value);
    assert_eq!(settings.show("pg_password"), "");
    let tables = &settings.sources[0].allow_tables;
    assert!(!tables.allows("pg_catalog", "pg_authid", "pg_authid") && !tables.allows("pg_toast", "x", "pg_toast.x"));
}

/// Against the definition of a pattern, by dynamic programming.
fn a_pattern_matches_what_it_says(pattern: &str, text: &str) {
    let (wanted, found): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let mut reach = vec![false; found.len() + 1];
    reach[0] = true;
    for sign in wanted {
        let mut next = vec![false; found.len() + 1];
        for at in 0..=found.len() {
            next[at] = match sign {
                '*' => reach[at] || (at > 0 && next[at - 1]),
                _ => at > 0 && reach[at - 1] && (sign == '?' || sign == found[at - 1]),
            };
        }
        reach = next;
    }
    assert_eq!(glob(pattern, text), reach[found.len()], "{pattern:?} and {text:?}");
    assert!(!AllowTables::parse(pattern).allows("information_schema", text, text));
}
