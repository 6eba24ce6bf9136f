//! Lookup keys: a letter that chooses the type of the columns, and JSON. What we make of it is what PostgreSQL makes of it.

use pgcache::cache::canonical::{CanonicalForm, Rule};
use pgcache::cache::key::{after_spaces, write_canonical_row, FastPath, LookupKey, MAX_DEPTH, MAX_KEY_BYTES};

use crate::oracle;

/// The rules, each with the function by which PostgreSQL reads a value of such a column.
const RULES: [(Rule, &str); 13] = [
    (Rule::INT4, "read_int4"),
    (Rule::INT2, "read_int2"),
    (Rule::INT8, "read_int8"),
    (Rule::Numeric, "read_numeric"),
    (Rule::Float4, "read_float4"),
    (Rule::Float8, "read_float8"),
    (Rule::Bool, "read_bool"),
    (Rule::Text, "read_text"),
    (Rule::Name, "read_name"),
    (Rule::Bpchar, "read_bpchar"),
    (Rule::Uuid, "read_uuid"),
    (Rule::Enum, "read_mood"),
    (Rule::ByPostgres { text_is_unique: false }, ""),
];

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let Some((letter, json)) = bytes.split_first() else { return };
    let (rule, reader) = RULES[usize::from(letter.wrapping_sub(b'a')) % RULES.len()];
    let key = LookupKey::parse(json);
    in_an_array_it_is_the_same(json, key.is_ok());
    if let Ok(key) = &key {
        names_are_sorted(key);
        the_canonical_key_is_its_own(key, rule, json);
    }
    postgresql_agrees(json, key.as_ref().map_err(ToString::to_string));
    if let Ok(key) = &key {
        postgresql_reads_the_same_value(key, rule, reader);
    }
}

fn in_an_array_it_is_the_same(json: &[u8], is_key: bool) {
    let array = [b"[", json, b"]"].concat();
    match LookupKey::parse_many(&array, 1) {
        Ok(keys) => assert!(keys.is_empty() || is_key, "only an array takes it"),
        Err(error) => assert!(!is_key, "only an array refuses it: {error}"),
    }
    let two = [b"[", json, b",", json, b"]"].concat();
    if is_key {
        assert_eq!(LookupKey::parse_many(&two, 2).map(|keys| keys.len()).ok(), Some(2));
        assert!(LookupKey::parse_many(&two, 1).is_err(), "more than max_multiread_keys");
    }
}

