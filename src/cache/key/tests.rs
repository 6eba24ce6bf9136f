//! What lookup keys promise.

use super::*;
use proptest::prelude::*;

const ASK: Rule = Rule::ByPostgres { text_is_unique: true };

fn refusal(json: &[u8]) -> String {
    LookupKey::parse(json).unwrap_err().to_string()
}

fn refusal_of_many(json: &str, max: usize) -> String {
    LookupKey::parse_many(json.as_bytes(), max).unwrap_err().to_string()
}

fn canonical(json: &str, rules: &[Rule]) -> (CanonicalForm, String) {
    let mut out = Vec::new();
    let spelling = LookupKey::parse(json.as_bytes()).unwrap().write_canonical(rules, &mut out).unwrap();
    (spelling, String::from_utf8(out).unwrap())
}

#[test]
fn columns_are_sorted_bytewise() {
    let key = LookupKey::parse(br#" { "b" : 1, "a":"x" , "B":[1] , "\u00e9":2 } "#).unwrap();
    assert_eq!(key.columns().collect::<Vec<_>>(), ["B", "a", "b", "é"]);
    assert_eq!(key.len(), 4);
}

#[test]
fn a_plain_key_needs_no_memory_of_its_own() {
    let key = LookupKey::parse(br#"{"id":123,"b":"x"}"#).unwrap();
    assert!(!key.members.spilled());
    assert!(key.members.iter().all(|(name, _)| matches!(name, Cow::Borrowed(_))));
    assert!(matches!(key.text_of(0), Ok(Cow::Borrowed("x"))));
}

#[test]
fn what_is_no_object_is_refused() {
    for json in ["[]", "1", "\"x\"", "null", " true ", "[{}]"] {
        assert_eq!(refusal(json.as_bytes()), "ERR lookup key must be a JSON object such as {\"id\":1}");
    }
    assert_eq!(refusal(b"{}"), "ERR lookup key must name at least one column");
}

#[test]
fn what_is_no_json_is_refused() {
    for json in [
        "",
        " ",
        "{",
        "{\"id\"}",
        "{\"id\":}",
        "{\"id\":1,}",
        "{id:1}",
        "{\"id\":1} x",
        "{\"id\":1}{",
        "{\"id\":01}",
        "nul",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":NaN}",
        "{\"id\":1}\0",
        "\u{feff}{\"id\":1}",
    ] {
        let hint = "in a shell, put it between single quotes, such as '{\"id\":1}'";
        assert_eq!(refusal(json.as_bytes()), format!("ERR lookup key is not valid JSON: {hint}"), "{json}");
    }
    assert_eq!(refusal(b"{\"id\":\"\xff\"}"), "ERR lookup key is not valid UTF-8");
}

#[test]
fn a_column_is_named_once() {
    assert_eq!(refusal(br#"{"a":1,"b":2,"\u0061":1}"#), "ERR lookup key names column \"a\" twice");
}

#[test]
fn null_is_no_value() {
    assert_eq!(refusal(br#"{"a":1,"b":null}"#), "ERR lookup key has null for column \"b\": null matches no row");
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for json in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#, r#"{"a":["\ud800\ud800"]}"#] {
        assert_eq!(refusal(json.as_bytes()), "ERR lookup key holds half a UTF-16 surrogate pair");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(LookupKey::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(refusal(nested(MAX_DEPTH + 1).as_bytes()), "ERR lookup key nests deeper than 32 levels in column \"a\"");
    assert!(refusal(nested(30_000).as_bytes()).contains("nests deeper"));
    assert!(refusal(nested(200_000).as_bytes()).contains("longer than 65536 bytes"));
    assert!(refusal("{".repeat(60_000).as_bytes()).contains("not valid JSON"));
}

#[test]
fn length_is_bounded() {
    let long = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    assert!(LookupKey::parse(long(MAX_KEY_BYTES).as_bytes()).is_ok());
    assert_eq!(refusal(long(MAX_KEY_BYTES + 1).as_bytes()), "ERR lookup key is longer than 65536 bytes");
}

#[test]
fn many_keys_come_in_their_order() {
    let keys = LookupKey::parse_many(br#" [ {"id":2} , {"id":1},{"id":2}] "#, 3).unwrap();
    let texts: Vec<_> = keys.iter().map(|key| key.text_of(0).unwrap()).collect();
    assert_eq!(texts, ["2", "1", "2"]);
    assert!(LookupKey::parse_many(b"[]", 0).unwrap().is_empty());
}

#[test]
fn an_element_that_is_no_key_is_named() {
    let prefix = "ERR lookup key at index 1 (the first is 0) ";
    assert_eq!(
        refusal_of_many(r#"[{"a":1},{"a":null},3]"#, 9),
        format!("{prefix}has null for column \"a\": null matches no row")
    );
    assert_eq!(refusal_of_many(r#"[{"a":1},[]]"#, 9), format!("{prefix}must be a JSON object such as {{\"id\":1}}"));
    assert!(refusal_of_many(r#"[{"a":1},{"a":1,"a":1}]"#, 9).starts_with(prefix));
    assert!(refusal_of_many(r#"[{"a":1},{"a":"\ud800"}]"#, 9).starts_with(prefix));
    let place = "ERR lookup keys are not valid JSON, at or after index 1 (the first is 0): in a shell,";
    assert!(refusal_of_many(r#"[{"a":1},{"a":}]"#, 9).starts_with(place));
}

#[test]
fn the_array_itself_is_checked() {
    let example = r#"[{"id":1},{"id":2}]"#;
    assert_eq!(
        refusal_of_many("{\"a\":1}", 9),
        format!("ERR lookup keys must be a JSON array of objects such as {example}")
    );
    assert!(refusal_of_many("{a:1}", 9).ends_with(&format!("single quotes, such as '{example}'")));
    for json in ["[", "[{\"a\":1}", "[{\"a\":1},]", "[{\"a\":1}] x", "[]]"] {
        assert!(refusal_of_many(json, 9).starts_with("ERR lookup keys are not valid JSON"), "{json}");
    }
    assert_eq!(
        refusal_of_many(r#"[{"a":1},{"a":2},!"#, 1),
        "ERR more lookup keys than max_multiread_keys (1): ask for fewer at once, or raise it"
    );
    assert!(LookupKey::parse_many(b"[\"\xff\"]", 9).is_err());
    assert!(LookupKey::parse_many("[".repeat(2_000_000).as_bytes(), 9).is_err());
    let deep = format!("[{{\"a\":{}{}}}]", "[".repeat(200_000), "]".repeat(200_000));
    assert!(refusal_of_many(&deep, 9).contains("longer than 65536 bytes"));
}

#[test]
fn every_spelling_of_a_key_is_one() {
    let rules = [Rule::Text, Rule::INT8];
    for json in [r#"{"b":1,"a":"x"}"#, r#" { "a" : "\u0078" , "b" : "1" } "#, r#"{"\u0062":" +01","a":"x"}"#] {
        assert_eq!(canonical(json, &rules), (CanonicalForm::Canonical, r#"{"a":"x","b":1}"#.into()));
    }
}

#[test]
fn one_value_to_ask_makes_a_key_to_ask() {
    let (spelling, text) = canonical(r#"{"b":[ 1 ],"a":"7"}"#, &[Rule::INT4, ASK]);
    assert_eq!((spelling, text.as_str()), (CanonicalForm::ByPostgres, r#"{"a":7,"b":[ 1 ]}"#));
}

#[test]
fn a_bad_value_names_its_column() {
    let key = LookupKey::parse(br#"{"id":1.5}"#).unwrap();
    let error = key.write_canonical(&[Rule::INT4], &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "PGBADVALUE column \"id\": an integer is expected");
    assert!(key.write_canonical(&[], &mut Vec::new()).is_err());
}

#[test]
fn names_are_escaped() {
    let (_, text) = canonical(r#"{"a\"\\\u0007é":1}"#, &[Rule::INT4]);
    assert_eq!(text, r#"{"a\"\\\u0007é":1}"#);
}

#[test]
fn texts_are_what_an_input_function_gets() {
    let key = LookupKey::parse(br#"{"a":1.50,"b":true,"c":"x\ny","d":[ 1 ],"e":"\u0000"}"#).unwrap();
    let texts: Vec<_> = (0..4).map(|index| key.text_of(index).unwrap()).collect();
    assert_eq!(texts, ["1.50", "true", "x\ny", "[ 1 ]"]);
    assert!(key.text_of(4).unwrap_err().to_string().starts_with("PGBADVALUE column \"e\""));
    assert!(key.text_of(5).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = (LookupKey::parse(&bytes), LookupKey::parse_many(&bytes, 3));
    }

    #[test]
    fn likely_text_is_read_or_refused(text in "[\\[\\]{}\":,\\\\u0da1n é-]{0,40}") {
        let _ = (LookupKey::parse(text.as_bytes()), LookupKey::parse_many(text.as_bytes(), 3));
    }

    #[test]
    fn whatever_is_taken_is_an_object_for_everyone(text in "\\{\"(a|\\\\u00[46]1)\":(1|\"\\\\u[d0][89c0]0[01]\"|\\[1 ,2\\]|null|tru)(,\"b\":2)?\\}? ?") {
        if let Ok(key) = LookupKey::parse(text.as_bytes()) {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(key.len(), value.as_object().unwrap().len());
        }
    }

    #[test]
    fn a_canonical_key_is_its_own_canonical_key(a: i64, b: String, c: f64) {
        prop_assume!(c.is_finite() && !b.contains('\0'));
        let rules = [Rule::INT8, Rule::Text, Rule::Float8, ASK];
        let json = serde_json::json!({"d": [a, b], "c": c, "b": b, "a": a.to_string()}).to_string();
        let (spelling, once) = canonical(&json, &rules);
        prop_assert_eq!(spelling, CanonicalForm::ByPostgres);
        prop_assert_eq!(canonical(&once, &rules).1, once.as_str());
    }

    #[test]
    fn a_row_that_was_found_has_the_key_that_found_it(a: i64, b: String) {
        prop_assume!(!b.contains('\0'));
        let rules = [Rule::INT8, Rule::Text];
        let text = serde_json::to_string(&b).unwrap();
        let asked = canonical(&format!("{{\"b\":{text},\"a\":\"{a}\"}}"), &rules).1;
        let mut own = Vec::new();
        write_canonical_row(&["a", "b"], &rules, &[a.to_string(), text], &mut own).unwrap();
        prop_assert_eq!(own, asked.into_bytes());
    }
}
