-- Publication pgcache: of which tables the write-ahead log tells. Each comes with the columns of its replica identity: those that
-- name a row. Of a partitioned table its partitions come with it, later ones too. A table without a working replica identity
-- must never be in it, because its UPDATE would fail.
DO $pgcache$
DECLARE
    publication pg_catalog.record;
    wanted pg_catalog.record;
    member pg_catalog.jsonb;
BEGIN
    SELECT INTO publication p.*, r.rolsuper OR r.rolname = current_user AS is_trusted
      FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_roles r ON r.oid = p.pubowner WHERE p.pubname = 'pgcache';
    IF NOT FOUND THEN
        CREATE PUBLICATION pgcache WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
    ELSIF NOT publication.is_trusted THEN
        RAISE insufficient_privilege USING MESSAGE = 'publication pgcache belongs to another role: be that role, or drop it';
    ELSIF publication.puballtables THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE =
            'publication pgcache is FOR ALL TABLES, so that an UPDATE of a table without a replica identity fails: drop it, and run this again';
    ELSIF publication.pubviaroot
       OR NOT (publication.pubinsert AND publication.pubupdate AND publication.pubdelete AND publication.pubtruncate) THEN
        ALTER PUBLICATION pgcache SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
    END IF;
    FOR wanted IN
    @publishable@
    LOOP
        IF wanted.objection IS NOT NULL THEN
            RAISE object_not_in_prerequisite_state USING MESSAGE = pg_catalog.format(
                '%s has no replica identity for the write-ahead log any more: run this again', wanted.name);
        END IF;
        SELECT INTO member pg_catalog.to_jsonb(r)
          FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
         WHERE p.pubname = 'pgcache' AND r.prrelid = wanted.oid;
        CONTINUE WHEN NOT wanted.is_published
            OR member IS NOT NULL AND pg_catalog.jsonb_extract_path_text(member, 'prqual') IS NULL
               AND nullif(pg_catalog.jsonb_extract_path(member, 'prattrs'), 'null'::pg_catalog.jsonb)
                   IS NOT DISTINCT FROM CASE WHEN wanted.list IS NOT NULL THEN wanted.attnums END;
        IF member IS NOT NULL THEN
            EXECUTE pg_catalog.concat('ALTER PUBLICATION pgcache DROP TABLE ONLY ', wanted.name);
        END IF;
        EXECUTE pg_catalog.concat('ALTER PUBLICATION pgcache ADD TABLE ONLY ', wanted.name, wanted.list);
    END LOOP;
END
$pgcache$;
-- Besides, the role that pgcache streams with (pg_replication_user, or else pg_user) must be able to connect to this database, and
-- needs the attribute REPLICATION, which lets it read all of the server's data: ALTER ROLE … REPLICATION.
