//! An engine in a store of its own, with one source that nobody loads from but the test.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::key_change::KeyChange;
use crate::cache::table::{Clock, Column};
use crate::cache::{
    outcome, Age, Error, FlightId, Lsn, Notice, PgSnapshot, Progress, Relation, Reply, Rule, TableDefinition, Timings,
    WaiterId,
};
use crate::clock::beginning;
use crate::engine::catalog::sources::{ActiveSource, Sources};
use crate::engine::loads::completion::Completion;
use crate::engine::loads::entries::Found;
use crate::engine::loads::load_requests::{LoadRequests, RowLoad};
use crate::engine::tests::host::MemoryHost;
use crate::engine::tests::memory::{Memory, Role};
use crate::engine::{resolve_key, Begun, Caller, Engine, FlightWaiter, ResolvedKey, Table, TableCall, TableCommand};
use crate::postgres::rows::load::Fetched;
use crate::settings::{load, Shared};
use crate::workers::messages::MessageSender;
use crate::workers::queue::Queue;
use crate::workers::FeedEvent;

/// What a read comes to at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The row, from the cache.
    Hit(String),
    /// That there is none, from the cache.
    Absent,
    /// It waits, by this number.
    Waits(u64),
}

/// What a read that waited comes to: the row, if there is one.
pub type Answer = Result<Option<String>, Error>;

/// An engine and its store.
pub struct Cache {
    pub engine: Engine<MemoryHost>,
    pub store: Memory,
    readers: u64,
    _postbox: MessageSender,
}

impl Cache {
    /// One with a source that is live.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same with these settings: names and values.
    pub fn with(settings: &[&str]) -> Self {
        let (sender, messages) = MessageSender::new(Arc::new(|| {}));
        let wide: &[&str] = if settings.contains(&"queue_limit") { &[] } else { &["queue_limit", "1000000"] };
        let arguments: Vec<String> = wide.iter().chain(settings).map(ToString::to_string).collect();
        let settings = load(&arguments, []).expect("these are settings").settings;
        let source = ActiveSource::new(0, "default".into(), Queue::new(1), Arc::default());
        let sources = Sources::of(vec![source]);
        let engine = Engine::new(Arc::new(Shared::new(settings)), sources, messages, None);
        let mut cache = Self { engine, store: Memory::default(), readers: 0, _postbox: sender };
        cache.beat();
        cache
    }

    /// A heartbeat comes back that is sent now.
    pub fn beat(&mut self) {
        self.beat_at(None);
    }

    /// The same, when all changes up to that position have been told.
    pub fn beat_at(&mut self, lsn: Option<Lsn>) {
        let sent = beginning() + Duration::from_millis(self.now_ms());
        let progress = Some(Progress::to_position("", lsn.unwrap_or_default()));
        self.feed(FeedEvent::Beat { sent, lsn, progress });
    }

    /// The master of this replica says that it has applied all changes up to that position.
    pub fn masters_word(&mut self, lsn: Lsn) {
        self.engine.progress_announced(&self.store, Progress::to_position("", lsn), "default");
    }

    /// Time passes, a heartbeat comes back, and the master says that it has applied as much.
    pub fn await_masters_word(&mut self) {
        self.pass(10);
        self.beat();
        self.masters_word(Lsn::default());
    }

    /// The thread that listens tells of something.
    pub fn feed(&mut self, event: FeedEvent) {
        self.engine.on_feed_event(&self.store, 0, event);
    }

    fn now_ms(&self) -> u64 {
        use crate::engine::Store;
        (&self.store).monotonic_ms()
    }

    /// Enters a table as the catalog describes it, under the name that it has there.
    pub fn add(&mut self, definition: TableDefinition) -> Rc<Table> {
        let name = definition.display.clone();
        let table = self.engine.enter(&self.store, 0, Arc::new(definition), Instant::now());
        self.engine.catalog.tables.remember(name.as_bytes(), &table);
        table
    }

    /// The table `name` in its epoch of now.
    pub fn table(&mut self, name: &str) -> Rc<Table> {
        let table = self.engine.catalog.tables.find(name.as_bytes()).expect("it was added");
        self.engine.current(&self.store, table)
    }

    /// The row of `name` that `key` names, on its way.
    pub fn resolve_key(&mut self, name: &str, key: &str) -> ResolvedKey<Box<[u8]>> {
        let table = self.table(name);
        resolve_key(&self.engine, &table, key.as_bytes()).expect("the key fits the table")
    }

    /// The cache key under which a row may stand now.
    pub fn cache_key(&mut self, name: &str, key: &str) -> Box<[u8]> {
        self.resolve_key(name, key).cache_key
    }

    /// Whether something stands under that key.
    pub fn stands(&mut self, name: &str, key: &str) -> bool {
        let key = self.cache_key(name, key);
        self.store.bytes(&key).is_some()
    }

