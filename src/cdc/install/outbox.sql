-- The outbox: notices that wait to be polled. UNLOGGED, because a crash is a gap to every server anyway.
DO $pgcache$
DECLARE
    opened pg_catalog.record;
    numbering pg_catalog.regclass;
BEGIN
    -- A promotion may have emptied sequences that were not logged: nextval fails on them from then on.
    IF pg_catalog.to_regclass('pgcache.outbox_id_seq') IS NOT NULL
       AND pg_catalog.to_regclass('pgcache.outbox_state_low_seq') IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM pgcache.outbox_id_seq) OR NOT EXISTS (SELECT FROM pgcache.outbox_state_low_seq) THEN
            DROP TABLE pgcache.outbox, pgcache.outbox_state;
        END IF;
    END IF;
    IF pg_catalog.to_regclass('pgcache.outbox') IS NULL THEN
        CREATE UNLOGGED TABLE pgcache.outbox (
            id bigint GENERATED ALWAYS AS IDENTITY,
            xid pg_catalog.xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
            notice pg_catalog.text NOT NULL
        );
        CREATE INDEX outbox_xid ON pgcache.outbox (xid);
    END IF;
    IF pg_catalog.to_regclass('pgcache.outbox_state') IS NULL THEN
        CREATE UNLOGGED TABLE pgcache.outbox_state (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            incarnation uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
            -- Its sequence is what counts: the number of the last notice that takes no room any more. A column would be read
            -- as it was when a REPEATABLE READ transaction began.
            low bigint GENERATED ALWAYS AS IDENTITY,
            trim_snapshot pg_catalog.pg_snapshot,
            trimmed_at timestamptz
        );
        -- Default privileges may have opened them, and what they number by.
        FOR opened IN
            SELECT c.oid::pg_catalog.regclass AS relation, coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee
              FROM pg_catalog.pg_class c
             CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
              LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
             WHERE c.relnamespace = pg_catalog.to_regnamespace('pgcache') AND c.relkind IN ('r', 'S')
               AND c.relname LIKE 'outbox%' AND a.grantee <> c.relowner
             GROUP BY 1, 2
        LOOP
            EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s CASCADE', opened.relation, opened.grantee);
        END LOOP;
    END IF;
    -- From PostgreSQL 15 on they are as their tables are.
    FOR numbering IN
        SELECT c.oid FROM pg_catalog.pg_class c
         WHERE c.relnamespace = pg_catalog.to_regnamespace('pgcache') AND c.relkind = 'S'
           AND c.relname LIKE 'outbox%' AND c.relpersistence = 'u'
    LOOP
        EXECUTE pg_catalog.format('ALTER SEQUENCE %s SET LOGGED', numbering);
    END LOOP;
END
$pgcache$;
INSERT INTO pgcache.outbox_state DEFAULT VALUES ON CONFLICT DO NOTHING;
GRANT USAGE ON SCHEMA pgcache TO @role@;
GRANT SELECT, INSERT (notice), DELETE ON pgcache.outbox TO @role@;
GRANT SELECT, INSERT, UPDATE ON pgcache.outbox_state TO @role@;
GRANT SELECT ON SEQUENCE pgcache.outbox_id_seq TO @role@;
GRANT SELECT, UPDATE ON SEQUENCE pgcache.outbox_state_low_seq TO @role@;
