-- Tells of changed definitions at once, and puts the triggers on partitions that come later. Without these,
-- the servers look for themselves once a second. What runs as a superuser here calls nothing that is somebody
-- else's to replace.
BEGIN TRANSACTION READ WRITE;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL lock_timeout = '500ms';
SET LOCAL client_min_messages = warning;
DO $pgcache$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(7453010373645639777); END $pgcache$;
@schema@
CREATE OR REPLACE FUNCTION pgcache.tell_of_ddl() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' SET jit = off
AS $pgcache$
DECLARE
    touched oid[];
    is_unknown boolean;
    lacking record;
    harmed record;
    notice text;
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
@heal@        BEGIN
            -- What stands below a watched table and lacks the triggers, as far as whoever installed them may.
            FOR lacking IN
                WITH RECURSIVE below(oid) AS (
                    SELECT unnest(touched)
                    UNION SELECT i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.oid
                ), above(member, oid, distance) AS (
                    SELECT oid, oid, 0 FROM below
                    UNION SELECT a.member, i.inhparent, a.distance + 1
                      FROM above a JOIN pg_inherits i ON i.inhrelid = a.oid
                ), tops AS (
                    SELECT DISTINCT ON (a.member) a.member, p.oid::regproc::text AS function, p.proowner
                      FROM above a
                      JOIN pg_proc p ON p.pronamespace = to_regnamespace('pgcache')
                                    AND p.proname = 'changed_' || a.oid
                     ORDER BY a.member, a.distance DESC, a.oid
                )
                SELECT c.oid::regclass::text AS relation, t.function
                  FROM tops t JOIN pg_class c ON c.oid = t.member
                 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
                   AND pg_has_role(t.proowner, c.relowner, 'USAGE')
                   AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid
                                      AND g.tgname LIKE 'pgcache\_%' AND g.tgenabled = 'A')
            LOOP
                -- The name comes last: it may look like another place.
                EXECUTE replace(replace($watch$@triggers@$watch$, '@' || 'function@', lacking.function),
                                '@' || 'relation@', lacking.relation);
            END LOOP;
        EXCEPTION WHEN OTHERS THEN
            NULL; -- WATCH LIST then says that the table is watched in parts only
        END;
        WITH RECURSIVE above(oid) AS (
            SELECT unnest(touched) WHERE NOT is_unknown AND cardinality(touched) <= 500
            UNION SELECT i.inhparent FROM above JOIN pg_inherits i ON i.inhrelid = above.oid)
        SELECT concat('{"pgcache":1,"ddl":[', string_agg(oid::text, ',' ORDER BY oid), ']}') INTO notice FROM above;
@tell@    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
END
$pgcache$;

CREATE OR REPLACE FUNCTION pgcache.tell_of_drop() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' SET jit = off
AS $pgcache$
DECLARE
    -- What a dropped partition, index or policy belonged to cannot be asked any more.
    notice CONSTANT text := '{"pgcache":1,"ddl":[]}';
    harmed record;
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects()
                        WHERE NOT is_temporary
                          AND object_type IN ('table', 'view', 'materialized view', 'foreign table', 'index', 'policy',
                                              'rule', 'table column', 'type', 'schema'))
        THEN
            RETURN;
        END IF;
@heal@@tell@    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
END
$pgcache$;

-- Whoever owned a function before owns it still, and these run as a superuser.
DO $pgcache$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
                WHERE p.pronamespace = pg_catalog.to_regnamespace('pgcache') AND p.proname LIKE 'tell\_of\_%'
                  AND NOT r.rolsuper)
    THEN
        RAISE insufficient_privilege USING MESSAGE = 'a function pgcache.tell_of_... belongs to another role: drop it';
    END IF;
END
$pgcache$;
@rights@
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
