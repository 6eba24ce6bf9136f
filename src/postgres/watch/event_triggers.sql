-- Tells of changed definitions at once, and puts the triggers on partitions that come later. Without these,
-- the servers look for themselves once a second.
BEGIN TRANSACTION READ WRITE;
SET LOCAL lock_timeout = '500ms';
SET LOCAL client_min_messages = warning;
DO $pgcache$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(7453010373645639777); END $pgcache$;

CREATE OR REPLACE FUNCTION pgcache.tell(notice pg_catalog.text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $pgcache$
BEGIN
    -- Only in a way that someone listens to: a transaction that has notified cannot be prepared.
    IF EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace('pgcache')
                  AND proname ~ '^changed_[0-9]+$' AND prosrc LIKE '%pg_notify%')
       AND pg_notification_queue_usage() <= 0.5
    THEN
        PERFORM pg_notify('cache_invalidation', notice);
    END IF;
    IF to_regclass('pgcache.outbox') IS NOT NULL THEN
        INSERT INTO pgcache.outbox (notice) SELECT tell.notice
         WHERE (SELECT last_value FROM pgcache.outbox_id_seq) - coalesce((SELECT low FROM pgcache.outbox_state), 0)
               <= @bound@;
    END IF;
END
$pgcache$;
REVOKE ALL ON FUNCTION pgcache.tell(pg_catalog.text) FROM PUBLIC;

-- Puts the triggers on what stands below a watched table and lacks them.
CREATE OR REPLACE FUNCTION pgcache.watch_partitions(changed oid[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $pgcache$
DECLARE
    lacking record;
BEGIN
    FOR lacking IN
        WITH RECURSIVE below(oid) AS (
            SELECT unnest(changed)
            UNION SELECT i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.oid
        ), above(member, oid, distance) AS (
            SELECT oid, oid, 0 FROM below
            UNION SELECT a.member, i.inhparent, a.distance + 1 FROM above a JOIN pg_inherits i ON i.inhrelid = a.oid
        ), tops AS (
            SELECT DISTINCT ON (a.member) a.member, p.oid::regproc::text AS function
              FROM above a
              JOIN pg_proc p ON p.pronamespace = to_regnamespace('pgcache') AND p.proname = 'changed_' || a.oid
             ORDER BY a.member, a.distance DESC, a.oid
        )
        SELECT c.oid::regclass::text AS relation, t.function, c.relkind
          FROM tops t JOIN pg_class c ON c.oid = t.member
         WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
           AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname LIKE 'pgcache\_%'
                              AND g.tgenabled = 'A')
    LOOP
        EXECUTE replace(replace($watch$@triggers@$watch$, '@' || 'relation@', lacking.relation),
                        '@' || 'function@', lacking.function);
    END LOOP;
END
$pgcache$;
REVOKE ALL ON FUNCTION pgcache.watch_partitions(oid[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgcache.tell_of_ddl() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $pgcache$
DECLARE
    touched oid[];
    is_unknown boolean;
BEGIN
    BEGIN
        SELECT array_agg(r.oid) FILTER (WHERE r.oid <> 0), coalesce(bool_or(r.oid = 0), false)
          INTO touched, is_unknown
          FROM pg_event_trigger_ddl_commands() e
          LEFT JOIN pg_index i ON e.classid = 'pg_class'::regclass AND i.indexrelid = e.objid
          LEFT JOIN pg_policy p ON e.classid = 'pg_policy'::regclass AND p.oid = e.objid
          LEFT JOIN pg_rewrite w ON e.classid = 'pg_rewrite'::regclass AND w.oid = e.objid
          -- A type, a domain or a schema says nothing of the tables that it is used in.
         CROSS JOIN LATERAL (SELECT coalesce(i.indrelid, p.polrelid, w.ev_class,
                                 CASE WHEN e.classid = 'pg_class'::regclass THEN e.objid ELSE 0 END)) r(oid)
          LEFT JOIN pg_class c ON c.oid = r.oid
         WHERE r.oid = 0
            OR c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
               AND c.relnamespace <> to_regnamespace('pgcache');
        IF touched IS NULL AND NOT is_unknown THEN
            RETURN;
        END IF;
        BEGIN
            PERFORM pgcache.watch_partitions(touched);
        EXCEPTION WHEN OTHERS THEN
            NULL; -- LIST then says that the table is watched in parts only
        END;
        PERFORM pgcache.tell(CASE WHEN is_unknown OR cardinality(touched) > 500 THEN '{"pgcache":1,"ddl":[]}' ELSE (
            WITH RECURSIVE above(oid) AS (
                SELECT unnest(touched)
                UNION SELECT i.inhparent FROM above JOIN pg_inherits i ON i.inhrelid = above.oid)
            SELECT concat('{"pgcache":1,"ddl":[', string_agg(oid::text, ',' ORDER BY oid), ']}') FROM above) END);
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
END
$pgcache$;

CREATE OR REPLACE FUNCTION pgcache.tell_of_drop() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $pgcache$
BEGIN
    BEGIN
        -- What a dropped partition, index or policy belonged to cannot be asked any more.
        IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects()
                    WHERE NOT is_temporary
                      AND object_type IN ('table', 'view', 'materialized view', 'foreign table', 'index', 'policy',
                                          'rule', 'table column', 'type', 'schema'))
        THEN
            PERFORM pgcache.tell('{"pgcache":1,"ddl":[]}');
        END IF;
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
END
$pgcache$;

DROP EVENT TRIGGER IF EXISTS pgcache_ddl;
CREATE EVENT TRIGGER pgcache_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE INDEX', 'ALTER INDEX',
                 'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW',
                 'REFRESH MATERIALIZED VIEW', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA',
                 'CREATE RULE', 'ALTER RULE', 'CREATE POLICY', 'ALTER POLICY', 'ALTER TYPE', 'ALTER DOMAIN',
                 'ALTER SCHEMA')
    EXECUTE FUNCTION pgcache.tell_of_ddl();
ALTER EVENT TRIGGER pgcache_ddl ENABLE ALWAYS;
DROP EVENT TRIGGER IF EXISTS pgcache_drop;
CREATE EVENT TRIGGER pgcache_drop ON sql_drop EXECUTE FUNCTION pgcache.tell_of_drop();
ALTER EVENT TRIGGER pgcache_drop ENABLE ALWAYS;
COMMIT;
