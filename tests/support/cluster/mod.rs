//! A cluster: primaries that share the slots out, each with its replicas.

pub mod client;
pub mod migration;
pub mod node;
pub mod slot;
mod slot_migration;
pub mod view;

use std::ops::{Index, RangeInclusive};

use super::eventually::eventually;
use super::kind::Kind;
use super::network::{Network, FAR, NEAR};
use super::port;
use super::server::{Server, Setup};
use super::{Client, Reply};

pub use client::ClusterClient;
pub use migration::Migration;
pub use slot::{slot_of, SLOTS};

use node::Node;
use view::View;

/// In milliseconds: after so long without an answer a node is said to be gone. Several people's tests share a machine,
/// and a node that only waits for a processor must not lose its slots.
const NODE_TIMEOUT: &str = "4000";

/// How a server becomes a node that can join a cluster.
pub fn node(kind: &Kind) -> Setup {
    Server::setup(kind)
        .fixed_port()
        // Every slot that moves is written to disk by every primary before it goes on.
        .in_memory()
        .config("cluster-enabled", "yes")
        .config("cluster-port", &port::free().to_string())
        .config("cluster-node-timeout", NODE_TIMEOUT)
        // However long a replica has heard nothing, it may be promoted.
        .config("cluster-replica-validity-factor", "0")
}

/// Some nodes that know each other, by their numbers: the first ones began as primaries, then come the replicas of the first one, those of
/// the second one, and so on. Ended when it is dropped.
pub struct Cluster {
    nodes: Vec<Node>,
}

impl Index<usize> for Cluster {
    type Output = Server;

    /// The server of this node, which must not be down.
    fn index(&self, node: usize) -> &Server {
        self.nodes[node].server().expect("the node is not down")
    }
}

impl Cluster {
    /// So many primaries with so many replicas each, set up further by `setup`.
    pub fn start(kind: &Kind, primaries: usize, replicas: usize, setup: impl Fn(Setup) -> Setup) -> Self {
        let servers = (0..primaries * (1 + replicas)).map(|_| setup(node(kind)).start());
        Self::join(servers.collect(), primaries)
    }

    /// The same on both hosts of a network: the nodes `beyond` are on the far one.
    pub fn start_across(
        network: &Network,
        beyond: &[usize],
        (primaries, replicas): (usize, usize),
        setup: impl Fn() -> Setup,
    ) -> Self {
        // Both listen for others than themselves, without a password.
        let on = |host: &str| setup().host(host).config("protected-mode", "no").start();
        let start = |node: usize| match beyond.contains(&node) {
            true => network.beyond(|| on(FAR)),
            false => on(NEAR),
        };
        Self::join((0..primaries * (1 + replicas)).map(start).collect(), primaries)
    }

    /// Joins servers that were set up by [`node`]: so many primaries, and the others as their replicas.
    pub fn join(servers: Vec<Server>, primaries: usize) -> Self {
        let cluster = Self { nodes: servers.into_iter().map(Node::of).collect() };
        cluster.meet();
        cluster.share_out(primaries);
        let replicas = cluster.nodes.len() / primaries - 1;
        for replica in primaries..cluster.nodes.len() {
            cluster.order(replica, &["CLUSTER", "REPLICATE", &cluster.nodes[(replica - primaries) / replicas].id]);
        }
        cluster.await_settled();
        cluster
    }

