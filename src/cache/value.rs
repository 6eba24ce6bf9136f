//! Values: what is told of the cache at work, as plain data that becomes a reply or JSON.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A value with a structure: a map in RESP3, a flat array in RESP2, an object in JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// Yes or no; 1 or 0 in RESP2.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number; in RESP2 its text.
    Double(f64),
    /// A bulk string.
    Text(String),
    /// A bulk string of any bytes.
    Bytes(Vec<u8>),
    /// Values by name.
    Map(Vec<(String, Value)>),
    /// Values in order.
    List(Vec<Value>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

impl Value {
    /// Values by name.
    pub fn map(fields: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Map(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Texts in order.
    pub fn texts<'t>(texts: impl IntoIterator<Item = &'t String>) -> Self {
        Self::List(texts.into_iter().map(|text| Self::from(text.as_str())).collect())
    }

    /// As JSON. Bytes that are no UTF-8 become U+FFFD there.
    pub fn to_json(&self) -> String {
        // Every map has texts as names, so that nothing can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Double(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Self::Map(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
            Self::List(values) => serializer.collect_seq(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_becomes_json() {
        let value = Value::Map(vec![
            ("a\"\n".into(), Value::List(vec![Value::Nil, Value::Bool(true), Value::Integer(-1)])),
            ("b".into(), Value::Double(0.5)),
            ("c".into(), Value::Bytes(b"\xff\0\"".to_vec())),
            ("d".into(), Value::Double(f64::NAN)),
        ]);
        let wanted = r#"{"a\"\n":[null,true,-1],"b":0.5,"c":"�\u0000\"","d":null}"#;
        assert_eq!(value.to_json(), wanted);
    }
}
