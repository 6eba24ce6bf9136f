//! Parameters: from a JSON array to the texts that PostgreSQL's input functions read.

use std::error::Error as StdError;

use ::postgres::types::{to_sql_checked, Format, IsNull, Kind, ToSql, Type};
use bytes::BytesMut;
use serde_json::value::RawValue;

use super::array_literal::ArrayLiteral;
use crate::cache::table::Clock;
use crate::cache::Error;

/// The values of a query's parameters, as the client wrote them.
#[derive(Debug)]
pub struct Parameters<'a> {
    values: Vec<&'a RawValue>,
}

impl<'a> Parameters<'a> {
    /// Reads `json`, which is an array.
    ///
    /// # Errors
    /// `ERR`: it is not.
    pub fn parse(json: &'a str, title: &str) -> Result<Self, Error> {
        let values = serde_json::from_str(json)
            .map_err(|_| Error::malformed(format!("{title}: the parameters are not a JSON array")))?;
        Ok(Self { values })
    }

    /// The texts that are sent to a statement with parameters of these types.
    ///
    /// # Errors
    /// `ERR`: another number of parameters; `PGBADVALUE`: a value that is no text of PostgreSQL's.
    pub fn texts(&self, types: &[Type], title: &str) -> Result<Vec<Text>, Error> {
        let (given, taken) = (self.values.len(), types.len());
        if given != taken {
            let text = format!("wrong number of parameters: {title} takes {taken}, {given} given; they are a JSON array, such as [1,\"a\"]");
            return Err(Error::malformed(text));
        }
        let texts = self.values.iter().zip(types).map(|(value, kind)| text(value.get(), kind).map(Text));
        texts.collect::<Option<_>>().ok_or_else(|| {
            Error::bad_value(format!(
                "{title}: a parameter does not fit its type (texts hold no \\u0000, arrays nest six deep)"
            ))
        })
    }

    /// Whether what one of them means depends on when it is read.
    pub fn read_clock(&self, types: &[Type]) -> bool {
        let mut values = self.values.iter().zip(types);
        values.any(|(value, kind)| value.get() != "null" && clock(kind).is_read_by(value.get()))
    }
}

/// How much of the clock a type's input function reads.
fn clock(kind: &Type) -> Clock {
    match kind.kind() {
        Kind::Domain(inner) | Kind::Array(inner) | Kind::Range(inner) | Kind::Multirange(inner) => clock(inner),
        Kind::Composite(_) => Clock::Zones,
        _ => match *kind {
            Type::DATE | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => Clock::Words,
            Type::TIMETZ => Clock::Zones,
            _ => Clock::Unread,
        },
    }
}

/// A parameter in PostgreSQL's text format, whatever its type; `None` is NULL.
#[derive(Debug, PartialEq)]
pub struct Text(Option<String>);

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// What a type's values are written as.
enum Form<'t> {
    /// JSON, as it stands.
    Json,
    /// An array of these.
    Array(&'t Type),
    Plain,
}

impl<'t> Form<'t> {
    fn of(kind: &'t Type) -> Self {
        match kind.kind() {
            Kind::Domain(base) => Self::of(base),
            _ if matches!(*kind, Type::JSON | Type::JSONB) => Self::Json,
            // Arrays by the catalog, but not as text.
            _ if matches!(*kind, Type::INT2_VECTOR | Type::OID_VECTOR) => Self::Plain,
            Kind::Array(element) => Self::Array(element),
            _ => Self::Plain,
        }
    }
}

/// How deep PostgreSQL's arrays nest: what goes on is of no use, and this stack has an end.
const MAX_DIMENSIONS: usize = 6;

/// The text of `json` for a parameter of type `kind`: `Some(None)` is NULL, `None` that no text of PostgreSQL's can hold it.
fn text(json: &str, kind: &Type) -> Option<Option<String>> {
    if json == "null" {
        return Some(None);
    }
    match Form::of(kind) {
        Form::Json => Some(Some(json.to_owned())),
        Form::Array(element) if json.starts_with('[') => array(json, element, MAX_DIMENSIONS).map(Some),
        _ if json.starts_with('"') => {
            let text: String = serde_json::from_str(json).ok()?;
            (!text.contains('\0')).then_some(Some(text))
        }
        _ => Some(Some(json.to_owned())),
    }
}

