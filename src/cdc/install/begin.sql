-- One installation at a time, all or nothing. Whoever waits for the lock on a table holds up those who want to
-- write to it after him, so nobody waits for long: when it fails, nothing has changed and it can be run again.
-- Operators and functions of others must not be taken for PostgreSQL's own, whatever whoever runs this has set.
BEGIN TRANSACTION READ WRITE;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL lock_timeout = '500ms';
SET LOCAL statement_timeout = '3s';
SET LOCAL client_min_messages = warning;
DO $pgcache$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(7453010373645639777); END $pgcache$;
@locks@SET LOCAL statement_timeout = 0;
