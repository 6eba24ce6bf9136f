//! Fingerprints: a number for each relation's definition, to find out that it has changed.

use crate::postgres::Session;

/// The query, and its parameters as they stand in it: the relations and their names.
const FINGERPRINT: &str = include_str!("fingerprint.sql");
const RELATIONS: &str = "$1::pg_catalog.oid[]";
const NAMES: &str = "$2::pg_catalog.text[]";

/// What precedes it where nothing may be left behind in the session: with many relations the plan looks expensive
/// enough for the JIT, and small catalogs cheap enough to be read as a whole, once for each of them.
const SETTINGS: &str = "\
SET LOCAL statement_timeout = '5s';
SET LOCAL jit = off;
SET LOCAL enable_seqscan = off;
";

/// The fingerprint of one relation, on a connection that loads; 0 when it is not called `name` any more, which no
/// later comparison will confirm.
///
/// # Errors
/// What PostgreSQL says.
pub fn read(session: &mut Session, oid: u32, name: &str) -> Result<i64, ::postgres::Error> {
    let rows = session.query(FINGERPRINT, &[&vec![oid], &vec![name]])?;
    let fingerprint = rows.first().map(|row| row.try_get::<_, Option<i64>>(1)).transpose()?;
    Ok(fingerprint.flatten().unwrap_or(0))
}

/// The query with its parameters in it, for the simple protocol.
pub(crate) fn question(relations: &[(u32, String)]) -> String {
    let oids: Vec<String> = relations.iter().map(|(oid, _)| oid.to_string()).collect();
    let names: Vec<String> = relations.iter().map(|(_, name)| literal(name)).collect();
    let query = FINGERPRINT
        .replace(RELATIONS, &format!("'{{{}}}'::pg_catalog.oid[]", oids.join(",")))
        .replace(NAMES, &format!("ARRAY[{}]::pg_catalog.text[]", names.join(",")));
    format!("{SETTINGS}{query}")
}

/// `value` as an SQL literal that means the same whatever `standard_conforming_strings` says.
fn literal(value: &str) -> String {
    format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_ends_where_it_should() {
        assert_eq!(literal("a'b\\c"), "E'a''b\\\\c'");
    }

    #[test]
    fn names_stand_in_one_place_only() {
        let text = question(&[(7, "a\n$1$2'".into()), (8, "b".into())]);
        assert_eq!(
            text.matches("unnest('{7,8}'::pg_catalog.oid[], ARRAY[E'a\n$1$2''',E'b']::pg_catalog.text[])").count(),
            1
        );
        assert_eq!(text.matches("E'b'").count(), 1);
    }
}