/// The literal of the array that `json` is, with elements of type `element` and at most so many dimensions.
fn array(json: &str, element: &Type, dimensions: usize) -> Option<String> {
    let inner = dimensions.checked_sub(1)?;
    let values: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let mut literal = ArrayLiteral::new(if *element == Type::BOX { ';' } else { ',' });
    // To JSON an array is a value like any other.
    let nests = !matches!(Form::of(element), Form::Json);
    for value in values.into_iter().map(RawValue::get) {
        if nests && value.starts_with('[') {
            literal.push_array(&array(value, element, inner)?);
        } else {
            literal.push(text(value, element)?.as_deref());
        }
    }
    Some(literal.finish())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn one(json: &str, kind: &Type) -> Option<String> {
        text(json, kind).unwrap()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.into())
    }

    #[test]
    fn plain_values_are_texts() {
        assert_eq!(one(r#""a\n\"é\"""#, &Type::TEXT), some("a\n\"é\""));
        assert_eq!(one("12.50", &Type::NUMERIC), some("12.50"));
        assert_eq!(one("true", &Type::BOOL), some("true"));
        assert_eq!(one("null", &Type::INT4), None);
        assert_eq!(one(r#"{"a": 1}"#, &Type::TEXT), some(r#"{"a": 1}"#));
    }

    #[test]
    fn json_is_sent_as_json() {
        for value in [r#""a""#, "[1, 2]", r#"{"a":null}"#, "1", "false"] {
            assert_eq!(one(value, &Type::JSONB), some(value));
        }
        assert_eq!(one("null", &Type::JSON), None);
        assert_eq!(one(r#"[[1,2],null,"a"]"#, &Type::JSONB_ARRAY), some(r#"{"[1,2]",NULL,"\"a\""}"#));
    }

    #[test]
    fn arrays_become_literals() {
        assert_eq!(one(r#"["a", null, "b\\c"]"#, &Type::TEXT_ARRAY), some(r#"{"a",NULL,"b\\c"}"#));
        assert_eq!(one("[[1, 2], [3, null]]", &Type::INT4_ARRAY), some(r#"{{"1","2"},{"3",NULL}}"#));
        assert_eq!(one("[]", &Type::INT4_ARRAY), some("{}"));
        assert_eq!(one(r#""{1,2}""#, &Type::INT4_ARRAY), some("{1,2}"));
        assert_eq!(one(r#"["(1,1),(0,0)","(2,2),(1,1)"]"#, &Type::BOX_ARRAY), some(r#"{"(1,1),(0,0)";"(2,2),(1,1)"}"#));
        assert_eq!(one(r#"[{"a":1}]"#, &Type::TEXT_ARRAY), some(r#"{"{\"a\":1}"}"#));
    }

    #[test]
    fn arrays_end_at_six_dimensions() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(one(&nested(6), &Type::INT4_ARRAY), some("{{{{{{\"1\"}}}}}}"));
        assert_eq!(text(&nested(7), &Type::INT4_ARRAY), None);
        assert_eq!(text(&nested(100_000), &Type::INT4_ARRAY), None);
        assert_eq!(one(&nested(100_000), &Type::JSONB), some(&nested(100_000)));
    }

    #[test]
    fn domains_are_written_as_what_they_stand_for() {
        let domain = |base| Type::new("d".into(), 1, Kind::Domain(base), "public".into());
        assert_eq!(one("[1]", &domain(domain(Type::INT4_ARRAY))), some(r#"{"1"}"#));
        assert_eq!(one(r#""a""#, &domain(Type::JSONB)), some(r#""a""#));
    }

    #[test]
    fn no_text_holds_a_zero() {
        assert_eq!(text(r#""a\u0000""#, &Type::TEXT), None);
        assert_eq!(text(r#"["a\u0000"]"#, &Type::TEXT_ARRAY), None);
        let parameters = Parameters::parse(r#"["\u0000"]"#, "the query").unwrap();
        let error = parameters.texts(&[Type::TEXT], "the query").unwrap_err();
        assert_eq!(error.code(), "PGBADVALUE");
    }

    #[test]
    fn nothing_but_an_array_is_taken() {
        for json in ["", "{}", "1", "[1", "[1] 2", "null", "[1,]"] {
            assert_eq!(Parameters::parse(json, "the query").unwrap_err().code(), "ERR", "{json}");
        }
        assert!(Parameters::parse(" [ 1 , null ] ", "the query").is_ok());
    }

    #[test]
    fn a_wrong_number_is_told() {
        let error = Parameters::parse("[1]", "query q").unwrap().texts(&[], "query q").unwrap_err();
        assert_eq!(
            error.to_string(),
            "ERR wrong number of parameters: query q takes 0, 1 given; they are a JSON array, such as [1,\"a\"]"
        );
    }
}
