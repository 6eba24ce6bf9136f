-- Triggers that somebody else made of this function, while everybody could: they go, with the function, which is made anew.
DO $pgcache$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_trigger t
                WHERE t.tgfoid = pg_catalog.to_regproc('@function@') AND NOT t.tgisinternal
                  AND (t.tgname, t.tgtype, coalesce(t.tgoldtable, ''), coalesce(t.tgnewtable, '')) NOT IN (
                      ('pgcache_insert', 4, '', 'new_rows'), ('pgcache_update', 16, 'old_rows', 'new_rows'),
                      ('pgcache_delete', 8, 'old_rows', ''), ('pgcache_truncate', 32, '', '')))
    THEN
        DROP FUNCTION @function@() CASCADE;
    END IF;
END
$pgcache$;

