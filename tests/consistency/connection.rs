//! What asks the cache: a connection to one server, or a client of a whole cluster.

use std::io;
use std::time::Duration;

use crate::support::cluster::client::Address;
use crate::support::cluster::ClusterClient;
use crate::support::{Client, Reply};

/// How long a node of a cluster may take: it may stand still, or be beyond a cut cable. One that only waits for a processor is not given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A way to the cache.
pub enum Connection {
    /// To one server, until it is lost; the server's number is 0 where there is only one.
    Server(Option<Client>, u16),
    /// To all primaries of a cluster.
    Cluster(ClusterClient),
}

impl Connection {
    /// To this node of a cluster, as a reader of what it has, whether it is a replica or not.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn to_node((host, port): &Address) -> io::Result<Self> {
        let mut client = Client::connect_within((host, *port), PATIENCE)?;
        client.try_call(&["READONLY"])?;
        Ok(Self::Server(Some(client), *port))
    }

    /// To all of the cluster's primaries, whichever of these nodes they are.
    pub fn to_cluster(nodes: Vec<Address>) -> Self {
        Self::Cluster(ClusterClient::new(nodes).with_patience(PATIENCE))
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// The connection is lost, or nobody answers in time.
    pub fn try_call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        match self {
            Self::Server(client, _) => once(client, |client| client.try_call(arguments)),
            Self::Cluster(client) => client.try_call(arguments),
        }
    }

    /// Sends commands, together where one server takes them all. Their replies; one that did not come is an error.
    pub fn call_all<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> Vec<Reply> {
        if let Self::Server(Some(client), _) = self {
            commands.iter().for_each(|command| client.send(command));
        }
        let answer = |command: &Vec<A>| match self {
            Self::Server(client, _) => once(client, Client::try_receive),
            Self::Cluster(client) => client.try_call(command),
        };
        let lost = |error| Reply::Error(format!("lost {error}"));
        commands.iter().map(answer).map(|reply| reply.unwrap_or_else(lost)).collect()
    }

    /// Which node answered last.
    pub fn node(&self) -> u16 {
        match self {
            Self::Server(_, node) => *node,
            Self::Cluster(client) => client.asked.as_ref().map_or(0, |(_, port)| *port),
        }
    }
}

/// Does `work` unless that has failed before: a reply that comes too late would be taken for the next command's.
fn once(client: &mut Option<Client>, work: impl FnOnce(&mut Client) -> io::Result<Reply>) -> io::Result<Reply> {
    let reply = client.as_mut().ok_or(io::ErrorKind::NotConnected.into()).and_then(work);
    if reply.is_err() {
        *client = None;
    }
    reply
}
