-- Nobody else calls our functions or puts them on a table of his own, whatever the default privileges: they run with our
-- rights, and on a table without the rows of a statement they would read somebody else's.
DO $pgcache$
DECLARE
    ours pg_catalog.record;
BEGIN
    FOR ours IN
        SELECT p.oid::pg_catalog.regprocedure AS function, coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee
          FROM pg_catalog.pg_proc p
         CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
          LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
         WHERE p.pronamespace = pg_catalog.to_regnamespace('pgcache') AND a.grantee <> p.proowner
           AND pg_catalog.pg_has_role(p.proowner, 'USAGE')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE', ours.function, ours.grantee);
    END LOOP;
END
$pgcache$;
