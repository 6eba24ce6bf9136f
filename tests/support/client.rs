//! A client that sends and sees the protocol's own bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use super::eventually::{eventually, PATIENCE};

/// A reply as it came over the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A null, of whatever form.
    Nil,
    /// A status line.
    Simple(String),
    /// An error line.
    Error(String),
    /// A number.
    Integer(i64),
    /// A RESP3 boolean.
    Bool(bool),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// An array, a set or a push message.
    Array(Vec<Reply>),
    /// A RESP3 map.
    Map(Vec<(Reply, Reply)>),
}

impl Reply {
    /// The text of a bulk string or status line.
    pub fn text(&self) -> String {
        match self {
            Self::Bulk(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            Self::Simple(text) => text.clone(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The first word of an error; empty for anything else.
    pub fn code(&self) -> &str {
        match self {
            Self::Error(text) => text.split(' ').next().unwrap(),
            _ => "",
        }
    }

    /// The JSON in a bulk string.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// The value of `name` in a map, or in the flat array that RESP2 has for one.
    pub fn field(&self, name: &str) -> Reply {
        let is_name = |reply: &Reply| matches!(reply, Self::Bulk(bytes) if bytes == name.as_bytes());
        match self {
            Self::Map(fields) => fields.iter().find(|(key, _)| is_name(key)).map(|(_, value)| value.clone()),
            Self::Array(flat) => flat.chunks(2).find(|pair| is_name(&pair[0])).map(|pair| pair[1].clone()),
            other => panic!("no map: {other:?}"),
        }
        .unwrap_or_else(|| panic!("no field {name} in {self:?}"))
    }
}

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a server on loopback.
    pub fn connect(port: u16) -> std::io::Result<Self> {
        Self::connect_to(("127.0.0.1", port))
    }

    /// Connects to a server.
    pub fn connect_to(address: (&str, u16)) -> std::io::Result<Self> {
        Self::connect_within(address, PATIENCE)
    }

    /// Connects to a server, and does not wait longer than this for anything.
    pub fn connect_within((host, port): (&str, u16), patience: Duration) -> std::io::Result<Self> {
        let host: IpAddr = host.parse().map_err(std::io::Error::other)?;
        let stream = TcpStream::connect_timeout(&(host, port).into(), patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a command and waits for its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        self.send(arguments);
        self.receive()
    }

    /// Sends a command and waits for its reply; an error when the connection is lost.
    pub fn try_call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> std::io::Result<Reply> {
        self.stream.get_mut().write_all(&encoded(arguments))?;
        self.try_receive()
    }

    /// Sends a command.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) {
        self.send_raw(&encoded(arguments));
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// The next reply.
    pub fn receive(&mut self) -> Reply {
        self.try_receive().expect("a reply")
    }

    /// The next reply; an error when the server has closed the connection.
    pub fn try_receive(&mut self) -> std::io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at(1);
        Ok(match kind {
            "+" => Reply::Simple(rest.into()),
            "-" => Reply::Error(rest.into()),
            ":" => Reply::Integer(rest.parse().unwrap()),
            "#" => Reply::Bool(rest == "t"),
            "_" => Reply::Nil,
            "$" | "=" | "*" | "~" | ">" if rest == "-1" => Reply::Nil,
            "$" | "=" => self.bulk(rest.parse().unwrap())?,
            "*" | "~" | ">" => Reply::Array(self.many(rest.parse().unwrap())?),
            "%" => {
                let flat = self.many(2 * rest.parse::<usize>().unwrap())?;
                Reply::Map(flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
            }
            _ => panic!("not the protocol: {line:?}"),
        })
    }

    /// The next line, without its end.
    pub fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        // Nothing, or half a line: the server has gone.
        if self.stream.read_until(b'\n', &mut line)? == 0 || !line.ends_with(b"\n") {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        assert!(line.ends_with(b"\r\n"), "{line:?}");
        line.truncate(line.len() - 2);
        Ok(String::from_utf8(line).unwrap())
    }

    fn bulk(&mut self, length: usize) -> std::io::Result<Reply> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Reply::Bulk(bytes))
    }

    fn many(&mut self, count: usize) -> std::io::Result<Vec<Reply>> {
        (0..count).map(|_| self.try_receive()).collect()
    }

    /// `PGCACHE.READ`.
    pub fn read(&mut self, table: &str, key: &str) -> Reply {
        self.call(&["PGCACHE.READ", table, key])
    }

    /// `PGCACHE.MULTIREAD`.
    pub fn multiread(&mut self, table: &str, keys: &str) -> Reply {
        self.call(&["PGCACHE.MULTIREAD", table, keys])
    }

    /// `PGCACHE.INVALIDATE`.
    pub fn invalidate(&mut self, table: &str, key: &str) -> Reply {
        self.call(&["PGCACHE.INVALIDATE", table, key])
    }

    /// `PGCACHE.KEY`.
    pub fn key(&mut self, table: &str, key: &str) -> String {
        self.call(&["PGCACHE.KEY", table, key]).text()
    }

    /// `CONFIG SET` of one of our settings.
    pub fn set(&mut self, setting: &str, value: &str) {
        let name = format!("pgcache.{setting}");
        assert_eq!(self.call(&["CONFIG", "SET", &name, value]), Reply::Simple("OK".into()), "{name} {value}");
    }

    /// One figure of `INFO pgcache`.
    pub fn figure(&mut self, name: &str) -> u64 {
        let info = self.call(&["INFO", "pgcache_stats"]).text();
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("pgcache_{name}:")));
        line.unwrap_or_else(|| panic!("no {name} in {info}")).trim().parse().unwrap()
    }

    /// One field of a section of the server's own INFO.
    pub fn info(&mut self, section: &str, name: &str) -> String {
        let info = self.call(&["INFO", section]).text();
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name} in {info}")).trim().into()
    }

    /// What the server has allocated, in bytes.
    pub fn used_memory(&mut self) -> i64 {
        self.info("memory", "used_memory").parse().unwrap()
    }

    /// Unloads the module, for which no client may wait.
    pub fn unload_module(&mut self) {
        assert_eq!(self.call(&["MODULE", "UNLOAD", "pgcache"]), Reply::Simple("OK".into()));
    }

    /// Whether the key exists in database 0.
    pub fn exists(&mut self, key: &str) -> bool {
        self.call(&["EXISTS", key]) == Reply::Integer(1)
    }
}

/// A command in the protocol's bytes.
pub fn encoded<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