    /// A client sends a command on the table that it calls `name`. Returns what it is answered at once; `None`: it waits.
    pub fn run(&mut self, name: &str, command: &impl TableCommand<MemoryHost>) -> Option<Reply> {
        let mut caller = Caller::of(&self.store);
        let mut call = TableCall { ctx: &self.store, spelling: name.as_bytes(), command, caller: &mut caller };
        match self.engine.begin(&mut call) {
            Begun::Done(outcome::Answer::Now(reply)) => Some(reply),
            Begun::Done(outcome::Answer::Blocked(_)) => None,
            Begun::BeforeCommand(_) => panic!("nobody refuses commands here"),
        }
    }

    /// What the clients that have waited are answered now, each by its number.
    pub fn replies(&mut self) -> Vec<(u64, Reply)> {
        assert!(self.engine.drain_messages(&self.store), "there are few");
        self.store.clients.replies.take()
    }

    /// A client reads a row, as `PGCACHE.READ` does.
    pub fn read(&mut self, name: &str, key: &str) -> Read {
        self.read_from(name, key, None)
    }

    /// The same with `MINLSN`.
    pub fn read_from(&mut self, name: &str, key: &str, min_lsn: Option<Lsn>) -> Read {
        let (table, resolved_key) = (self.table(name), self.resolve_key(name, key));
        let (engine, store) = (&mut self.engine, &self.store);
        let is_reliable = engine.may_answer(store, &table, min_lsn);
        let text = |row: &[u8]| String::from_utf8(row.to_vec()).expect("rows are texts");
        let (found, age) = engine.look_up(store, &table, is_reliable, &resolved_key.cache_key, None, text);
        let read = match found {
            Found::Row(row) => Read::Hit(row),
            Found::Absent => Read::Absent,
            Found::Foreign | Found::Nothing => return self.wait(&table, resolved_key, min_lsn),
        };
        if age != Age::Fresh {
            engine.refresh(store, &table, RowLoad::of(resolved_key).into_iter().collect(), None);
        }
        read
    }

    fn wait(&mut self, table: &Rc<Table>, resolved_key: ResolvedKey<Box<[u8]>>, min_lsn: Option<Lsn>) -> Read {
        self.readers += 1;
        let waiter = WaiterId::new(self.readers);
        let waiting = FlightWaiter::Row { waiter, user: Rc::new(""), min_lsn };
        let row = RowLoad::of(resolved_key).expect("the key has values");
        let (engine, mut requests) = (&mut self.engine, LoadRequests::default());
        let ttl_s = engine.ttl_s(None);
        engine.join(&self.store, table, row, ttl_s, waiting, &mut requests);
        engine.submit(&self.store, table.source, requests);
        Read::Waits(self.readers)
    }

    /// A client drops a row, as `PGCACHE.INVALIDATE` does for a key that has one spelling.
    pub fn invalidate(&mut self, name: &str, key: &str) -> Result<(), Error> {
        let (table, resolved_key) = (self.table(name), self.resolve_key(name, key));
        self.engine.drop_entry(&self.store, &table, &resolved_key.cache_key)
    }

    /// A client stores a row, as `PGCACHE.WRITE` does.
    pub fn write(&mut self, name: &str, key: &str, row: &str) -> Result<(), Error> {
        let (table, resolved_key) = (self.table(name), self.resolve_key(name, key));
        let ttl_s = self.engine.ttl_s(None);
        self.engine.put_entry(&self.store, &table, &resolved_key.cache_key, row.as_bytes(), ttl_s).map(drop)
    }

    /// The loads under way, in the order they began.
    pub fn loads(&self) -> Vec<FlightId> {
        self.engine.loads.flights.under_way().into_iter().map(|(flight, _)| flight).collect()
    }

    /// The cache key that a load under way was asked for under.
    pub fn key_of(&self, flight: FlightId) -> Option<String> {
        let under_way = self.engine.loads.flights.under_way();
        let found = under_way.iter().find(|(id, _)| *id == flight);
        found.map(|(_, key)| String::from_utf8_lossy(key).into_owned())
    }

    /// A load comes back.
    pub fn complete(&mut self, flight: FlightId, outcome: Result<Fetched, Error>) {
        self.complete_seeing(flight, outcome, None);
    }

    /// A load comes back that PostgreSQL was asked for after it showed `snapshot`.
    pub fn complete_seeing(&mut self, flight: FlightId, outcome: Result<Fetched, Error>, snapshot: Option<PgSnapshot>) {
        let (snapshot, timings) = (snapshot.map(Rc::new), Timings::default());
        self.engine.complete(&self.store, Completion { flight, outcome, snapshot, timings });
    }

    /// The only load under way comes back with `row`.
    pub fn complete_row(&mut self, row: &str) {
        let loads = self.loads();
        assert_eq!(loads.len(), 1, "one load is under way");
        self.complete(loads[0], Ok(row_of(row)));
    }

