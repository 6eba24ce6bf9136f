-- What dropped tables have left behind.
DO $pgcache$
DECLARE
    orphan pg_catalog.regprocedure;
BEGIN
    FOR orphan IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = pg_catalog.to_regnamespace('pgcache') AND p.proname ~ '^changed_[0-9]+(_row)?$'
           AND pg_catalog.pg_has_role(p.proowner, 'USAGE')
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
                            WHERE c.oid = pg_catalog.split_part(p.proname, '_', 2)::oid)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgfoid = p.oid)
    LOOP
        EXECUTE pg_catalog.format('DROP FUNCTION %s', orphan);
    END LOOP;
END
$pgcache$;
