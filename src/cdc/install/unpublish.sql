-- Takes these tables out of publication pgcache, but for those that it has for the sake of a table above them. The publication stays:
-- without it every replication slot that is in use would fail.
DO $pgcache$
DECLARE
    member pg_catalog.text;
BEGIN
    FOR member IN
        WITH RECURSIVE published(oid) AS (
            SELECT r.prrelid FROM pg_catalog.pg_publication_rel r
              JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid AND p.pubname = 'pgcache'
        ), above(member, oid) AS (
            SELECT oid, oid FROM published WHERE oid = ANY ('{@tables@}')
            UNION
            SELECT a.member, i.inhparent FROM above a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.oid
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = a.oid AND c.relispartition)
        )
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
          FROM above a
          JOIN pg_catalog.pg_class c ON c.oid = a.member
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         GROUP BY n.nspname, c.relname
        HAVING pg_catalog.bool_and(a.oid = ANY ('{@tables@}') OR a.oid NOT IN (SELECT oid FROM published))
    LOOP
        EXECUTE pg_catalog.concat('ALTER PUBLICATION pgcache DROP TABLE ONLY ', member);
    END LOOP;
END
$pgcache$;
