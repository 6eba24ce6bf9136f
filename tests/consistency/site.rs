//! The site of a run: one server with the module, or a cluster of them.

use std::io;
use std::ops::DerefMut;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::support::cluster::client::Address;
use crate::support::cluster::{self, Cluster};
use crate::support::network::NEAR;
use crate::support::server::Setup;
use crate::support::{Client, Database, Kind, Proxy, Server};

use super::connection::Connection;
use super::plan::Plan;

/// Primaries of a cluster. Each has a replica.
const PRIMARIES: usize = 3;
/// Connections of a node's pool: PostgreSQL has a hundred.
const POOL: &str = "4";

/// As they are by default, or shorter: nothing else ends what waits beyond a cut cable.
const TIME_OUTS: [(&str, &str); 3] =
    [("connect_timeout_ms", "2000"), ("statement_timeout_ms", "2000"), ("load_timeout_ms", "5000")];

/// Which nodes begin beyond the cable, where there is one: a primary, and the replica of another.
pub const BEYOND: [usize; 2] = [2, 4];

/// Where the cache is.
pub enum Site {
    /// A server, and where it listens: at another port after each restart.
    Server(Mutex<Option<Box<Server>>>, AtomicU16),
    /// A cluster, and where its nodes listen.
    Cluster(Mutex<Cluster>, Vec<Address>),
}

impl Site {
    /// Starts what the plan says.
    pub fn start(kind: &Kind, plan: &Plan, database: &Database<'_>, proxy: Option<&Proxy>) -> Self {
        if plan.mode.is_cluster() {
            return Self::cluster(kind, plan, database);
        }
        let setup = Server::setup(kind).on(database);
        let setup = match proxy {
            Some(proxy) => setup.setting("pg_port", &proxy.port().to_string()),
            None => setup,
        };
        let server = set(setup, plan).start();
        let port = AtomicU16::new(server.port());
        Self::Server(Mutex::new(Some(Box::new(server))), port)
    }

    fn cluster(kind: &Kind, plan: &Plan, database: &Database<'_>) -> Self {
        let setup = || set(cluster::node(kind).on(database), plan).setting("pool_size", POOL);
        let cluster = match &plan.network {
            Some(network) => Cluster::start_across(network, &BEYOND, (PRIMARIES, 1), || {
                let setup = setup().setting("pg_host", NEAR);
                TIME_OUTS.iter().fold(setup, |setup, (name, value)| setup.setting(name, value))
            }),
            None => Cluster::join((0..PRIMARIES * 2).map(|_| setup().start()).collect(), PRIMARIES),
        };
        let address = |node: usize| cluster[node].address();
        let addresses = (0..cluster.len()).map(address).map(|(host, port)| (host.to_owned(), port)).collect();
        Self::Cluster(Mutex::new(cluster), addresses)
    }

    /// A client of the server, or of each node that runs.
    pub fn clients(&self) -> Vec<Client> {
        match self {
            Self::Server(_, port) => vec![Client::connect(port.load(Ordering::Relaxed)).unwrap()],
            Self::Cluster(cluster, _) => {
                let cluster = cluster.lock().unwrap();
                cluster.running().into_iter().map(|node| cluster[node].client()).collect()
            }
        }
    }

    /// What a reader asks.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn connection(&self) -> io::Result<Connection> {
        match self {
            Self::Server(_, port) => Ok(Connection::Server(Some(Client::connect(port.load(Ordering::Relaxed))?), 0)),
            Self::Cluster(_, addresses) => Ok(Connection::to_cluster(addresses.clone())),
        }
    }

    /// Every way to ask: of a cluster all nodes too, one by one.
    pub fn connections(&self) -> Vec<Connection> {
        let mut connections = vec![self.connection().unwrap()];
        if let Self::Cluster(_, addresses) = self {
            connections.extend(addresses.iter().map(|node| Connection::to_node(node).unwrap()));
        }
        connections
    }

    /// Where the nodes of a cluster listen.
    pub fn nodes(&self) -> &[Address] {
        match self {
            Self::Server(..) => &[],
            Self::Cluster(_, addresses) => addresses,
        }
    }

    /// Of a cluster the nodes that begin as replicas.
    pub fn late_nodes(&self) -> &[Address] {
        self.nodes().get(PRIMARIES..).unwrap_or_default()
    }

    /// The cluster. Panics if there is none.
    pub fn as_cluster(&self) -> MutexGuard<'_, Cluster> {
        match self {
            Self::Cluster(cluster, _) => cluster.lock().unwrap(),
            Self::Server(..) => panic!("this nemesis is for a cluster"),
        }
    }

    /// Ends the server's process and starts another one by `restart`.
    pub fn replace_server(&self, restart: impl FnOnce(Server) -> Server) {
        let Self::Server(place, port) = self else { panic!("this nemesis is for a single server") };
        let mut place = place.lock().unwrap();
        let place = place.deref_mut();
        let server = restart(*place.take().expect("a server runs"));
        port.store(server.port(), Ordering::Relaxed);
        *place = Some(Box::new(server));
    }
}

fn set(setup: Setup, plan: &Plan) -> Setup {
    plan.settings().into_iter().fold(setup, |setup, (name, value)| setup.setting(name, &value))
}