    /// Has everyone know everyone.
    fn meet(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            self.order(number, &["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
            let (host, port) = self[number].address();
            let (port, bus) = (port.to_string(), node.bus.to_string());
            (0..number).for_each(|other| self.order(other, &["CLUSTER", "MEET", host, &port, &bus]));
        }
        eventually("all nodes know each other", || self.all_well(&self.views()?).then_some(()));
    }

    fn share_out(&self, primaries: usize) {
        let first = |number: usize| number * usize::from(SLOTS) / primaries;
        for number in 0..primaries {
            let (first, last) = (first(number).to_string(), (first(number + 1) - 1).to_string());
            self.order(number, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
    }

    fn order(&self, node: usize, command: &[&str]) {
        assert_eq!(self[node].client().call(command), Reply::Simple("OK".into()), "{command:?}");
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// What is known of this node, down or not.
    pub fn node(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    /// Those that run.
    pub fn running(&self) -> Vec<usize> {
        (0..self.len()).filter(|node| self.nodes[*node].running().is_some()).collect()
    }

    /// A client that follows redirects.
    pub fn client(&self) -> ClusterClient {
        let address = |node: &Node| node.running().map(Server::address).map(|(host, port)| (host.to_owned(), port));
        ClusterClient::new(self.nodes.iter().filter_map(address).collect())
    }

    /// A client of the `redis` crate that does.
    pub fn connection(&self) -> redis::cluster::ClusterConnection {
        let addresses = self.nodes.iter().filter_map(Node::running).map(Server::address);
        let addresses: Vec<String> = addresses.map(|(host, port)| format!("redis://{host}:{port}")).collect();
        redis::cluster::ClusterClient::new(addresses).unwrap().get_connection().unwrap()
    }

    /// Which node serves what, in the order of slots.
    pub fn owners(&self) -> Vec<(RangeInclusive<u16>, usize)> {
        let view = self.view();
        view.owners().into_iter().map(|(slots, id)| (slots, self.number(id))).collect()
    }

    /// The nodes that serve slots, in their order.
    pub fn primaries(&self) -> Vec<usize> {
        let mut primaries: Vec<usize> = vec![];
        for (_, node) in self.owners() {
            if !primaries.contains(&node) {
                primaries.push(node);
            }
        }
        primaries
    }

    /// The replicas of this node.
    pub fn replicas_of(&self, primary: usize) -> Vec<usize> {
        let id = Some(&self.nodes[primary].id);
        let view = self.view();
        view.nodes.iter().filter(|node| node.primary.as_ref() == id).map(|node| self.number(&node.id)).collect()
    }

    /// The node that serves this slot.
    pub fn node_of(&self, slot: u16) -> usize {
        let owner = self.owners().into_iter().find(|(slots, _)| slots.contains(&slot));
        owner.unwrap_or_else(|| panic!("nobody serves slot {slot}")).1
    }

    /// The node that serves the slot of this key.
    pub fn owner_of(&self, key: &str) -> usize {
        self.node_of(slot_of(key))
    }

    /// Ends the process of this node.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].heirs = self.replicas_of(node);
        self.nodes[node].kill();
    }

    /// Starts it again, in its folder and at its port.
    pub fn start_again(&mut self, node: usize) {
        self.nodes[node].start_again();
    }

    /// Stops its process: its connections stay open, and it says nothing.
    pub fn freeze(&mut self, node: usize) {
        self.nodes[node].heirs = self.replicas_of(node);
        self.nodes[node].freeze();
    }

    /// Ends [`Self::freeze`].
    pub fn thaw(&mut self, node: usize) {
        self.nodes[node].thaw();
    }

    /// Cuts the cable, beyond which these nodes are.
    pub fn cut(&mut self, network: &Network, beyond: &[usize]) {
        for node in beyond {
            self.nodes[*node].heirs = self.replicas_of(*node);
        }
        beyond.iter().for_each(|node| self.nodes[*node].is_beyond = true);
        network.cut();
    }

    /// Ends [`Self::cut`].
    pub fn mend(&mut self, network: &Network) {
        network.mend();
        self.nodes.iter_mut().for_each(|node| node.is_beyond = false);
    }

    /// Has this replica take its primary's place by CLUSTER FAILOVER, and waits until all nodes know.
    pub fn failover(&self, replica: usize) {
        self.order(replica, &["CLUSTER", "FAILOVER"]);
        eventually("the replica is a primary", || self.primaries().contains(&replica).then_some(()));
        self.await_settled();
    }

    /// Waits until a replica serves what this node served, which is down or stands still. Returns which.
    pub fn await_promotion(&self, gone: usize) -> usize {
        let heirs = &self.nodes[gone].heirs;
        let promoted = || heirs.iter().find(|replica| self.primaries().contains(replica)).copied();
        let promoted = eventually("a replica is promoted", promoted);
        self.await_agreement();
        promoted
    }

    /// Waits until all nodes agree, each of those that run has a part in it, and replicas are in step with their primaries.
    pub fn await_settled(&self) {
        self.await_agreement();
        eventually("every node has a part", || {
            let running = self.running();
            let has_parts = |view: &View| running.iter().all(|node| view.has_a_part(&self.nodes[*node].id));
            self.views()?.iter().all(has_parts).then_some(())
        });
        self.await_agreement();
        for node in self.running() {
            eventually("a replica is in step", || {
                let mut client = self.nodes[node].ask()?;
                let is_replica = client.info("replication", "role") == "slave";
                (!is_replica || client.info("replication", "master_link_status") == "up").then_some(())
            });
        }
    }

    /// Waits until all nodes that run say that the cluster is well, and agree who serves what and who follows whom.
    pub fn await_agreement(&self) {
        eventually("all nodes agree", || {
            let views = self.views()?;
            let agree =
                |one: &View, other: &View| one.owners() == other.owners() && one.followers() == other.followers();
            (views.windows(2).all(|pair| agree(&pair[0], &pair[1])) && self.all_well(&views) && self.all_serve())
                .then_some(())
        });
    }

    /// Whether each node that runs knows of nothing against the others.
    fn all_well(&self, views: &[View]) -> bool {
        let running = self.running();
        let well = |view: &View, node: usize| view.node(&self.nodes[node].id).is_some_and(view::Seen::is_well);
        views.iter().all(|view| running.iter().all(|node| well(view, *node)))
    }

    fn all_serve(&self) -> bool {
        let state = |mut client: Client| match client.try_call(&["CLUSTER", "INFO"]) {
            Ok(Reply::Bulk(text)) => String::from_utf8_lossy(&text).contains("cluster_state:ok"),
            _ => false,
        };
        self.running().into_iter().all(|node| self.nodes[node].ask().is_some_and(state))
    }

    /// How the nodes that run see the cluster; nothing if one of them does not say.
    fn views(&self) -> Option<Vec<View>> {
        self.running().into_iter().map(|node| self.nodes[node].view()).collect()
    }

    /// How one of those sees it that can be asked.
    fn view(&self) -> View {
        self.nodes.iter().find_map(Node::view).expect("some node answers")
    }

    fn number(&self, id: &str) -> usize {
        self.nodes.iter().position(|node| node.id == id).unwrap_or_else(|| panic!("{id} is not one of ours"))
    }
}
