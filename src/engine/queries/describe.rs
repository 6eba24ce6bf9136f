//! Describing queries: what PostgreSQL says that they read.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::{Error, ErrorKind, NearMessage, TableDefinition};
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};
use crate::postgres::query::{Discovery, NamedRelation, QueryDescription, QueryPlan};
use crate::workers::accounted::AccountedQuery;
use crate::workers::SourceIndex;

use super::Query;

impl<H: Host> Engine<H> {
    /// Enters a query in the memo, and the tables that it reads in theirs: their changes are heard from now on.
    pub fn enter_query(
        &mut self,
        store: impl Store,
        source: SourceIndex,
        stem: Rc<str>,
        plan: &Arc<QueryPlan>,
        described: QueryDescription,
        asked: Instant,
    ) -> Result<(), Error> {
        self.check_named(source, &described, &plan.title)?;
        let QueryDescription { tables, relations, untracked, is_plain, vocabulary, .. } = described;
        let allowed: Result<Vec<TableDefinition>, Error> =
            tables.into_iter().map(|table| self.allowed(source, table)).collect();
        let tables = self.enter_all(store, source, allowed?, asked);
        let since = self.queries.clock.next();
        let accounted = AccountedQuery::new(Arc::clone(plan), is_plain, vocabulary);
        let query = Rc::new(Query::new(source, stem, accounted, since));
        query.add(&tables, &relations, untracked);
        self.queries.remember(&query);
        Ok(())
    }

    /// `NOPERM` unless `allow_tables` opens every relation that the query names, and it is known to name all that it reads.
    fn check_named(&self, source: SourceIndex, described: &QueryDescription, title: &str) -> Result<(), Error> {
        for NamedRelation { schema, relation, display } in &described.named {
            self.check_allowed(source, schema, relation, display)?;
        }
        let settings = self.settings.get();
        let is_limited = settings.sources.get(source).is_some_and(|source| source.allow_tables.is_limited());
        if is_limited && described.runs_code {
            let text = format!(
                "{title} calls what may hide which tables it reads, so that allow_tables does not let it: {}",
                described.untracked.join("; ")
            );
            return Err(Error::new(ErrorKind::Denied, text));
        }
        Ok(())
    }

    fn enter_all(
        &mut self,
        store: impl Store,
        source: SourceIndex,
        definitions: Vec<TableDefinition>,
        asked: Instant,
    ) -> Vec<Rc<Table>> {
        let enter = |definition| self.enter(store, source, Arc::new(definition), asked);
        let tables = definitions.into_iter().map(enter).collect();
        self.update_known_relations(source);
        tables
    }

    /// A run has read relations that planning did not show: functions did. From now on their changes are heard; `NOPERM` when
    /// one of them is not allowed.
    pub(super) fn account_for(&mut self, store: impl Store, query: &Query, discovery: Discovery) -> Result<(), Error> {
        let Discovery { description, asked } = discovery;
        let QueryDescription { tables, relations, untracked, .. } = description;
        let allowed: Result<Vec<TableDefinition>, Error> =
            tables.into_iter().map(|table| self.allowed(query.source, table)).collect();
        let tables = self.enter_all(store, query.source, allowed?, asked);
        query.add(&tables, &relations, untracked);
        // Near caches have been told that it reads less.
        self.near.tell(NearMessage::Query(query.name()));
        Ok(())
    }
}

impl Query {
    /// What events call it: its name, or the digest of its statement.
    pub fn name(&self) -> &str {
        let stem = self.stem.strip_suffix(':').unwrap_or(&self.stem);
        stem.rsplit_once(':').map_or(stem, |(_, name)| name)
    }
}