    /// What those came to who waited, in the order they are answered.
    pub fn answers(&mut self) -> Vec<(u64, Answer)> {
        let of_reader = |waiting| match waiting {
            FlightWaiter::Row { waiter, .. } => waiter.number(),
            other => panic!("nobody else waits: {other:?}"),
        };
        let text = |row: &Arc<[u8]>| String::from_utf8_lossy(row).into_owned();
        let answers = self.engine.take_answers().into_iter();
        let answer = |result: &Result<crate::engine::loads::waiter::LoadedRow, Error>| {
            result.as_ref().map(|loaded| loaded.row.as_ref().map(text)).map_err(Clone::clone)
        };
        answers.map(|(waiting, answered)| (of_reader(waiting), answer(&answered.result))).collect()
    }

    /// A read that loads if it must, and what it comes to.
    pub fn load(&mut self, name: &str, key: &str, row: &str) -> Read {
        let read = self.read(name, key);
        if let Read::Waits(_) = read {
            let last = *self.loads().last().expect("somebody waits for a load");
            self.complete(last, Ok(row_of(row)));
            self.answers();
        }
        read
    }

    /// PostgreSQL tells that rows with these keys have changed.
    pub fn changed(&mut self, oid: u32, keys: &[&str]) {
        let rows = keys.iter().map(|key| (*key).into()).collect();
        self.notice(&Notice::Rows { relation: Relation::Oid(oid), rows });
    }

    /// A notice is applied.
    pub fn notice(&mut self, notice: &Notice) {
        self.told(None, notice);
    }

    /// A notice of transaction `xid` is applied, which may not be visible yet.
    pub fn told(&mut self, xid: Option<u64>, notice: &Notice) {
        self.engine.on_notice(&self.store, 0, xid, notice);
    }

    /// Somebody else changes a key, and the server tells of it.
    pub fn touched(&mut self, key: &[u8]) {
        self.engine.key_changed(&self.store, KeyChange::Touched, key);
    }

    /// Somebody else restores a key, as the server does for one that is moved here, and the server tells of it.
    pub fn restored(&mut self, key: &[u8]) {
        self.engine.key_changed(&self.store, KeyChange::Restored, key);
    }

    /// Time passes, keys that end are removed, and the clock ticks.
    pub fn pass(&mut self, ms: u64) {
        self.store.pass(ms);
        for key in self.store.expired() {
            self.engine.key_changed(&self.store, KeyChange::Expired, &key);
        }
        self.tick();
    }

    /// The server's clock ticks.
    pub fn tick(&mut self) {
        self.engine.keep_up(&self.store);
    }

    /// The server takes another role, and tells of it when it is not just a pause.
    pub fn set_role(&mut self, role: Role) {
        self.store.set_role(role);
        if role != Role::Paused {
            self.engine.role_changed(&self.store);
        }
    }
}

/// What a load brings of a row.
pub fn row_of(json: &str) -> Fetched {
    Fetched::Row { json: Arc::from(json.as_bytes()), own_key: None }
}

/// What a load brings of a row whose own key only PostgreSQL could spell.
pub fn row_called(json: &str, own_key: &str) -> Fetched {
    Fetched::Row { json: Arc::from(json.as_bytes()), own_key: Some(own_key.as_bytes().into()) }
}

/// What a load brings where there is no row.
pub fn no_row() -> Fetched {
    Fetched::Absent { own_key: None }
}

/// The same table, whose changes nobody tells.
pub fn unwatched() -> TableDefinition {
    TableDefinition { is_watched: false, ..table() }
}

/// Another watched table like it, called `u`.
pub fn other_table() -> TableDefinition {
    TableDefinition { oid: 2, relation: "u".into(), display: "u".into(), concerns: vec![2], ..table() }
}

/// A watched table `t` (oid 1): `id`, its primary key; `k`, unique, whose spelling only PostgreSQL knows; `g`, not unique.
pub fn table() -> TableDefinition {
    let int = Rule::Int { min: i64::from(i32::MIN), max: i64::from(i32::MAX) };
    TableDefinition {
        oid: 1,
        schema: "public".into(),
        relation: "t".into(),
        display: "t".into(),
        columns: vec![
            column("id", int),
            column("k", Rule::ByPostgres { text_is_unique: true }),
            column("g", Rule::Text),
        ],
        unique_keys: vec![vec![0], vec![1]],
        named_keys: vec![vec![0], vec![1]],
        is_watched: true,
        is_plain: true,
        concerns: vec![1],
        fingerprint: 0,
    }
}

fn column(name: &str, rule: Rule) -> Column {
    Column {
        name: name.into(),
        sql_type: "\"pg_catalog\".\"int4\"".into(),
        equality: "OPERATOR(pg_catalog.=)".into(),
        rule,
        clock: Clock::Unread,
        is_domain: false,
        has_form: true,
    }
}
