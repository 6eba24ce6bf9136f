//! PostgreSQL's replies: feeds listen to a server that answers well or not, as the input says, and rows are loaded from it. Whatever it
//! sends is events, rows or an error, soon.
//!
//! The first byte chooses a feed or a load; `script` says what the others mean.

mod connection;
mod load;
mod script;
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcache::cache::Notice;
use pgcache::cdc::feed::{Feed, FeedEvent, Notify, Outbox, Wal};
use pgcache::cdc::Known;
use pgcache::postgres::{Pulses, Shutdown};
use pgcache::settings::SourceSettings;

use script::Script;
use server::Server;

/// A sign of life may be as old, so that each look is short.
const STALENESS: Duration = Duration::from_millis(100);
/// How often a feed is listened to at most.
const LOOKS: usize = 8;
/// The longest that PostgreSQL may take for anything that these feeds ask, and then some for a busy machine.
const LONGEST: Duration = Duration::from_secs(40);

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let server = Server::with(Script::new(rest));
    let began = Instant::now();
    match choice % 4 {
        3 => load::run(&server.settings()),
        choice => listen(&mut *feed(choice, &server.settings()), rest.len()),
    }
    let took = began.elapsed();
    assert!(took < LONGEST, "{took:?}");
}

/// Opens `feed` and listens for a while, on a server that has so many bytes to say.
fn listen(feed: &mut dyn Feed, said: usize) {
    let mut is_open = false;
    if feed.open().is_ok() {
        for _ in 0..LOOKS {
            if feed.listen(STALENESS, &mut |event| take(&event, &mut is_open, said)).is_err() {
                break;
            }
        }
    }
    feed.close();
}

fn feed(choice: u8, settings: &Arc<SourceSettings>) -> Box<dyn Feed> {
    let (settings, shutdown) = (Arc::clone(settings), Shutdown::default());
    let (pulses, known) = (Arc::<Pulses>::default(), Arc::<Known>::default());
    match choice {
        0 => Box::new(Wal::new(settings, shutdown, pulses, known).expect("no TLS")),
        1 => Box::new(Notify::new(settings, shutdown, pulses, known).expect("no TLS")),
        _ => Box::new(Outbox::new(settings, shutdown, pulses, known).expect("no TLS")),
    }
}

/// An event makes sense: nothing is told before the session is open, and no more than was sent.
fn take(event: &FeedEvent, is_open: &mut bool, sent: usize) {
    match event {
        FeedEvent::Opened { .. } => *is_open = true,
        FeedEvent::Notices { notices, .. } => {
            assert!(*is_open, "notices before the session is open");
            let rows = notices.iter().map(|notice| match notice {
                Notice::Rows { rows, .. } => rows.len(),
                _ => 1,
            });
            // One change has two rows at most, and takes some bytes.
            assert!(rows.sum::<usize>() <= 2 * sent);
        }
        _ => {}
    }
}
