//! `partition`: the network is cut between one primary and everybody else, PostgreSQL too, until the primary's replica has taken its place.
//! Somebody on its side goes on to ask it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::consistency::plan::{Mode, Plan};
use crate::consistency::reader::Reader;
use crate::consistency::site::BEYOND;
use crate::consistency::world::World;
use crate::support::network::Network;

use super::Nemesis;

/// Cuts the network, and mends it.
pub struct Partition;

impl Nemesis for Partition {
    fn name(&self) -> &'static str {
        "partition"
    }

    fn strike(&self, world: &World, _count: usize) {
        let network = world.plan.network.as_ref().expect("the plan has a network");
        let mut cluster = world.site.as_cluster();
        let primary = BEYOND[0];
        if !cluster.primaries().contains(&primary) {
            cluster.failover(primary);
        }
        let (host, port) = cluster[primary].address();
        let address = (host.to_owned(), port);
        cluster.cut(network, &BEYOND);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let left_over = scope.spawn(|| network.beyond(|| read(world, address, &is_over)));
            let over = Over(&is_over);
            cluster.await_promotion(primary);
            sleep(world.plan.max_staleness);
            drop(over);
            let reader = left_over.join().expect("a reader");
            world.deeds.lock().unwrap().reads.extend(reader.reads);
        });
        cluster.mend(network);
        cluster.await_settled();
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(400)
    }

    fn prepare(&self, plan: &mut Plan) {
        plan.network = Some(Arc::new(Network::enter().expect("it was tried")));
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode.is_cluster()
    }

    fn takes_network(&self) -> bool {
        true
    }
}

/// Has the reader stop, also when nobody is promoted.
struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads what the node has until that is over.
fn read<'w>(world: &'w World, node: (String, u16), is_over: &AtomicBool) -> Reader<'w> {
    let (mut reader, mut rng) = (Reader::of_node(world, node), fastrand::Rng::new());
    while !is_over.load(Ordering::Relaxed) {
        reader.read_something(&mut rng);
    }
    reader
}
