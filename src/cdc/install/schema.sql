-- The schema of everything that pgcache keeps in PostgreSQL.
DO $pgcache$
BEGIN
    IF pg_catalog.to_regnamespace('pgcache') IS NULL THEN
        CREATE SCHEMA pgcache;
    -- Our functions run as whoever installs them: what they use must not be somebody else's to replace.
    ELSIF EXISTS (SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
                   WHERE n.nspname = 'pgcache' AND NOT r.rolsuper AND r.rolname <> current_user)
    THEN
        RAISE insufficient_privilege USING MESSAGE = 'schema pgcache belongs to another role: be that role, or drop it';
    -- Nor may the owner of a table have triggers, or the owner of a function another body, in what they use.
    ELSIF EXISTS (SELECT FROM (SELECT relowner, relnamespace FROM pg_catalog.pg_class WHERE relkind <> 'i'
                               UNION ALL SELECT proowner, pronamespace FROM pg_catalog.pg_proc) o(owner, namespace)
                    JOIN pg_catalog.pg_roles r ON r.oid = o.owner
                   WHERE o.namespace = pg_catalog.to_regnamespace('pgcache')
                     AND NOT r.rolsuper AND r.rolname <> current_user)
    THEN
        RAISE insufficient_privilege USING MESSAGE = 'something in schema pgcache belongs to another role: be that role, or drop it';
    END IF;
END
$pgcache$;
