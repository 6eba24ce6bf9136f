//! The server as a store.

use super::{Store, StoreKey};
use crate::cache::{Refusal, Stored};
use crate::plugins::{Event, EventContext, Plugins};
use crate::server::{clock, context, keyspace, replication, Context, Text};
use crate::settings::Settings;

impl StoreKey for Text {
    fn copy(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }

    fn as_bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Store for Context<'_> {
    type Key = Text;

    fn read<T>(self, key: &Text, look: impl FnOnce(Stored<'_>) -> T) -> T {
        keyspace::read(self, key, look)
    }

    fn read_with_ttl<T>(self, key: &Text, look: impl FnOnce(Stored<'_>) -> T) -> (T, Option<u64>) {
        keyspace::read_with_ttl(self, key, look)
    }

    fn put(self, key: &Text, value: &[u8], expires_at_ms: Option<u64>) -> Result<(), Refusal> {
        keyspace::store(self, key, value, expires_at_ms)
    }

    fn remove(self, key: &Text) -> Result<(), Refusal> {
        keyspace::remove(self, key)
    }

    fn may_write(self) -> Result<(), Refusal> {
        keyspace::may_write(self)
    }

    fn is_paused(self) -> bool {
        context::replicas_are_paused()
    }

    fn is_replica(self) -> bool {
        self.flags().is_replica()
    }

    fn is_loading(self) -> bool {
        self.flags().is_loading()
    }

    fn monotonic_ms(self) -> u64 {
        clock::monotonic_ms()
    }

    fn unix_ms(self) -> u64 {
        clock::unix_ms()
    }

    fn announce(self, record: &str, said: &str) {
        replication::announce(self, record, said);
    }

    fn emit(self, plugins: &Plugins, settings: &Settings, event: &Event<'_>) {
        plugins.emit(EventContext { ctx: self, settings }, event);
    }
}
