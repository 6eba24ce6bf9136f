//! Shapes: relations whose reading runs code of whoever owns them, or might.

/// One shape.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Part of the names of all relations that have it.
    pub name: &'static str,
    /// Statements that make the relation `{N}` with 20 rows, whose reading calls `hx_{I}`.
    pub sql: &'static str,
    /// Whether the function has to be declared IMMUTABLE.
    pub is_immutable: bool,
}

const fn any(name: &'static str, sql: &'static str) -> Shape {
    Shape { name, sql, is_immutable: false }
}

const fn immutable(name: &'static str, sql: &'static str) -> Shape {
    Shape { name, sql, is_immutable: true }
}

/// Everything that is tried. The villain makes it, unless it says RESET ROLE.
pub const SHAPES: [Shape; 26] = [
    any("listed", "CREATE VIEW {N} AS SELECT id, note, hx_{I}(id::int) AS a FROM other"),
    any("where", "CREATE VIEW {N} AS SELECT id, note FROM other WHERE hx_{I}(id::int) > 0"),
    any("lateral", "CREATE VIEW {N} AS SELECT o.id, o.note, f.a FROM other o, LATERAL hx_{I}(o.id::int) AS f(a)"),
    any(
        "barrier",
        "CREATE VIEW {N} WITH (security_barrier) AS SELECT id, note FROM other WHERE hx_{I}(id::int) > 0",
    ),
    any(
        "stacked",
        "CREATE VIEW {N}_1 AS SELECT id, note, hx_{I}(id::int) AS a FROM other;
         CREATE VIEW {N}_2 WITH (security_barrier) AS SELECT * FROM {N}_1; CREATE VIEW {N} AS SELECT * FROM {N}_2",
    ),
    any("constant", "CREATE VIEW {N} AS SELECT id, note FROM other WHERE (SELECT hx_{I}(1)) > 0"),
    any("grouped", "CREATE VIEW {N} AS SELECT id, max(hx_{I}(id::int)) AS a FROM other GROUP BY id"),
    any("sorted", "CREATE VIEW {N} AS SELECT id, note FROM other ORDER BY hx_{I}(id::int) LIMIT 100"),
    any("united", "CREATE VIEW {N} AS SELECT id FROM other UNION ALL SELECT 100 + hx_{I}(1)"),
    any("materialized", "CREATE VIEW {N} AS WITH c AS MATERIALIZED (SELECT hx_{I}(1) AS a) SELECT id, a FROM other, c"),
    any("keyed", "CREATE VIEW {N} AS SELECT hx_{I}(id::int)::bigint AS id, note FROM other"),
    any(
        "ruled",
        "CREATE VIEW {N} AS SELECT id, note FROM other; CREATE OR REPLACE RULE \"_RETURN\" AS ON SELECT TO {N} DO INSTEAD
         SELECT id, CASE WHEN hx_{I}(1) > 0 THEN note END AS note FROM other",
    ),
    any(
        "policy",
        "{T}; ALTER TABLE {N} ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON {N} USING (hx_{I}(id::int) > 0)",
    ),
    any(
        "policy_below",
        "RESET ROLE; CREATE TABLE {N} (id bigint, note text) PARTITION BY RANGE (id); SET ROLE {V};
         CREATE TABLE {N}_1 (id bigint PRIMARY KEY, note text); ALTER TABLE {N}_1 ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON {N}_1 USING (hx_{I}(id::int) > 0);
         RESET ROLE; ALTER TABLE {N} ATTACH PARTITION {N}_1 FOR VALUES FROM (0) TO (1000); {R}",
    ),
    any("domain", "CREATE TABLE {N} (id dm_{I} PRIMARY KEY, note text); {R}"),
    any("checked", "CREATE TABLE {N} (id bigint PRIMARY KEY, a dm_{I} DEFAULT 1, e en_{I} DEFAULT 'a'); {R}"),
    any("cast", "CREATE TABLE {N} (id bigint PRIMARY KEY, e en_{I} DEFAULT 'a', es en_{I}[] DEFAULT '{a,b}'); {R}"),
    any("nested", "CREATE TABLE {N} (id bigint PRIMARY KEY, c co_{I} DEFAULT ROW(1, 'a')::co_{I}); {R}"),
    any("compared", "CREATE TABLE {N} (id ty_{I} PRIMARY KEY); INSERT INTO {N} SELECT ROW(n)::ty_{I} FROM generate_series(1, 20) n"),
    immutable("indexed", "{T}; CREATE INDEX ON {N} ((id + hx_{I}(1)))"),
    immutable("partial", "{T}; CREATE INDEX ON {N} (note) WHERE hx_{I}(1) > 0"),
    immutable("statistics", "{T}; CREATE STATISTICS {N}_s ON (id + hx_{I}(1)), note FROM {N}; ANALYZE {N}"),
    immutable("generated", "CREATE TABLE {N} (id bigint PRIMARY KEY, a int GENERATED ALWAYS AS (hx_{I}(id::int)) STORED); {R}"),
    immutable(
        "inherited",
        "RESET ROLE; CREATE TABLE {N} (id bigint PRIMARY KEY, note text); SET ROLE {V};
         CREATE TABLE {N}_1 (id bigint NOT NULL, note text, CHECK (id > 0 OR hx_{I}(1) > 0)); CREATE INDEX ON {N}_1 ((id + hx_{I}(1)));
         RESET ROLE; ALTER TABLE {N}_1 INHERIT {N}; INSERT INTO {N}_1 (id) SELECT generate_series(1, 20)",
    ),
    immutable(
        "partition",
        "RESET ROLE; CREATE TABLE {N} (id bigint, note text) PARTITION BY RANGE (id); SET ROLE {V};
         CREATE TABLE {N}_1 (id bigint PRIMARY KEY, note text, CHECK (id > 0 OR hx_{I}(1) > 0));
         CREATE INDEX ON {N}_1 ((id + hx_{I}(1)));
         RESET ROLE; ALTER TABLE {N} ATTACH PARTITION {N}_1 FOR VALUES FROM (0) TO (1000); {R}",
    ),
    immutable(
        "partitioned",
        "CREATE TABLE {N} (id bigint, note text) PARTITION BY RANGE ((id + hx_{I}(1)));
         CREATE TABLE {N}_1 PARTITION OF {N} FOR VALUES FROM (0) TO (1000); {R}",
    ),
];

impl Shape {
    /// The statements for the relation called `name` of the role `villain`, whose reading calls `hx_<id>`.
    pub fn filled(&self, name: &str, id: &str, villain: &str) -> String {
        self.sql
            .replace("{T}", "CREATE TABLE {N} (id bigint PRIMARY KEY, note text); {R}")
            .replace("{R}", "INSERT INTO {N} (id) SELECT generate_series(1, 20)")
            .replace("{N}", name)
            .replace("{I}", id)
            .replace("{V}", villain)
    }

    /// The lookup key of row `n`.
    pub fn key(&self, n: usize) -> String {
        match self.name {
            "compared" => format!(r#"{{"id":{{"n":{n}}}}}"#),
            _ => format!(r#"{{"id":{n}}}"#),
        }
    }
}
