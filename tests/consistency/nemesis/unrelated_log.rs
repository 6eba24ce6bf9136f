//! `unrelated-log`: much is written to the log that has nothing to do with the watched table.

use crate::consistency::plan::Mode;
use crate::consistency::world::World;

use super::Nemesis;

/// How much one blow writes, in rows of a kilobyte.
const ROWS: u32 = 100_000;

/// Fills another table, by one transaction.
pub struct UnrelatedLog;

impl Nemesis for UnrelatedLog {
    fn name(&self) -> &'static str {
        "unrelated-log"
    }

    fn strike(&self, world: &World, _count: usize) {
        world.execute("CREATE TABLE IF NOT EXISTS unrelated (id bigserial PRIMARY KEY, pad text)");
        world.execute(&format!(
            "INSERT INTO unrelated (pad) SELECT repeat(md5(n::text), 32) FROM generate_series(1, {ROWS}) n"
        ));
        world.execute("TRUNCATE unrelated");
    }

    fn works_in(&self, _mode: Mode) -> bool {
        true
    }
}
