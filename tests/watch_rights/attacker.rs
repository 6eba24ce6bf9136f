//! The attacker: a role without rights, and what it makes.

use crate::support::Database;

/// What an attacker makes: a role without rights, and functions that would make it a superuser, as casts of each type
/// to each of the types that something might be turned into, as operators, and under the names of columns.
pub struct Attacker<'d> {
    /// Where it is.
    pub database: &'d Database<'d>,
    /// What it is called.
    pub role: String,
}

impl<'d> Attacker<'d> {
    /// One whose schema `evil` is.
    pub fn new(database: &'d Database<'d>) -> Self {
        let role = format!("attacker_{}", database.name);
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role};
             CREATE SCHEMA evil AUTHORIZATION {role}; CREATE TABLE public.effects (what text);
             GRANT INSERT ON effects TO PUBLIC"
        ));
        Self { database, role }
    }

    /// Runs statements as the attacker, whose search path prefers what is his.
    pub fn execute(&self, sql: &str) {
        let mut client = self.database.connect();
        let sql = format!("SET SESSION AUTHORIZATION {}; SET search_path = evil, public; {sql}", self.role);
        client.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Makes a function `name` of these arguments that returns `value` of this type and tries to gain rights: in
    /// PL/pgSQL, or in SQL that is inlined, so that its constant part would run while a statement is planned.
    pub fn function(&self, name: &str, arguments: &str, returns: &str, value: &str) {
        let role = &self.role;
        self.execute(&format!(
            "CREATE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE plpgsql IMMUTABLE AS $$
             BEGIN
                 IF current_user <> '{role}' THEN
                     PERFORM set_config('evil.ran', '{name}', false);
                     BEGIN EXECUTE 'ALTER ROLE {role} SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
                 END IF;
                 RETURN {value};
             END $$"
        ));
    }

    /// Casts of `kind` to every type that a text, an integer, a comparison or a JSON value could be asked of.
    pub fn casts(&self, kind: &str) {
        let name = kind.replace(['[', ']', '.'], "_");
        for (n, (target, value, how)) in [
            ("pg_catalog.json", "'1'", ""),
            ("pg_catalog.jsonb", "'1'", "AS ASSIGNMENT"),
            ("pg_catalog.text", "'1'", "AS IMPLICIT"),
            ("pg_catalog.int8", "1", "AS IMPLICIT"),
            ("pg_catalog.int4", "1", "AS ASSIGNMENT"),
            ("pg_catalog.oid", "1", "AS IMPLICIT"),
            ("pg_catalog.regtype", "'int8'", "AS IMPLICIT"),
            ("pg_catalog.bool", "true", "AS IMPLICIT"),
        ]
        .into_iter()
        .enumerate()
        {
            let function = format!("evil.cast_{name}_{n}");
            self.function(&function, kind, target, value);
            // Inlined, its constant part is computed while the statement is planned.
            let (inner, target_name) = (format!("{function}_inner"), target);
            self.function(&inner, "", target, value);
            self.execute(&format!(
                "CREATE FUNCTION {function}_sql({kind}) RETURNS {target_name} LANGUAGE sql IMMUTABLE AS 'SELECT {inner}()'"
            ));
            let chosen = if n % 2 == 0 { format!("{function}_sql") } else { function };
            self.execute(&format!("CREATE CAST ({kind} AS {target}) WITH FUNCTION {chosen}({kind}) {how}"));
        }
        self.function(&format!("evil.eq_{name}"), &format!("{kind}, {kind}"), "bool", "true");
        self.execute(&format!(
            "CREATE OPERATOR evil.= (LEFTARG = {kind}, RIGHTARG = {kind}, FUNCTION = evil.eq_{name})"
        ));
    }

    /// Whether it has got what it wants.
    pub fn is_superuser(&self) -> bool {
        let sql = format!("SELECT rolsuper::int::bigint FROM pg_roles WHERE rolname = '{}'", self.role);
        self.database.number(&sql) == 1
    }

    /// Writes as the application, in a session of a superuser that has the attacker's search path, and looks for effects.
    pub fn assert_harmless(&self, what: &str, writes: &str) {
        let mut client = self.database.connect();
        client.batch_execute("SET search_path = evil, public; SET evil.ran = ''").unwrap();
        client.batch_execute(&format!("SET SESSION AUTHORIZATION {}", self.role)).unwrap();
        let result = client.batch_execute(writes);
        assert!(result.is_ok(), "{what}: {writes}: {result:?}");
        client.batch_execute("RESET SESSION AUTHORIZATION; SET search_path = pg_catalog").unwrap();
        let ran: String = client.query_one("SELECT current_setting('evil.ran')", &[]).unwrap().get(0);
        assert_eq!(ran, "", "{what}: {writes}");
        assert!(!self.is_superuser(), "{what}: {writes}");
    }
}

impl Drop for Attacker<'_> {
    fn drop(&mut self) {
        // What it has stays: to drop thousands of objects at once takes more locks than there are for all tests.
        let mut client = self.database.connect();
        let _ = client.batch_execute(&format!(
            "REASSIGN OWNED BY {0} TO CURRENT_USER; DROP OWNED BY {0}; DROP ROLE {0}",
            self.role
        ));
    }
}
