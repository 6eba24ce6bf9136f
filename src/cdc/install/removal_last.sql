-- With the last watched table everything else goes, as far as it is ours to remove.
DO $pgcache$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = pg_catalog.to_regnamespace('pgcache') AND p.proname LIKE 'changed\_%')
    THEN
        RETURN;
    END IF;
    BEGIN
        -- Those whose changes the write-ahead log tells need no more than these.
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r
                         JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid AND p.pubname = 'pgcache')
        THEN
            DROP EVENT TRIGGER IF EXISTS pgcache_ddl;
            DROP EVENT TRIGGER IF EXISTS pgcache_drop;
            DROP FUNCTION IF EXISTS pgcache.tell_of_ddl(), pgcache.tell_of_drop();
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    BEGIN
        DROP TABLE IF EXISTS pgcache.outbox, pgcache.outbox_state;
        DROP MATERIALIZED VIEW IF EXISTS pgcache.secret;
        DROP FUNCTION IF EXISTS pgcache.seal(pg_catalog.text);
        DROP FUNCTION IF EXISTS pgcache.notices(oid, pg_catalog.text[]);
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    BEGIN
        DROP SCHEMA IF EXISTS pgcache;
    EXCEPTION WHEN insufficient_privilege OR dependent_objects_still_exist THEN
        NULL;
    END;
END
$pgcache$;
