//! 100,000 random spellings of key values: the module and PostgreSQL agree on which of them are equal.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use pgcache::cache::canonical::{rule_for, CanonicalForm, Rule, TypeFacts};
use pgcache::cache::key::LookupKey;
use serde_json::value::RawValue;
use support::{on_every_server, Database, Postgres, Reply, Server};

/// Another seed for each run would find more, and nobody could repeat what it found.
const SEED: u64 = 20_240_229;

/// Spellings of each type that has a rule of our own, and of each type that PostgreSQL is asked about.
const WITH_RULE: usize = 8_000;
const ASKED: usize = 1_000;

/// Spellings of each type that go through a server.
const THROUGH_SERVER: usize = 120;

/// A column type and how to make up values for it.
struct Type {
    sql: &'static str,
    rule: Rule,
    make: fn(&mut Rng) -> String,
}

fn types() -> Vec<Type> {
    let faithful = Rule::ByPostgres { text_is_unique: true };
    let unfaithful = Rule::ByPostgres { text_is_unique: false };
    let of = |sql, rule, make| Type { sql, rule, make };
    vec![
        of("int2", builtin("int2"), integer),
        of("int4", builtin("int4"), integer),
        of("int8", builtin("int8"), integer),
        of("numeric", builtin("numeric"), number),
        of("float4", builtin("float4"), number),
        of("float8", builtin("float8"), number),
        of("bool", builtin("bool"), boolean),
        of("text", builtin("text"), text),
        of("varchar", builtin("varchar"), text),
        of("name", builtin("name"), text),
        of("bpchar", builtin("bpchar"), text),
        of("uuid", builtin("uuid"), uuid),
        of("mood", Rule::Enum, mood),
        of("date", faithful, date),
        of("time", faithful, time),
        of("timetz", faithful, timetz),
        of("timestamp", faithful, timestamp),
        of("timestamptz", faithful, timestamptz),
        of("bytea", faithful, bytea),
        of("inet", faithful, inet),
        of("cidr", faithful, inet),
        of("macaddr", faithful, macaddr),
        of("money", faithful, money),
        of("varbit", faithful, bits),
        of("int4range", faithful, range),
        of("int4[]", faithful, array),
        of("interval", unfaithful, interval),
        of("jsonb", unfaithful, jsonb),
        of("numrange", unfaithful, range),
        of("citext", unfaithful, text),
    ]
}

fn builtin(typname: &str) -> Rule {
    rule_for(&TypeFacts { typname, is_builtin: true, typtype: 'b', element: None, deterministic_collation: true })
}

impl Type {
    fn spellings(&self, count: usize) -> Vec<String> {
        let mut rng = Rng::with_seed(SEED);
        (0..count).map(|_| (self.make)(&mut rng)).collect()
    }

    fn count(&self) -> usize {
        if matches!(self.rule, Rule::ByPostgres { .. }) {
            ASKED
        } else {
            WITH_RULE
        }
    }

    /// What the module makes of a value: its one spelling, or that PostgreSQL must be asked.
    fn spell(&self, json: &str) -> Option<(String, CanonicalForm)> {
        let key = format!("{{\"c\":{json}}}");
        let mut out = Vec::new();
        let spelling = LookupKey::parse(key.as_bytes()).ok()?.write_canonical(&[self.rule], &mut out).ok()?;
        Some((String::from_utf8(out).unwrap(), spelling))
    }
}

/// What PostgreSQL thinks of a spelling.
#[derive(Debug, Clone)]
struct Judged {
    /// Equal values have the same number; `None` for what is no value.
    class: Option<i64>,
    /// As `to_json` prints it.
    text: Option<String>,
}

/// A database with a function that reads a JSON value as a column type, as a table would.
fn oracle() -> Database<'static> {
    let database = Postgres::shared().database();
    database.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'Happy'); CREATE EXTENSION citext");
    for Type { sql, .. } in types() {
        let function = function(sql);
        database.execute(&format!(
            "CREATE FUNCTION {function}(value text) RETURNS {sql} LANGUAGE plpgsql AS $$ BEGIN
               RETURN (SELECT c FROM json_to_recordset(('[{{\"c\":' || value || '}}]')::json) AS (c {sql}));
             EXCEPTION WHEN data_exception THEN RETURN NULL; END $$"
        ));
    }
    database
}

