//! The store: what the rules of the engine need of the server that they run in. Tests run them in one that is made of a map.

use std::fmt::Debug;

use crate::cache::slot::Slot;
use crate::cache::{Refusal, Stored};
use crate::plugins::{Event, Plugins};
use crate::settings::Settings;

/// A key in the form that a store takes, so that it is made once and used many times.
pub trait StoreKey: Debug {
    /// A copy of `bytes`.
    fn copy(bytes: &[u8]) -> Self;

    /// The bytes.
    fn as_bytes(&self) -> &[u8];
}

/// The keyspace, the clocks, the event loop and the role of a server, and those who are told of events.
pub trait Store: Copy {
    /// Its keys.
    type Key: StoreKey;

    /// Where a walk through its keys is.
    type Cursor;

    /// `bytes` as a key.
    fn key(self, bytes: &[u8]) -> Self::Key {
        Self::Key::copy(bytes)
    }

    /// Passes what stands under `key` to `look`, without a copy.
    fn read<T>(self, key: &Self::Key, look: impl FnOnce(Stored<'_>) -> T) -> T;

    /// The same, with the remaining time to live in milliseconds; `None`: no key, or no expiry.
    fn read_with_ttl<T>(self, key: &Self::Key, look: impl FnOnce(Stored<'_>) -> T) -> (T, Option<u64>);

    /// Stores `value` under `key` until `expires_at_ms` (milliseconds since 1970; `None`: for good).
    fn put(self, key: &Self::Key, value: &[u8], expires_at_ms: Option<u64>) -> Result<(), Refusal>;

    /// Removes what stands under `key`. Nothing there is no error.
    fn remove(self, key: &Self::Key) -> Result<(), Refusal>;

    /// Passes some of all keys to `visit`, each with the bytes of its value if that is a string. Returns whether there are more.
    /// Keys that are there from beginning to end of a walk are seen at least once.
    fn scan(self, cursor: &mut Self::Cursor, visit: impl FnMut(&[u8], usize)) -> bool;

    /// How many keys there are.
    fn key_count(self) -> u64;

    /// Whether something can be written now.
    fn may_write(self) -> Result<(), Refusal>;

    /// Whether replicas may not be written to now: CLIENT PAUSE, a failover under way.
    fn is_paused(self) -> bool;

    /// Whether this server is a replica.
    fn is_replica(self) -> bool;

    /// Whether the data set is being loaded.
    fn is_loading(self) -> bool;

    /// Whether this server is a node of a cluster.
    fn is_node(self) -> bool;

    /// The slot of the command under way, in a cluster: only keys of that slot are within reach. `None`: all are.
    fn command_slot(self) -> Option<Slot>;

    /// Whether any client may use `key` here now. In a cluster its slot may be another node's, or on its way there.
    fn serves(self, key: &Self::Key) -> bool;

    /// Whether `key` can be read and written before the command under way is over.
    fn reaches(self, key: &[u8]) -> bool {
        self.command_slot().is_none_or(|slot| Slot::of(key) == slot)
    }

    /// Milliseconds on a clock that only goes forward.
    fn monotonic_ms(self) -> u64;

    /// Milliseconds since 1970.
    fn unix_ms(self) -> u64;

    /// Has the engine woken soon, to go on with what is queued.
    fn wake(self);

    /// Whether the engine is told of the end of each tick of the event loop.
    fn counts_ticks(self) -> bool;

    /// Has the engine told of these ends, or not any more.
    fn count_ticks(self, is_wanted: bool);

    /// Tells replicas that the record called `record` says `said`.
    fn announce(self, record: &str, said: &str);

    /// The id of this node in its cluster; `None` outside of one.
    fn node_id(self) -> Option<String>;

    /// Whether publishing on `channel` costs as little as it should where nobody listens.
    fn may_publish(self, channel: &[u8]) -> bool;

    /// Publishes `message` on `channel`. Returns how many clients of this server listen.
    fn publish(self, channel: &[u8], message: &[u8]) -> usize;

    /// Tells `plugins` of an event.
    fn emit(self, plugins: &Plugins, settings: &Settings, event: &Event<'_>);
}
