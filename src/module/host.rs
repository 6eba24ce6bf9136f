//! The server as the engine's host.

use std::time::Duration;

use super::current;
use crate::cache::key_change::KeyChange;
use crate::cache::slot::Slot;
use crate::cache::{Error, Purpose, Refusal, Reply, Stored};
use crate::clock;
use crate::engine::host::{Callback, Client, Host};
use crate::engine::{Store, StoreKey};
use crate::plugins::call::CommandEnd;
use crate::plugins::{Event, EventContext, Plugins};
use crate::server::blocked::{BlockedClient, ClientHandle};
use crate::server::scan::{self, Cursor};
use crate::server::{
    cluster, context, event_loop, keyspace, publish, replication, reply, timer, wakeup, Context, Text, User,
};
use crate::settings::Settings;

/// Redis or Valkey.
#[derive(Debug, Default)]
pub struct Server;

impl Host for Server {
    type Key = Text;
    type Cursor = Cursor;
    type User = User;
    type Client = BlockedClient;
    type Context<'c> = Context<'c>;

    fn server_user() -> User {
        User::server()
    }
}

impl StoreKey for Text {
    fn copy(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }

    fn as_bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Client for BlockedClient {
    type Handle = ClientHandle;

    fn handle(&self) -> ClientHandle {
        self.handle()
    }

    fn answer(self, reply: Reply) {
        self.answer(reply);
    }
}

impl Store for Context<'_> {
    type Key = Text;
    type Cursor = Cursor;

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

    fn scan(self, cursor: &mut Cursor, visit: impl FnMut(&[u8], usize)) -> bool {
        cursor.step(self, visit)
    }

    fn key_count(self) -> u64 {
        scan::key_count(self)
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

    fn is_node(self) -> bool {
        cluster::is_node()
    }

    fn command_slot(self) -> Option<Slot> {
        cluster::command_slot()
    }

    fn serves(self, key: &Text) -> bool {
        cluster::serves(key)
    }

    fn monotonic_ms(self) -> u64 {
        clock::monotonic_ms()
    }

    fn unix_ms(self) -> u64 {
        clock::unix_ms()
    }

    fn wake(self) {
        wakeup::wake();
    }

    fn counts_ticks(self) -> bool {
        event_loop::tick_number().is_some()
    }

    fn count_ticks(self, is_wanted: bool) {
        event_loop::count_ticks(self, is_wanted);
    }

    fn announce(self, record: &str, said: &str) {
        replication::announce(self, record, said);
    }

    fn publish(self, channel: &[u8], message: &[u8]) -> usize {
        publish::publish(self, &Text::new(channel), message)
    }

    fn node_id(self) -> Option<String> {
        cluster::node_id()
    }

    fn may_publish(self, channel: &[u8]) -> bool {
        publish::may_publish(self, &Text::new(channel))
    }

    fn emit(self, plugins: &Plugins, settings: &Settings, event: &Event<'_>) {
        plugins.emit(EventContext { ctx: self, settings }, event);
    }
}

impl Callback for Context<'_> {
    type Host = Server;

    fn user(self) -> User {
        User::of(self)
    }

    fn client_id(self) -> u64 {
        Context::client_id(&self)
    }

    fn denies_blocking(self) -> bool {
        self.flags().deny_blocking()
    }

    fn block(self) -> Option<BlockedClient> {
        BlockedClient::of(self)
    }

    fn reply_with(self, bytes: &[u8], in_command: bool) -> Reply {
        reply::of_bytes(self, bytes, in_command)
    }

    fn may_access(
        self,
        plugins: &Plugins,
        settings: &Settings,
        user: &User,
        keys: &[&Text],
        purpose: Purpose,
    ) -> Result<(), Error> {
        plugins.may_access(EventContext { ctx: self, settings }, user, keys, purpose)
    }

    fn emit_started(self, plugins: &Plugins, settings: &Settings) {
        plugins.started(EventContext { ctx: self, settings });
    }

    fn emit_ended(self, plugins: &Plugins, settings: &Settings, call: &CommandEnd<'_>) {
        plugins.ended(EventContext { ctx: self, settings }, call);
    }

    fn take_key_change(self) -> Option<(KeyChange, Vec<u8>)> {
        current::take_key_change()
    }

    fn sweep_after(self, pause: Duration) {
        timer::after(pause, |ctx| current::with(|engine| engine.sweep_slice(ctx)));
    }
}
