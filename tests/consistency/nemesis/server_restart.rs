//! `restart-server-with-saved-entries`: the server ends and comes back with entries that it had saved. Rows are
//! changed meanwhile.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::world::World;
use crate::support::Reply;

use super::Nemesis;

/// Crashes some time after a SAVE, or is shut down with one.
pub struct RestartServer;

impl Nemesis for RestartServer {
    fn name(&self) -> &'static str {
        "restart-server-with-saved-entries"
    }

    fn strike(&self, world: &World, count: usize) {
        if count % 2 == 0 {
            assert_eq!(world.client().call(&["SAVE"]), Reply::Simple("OK".into()));
            sleep(Duration::from_millis(20 * (count as u64 % 3)));
            world.site.replace_server(|server| server.crash_and_restart());
        } else {
            world.site.replace_server(|server| server.shutdown_and_restart("SAVE").0);
        }
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(400)
    }
}