fn function(sql_type: &str) -> String {
    format!("read_{}", sql_type.replace("[]", "_array"))
}

fn judge(database: &Database<'_>, sql_type: &str, spellings: &[String]) -> Vec<Judged> {
    let mut connection = database.connect();
    connection.batch_execute("SET timezone = 'UTC'; SET extra_float_digits = 1").unwrap();
    let sql = format!(
        "SELECT CASE WHEN c IS NOT NULL THEN dense_rank() OVER (ORDER BY c) END, to_json(c)::text
         FROM (SELECT {}(value) AS c, ord FROM unnest($1::text[]) WITH ORDINALITY AS v (value, ord) OFFSET 0) AS read
         ORDER BY ord",
        function(sql_type)
    );
    let rows = connection.query(&sql, &[&spellings]).unwrap();
    rows.iter().map(|row| Judged { class: row.get(0), text: row.get(1) }).collect()
}

#[test]
fn equal_values_have_one_key_and_others_another() {
    let database = oracle();
    let mut total = 0;
    for kind in types() {
        let spellings = kind.spellings(kind.count());
        let judged = judge(&database, kind.sql, &spellings);
        let valid = judged.iter().filter(|judged| judged.class.is_some()).count();
        let classes: HashSet<_> = judged.iter().filter_map(|judged| judged.class).collect();
        // Otherwise the generator is at fault: nothing to tell apart, or nothing equal.
        assert!(valid > spellings.len() / 5, "{}: {valid} of {}", kind.sql, spellings.len());
        assert!(classes.len() > 1 && classes.len() < valid, "{}: {} classes", kind.sql, classes.len());
        compare(&kind, &spellings, &judged);
        total += spellings.len();
    }
    assert!(total >= 100_000, "{total}");
}

fn compare(kind: &Type, spellings: &[String], judged: &[Judged]) {
    let (mut keys, mut classes) = (HashMap::new(), HashMap::new());
    for (json, Judged { class, text }) in spellings.iter().zip(judged) {
        let what = || format!("{} {json}", kind.sql);
        let Some((key, spelling)) = kind.spell(json) else {
            assert_eq!(*class, None, "{}: refused, and PostgreSQL takes it as {text:?}", what());
            continue;
        };
        let (Some(class), Some(text)) = (class, text) else {
            let may_be_spelled = spelling == CanonicalForm::ByPostgres || kind.rule == Rule::Enum;
            assert!(may_be_spelled, "{}: {key}, and PostgreSQL refuses it", what());
            continue;
        };
        // What only PostgreSQL can read is stored under the spelling of what it prints.
        let key = match spelling {
            CanonicalForm::Canonical => key,
            CanonicalForm::ByPostgres => kind.spell(text).unwrap().0,
        };
        let (other_class, other) = keys.entry(key.clone()).or_insert((*class, json));
        assert_eq!(other_class, class, "{} has the key {key} of {other}, which is another value", what());
        if kind.rule.text_is_unique() {
            let (other_key, other) = classes.entry(*class).or_insert((key.clone(), json));
            assert_eq!(*other_key, key, "{} equals {other}, which has another key", what());
        }
    }
}

#[test]
fn a_server_reads_what_postgresql_calls_equal() {
    let database = oracle();
    let judged: Vec<_> = types()
        .into_iter()
        .enumerate()
        .map(|(n, kind)| {
            let spellings = kind.spellings(THROUGH_SERVER);
            let judged = judge(&database, kind.sql, &spellings);
            fill(&database, n, &kind, &spellings[..THROUGH_SERVER / 2]);
            (kind, spellings, judged)
        })
        .collect();
    on_every_server(|server| {
        let server = Server::start(&server, &database);
        for (n, (kind, spellings, judged)) in judged.iter().enumerate() {
            read_all(&server, &database, n, kind, spellings, judged);
        }
    });
}

/// A table `t<n>` whose rows are the values that `spellings` mean.
fn fill(database: &Database<'_>, n: usize, kind: &Type, spellings: &[String]) {
    database.execute(&format!("CREATE TABLE t{n} (id {} PRIMARY KEY)", kind.sql));
    let sql = format!(
        "INSERT INTO t{n} SELECT c FROM unnest($1::text[]) v, {}(v) c WHERE c IS NOT NULL ON CONFLICT DO NOTHING",
        function(kind.sql)
    );
    database.connect().execute(&sql, &[&spellings]).unwrap();
}

