//! A TCP proxy in front of a throwaway PostgreSQL that has bad days of every kind.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::port;

/// How long a thread waits before it looks whether the mode is another.
const TICK: Duration = Duration::from_millis(5);

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They reach PostgreSQL.
    Pass,
    /// They are taken, and what comes in is swallowed.
    Silent,
    /// They are refused: nobody listens.
    Refuse,
    /// They are closed once PostgreSQL has sent so many bytes.
    DropAfter(u64),
    /// What PostgreSQL sends is turned into something else.
    Garble,
    /// They stay open, and nothing is read from them any more.
    HalfOpen,
    /// They are reset.
    Reset,
}

/// A running proxy. It ends with its value.
pub struct Proxy {
    port: u16,
    inner: Arc<Inner>,
}

struct Inner {
    port: u16,
    /// Where connections are passed on to.
    to: Mutex<u16>,
    mode: Mutex<Mode>,
    is_over: AtomicBool,
    /// When each connection was taken.
    taken: Mutex<Vec<Instant>>,
}

impl Proxy {
    /// One that passes connections on to the loopback port `to`.
    pub fn to(to: u16) -> Self {
        let port = port::free();
        let inner = Arc::new(Inner {
            port,
            to: Mutex::new(to),
            mode: Mutex::new(Mode::Pass),
            is_over: AtomicBool::new(false),
            taken: Mutex::default(),
        });
        let listener = inner.listen();
        let accepting = Arc::clone(&inner);
        thread::spawn(move || accepting.accept(listener));
        Self { port, inner }
    }

    /// Its loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on all connections, those that are open too, are treated so. What has been swallowed or held up stays so.
    pub fn set(&self, mode: Mode) {
        *self.inner.mode.lock().unwrap() = mode;
    }

    /// New connections reach another port.
    pub fn lead_to(&self, to: u16) {
        *self.inner.to.lock().unwrap() = to;
    }

    /// When each connection was taken.
    pub fn taken(&self) -> Vec<Instant> {
        self.inner.taken.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.inner.is_over.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap()
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn listen(&self) -> TcpListener {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    }

    fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut listener = Some(listener);
        while !self.is_over() {
            let is_open = self.mode() != Mode::Refuse;
            if listener.is_some() != is_open {
                listener = is_open.then(|| self.listen());
            }
            match listener.as_ref().map(TcpListener::accept) {
                Some(Ok((client, _))) => {
                    self.taken.lock().unwrap().push(Instant::now());
                    let inner = Arc::clone(&self);
                    thread::spawn(move || inner.serve(&client));
                }
                _ => thread::sleep(TICK),
            }
        }
    }

    fn serve(self: Arc<Self>, client: &TcpStream) {
        client.set_nonblocking(false).unwrap();
        let server = match self.mode() {
            Mode::Silent | Mode::HalfOpen | Mode::Reset | Mode::Refuse => None,
            Mode::Pass | Mode::DropAfter(_) | Mode::Garble => {
                let to = SocketAddr::from(([127, 0, 0, 1], *self.to.lock().unwrap()));
                match TcpStream::connect(to) {
                    Ok(server) => Some(server),
                    Err(_) => return,
                }
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| self.pump(client, server.as_ref(), false));
            if let Some(server) = &server {
                self.pump(server, Some(client), true);
            }
        });
    }

    /// Moves bytes until one side closes or the mode ends it. A connection that was silent once stays silent.
    fn pump(&self, from: &TcpStream, to: Option<&TcpStream>, is_answer: bool) {
        let mut buffer = [0; 8192];
        let mut moved = 0;
        let mut is_silent = to.is_none();
        from.set_read_timeout(Some(TICK)).unwrap();
        while !self.is_over() {
            let mode = self.mode();
            if matches!(mode, Mode::Reset | Mode::Refuse) {
                return reset(from, to);
            }
            if mode == Mode::HalfOpen {
                is_silent = true;
                thread::sleep(TICK);
                continue;
            }
            let read = match (&*from).read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            is_silent |= self.mode() == Mode::Silent;
            let Some(mut to) = to.filter(|_| !is_silent) else { continue };
            let bytes = &mut buffer[..read];
            if is_answer && mode == Mode::Garble {
                bytes.iter_mut().for_each(|byte| *byte ^= 0x5a);
            }
            if to.write_all(bytes).is_err() {
                break;
            }
            moved += read as u64;
            if is_answer && matches!(mode, Mode::DropAfter(bytes) if moved >= bytes) {
                break;
            }
        }
        [Some(from), to].into_iter().flatten().for_each(|side| drop(side.shutdown(Shutdown::Both)));
    }
}

/// Ends both sides, that of the module without a goodbye.
fn reset(from: &TcpStream, to: Option<&TcpStream>) {
    for side in [Some(from), to].into_iter().flatten() {
        let _ = socket2::SockRef::from(side).set_linger(Some(Duration::ZERO));
        let _ = side.shutdown(Shutdown::Both);
    }
}
