//! The stage: roles, functions that turn against whoever calls them, and relations whose reading calls these.

use super::shape::{Shape, SHAPES};
use crate::query_attacks::effect::{Effect, EFFECTS, VOLATILITIES};
use crate::query_attacks::random::Random;
use crate::query_attacks::stage::tables;
use crate::support::{Database, Postgres};

/// A database with a reader, a villain and the villain's relations.
pub struct Stage {
    /// The database.
    pub database: Database<'static>,
    /// The role that reads, which may do as much as a role may that is no superuser.
    pub reader: String,
    /// The role that owns what is attacked with.
    pub villain: String,
    /// The relations.
    pub relations: Vec<Relation>,
}

/// A relation of the villain's.
#[derive(Debug, Clone)]
pub struct Relation {
    /// What it is called.
    pub name: String,
    /// What it is like.
    pub shape: Shape,
}

/// The functions are harmless while relations are made and filled with rows. In IMMUTABLE ones nothing changes for PostgreSQL
/// when they turn.
fn function(effect: Effect, letter: char, volatility: &str, is_armed: bool) -> String {
    let body = if is_armed { effect.body } else { "" };
    format!(
        "CREATE OR REPLACE FUNCTION public.hx_{}_{letter}(n int) RETURNS int {volatility} LANGUAGE plpgsql AS
         $$ BEGIN {body} RETURN n; END $$;\n",
        effect.name
    )
}

fn functions(is_armed: bool) -> String {
    each(|effect, letter, volatility| function(effect, letter, volatility, is_armed))
}

/// Types that call them where they are checked, printed and compared.
fn types() -> String {
    each(|effect, letter, volatility| {
        let id = format!("{}_{letter}", effect.name);
        let compare = |name: &str, operator: &str, result: &str| {
            format!(
                "CREATE FUNCTION {name}_{id}(a ty_{id}, b ty_{id}) RETURNS {result} {volatility} LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM public.hx_{id}(1); RETURN {operator}; END $$;\n"
            )
        };
        let signs = [("lt", "<"), ("le", "<="), ("eq", "="), ("ge", ">="), ("gt", ">")];
        let operator = |(name, sign): (&str, &str)| {
            format!(
                "{}CREATE OPERATOR {sign} (LEFTARG = ty_{id}, RIGHTARG = ty_{id}, FUNCTION = {name}_{id});\n",
                compare(name, &format!("(a).n {sign} (b).n"), "boolean")
            )
        };
        format!(
            "CREATE DOMAIN dm_{id} AS bigint CHECK (hx_{id}(VALUE::int) IS NOT NULL);
             CREATE TYPE ty_{id} AS (n int); CREATE TYPE en_{id} AS ENUM ('a', 'b'); CREATE TYPE co_{id} AS (n int, e en_{id});
             CREATE FUNCTION ej_{id}(e en_{id}) RETURNS json {volatility} LANGUAGE plpgsql AS
             $$ BEGIN RETURN to_json(public.hx_{id}(1)); END $$;
             CREATE CAST (en_{id} AS json) WITH FUNCTION ej_{id}(en_{id}) AS IMPLICIT;
             {operators}{cmp}
             CREATE OPERATOR CLASS oc_{id} DEFAULT FOR TYPE ty_{id} USING btree AS
             OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 cm_{id}(ty_{id}, ty_{id});\n",
            operators = signs.map(operator).concat(),
            cmp = compare("cm", "(a).n - (b).n", "int"),
        )
    })
}

fn each(made: impl Fn(Effect, char, &str) -> String) -> String {
    let all = |effect| VOLATILITIES.map(|(letter, volatility)| made(effect, letter, volatility)).concat();
    EFFECTS.into_iter().map(all).collect()
}

impl Stage {
    /// One with nothing of the villain's yet.
    pub fn bare() -> Self {
        let database = Postgres::shared().database();
        let (reader, villain) = (format!("reader_{}", database.name), format!("villain_{}", database.name));
        database.execute(&tables()).execute(&format!(
            "CREATE ROLE {reader} LOGIN; CREATE ROLE {villain}; GRANT CREATE ON SCHEMA public TO {villain};
             GRANT CREATE ON DATABASE {name} TO {reader}; GRANT ALL ON SCHEMA public, evil TO {reader}; GRANT boss TO {reader};
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {villain}; ALTER DATABASE {name} SET track_functions = 'all'",
            name = database.name
        ));
        let stage = Self { database, reader, villain, relations: Vec::new() };
        stage.open();
        stage
    }

    /// One where each effect comes in one of `step` shapes, declared in whatever way, and every function has turned. What `step` seeds
    /// one behind the other make is everything.
    pub fn armed(seed: u64, step: usize) -> Self {
        let mut stage = Self::bare();
        stage.database.execute(&functions(false)).execute(&types());
        let mut random = Random::new(seed);
        let mut sql = format!("SET ROLE {};\n", stage.villain);
        for (turn, effect) in EFFECTS.iter().enumerate() {
            for at in (0..SHAPES.len()).skip(usize::try_from(seed).unwrap() % step).step_by(step) {
                let shape = SHAPES[(at + turn) % SHAPES.len()];
                let letter = if shape.is_immutable { 'i' } else { random.pick(&VOLATILITIES).0 };
                let name = format!("r_{}_{}", shape.name, effect.name);
                let made = shape.filled(&name, &format!("{}_{letter}", effect.name), &stage.villain);
                sql.push_str(&format!("{made};\nSET ROLE {};\n", stage.villain));
                stage.relations.push(Relation { name, shape });
            }
        }
        stage.database.execute(&sql).execute(&functions(true));
        stage.open();
        stage
    }

    /// Makes one relation of this shape, harmless or not.
    pub fn make(&mut self, name: &str, shape: Shape, id: &str) {
        self.database.execute(&format!("SET ROLE {0}; {1}", self.villain, shape.filled(name, id, &self.villain)));
        self.open();
        self.relations.push(Relation { name: name.into(), shape });
    }

    /// Makes the function of one effect, IMMUTABLE, and has it turn at once or not.
    pub fn arm(&self, effect: Effect, is_armed: bool) {
        self.database.execute(&function(effect, 'i', "IMMUTABLE", is_armed));
    }

    /// The reader may do everything with what there is.
    fn open(&self) {
        self.database.execute(&format!(
            "GRANT ALL ON ALL TABLES IN SCHEMA public, evil TO {0}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {0}",
            self.reader
        ));
    }

    /// How many of the villain's functions have been run to their end, by sessions that have ended.
    pub fn reached(&self) -> i64 {
        self.database.number("SELECT count(*) FROM pg_stat_user_functions WHERE funcname LIKE 'hx\\_%' AND calls > 0")
    }

    /// Forgets which ones have.
    pub fn reset(&self) {
        self.database.execute("SELECT pg_stat_reset()");
    }
}