/// Reads every spelling twice, and counts the entries that this leaves.
fn read_all(server: &Server, database: &Database<'_>, n: usize, kind: &Type, spellings: &[String], judged: &[Judged]) {
    let table = format!("t{n}");
    let rows = rows(database, n, kind, spellings);
    let mut client = server.client();
    for _ in 0..2 {
        for ((json, row), Judged { class, .. }) in spellings.iter().zip(&rows).zip(judged) {
            let reply = client.read(&table, &format!("{{\"id\":{json}}}"));
            let what = format!("{} {json}", kind.sql);
            match (class, row) {
                (None, _) => assert_eq!(reply.code(), refusal(json), "{what}: {reply:?}"),
                (Some(_), None) => assert_eq!(reply, Reply::Nil, "{what}"),
                (Some(_), Some(row)) => assert_eq!(reply, Reply::Bulk(row.as_bytes().into()), "{what}"),
            }
        }
    }
    let entries = client.call(&["KEYS", &format!("pg_cache:{table}:*")]);
    let is_stored = |row: &Option<String>| row.is_some() || kind.rule.text_is_unique();
    let pairs = judged.iter().zip(&rows);
    let stored: HashSet<_> = pairs.filter(|(_, row)| is_stored(row)).filter_map(|(judged, _)| judged.class).collect();
    let Reply::Array(entries) = entries else { panic!("KEYS answers an array") };
    assert_eq!(entries.len(), stored.len(), "{}: {entries:?}", kind.sql);
}

/// Half a surrogate pair is not JSON; everything else that is no value is JSON at least.
fn refusal(json: &str) -> &'static str {
    let is_half = ["\\ud800", "\\udc00"].iter().any(|half| json.contains(half));
    if is_half {
        "ERR"
    } else {
        "PGBADVALUE"
    }
}

/// The row that each spelling means, by direct SQL.
fn rows(database: &Database<'_>, n: usize, kind: &Type, spellings: &[String]) -> Vec<Option<String>> {
    let mut connection = database.connect();
    connection.batch_execute("SET timezone = 'UTC'; SET extra_float_digits = 1").unwrap();
    let sql = format!(
        "SELECT row_to_json(t)::text FROM unnest($1::text[]) WITH ORDINALITY AS v (value, ord)
         LEFT JOIN t{n} t ON t.id = {}(value) ORDER BY ord",
        function(kind.sql)
    );
    connection.query(&sql, &[&spellings]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn pick<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    choices[rng.usize(..choices.len())]
}

fn rarely(rng: &mut Rng) -> bool {
    rng.u8(..8) == 0
}

/// A JSON string, some of its characters escaped, blanks around it now and then.
fn quoted(rng: &mut Rng, content: &str) -> String {
    let mut json = String::from("\"");
    for c in content.chars() {
        if rarely(rng) || c < ' ' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                json.push_str(&if rng.bool() { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
            }
        } else {
            if matches!(c, '"' | '\\') {
                json.push('\\');
            }
            json.push(c);
        }
    }
    json + pick(rng, &["\"", "\"", "\" ", "\"\t"])
}

/// A JSON string; where the content is JSON already, that as well.
fn scalar(rng: &mut Rng, content: &str) -> String {
    let is_json = content != "null" && serde_json::from_str::<&RawValue>(content).is_ok();
    if is_json && rng.bool() {
        content.trim().to_owned()
    } else {
        quoted(rng, content)
    }
}

/// The same with a character too many now and then.
fn spoilt(rng: &mut Rng, content: &str) -> String {
    let mut content = content.to_owned();
    if rng.u8(..16) == 0 {
        let c = *rng.choice(&[' ', '_', 'x', '-', '+', '.', 'e', '0', '\t', '\u{a0}', 'é', '\u{b}', '\'']).unwrap();
        let places: Vec<usize> = content.char_indices().map(|(at, _)| at).chain([content.len()]).collect();
        content.insert(*rng.choice(&places).unwrap(), c);
    }
    scalar(rng, &content)
}

fn blanks(rng: &mut Rng) -> &'static str {
    pick(rng, &["", "", "", "", " ", "\t", "\n  ", "\u{b}", "\u{c}\r"])
}

