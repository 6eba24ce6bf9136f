CREATE OR REPLACE TRIGGER pgcache_row AFTER INSERT OR UPDATE OR DELETE ON @relation@
    FOR EACH ROW EXECUTE FUNCTION @row_function@();
CREATE OR REPLACE TRIGGER pgcache_truncate AFTER TRUNCATE ON @relation@
    FOR EACH STATEMENT EXECUTE FUNCTION @function@();
DROP TRIGGER IF EXISTS pgcache_insert ON @relation@;
DROP TRIGGER IF EXISTS pgcache_update ON @relation@;
DROP TRIGGER IF EXISTS pgcache_delete ON @relation@;
ALTER TABLE ONLY @relation@ ENABLE ALWAYS TRIGGER pgcache_row, ENABLE ALWAYS TRIGGER pgcache_truncate;