fn names_are_sorted(key: &LookupKey<'_>) {
    let names: Vec<&str> = key.columns().collect();
    assert!(!names.is_empty() && names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
}

fn written(key: &LookupKey<'_>, rule: Rule) -> Option<(Vec<u8>, CanonicalForm)> {
    let mut out = Vec::new();
    let form = key.write_canonical(&vec![rule; key.len()], &mut out).ok()?;
    Some((out, form))
}

/// Written once more it stays what it is, and the way of one scan leads to the same.
fn the_canonical_key_is_its_own(key: &LookupKey<'_>, rule: Rule, json: &[u8]) {
    let fast = FastPath::new(key.columns().map(|name| (name, rule)));
    let mut copied = Vec::new();
    let is_copied = fast.copy(json, &mut copied).is_some_and(|rest| after_spaces(rest).is_empty());
    let Some((canonical, form)) = written(key, rule) else {
        return assert!(!is_copied, "only the scan takes it");
    };
    let again = LookupKey::parse_written(&canonical).expect("what was written is read");
    assert!(again.columns().eq(key.columns()));
    let rewritten = written(&again, rule).expect("it is written again");
    assert_eq!((String::from_utf8_lossy(&rewritten.0), rewritten.1), (String::from_utf8_lossy(&canonical), form));
    if is_copied {
        assert_eq!((&copied, form), (&canonical, CanonicalForm::Canonical), "the scan writes the same");
        if let Some(texts) = fast.texts(&canonical) {
            let parsed = (0..key.len()).map(|index| again.text_of(index).expect("it has a text"));
            assert!(texts.iter().map(|text| &**text).eq(parsed.collect::<Vec<_>>().iter().map(|text| &**text)));
        }
    }
}

/// What PostgreSQL says of an object.
struct Members {
    refused: String,
    refused_as_jsonb: String,
    names: Vec<String>,
    texts: Vec<Option<String>>,
}

fn members(json: &str) -> Option<Members> {
    let row = oracle::ask("SELECT * FROM pg_temp.members($1)", &[&json])?;
    Some(Members {
        refused: row.get(0),
        names: row.get::<_, Option<_>>(1).unwrap_or_default(),
        texts: row.get::<_, Option<_>>(2).unwrap_or_default(),
        refused_as_jsonb: row.get(3),
    })
}

/// The same bytes are an object for both, with the same names and texts; or there is a reason why they are no lookup key.
fn postgresql_agrees(json: &[u8], key: Result<&LookupKey<'_>, String>) {
    let text = std::str::from_utf8(json).ok().filter(|text| !text.contains('\0'));
    let Some(text) = text else { return assert!(key.is_err(), "no text of PostgreSQL's") };
    let Some(told) = members(text) else { return };
    match key {
        Err(error) => assert!(!told.refused.is_empty() || is_stricter(&error, &told, text), "{error}"),
        Ok(key) if told.refused == "22P05" => assert!(holds_nul(key), "PostgreSQL finds \\u0000"),
        Ok(key) => {
            assert_eq!(told.refused, "", "PostgreSQL refuses it");
            let mut theirs: Vec<_> = told.names.into_iter().zip(told.texts).collect();
            theirs.sort();
            let texts = (0..key.len()).map(|index| key.text_of(index).ok().map(Into::into));
            let ours: Vec<(String, Option<String>)> = key.columns().map(str::to_owned).zip(texts).collect();
            assert_eq!(ours, theirs);
            let jsonb = told.refused_as_jsonb.as_str();
            // A number that no numeric holds, and \u0000, which json only lets pass.
            assert!(matches!(jsonb, "" | "22003" | "22P05"), "as jsonb: {jsonb}");
        }
    }
}

fn holds_nul(key: &LookupKey<'_>) -> bool {
    let holds = |value: &str| value.contains("\\u0000");
    key.columns().any(|name| name.contains('\0')) || key.members().any(|(_, value)| holds(value.get()))
}

/// Whether a lookup key is less than what PostgreSQL reads, for the reason that `error` gives.
fn is_stricter(error: &str, told: &Members, json: &str) -> bool {
    let mut names = told.names.clone();
    names.sort();
    let brackets = json.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    match () {
        () if error.contains("twice") => names.windows(2).any(|pair| pair[0] == pair[1]),
        () if error.contains("null matches no row") => told.texts.contains(&None),
        () if error.contains("at least one column") => names.is_empty(),
        () if error.contains("surrogate") => !told.refused_as_jsonb.is_empty(),
        () if error.contains("longer than") => json.len() > MAX_KEY_BYTES,
        () => error.contains("nest") && brackets > MAX_DEPTH,
    }
}

/// A value of ours is the same value to the column's type, and what we refuse the type refuses.
fn postgresql_reads_the_same_value(key: &LookupKey<'_>, rule: Rule, reader: &str) {
    let Some((_, value)) = key.members().next().filter(|_| !reader.is_empty()) else { return };
    let Some(row) = oracle::ask(&format!("SELECT pg_temp.{reader}($1)"), &[&value.get()]) else { return };
    let printed: Option<String> = row.get(0);
    let mut ours = b"{\"c\":".to_vec();
    match (rule.write("c", value, &mut ours), printed) {
        (Ok(CanonicalForm::ByPostgres), _) | (Err(_), None) => {}
        // The label of another enum.
        (Ok(CanonicalForm::Canonical), None) if rule == Rule::Enum => {}
        (Ok(CanonicalForm::Canonical), None) => panic!("the type has no such value"),
        (Err(error), Some(printed)) => panic!("{error}, and the type reads it as {printed}"),
        (Ok(CanonicalForm::Canonical), Some(printed)) => {
            ours.push(b'}');
            let mut theirs = Vec::new();
            write_canonical_row(&["c"], &[rule], &[&printed], &mut theirs).expect("what PostgreSQL prints");
            assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs), "PostgreSQL prints {printed}");
        }
    }
}