fn integer(rng: &mut Rng) -> String {
    let digits = match rng.u8(..8) {
        0 => pick(rng, &["32767", "32768", "2147483647", "2147483648", "9007199254740993"]).to_owned(),
        1 => pick(rng, &["9223372036854775807", "9223372036854775808", "18446744073709551616", ""]).to_owned(),
        2 => pick(rng, &["0x1F", "0b11", "0o17", "1_000", "1.0", "1e2", "abc", "true", "[1]", "{}"]).to_owned(),
        _ => rng.u16(..40).to_string(),
    };
    let sign = pick(rng, &["", "", "", "-", "-", "+", "+-"]);
    let zeros = pick(rng, &["", "", "", "0", "000"]);
    let content = format!("{}{sign}{zeros}{digits}{}", blanks(rng), blanks(rng));
    spoilt(rng, &content)
}

fn number(rng: &mut Rng) -> String {
    if rarely(rng) {
        let word =
            pick(rng, &["NaN", "nan", "Infinity", "-inf", "+INF", "inf", "-Infinity", "infin", "true", "[1]", "-nan"]);
        let content = format!("{}{word}{}", blanks(rng), blanks(rng));
        return spoilt(rng, &content);
    }
    let digits = match rng.u8(..6) {
        0 => pick(rng, &["123456789012345678901234567890", "0.1", "0.100000001490116", "16777217"]).to_owned(),
        1 => {
            pick(rng, &["3.4028235", "3.4028236", "1.7976931348623157", "1.7976931348623159", "4.9", "2.4"]).to_owned()
        }
        2 => format!("{}.{}", rng.u8(..3), rng.u16(..300)),
        3 => format!("0.{:0>width$}", rng.u8(..20), width = rng.usize(1..12)),
        _ => rng.u16(..30).to_string(),
    };
    let zeros =
        if digits.contains('.') { pick(rng, &["", "0", "000"]) } else { pick(rng, &["", "", ".", ".0", ".000"]) };
    let exponent = match rng.u8(..8) {
        0 => pick(rng, &["e38", "e39", "e308", "e309", "e-45", "e-46", "e-324", "e-325", "e131071", "e131073"])
            .to_owned(),
        1 => pick(rng, &["e", "e+", "E-16383", "e-16384", "e-17000", "e99999999999", "e-99999999999"]).to_owned(),
        2 | 3 => {
            format!("{}{}{}", pick(rng, &["e", "E"]), pick(rng, &["", "+", "-", "+0", "-00"]), rng.u8(..4))
        }
        _ => String::new(),
    };
    let sign = pick(rng, &["", "", "", "-", "+"]);
    let lead = pick(rng, &["", "", "", "0", "00"]);
    let content = format!("{}{sign}{lead}{digits}{zeros}{exponent}{}", blanks(rng), blanks(rng));
    spoilt(rng, &content)
}

fn boolean(rng: &mut Rng) -> String {
    let words = [
        "true", "t", "tr", "TRUE", "yes", "y", "Ye", "on", "1", "false", "f", "FALS", "no", "n", "off", "of", "0", "o",
        "2", "10", "00", "tru e", "", "yess", "[true]", "{}", "1.0",
    ];
    let content = format!("{}{}{}", blanks(rng), pick(rng, &words), blanks(rng));
    spoilt(rng, &content)
}

