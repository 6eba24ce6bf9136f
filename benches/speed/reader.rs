//! Readers: applications that want a row, through the cache or by cache-aside of their own.

use redis::Commands;
use serde_json::json;

use crate::stage::{key_of, Stage, FIRST_ID};
use crate::support::Server;

/// For how long an application stores a row, in seconds.
const TTL_S: u64 = 3600;

/// One that asks the cache.
pub struct Reader {
    server: redis::Connection,
}

impl Reader {
    /// So many with a connection each.
    pub fn crowd(server: &Server, count: usize) -> Vec<Self> {
        (0..count).map(|_| Self { server: server.connection() }).collect()
    }

    /// Reads row `number`.
    pub fn read(&mut self, number: u32) {
        let mut command = redis::cmd("PGCACHE.READ");
        let row: String = command.arg("users").arg(key_of(number)).query(&mut self.server).unwrap();
        assert!(row.starts_with('{'), "{row}");
    }
}

/// One that looks into a plain server, and asks PostgreSQL itself for what is not there.
pub struct Aside {
    server: redis::Connection,
    database: postgres::Client,
    select: postgres::Statement,
}

impl Aside {
    /// So many with two connections each.
    pub fn crowd(server: &Server, stage: &Stage, count: usize) -> Vec<Self> {
        let one = |_| {
            let mut database = stage.database().connect();
            let select = database.prepare("SELECT id, email, name, bio FROM users WHERE id = $1").unwrap();
            Self { server: server.connection(), database, select }
        };
        (0..count).map(one).collect()
    }

    /// Under what it stores row `number`.
    pub fn key_of(number: u32) -> String {
        format!("users:{}", FIRST_ID + u64::from(number))
    }

    /// Reads row `number`: GET, and on a miss SELECT and SET EX.
    pub fn read(&mut self, number: u32) {
        let key = Self::key_of(number);
        let cached: Option<String> = self.server.get(&key).unwrap();
        if cached.is_none() {
            let row = self.load(FIRST_ID + u64::from(number));
            let () = self.server.set_ex(&key, row, TTL_S).unwrap();
        }
    }

    fn load(&mut self, id: u64) -> String {
        let row = self.database.query_one(&self.select, &[&(id as i64)]).unwrap();
        let text = |column: usize| row.get::<_, &str>(column);
        json!({"id": row.get::<_, i64>(0), "email": text(1), "name": text(2), "bio": text(3)}).to_string()
    }
}
