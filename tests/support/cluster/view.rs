//! How one node sees the cluster.

use std::ops::RangeInclusive;

use crate::support::{Client, Reply};

/// What CLUSTER NODES says.
#[derive(Debug, Clone)]
pub struct View {
    /// A line for each node.
    pub nodes: Vec<Seen>,
}

/// A node, as another one or itself sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its name.
    pub id: String,
    /// Its address and the port of its bus.
    pub host: String,
    /// Its port for clients.
    pub port: u16,
    /// Its port for other nodes.
    pub bus: u16,
    /// `myself`, `master`, `slave`, `fail?`, `fail`, `handshake`, `noaddr`.
    pub flags: Vec<String>,
    /// Of which node it is a replica.
    pub primary: Option<String>,
    /// Whether the link to it works.
    pub is_linked: bool,
    /// What it serves.
    pub slots: Vec<RangeInclusive<u16>>,
}

impl View {
    /// That of the node whose client this is, if it answers.
    pub fn of(client: &mut Client) -> Option<Self> {
        match client.try_call(&["CLUSTER", "NODES"]).ok()? {
            Reply::Bulk(text) => Some(Self { nodes: String::from_utf8(text).ok()?.lines().map(Seen::parse).collect() }),
            _ => None,
        }
    }

    /// The node of this name.
    pub fn node(&self, id: &str) -> Option<&Seen> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The node that has answered.
    pub fn myself(&self) -> &Seen {
        self.nodes.iter().find(|node| node.is("myself")).expect("a node knows itself")
    }

    /// Which node serves what, in the order of slots.
    pub fn owners(&self) -> Vec<(RangeInclusive<u16>, &str)> {
        let of = |node: &'_ Seen| node.slots.clone();
        let mut owners: Vec<_> =
            self.nodes.iter().flat_map(|node| of(node).into_iter().map(|slots| (slots, node.id.as_str()))).collect();
        owners.sort_by_key(|(slots, _)| *slots.start());
        owners
    }

    /// Whether this node serves slots, or follows one that does.
    pub fn has_a_part(&self, id: &str) -> bool {
        let serves = |id: &str| self.node(id).is_some_and(|node| !node.slots.is_empty());
        serves(id) || self.node(id).and_then(|node| node.primary.as_deref()).is_some_and(serves)
    }

    /// Which node follows which.
    pub fn followers(&self) -> Vec<(&str, &str)> {
        let follows = |node: &'_ Seen| node.primary.is_some();
        let mut followers: Vec<_> = self.nodes.iter().filter(|node| follows(node)).collect();
        followers.sort_by_key(|node| &node.id);
        followers.into_iter().filter_map(|node| Some((node.id.as_str(), node.primary.as_deref()?))).collect()
    }
}

impl Seen {
    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let address = words[1].split(',').next().unwrap();
        let (address, bus) = address.split_once('@').unwrap();
        let (host, port) = address.rsplit_once(':').unwrap();
        Self {
            id: words[0].into(),
            host: host.into(),
            port: port.parse().unwrap(),
            bus: bus.parse().unwrap(),
            flags: words[2].split(',').map(str::to_owned).collect(),
            primary: (words[3] != "-").then(|| words[3].to_owned()),
            is_linked: words[7] == "connected",
            // In brackets stand slots that are being moved.
            slots: words[8..].iter().filter(|word| !word.starts_with('[')).map(|word| slots(word)).collect(),
        }
    }

    /// Whether it has this flag.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    /// Whether nothing is known against it.
    pub fn is_well(&self) -> bool {
        let doubts = ["fail?", "fail", "handshake", "noaddr"];
        (self.is_linked || self.is("myself")) && !doubts.iter().any(|flag| self.is(flag))
    }
}

fn slots(word: &str) -> RangeInclusive<u16> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    first.parse().unwrap()..=last.parse().unwrap()
}