fn text(rng: &mut Rng) -> String {
    const PARTS: [&str; 22] = [
        "a",
        "A",
        "b",
        "é",
        "É",
        "e\u{301}",
        " ",
        "  ",
        "\t",
        "\n",
        "\"",
        "\\",
        "{}",
        "[",
        "'",
        "\u{1}",
        "\u{7f}",
        "\u{1f600}",
        "\u{ff21}",
        "/",
        "1",
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
    ];
    match rng.u8(..24) {
        0 => pick(rng, &["1", "1.0", "true", "[1, 2]", "{\"a\": \"b\"}", "1e5", "[]", "-0"]).to_owned(),
        1 => pick(rng, &[r#""\u0000""#, r#""a\ud800""#, r#""\udc00b""#]).to_owned(),
        _ => {
            let content: String = (0..rng.u8(..5)).map(|_| *rng.choice(&PARTS).unwrap()).collect();
            quoted(rng, &content)
        }
    }
}

fn uuid(rng: &mut Rng) -> String {
    let hex = format!("a0eebc999c0b4ef8bb6d6bb9bd380a{:02x}", rng.u8(..20));
    let mut content = String::new();
    let style = rng.u8(..4);
    for (at, c) in hex.chars().enumerate() {
        let hyphen = match style {
            0 => false,
            1 => at > 0 && at % 4 == 0 && rng.bool(),
            _ => [8, 12, 16, 20].contains(&at),
        };
        content.push_str(if hyphen { "-" } else { "" });
        content.push(if rng.bool() { c.to_ascii_uppercase() } else { c });
    }
    match rng.u8(..16) {
        0..4 => content = format!("{{{content}}}"),
        4 => content = format!("{{{content}"),
        5 => content = format!(" {content}"),
        6 => content.truncate(31),
        _ => {}
    }
    spoilt(rng, &content)
}

fn mood(rng: &mut Rng) -> String {
    let label = pick(rng, &["sad", "ok", "Happy", "Happy", "happy", " ok", "", "1", "[1]"]);
    spoilt(rng, label)
}

fn date(rng: &mut Rng) -> String {
    let (month, day) = (rng.u8(1..4), rng.u8(1..31));
    let name = ["Jan", "feb", "MARCH"][usize::from(month) - 1];
    let content = match rng.u8(..8) {
        0 => format!("2024{month:02}{day:02}"),
        1 => format!("{day} {name} 2024"),
        2 => format!("{name} {day}, 2024"),
        3 => format!("2024-{month}-{day}"),
        4 => format!("2024/{month:02}/{day:02} 10:00"),
        5 => pick(rng, &["infinity", "-infinity", "epoch", "1970-01-01", "0044-03-15 BC", "J2460000"]).to_owned(),
        _ => format!("2024-{month:02}-{day:02}"),
    };
    spoilt(rng, &content)
}

fn time(rng: &mut Rng) -> String {
    let (hour, minute) = (rng.u8(..25), rng.u8(..4) * 20);
    let content = match rng.u8(..6) {
        0 => format!("{hour:02}{minute:02}00"),
        1 => format!("{hour}:{minute:02}:00.000"),
        2 if hour > 12 => format!("{}:{minute:02} PM", hour - 12),
        3 => format!("T{hour:02}:{minute:02}"),
        4 => format!("{hour:02}:{minute:02}:00.0000004"),
        _ => format!("{hour:02}:{minute:02}:00"),
    };
    spoilt(rng, &content)
}

const ZONES: [&str; 10] = ["+00", "Z", "+01", "+01:00", "-05:30", " UTC", "+0530", " -0530", "+01:00:00", "-00"];

fn timetz(rng: &mut Rng) -> String {
    let content = format!("{:02}:{:02}{}", rng.u8(10..13), rng.u8(..3), pick(rng, &ZONES));
    spoilt(rng, &content)
}

fn timestamp(rng: &mut Rng) -> String {
    let content = format!(
        "{}{}{:02}:00{}",
        pick(rng, &["2024-03-01", "20240301", "2024-02-29", "Mar 1, 2024"]),
        pick(rng, &["T", " ", "  "]),
        rng.u8(..26),
        pick(rng, &["", ":00", ":00.0", ":00.5", ":00.50", ":60"])
    );
    spoilt(rng, &content)
}

fn timestamptz(rng: &mut Rng) -> String {
    let zones = [&ZONES[..], &["", " Europe/Berlin", " America/New_York", " CET", " Nowhere/Land"]].concat();
    let content = format!(
        "{} {:02}:{:02}{}",
        pick(rng, &["2024-03-31", "20240331", "2024-07-01"]),
        rng.u8(..24),
        rng.u8(..2) * 30,
        pick(rng, &zones)
    );
    spoilt(rng, &content)
}

fn interval(rng: &mut Rng) -> String {
    let n = rng.u16(..4);
    let content = match rng.u8(..8) {
        0 => format!("{n} days"),
        1 => format!("{}:00:00", n * 24),
        2 => format!("{} hours", n * 24),
        3 => format!("P{n}D"),
        4 => format!("{n} mons"),
        5 => format!("{} days", n * 30),
        6 => format!("{} weeks {} days", n, n * 2),
        _ => format!("{n} years {n} min ago"),
    };
    spoilt(rng, &content)
}

fn bytea(rng: &mut Rng) -> String {
    let byte = rng.u8(..);
    let content = match rng.u8(..4) {
        0 => format!("\\x61{byte:02x}"),
        1 => format!("\\x61{byte:02X}"),
        2 => format!("a\\{byte:03o}"),
        _ => pick(rng, &["ab", "\\x6162", "\\\\", "\\x5c", "a", "", "\\x", "\\x6"]).to_owned(),
    };
    spoilt(rng, &content)
}

fn inet(rng: &mut Rng) -> String {
    let n = rng.u8(..4);
    let content = match rng.u8(..6) {
        0 => format!("10.0.{n}.0"),
        1 => format!("10.0.{n}.0/32"),
        2 => format!("10.0.{n}.0/{}", 22 + n),
        3 => format!("2001:DB8::{n}"),
        4 => format!("2001:db8:0:0:0:0:0:{n}/128"),
        _ => format!("::ffff:10.0.{n}.0"),
    };
    spoilt(rng, &content)
}

fn macaddr(rng: &mut Rng) -> String {
    let n = rng.u8(..20);
    let content = match rng.u8(..5) {
        0 => format!("08:00:2b:01:02:{n:02x}"),
        1 => format!("08-00-2B-01-02-{n:02X}"),
        2 => format!("08002b:0102{n:02x}"),
        3 => format!("0800.2b01.02{n:02x}"),
        _ => format!("08002b0102{n:02x}"),
    };
    spoilt(rng, &content)
}

fn money(rng: &mut Rng) -> String {
    let n = rng.u8(..12);
    let content = match rng.u8(..5) {
        0 => format!("$1,00{}.50", n % 10),
        1 => format!("100{}.5", n % 10),
        2 => format!("(${n})"),
        3 => format!("-{n}.00"),
        _ => format!("{n}.004"),
    };
    spoilt(rng, &content)
}

fn bits(rng: &mut Rng) -> String {
    let n = rng.u8(..16);
    let content = match rng.u8(..4) {
        0 => format!("{n:04b}"),
        1 => format!("b{n:04b}"),
        2 => format!("x{n:x}"),
        _ => format!("{n:b}"),
    };
    spoilt(rng, &content)
}

fn range(rng: &mut Rng) -> String {
    let (low, high) = (rng.u8(..3), rng.u8(2..5));
    let (open, close) = (pick(rng, &["[", "("]), pick(rng, &["]", ")"]));
    let content = match rng.u8(..6) {
        0 => pick(rng, &["empty", "EMPTY", "[,]", "(,)", "[2,2)", "[1,"]).to_owned(),
        1 => format!("{open} {low} , {high} {close}"),
        2 => format!("{open}\"{low}\",0{high}{close}"),
        _ => format!("{open}{low},{high}{close}"),
    };
    spoilt(rng, &content)
}

fn array(rng: &mut Rng) -> String {
    let elements: Vec<String> =
        (0..rng.u8(..3)).map(|_| pick(rng, &["1", "2", "\"1\"", "\" 02\"", "null", "\"x\""]).to_owned()).collect();
    match rng.u8(..8) {
        0 => pick(rng, &["[[1,2]]", "[[1],[2]]", "[[1],2]", "5", "\"x\"", "{}"]).to_owned(),
        1 => format!("[ {} ]", elements.join(" , ")),
        _ => format!("[{}]", elements.join(",")),
    }
}

fn jsonb(rng: &mut Rng) -> String {
    let value = |rng: &mut Rng| pick(rng, &["1", "1.0", "10e-1", "\"1\"", "\"\\u0031\"", "[1, 1.00]", "true", "null"]);
    let (a, b) = (value(rng), value(rng));
    match rng.u8(..6) {
        0 => format!("{{\"a\":{a},\"b\":{b}}}"),
        1 => format!("{{ \"b\" : {b}, \"a\":{a} }}"),
        2 => format!("{{\"a\":0,\"\\u0061\":{a},\"b\":{b}}}"),
        3 => format!("[{a},{b}]"),
        4 => pick(rng, &["{}", "[]", "\"\"", "\"\\u0000\"", "1e400", "{\"\\ud800\":1}"]).to_owned(),
        _ => format!("[{a}, {b} ]"),
    }
}
