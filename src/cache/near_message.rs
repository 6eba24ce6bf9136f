//! Messages to near caches: what they have to forget.

use super::canonical::write_string;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearMessage<'a> {
    /// Rows of a table, each by its canonical lookup keys.
    Rows {
        /// As it stands in cache keys.
        table: &'a str,
        /// All unique keys that are known of them.
        keys: &'a [Vec<u8>],
    },
    /// All of a table, and what reads it.
    Table(&'a str),
    /// What queries with this tag have brought.
    Tag(&'a str),
    /// What the query of this name has brought.
    Query(&'a str),
    /// Everything.
    All,
}

impl NearMessage<'_> {
    /// The message as one JSON object. Lookup keys are texts in it, so that whoever reads it compares the very bytes.
    pub fn to_json(self, run: &str, seq: u64) -> Vec<u8> {
        let mut json = format!(r#"{{"run":"{run}","seq":{seq},"#).into_bytes();
        match self {
            Self::Rows { table, keys } => {
                write_member("table", table, &mut json);
                json.extend_from_slice(b",\"keys\":[");
                write_keys(keys, &mut json);
                json.push(b']');
            }
            Self::Table(table) => write_member("table", table, &mut json),
            Self::Tag(tag) => write_member("tag", tag, &mut json),
            Self::Query(name) => write_member("query", name, &mut json),
            Self::All => json.extend_from_slice(b"\"all\":true"),
        }
        json.push(b'}');
        json
    }
}

fn write_member(name: &str, text: &str, json: &mut Vec<u8>) {
    write_string(name, json);
    json.push(b':');
    write_string(text, json);
}

fn write_keys(keys: &[Vec<u8>], json: &mut Vec<u8>) {
    // Lookup keys are JSON, and so UTF-8.
    for (index, key) in keys.iter().filter_map(|key| std::str::from_utf8(key).ok()).enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write_string(key, json);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{json, Value};

    fn read(message: NearMessage<'_>) -> Value {
        serde_json::from_slice(&message.to_json("a1", 7)).unwrap()
    }

    #[test]
    fn lookup_keys_are_texts() {
        let keys = [br#"{"id":1.50}"#.to_vec(), br#"{"name":"a\"b"}"#.to_vec()];
        let message = NearMessage::Rows { table: "\"A b\"", keys: &keys };
        let wanted =
            json!({"run": "a1", "seq": 7, "table": "\"A b\"", "keys": ["{\"id\":1.50}", "{\"name\":\"a\\\"b\"}"]});
        assert_eq!(read(message), wanted);
        let none = NearMessage::Rows { table: "t", keys: &[] };
        assert_eq!(read(none), json!({"run": "a1", "seq": 7, "table": "t", "keys": []}));
    }

    #[test]
    fn each_message_names_what_has_changed() {
        assert_eq!(read(NearMessage::Table("t")), json!({"run": "a1", "seq": 7, "table": "t"}));
        assert_eq!(read(NearMessage::Tag("x")), json!({"run": "a1", "seq": 7, "tag": "x"}));
        assert_eq!(read(NearMessage::Query("top")), json!({"run": "a1", "seq": 7, "query": "top"}));
        assert_eq!(read(NearMessage::All), json!({"run": "a1", "seq": 7, "all": true}));
    }
}
