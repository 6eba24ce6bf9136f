//! A cluster client: it asks the node that serves a command's key, as the server declares it, and follows redirects.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use crate::support::eventually::eventually;
use crate::support::{Client, Reply};

use super::slot::{slot_of, SLOTS};
use super::view::View;

/// Where a node listens.
pub type Address = (String, u16);

/// How long it waits for a node, which may stand still.
const PATIENCE: Duration = Duration::from_secs(2);
/// After so many redirects it gives up.
const REDIRECTS: usize = 16;

/// One connection to each node, opened when it is needed.
pub struct ClusterClient {
    seeds: Vec<Address>,
    /// The owner of each slot, as far as known.
    owners: HashMap<u16, Address>,
    connections: HashMap<Address, Client>,
    /// Where each command has its first key; 0: nowhere.
    first_keys: HashMap<String, usize>,
    patience: Duration,
    /// How often it was told to ask elsewhere.
    pub redirected: usize,
    /// The node that it asked last.
    pub asked: Option<Address>,
}

impl ClusterClient {
    /// One that knows these nodes.
    pub fn new(seeds: Vec<Address>) -> Self {
        Self {
            seeds,
            owners: HashMap::new(),
            connections: HashMap::new(),
            first_keys: HashMap::new(),
            patience: PATIENCE,
            redirected: 0,
            asked: None,
        }
    }

    /// Does not wait longer than this for a node.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a command where it belongs and waits for its reply. Tries again while nobody can serve it.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        eventually("a node answers", || self.try_call(arguments).ok().filter(is_final))
    }

    /// The same, once: an error when a connection is lost or nobody answers in time, or whatever the node says.
    pub fn try_call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        let mut to = self.place_of(arguments)?;
        let mut is_asking = false;
        for _ in 0..REDIRECTS {
            self.asked = Some(to.clone());
            let reply = self.exchange(&to, arguments, is_asking)?;
            let Some((code, slot, address)) = redirect(&reply) else { return Ok(reply) };
            self.redirected += 1;
            is_asking = code == "ASK";
            if !is_asking {
                self.owners.insert(slot, address.clone());
            }
            to = address;
        }
        Err(io::Error::other("redirected in a circle"))
    }

    /// A command to this node; what was known of a node that is lost is forgotten.
    fn exchange<A: AsRef<[u8]>>(&mut self, to: &Address, arguments: &[A], is_asking: bool) -> io::Result<Reply> {
        let reply = self.connection(to).and_then(|client| {
            if is_asking {
                client.try_call(&["ASKING"])?;
            }
            client.try_call(arguments)
        });
        if reply.is_err() {
            self.connections.remove(to);
            self.owners.clear();
        }
        reply
    }

    fn connection(&mut self, to: &Address) -> io::Result<&mut Client> {
        if !self.connections.contains_key(to) {
            let client = Client::connect_within((&to.0, to.1), self.patience)?;
            self.connections.insert(to.clone(), client);
        }
        Ok(self.connections.get_mut(to).expect("it was opened"))
    }

    /// Where a command belongs.
    fn place_of<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Address> {
        if self.owners.is_empty() {
            self.learn()?;
        }
        let first = self.first_key(&String::from_utf8_lossy(arguments[0].as_ref()))?;
        let owner = match arguments.get(first) {
            Some(key) if first > 0 => self.owners.get(&slot_of(key)),
            _ => None,
        };
        owner
            .or_else(|| self.owners.get(&fastrand::u16(..SLOTS)))
            .cloned()
            .ok_or_else(|| io::Error::other("nobody serves"))
    }

    /// Asks one node after the other who serves what.
    fn learn(&mut self) -> io::Result<()> {
        let rotated = fastrand::usize(..self.seeds.len());
        self.seeds.rotate_left(rotated);
        for seed in self.seeds.clone() {
            let view = self.connection(&seed).ok().and_then(View::of);
            let Some(view) = view else {
                self.connections.remove(&seed);
                continue;
            };
            // What nobody can reach any more serves nothing, whatever it served.
            let serving = view.nodes.iter().filter(|node| node.is_well());
            let owned = serving.flat_map(|node| node.slots.iter().cloned().flatten().map(move |slot| (slot, node)));
            self.owners = owned.map(|(slot, node)| (slot, (node.host.clone(), node.port))).collect();
            if !self.owners.is_empty() {
                return Ok(());
            }
        }
        Err(io::Error::other("no node says who serves"))
    }

    /// The place of a command's first key, as the server declares it.
    fn first_key(&mut self, command: &str) -> io::Result<usize> {
        if let Some(first) = self.first_keys.get(command) {
            return Ok(*first);
        }
        let to = self.owners.values().next().cloned().ok_or_else(|| io::Error::other("nobody serves"))?;
        let first = match self.exchange(&to, &["COMMAND", "INFO", command], false)? {
            Reply::Array(commands) => match commands.first() {
                Some(Reply::Array(info)) => info.get(3).cloned(),
                _ => None,
            },
            _ => None,
        };
        let Some(Reply::Integer(first)) = first else { return Err(io::Error::other("no such command")) };
        self.first_keys.insert(command.into(), first as usize);
        Ok(first as usize)
    }
}

/// Whether asking again would lead to nothing else.
fn is_final(reply: &Reply) -> bool {
    !["CLUSTERDOWN", "TRYAGAIN", "LOADING", "MASTERDOWN", "READONLY"].contains(&reply.code())
}

/// `MOVED 42 127.0.0.1:7000`, `ASK …`.
fn redirect(reply: &Reply) -> Option<(String, u16, Address)> {
    let Reply::Error(text) = reply else { return None };
    let mut words = text.split(' ');
    let code = words.next().filter(|code| ["MOVED", "ASK"].contains(code))?;
    let slot = words.next()?.parse().ok()?;
    let (host, port) = words.next()?.rsplit_once(':')?;
    Some((code.into(), slot, (host.into(), port.parse().ok()?)))
}
