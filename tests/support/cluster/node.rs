//! One node of a cluster: a server that runs, stands still or is down.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::process;
use crate::support::server::{Server, Setup};
use crate::support::Client;

use super::view::View;

/// How long a node may take to say how it sees the cluster: one that is beyond a cut cable never does.
const SOON: Duration = Duration::from_secs(2);

/// A node.
pub struct Node {
    /// Its name in the cluster.
    pub id: String,
    /// Its port for other nodes.
    pub bus: u16,
    /// Who could take its place when it was last taken away.
    pub heirs: Vec<usize>,
    /// Whether it is beyond a cut cable.
    pub is_beyond: bool,
    state: State,
}

enum State {
    Runs(Box<Server>),
    StandsStill(Box<Server>),
    Down(Option<Box<Setup>>),
}

impl Node {
    /// The node that this server is.
    pub fn of(server: Server) -> Self {
        let myself = View::of(&mut server.client()).expect("the server is in cluster mode").myself().clone();
        Self { id: myself.id, bus: myself.bus, heirs: vec![], is_beyond: false, state: State::Runs(Box::new(server)) }
    }

    /// Its server, unless it is down.
    pub fn server(&self) -> Option<&Server> {
        match &self.state {
            State::Runs(server) | State::StandsStill(server) => Some(server),
            State::Down(_) => None,
        }
    }

    /// Its server, if that can answer.
    pub fn running(&self) -> Option<&Server> {
        self.server().filter(|_| matches!(self.state, State::Runs(_)) && !self.is_beyond)
    }

    /// How it sees the cluster, if it can be asked.
    pub fn view(&self) -> Option<View> {
        View::of(&mut self.ask()?)
    }

    /// A connection for a question, if it can be asked.
    pub fn ask(&self) -> Option<Client> {
        Client::connect_within(self.running()?.address(), SOON).ok()
    }

    /// Ends its process without a chance to say goodbye.
    pub fn kill(&mut self) {
        if let State::Runs(server) | State::StandsStill(server) = self.take() {
            let file = server.folder().join("nodes.conf");
            self.state = State::Down(Some(Box::new(server.crash())));
            forget_shards(&file);
        }
    }

    /// Starts it again after [`Self::kill`], in its folder and at its port.
    pub fn start_again(&mut self) {
        if let State::Down(Some(setup)) = self.take() {
            self.state = State::Runs(Box::new(setup.start()));
        }
    }

    /// Stops its process, which keeps its connections.
    pub fn freeze(&mut self) {
        if let State::Runs(server) = self.take() {
            process::freeze(server.pid());
            self.state = State::StandsStill(server);
        }
    }

    /// Has it go on after [`Self::freeze`].
    pub fn thaw(&mut self) {
        if let State::StandsStill(server) = self.take() {
            process::kill(server.pid(), libc::SIGCONT);
            self.state = State::Runs(server);
        }
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Down(None))
    }
}

/// Takes out of a node's file what shard each node is of: after replicas have joined Valkey 8.0 may have that wrong, and then does not start
/// with it (its issue 2171). It finds out anew.
fn forget_shards(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| match line.split_once(",shard-id=") {
        Some((before, after)) => before.to_owned() + after.trim_start_matches(|c: char| c.is_ascii_hexdigit()),
        None => line.to_owned(),
    });
    fs::write(file, lines.map(|line| line + "\n").collect::<String>()).unwrap();
}
