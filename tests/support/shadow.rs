//! Shadows: operators and functions under the names of PostgreSQL's own that fit better than these, for whoever does not name
//! PostgreSQL's schema.

/// Types that the module's own statements have to do with.
const TYPES: [&str; 24] = [
    "oid",
    "int2",
    "int4",
    "int8",
    "text",
    "name",
    "\"char\"",
    "bool",
    "numeric",
    "float8",
    "uuid",
    "timestamptz",
    "interval",
    "jsonb",
    "xid",
    "regclass",
    "regnamespace",
    "regtype",
    "pg_node_tree",
    "text[]",
    "oid[]",
    "int2[]",
    "int8[]",
    "int2vector",
];
/// Operators by what they return.
const OPERATORS: [(&str, &[&str]); 3] = [
    ("boolean", &["=", "<>", "<", "<=", ">", ">=", "~", "!~", "~~", "!~~", "~~*", "@>", "<@", "&&"]),
    ("text", &["||", "->>"]),
    ("int8", &["+", "-", "*", "/", "%"]),
];
/// Functions of one argument.
const FUNCTIONS: [&str; 28] = [
    "unnest",
    "to_json",
    "to_jsonb",
    "row_to_json",
    "current_setting",
    "array_agg",
    "string_agg",
    "count",
    "sum",
    "max",
    "min",
    "bool_or",
    "concat",
    "concat_ws",
    "format",
    "cardinality",
    "quote_ident",
    "quote_literal",
    "to_regclass",
    "pg_typeof",
    "lower",
    "json_agg",
    "jsonb_agg",
    "array_to_json",
    "length",
    "hashtext",
    "octet_length",
    "has_schema_privilege",
];

/// Statements that make all of them in the schema `schema`. `is_trap`: each raises an error with `shadow` in it when it is run,
/// whoever runs it; otherwise nobody may run them, which PostgreSQL looks at before the first row.
pub fn shadows(schema: &str, is_trap: bool) -> String {
    let list = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        format!("ARRAY[{}]", words.join(", "))
    };
    let operators: String = OPERATORS
        .iter()
        .map(|(returns, signs)| {
            format!(
                r#"FOREACH l IN ARRAY {types} LOOP FOREACH r IN ARRAY {types} LOOP
                       name := pg_catalog.concat('shadow_', n); n := n + 1;
                       PERFORM pg_catalog.set_config('shadow.made', n::text, false);
                       EXECUTE pg_catalog.format($f$CREATE FUNCTION {schema}.%s(l %s, r %s) RETURNS {returns} IMMUTABLE LANGUAGE plpgsql AS
                           $b$ BEGIN RAISE 'a shadow has run'; END $b$$f$, name, l, r);
                       FOREACH sign IN ARRAY {signs} LOOP
                           EXECUTE pg_catalog.format('CREATE OPERATOR {schema}.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = {schema}.%s)',
                                                     sign, l, r, name);
                       END LOOP;
                   END LOOP; END LOOP;"#,
                types = list(&TYPES),
                signs = list(signs),
            )
        })
        .collect();
    let functions = format!(
        r#"FOREACH name IN ARRAY {} LOOP FOREACH l IN ARRAY {} LOOP
               EXECUTE pg_catalog.format($f$CREATE FUNCTION {schema}.%s(l %s) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
                   $b$ BEGIN RAISE 'a shadow has run'; END $b$$f$, name, l);
           END LOOP; END LOOP;"#,
        list(&FUNCTIONS),
        list(&TYPES)
    );
    let rights = match is_trap {
        true => String::new(),
        false => format!("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC;"),
    };
    format!(
        "SET search_path = pg_catalog;
         DO $d$ DECLARE l text; r text; sign text; name text; n int := 0; BEGIN {operators} {functions} END $d$;
         {rights} RESET search_path;"
    )
}
