//! The store: what the rules of the engine need of the server that they run in. Tests run them in one that is made of a map.

mod live;
#[cfg(test)]
pub mod memory;

use std::fmt::Debug;

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

/// The keyspace, the clocks and the role of a server, and those who are told of events.
pub trait Store: Copy {
    /// Its keys.
    type Key: StoreKey;

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

    /// Whether something can be written now.
    fn may_write(self) -> Result<(), Refusal>;

    /// Whether replicas may not be written to now: CLIENT PAUSE, a failover under way.
    fn is_paused(self) -> bool;

    /// Whether this server is a replica.
    fn is_replica(self) -> bool;

    /// Whether the data set is being loaded.
    fn is_loading(self) -> bool;

    /// Milliseconds on a clock that only goes forward.
    fn monotonic_ms(self) -> u64;

    /// Milliseconds since 1970.
    fn unix_ms(self) -> u64;

    /// Tells replicas that the record called `record` says `said`.
    fn announce(self, record: &str, said: &str);

    /// Tells `plugins` of an event.
    fn emit(self, plugins: &Plugins, settings: &Settings, event: &Event<'_>);
}
