//! Free ports.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;
use std::time::Duration;

/// Below the ports that Linux gives to outgoing connections: one of those could take a port between our look at
/// it and its use. The bus of a cluster (port + 10,000) stays below them too.
const FIRST: u32 = 10_240;
const COUNT: u32 = 12_000;

/// A loopback port that nothing listens on and that no other call returns, in this test process or in another.
pub fn free() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Test processes side by side start at different places.
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = (FIRST + offset) as u16;
        if reserve(port) && nobody_listens(port) {
            return port;
        }
    }
    panic!("no free port");
}

/// Makes the port ours for as long as this process lives, as far as test processes are concerned. The name of an
/// abstract socket belongs to whoever binds it first, and ends with it.
fn reserve(port: u16) -> bool {
    static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(vec![]);
    let name = net::SocketAddr::from_abstract_name(format!("pgcache-test-port-{port}")).unwrap();
    let socket = UnixListener::bind_addr(&name);
    socket.map(|socket| RESERVED.lock().unwrap().push(socket)).is_ok()
}

/// Asked by connecting: a socket of our own on the port might still be open, in a child on its way to another
/// program, when the server comes to listen.
fn nobody_listens(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let answer = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    answer.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}
